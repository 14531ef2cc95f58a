"""What was used of what customers are owed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core import fields
from app.core.clock import EARLIEST, from_ms, to_ms
from app.core.settings import Settings
from app.entitlements import operations as entitlements
from app.entitlements import queries as entitlement_queries
from app.entitlements.models import EntitlementSpend
from app.entitlements.schemas import EntitlementReasonSchema, TellSpendSchema
from app.users.rights import Actor
from offline_sync.intent_kinds.base import IntentKind

# What nobody told a time of counts from when its intent was made, unless that is so long ago: then a clock was wrong.
_OLDEST_MS = 366 * 86_400_000
# A spend that is told again by another intent is the same within this: each push knows the phone's clock a little differently.
_ONE_TIME = timedelta(minutes=10)


class _ReturnSpend(EntitlementReasonSchema):
    spend_id = fields.Id(required=True)


def _spend(session: Session, settings: Settings, actor: Actor, body: dict[str, Any]) -> Any:
    values = dict(body)
    skew_ms, asked_ms, came_at = values.pop("skew_ms") or 0, values.pop("asked_ms"), values.pop("came_at")
    said = values.get("happened_at")
    at = _used_at(said, skew_ms, asked_ms, came_at)
    known = session.get(EntitlementSpend, values["id"])
    is_same = known is not None and (said in {None, known.happened_at} or abs(at - known.happened_at) <= _ONE_TIME)
    return entitlements.spend(session, settings, actor, values | {"happened_at": None if is_same else at})


def _used_at(said: datetime | None, skew_ms: int, asked_ms: int, came_at: datetime) -> datetime:
    """Return when something was used by our clock: as its phone says, else when it was told there; never after it came."""
    if said is not None and not skew_ms:
        return min(said, came_at)
    came_ms = to_ms(came_at)
    at_ms = (asked_ms if said is None else to_ms(said)) - skew_ms
    first_ms = came_ms - _OLDEST_MS if said is None else to_ms(EARLIEST)
    return from_ms(at_ms) if first_ms <= at_ms <= came_ms else came_at


def _spent(body: Mapping[str, Any]) -> tuple[str, str]:
    return ("visits", body["visit_id"]) if body.get("visit_id") else ("customers", body["customer_id"])


ENTITLEMENTS: dict[str, IntentKind] = {
    # What was used is never too much to be told: where less was left, the row says so.
    "entitlement.spend": IntentKind(
        "entitlements.spend",
        TellSpendSchema,
        _spend,
        happened=True,
        makes="entitlement_spends",
        about=_spent,
        timed=True,
    ),
    "entitlement.return": IntentKind(
        "entitlements.spend",
        _ReturnSpend,
        lambda s, c, a, b: entitlements.give_back(s, c, a, entitlement_queries.access_spend(s, a, b["spend_id"]), b["reason"]),
        happened=True,
        about=lambda b: ("entitlement_spends", b["spend_id"]),
    ),
}
