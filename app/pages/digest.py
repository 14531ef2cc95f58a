"""What is new with a customer: before a visit, since the reader was there last."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.history import HistoryEntry
from app.core.locales import EN
from app.pages.next_steps import open_steps, shown
from app.pages.owed import owed
from app.pages.story import Wanted, story_of, told
from app.users.rights import Actor
from app.visits.models import Visit

MOST_LINES = 500
_SHOWN = 10
_WITHOUT_VISIT = timedelta(days=30)

# Groups of news: (English, Chinese)
GROUPS: dict[str, tuple[str, str]] = {
    "alarms": ("Alarms", "告警"),
    "orders": ("Work orders", "工单"),
    "offers": ("Offers", "优惠"),
    "contacts": ("People", "人员变动"),
    "visits": ("Visits", "拜访"),
    "assets": ("Equipment", "设备"),
    "reports": ("Reports of the owner", "客户上报"),
    "entitlements": ("What is owed", "客户权益"),
    "customer": ("Customer record", "客户资料"),
    "attachments": ("Attachments", "附件"),
    "follow_ups": ("Follow-ups", "跟进"),
}
# What is news, by kind of entry, and in which group it is told. Where somebody was at a visit is nobody's news.
NEWS: dict[str, str] = {
    "alarm.raised": "alarms",
    "alarm.escalated": "alarms",
    "alarm.stood_too_long": "alarms",
    "alarm.cleared": "alarms",
    "alarm.closed": "alarms",
    "alarm.withdrawn": "alarms",
    "fault_code.reported": "alarms",
    "work_order.opened": "orders",
    "work_order.unassigned": "orders",
    "work_order.scheduled": "orders",
    "work_order.slot_lost": "orders",
    "work_order.finished": "orders",
    "work_order.cancelled": "orders",
    "service_offer.issued": "offers",
    "service_offer.accepted": "offers",
    "service_offer.declined": "offers",
    "service_offer.expired": "offers",
    "service_offer.withdrawn": "offers",
    "coupon.redeemed": "offers",
    "contact.created": "contacts",
    "contact.proposed": "contacts",
    "contact.confirmed": "contacts",
    "contact.edited": "contacts",
    "contact.left": "contacts",
    "contact.merged": "contacts",
    "contact_relation.created": "contacts",
    "visit.ended": "visits",
    "visit.cancelled": "visits",
    "visit.found": "visits",
    "visit.missed": "visits",
    "visit.no_show": "visits",
    "asset.created": "assets",
    "asset.edited": "assets",
    "component.fitted": "assets",
    "component.removed": "assets",
    "customer_report.received": "reports",
    "customer_report.number_grew": "reports",
    "entitlement_grant.given": "entitlements",
    "entitlement_grant.withdrawn": "entitlements",
    "entitlement_grant.ended": "entitlements",
    "entitlement_spend.told": "entitlements",
    "entitlement_spend.beyond": "entitlements",
    "entitlement_spend.forgiven": "entitlements",
    "entitlement_spend.returned": "entitlements",
    "customer.edited": "customer",
    "customer.handed_over": "customer",
    "customer.merged": "customer",
    "customer.unmerged": "customer",
    "customer.edited_after_merge": "customer",
    "customer.imported": "customer",
    "customer.fact_told": "customer",
    "customer.fact_chosen": "customer",
    "customer.code_understood": "customer",
    "customer.decided_anew": "customer",
    "customer.repair_needed": "customer",
    "customer.repaired": "customer",
    "lead.converted": "customer",
    "follow_up.logged": "follow_ups",
    "follow_up.done": "follow_ups",
    "site.created": "customer",
    "site.edited": "customer",
    "site.deleted": "customer",
    "site.undeleted": "customer",
    "site.position_confirmed": "customer",
    "attachment.stored": "attachments",
}


class Changes(NamedTuple):
    """What happened at a customer, the last first: as lines for the reader, and their entries. ``cut``: there is more."""

    lines: list[dict[str, Any]]
    entries: list[HistoryEntry]
    cut: bool


def changes_at(
    session: Session,
    actor: Actor,
    customer_id: str,
    since: datetime,
    until: datetime,
    limit: int = MOST_LINES,
    *,
    time_zone: tzinfo,
    own: bool = False,
    kinds: Collection[str] = (),
) -> Changes:
    """Return what the causal log holds of a customer that is news to somebody, by when it was recorded.

    The one reader of what happened at a customer: digests and preparations are made of it.

    Args:
        customer_id: of a customer the actor may see.
        since: exclusive.
        until: inclusive.
        limit: of lines.
        time_zone: times inside the sentences are told in it.
        own: with what the actor did themselves.
        kinds: of entry, beside those of ``NEWS``; their lines are in no group.
    """
    wanted = Wanted(kinds={*NEWS, *kinds}, since=since, until=until, but_by=None if own else actor.id)
    entries, more = story_of(session, actor, customer_id, wanted, limit)
    lines = told(session, actor, entries, time_zone)
    return Changes([line | {"group": NEWS.get(line["kind"])} for line in lines], entries, more is not None)


def digest_of(session: Session, actor: Actor, customer_id: str, since: datetime | None, time_zone: tzinfo) -> dict[str, Any]:
    """Return what is new with a customer in groups, each with its number of lines and the last ten of them, and what is to do.

    Args:
        customer_id: of a customer the actor may see.
        since: by default the end of the actor's last visit there; without one, 30 days ago.
        time_zone: times are told in it.
    """
    present = now(session)
    last = _last_visit(session, actor, customer_id) if since is None else None
    begins = since or (last.ended_at if last else None) or present - _WITHOUT_VISIT
    found = changes_at(session, actor, customer_id, begins, present, time_zone=time_zone)
    side = 0 if actor.locale == EN else 1
    groups = [(group, [line for line in found.lines if line["group"] == group]) for group in GROUPS]
    return {
        "since": begins,
        "until": present,
        "last_visit_id": last.id if last else None,
        "groups": [
            {"group": group, "name": GROUPS[group][side], "count": len(lines), "lines": lines[:_SHOWN]}
            for group, lines in groups
            if lines
        ],
        "entitlements": owed(session, customer_id, actor.locale),
        "next_steps": shown(open_steps(session, actor, customer_id, _SHOWN), present.astimezone(time_zone).date()),
        "cut": found.cut,
    }


def _last_visit(session: Session, actor: Actor, customer_id: str) -> Visit | None:
    """Return the visit of the actor's at a customer that ended last."""
    own = (Visit.customer_id == customer_id, Visit.user_id == actor.id, Visit.state == "finished", Visit.deleted_at.is_(None))
    return session.scalar(select(Visit).where(*own).order_by(Visit.ended_at.desc(), Visit.id.desc()).limit(1))
