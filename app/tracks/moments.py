"""When something happened that a phone tells of, and one verb after the other on one rep's tracks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import now
from app.core.errors import FieldsInvalid
from app.users.models import User
from app.users.rights import Actor

AHEAD = timedelta(minutes=5)
"""So far a phone's clock may be ahead of ours."""
OLDEST = timedelta(days=30)
"""What a phone tells of later than so was forgotten, not offline."""


def happened_at(session: Session, told: Mapping[str, Any]) -> datetime:
    """Return when something was, by our clock.

    Args:
        told: ``at_ms`` by the phone's clock, left away for now; ``sent_ms``, the same clock when this was sent, sets it right.

    Raises:
        FieldsInvalid: ``time_ahead`` or ``time_old`` (at_ms).
    """
    present = now(session)
    if told.get("at_ms") is None:
        return present
    skew_ms = 0 if told.get("sent_ms") is None else to_ms(present) - told["sent_ms"]
    at_ms = told["at_ms"] + skew_ms
    if at_ms > to_ms(present + AHEAD):
        raise FieldsInvalid({"at_ms": ["time_ahead"]})
    if at_ms < to_ms(present - OLDEST):
        raise FieldsInvalid({"at_ms": ["time_old"]})
    return min(from_ms(at_ms), present)


def hold_rep(session: Session, actor: Actor) -> None:
    """Let the verbs on one rep's tracks follow each other, so that none decides by what another is just changing."""
    session.refresh(session.get_one(User, actor.id), with_for_update=True)
