"""A customer's story: what the causal log tells of the customer and of all that belongs to it, for whoever may read it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, literal, select, tuple_, union_all
from sqlalchemy.orm import Session, aliased

from app.core.db import Moment
from app.core.history import HistoryEntry
from app.core.locales import EN
from app.custom_fields.queries import labels_of
from app.customers import queries as customers
from app.leads import queries as leads
from app.leads.models import Lead
from app.pages.history import visible_entries
from app.pages.reasons import reason_of
from app.users.models import User
from app.users.rights import ADMIN, CUSTOMER, MANAGER, REP, Actor

# Kinds of subject that are told of a customer.
NOUNS = (
    "customer",
    "site",
    "contact",
    "contact_relation",
    "asset",
    "component",
    "device",
    "fault_code",
    "alarm",
    "incident",
    "visit",
    "check_in",
    "work_order",
    "station_task",
    "service_offer",
    "coupon",
    "attachment",
    "lead",
    "follow_up",
    "customer_report",
    "entitlement_grant",
    "entitlement_spend",
)
# Where a subject can be read; the others are read in the list of what they belong to.
_LINKS = {
    "customer": "/api/v1/customers/{}",
    "contact": "/api/v1/contacts/{}",
    "asset": "/api/v1/assets/{}",
    "device": "/api/v1/devices/{}",
    "alarm": "/api/v1/alarms/{}",
    "incident": "/api/v1/incidents/{}",
    "visit": "/api/v1/visits/{}",
    "work_order": "/api/v1/work-orders/{}",
    "station_task": "/api/v1/station-tasks/{}",
    "service_offer": "/api/v1/service-offers/{}",
    "attachment": "/api/v1/attachments/{}/content",
    "lead": "/api/v1/leads/{}",
    "follow_up": "/api/v1/follow-ups/{}",
    "customer_report": "/api/v1/customer-reports/{}",
    "entitlement_spend": "/api/v1/entitlement-spends/{}",
}
# Fields that were changed: (English, Chinese)
FIELDS: dict[str, tuple[str, str]] = {
    "name": ("name", "名称"),
    "phone": ("phone", "电话"),
    "office_phone": ("office phone", "办公电话"),
    "email": ("e-mail", "邮箱"),
    "territory_id": ("territory", "区域"),
    "owner_id": ("rep in charge", "负责人"),
    "credit_code": ("credit code", "统一社会信用代码"),
    "company": ("company", "公司"),
    "interest": ("interest", "意向"),
    "source": ("source", "来源"),
    "budget": ("budget", "预算"),
    "address": ("address", "地址"),
    "lat": ("latitude", "纬度"),
    "lon": ("longitude", "经度"),
    "job_title": ("job title", "职务"),
    "role": ("role", "角色"),
    "note": ("note", "备注"),
    "locale": ("language", "语言"),
    "do_not_call": ("do not call", "请勿致电"),
    "left_at": ("day they left", "离职时间"),
    "model": ("model", "型号"),
    "warranty_until": ("warranty", "保修期"),
    "limits": ("limits", "限值"),
    "site_id": ("site", "站点"),
    "site": ("site", "站点"),
    "purpose": ("purpose", "目的"),
    "planned_from": ("planned begin", "计划开始时间"),
    "planned_until": ("planned end", "计划结束时间"),
}
_OUTSIDE = {CUSTOMER: ("the owner", "车主"), "partner": ("a partner", "合作方"), "station_staff": ("the station", "服务站")}
# Entries that the reader may not see are passed over: at most so many times, after the first time so many at once.
_ROUNDS = 5
_ROUND = 200


class Place(NamedTuple):
    """Where in a story somebody has read up to: entries before it follow."""

    recorded_at: datetime
    entry_id: str


@dataclass(frozen=True)
class Wanted:
    """What of a story is wanted: kinds of subject, kinds of entry, and the span in which it was recorded."""

    nouns: Collection[str] = ()
    kinds: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    but_by: str | None = None


def story_of(
    session: Session, actor: Actor, customer_id: str, wanted: Wanted, limit: int, before: Place | None = None
) -> tuple[list[HistoryEntry], Place | None]:
    """Return what is told of a customer, the last recorded first: of those merged into it, too; only what the actor may see.

    Args:
        customer_id: of a customer the actor may see.
        limit: of entries.
        before: only what lies before it.

    Returns:
        The entries, and where to go on; None when there is nothing more. Where most of what lies there is not for the reader
        there may be fewer entries than the limit, and more to come.
    """
    ids = [customer_id, *customers.merged_into(session, customer_id)]
    found: list[HistoryEntry] = []
    for turn in range(_ROUNDS):
        size = max(limit + 1, _ROUND if turn else 0)
        some = session.scalars(_entries(ids, wanted, before, size)).all()
        seen = visible_entries(session, actor, some)
        for entry in some:
            if len(found) == limit and entry.id in seen:
                return found, before
            before = Place(entry.recorded_at, entry.id)
            if entry.id in seen:
                found.append(entry)
        if len(some) < size:
            return found, None
    return found, before


def _entries(ids: Sequence[str], wanted: Wanted, before: Place | None, limit: int) -> Select[HistoryEntry]:
    """Return a select of the newest entries; of each customer by itself, as an index has them in this order.

    The rows are taken where they are found, by no second look at the table: PostgreSQL would read all of it for that look.
    """
    conditions = [*_conditions(wanted, before)]
    parts = [_newest(HistoryEntry).where(HistoryEntry.customer_id == one, *conditions).limit(limit) for one in ids]
    if len(parts) == 1:
        return parts[0]
    found = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return _newest(aliased(HistoryEntry, found)).limit(limit)


def _newest(entry: type[HistoryEntry]) -> Select[HistoryEntry]:
    return select(entry).order_by(entry.recorded_at.desc(), entry.id.desc())


def _conditions(wanted: Wanted, before: Place | None) -> Iterator[ColumnElement[bool]]:
    if wanted.nouns:
        yield HistoryEntry.subject_kind.in_(sorted(wanted.nouns))
    if wanted.kinds:
        yield HistoryEntry.kind.in_(sorted(wanted.kinds))
    if wanted.since is not None:
        yield HistoryEntry.recorded_at > wanted.since
    if wanted.until is not None:
        yield HistoryEntry.recorded_at <= wanted.until
    if wanted.but_by is not None:
        yield HistoryEntry.actor_id.is_distinct_from(wanted.but_by)
    if before is not None:
        here = tuple_(literal(before.recorded_at, Moment), literal(before.entry_id))
        yield tuple_(HistoryEntry.recorded_at, HistoryEntry.id) < here


def told(session: Session, actor: Actor, entries: Sequence[HistoryEntry], time_zone: tzinfo) -> list[dict[str, Any]]:
    """Return entries as lines for a reader: what happened in their language, who did it, when, and where to read on.

    Args:
        time_zone: times inside the sentences are told in it.
    """
    people = _people(session, actor, {entry.actor_id for entry in entries if entry.actor_id})
    words = _field_words(session, actor, entries)
    closed = _closed_leads(session, actor, entries)
    return [
        {
            "id": entry.id,
            "kind": entry.kind,
            "subject": {"kind": entry.subject_kind, "id": entry.subject_id},
            "occurred_at": entry.occurred_at,
            "recorded_at": entry.recorded_at,
            "who": people.get(entry.actor_id or ""),
            "text": reason_of(
                entry.kind,
                _worded(entry.facts, words["lead" if entry.subject_kind == "lead" else "customer"]),
                actor.locale,
                time_zone,
            ),
            "link": _link(entry) if entry.subject_id not in closed else None,
            "why": f"/api/v1/history/{entry.subject_kind}/{entry.subject_id}",
        }
        for entry in entries
    ]


def _link(entry: HistoryEntry) -> str | None:
    return _LINKS[entry.subject_kind].format(entry.subject_id) if entry.subject_kind in _LINKS else None


def _closed_leads(session: Session, actor: Actor, entries: Sequence[HistoryEntry]) -> set[str]:
    """Return the leads that the actor may read the story of, and not more: a colleague's that became the actor's customer."""
    ids = {entry.subject_id for entry in entries if entry.subject_kind == "lead"}
    if not ids or actor.sees_all:
        return set()
    return ids - set(session.scalars(leads.visible_to(actor).with_only_columns(Lead.id).where(Lead.id.in_(sorted(ids)))))


def _field_words(session: Session, actor: Actor, entries: Sequence[HistoryEntry]) -> dict[str, dict[str, str]]:
    """Return what fields of customers and of leads are called in the actor's language; own ones where entries name any."""
    side = 0 if actor.locale == EN else 1
    words = {name: pair[side] for name, pair in FIELDS.items()}
    named = {str(name) for entry in entries for name in _fields_in(entry.facts)}
    own = any(name.startswith("custom.") for name in named)
    return {kind: words | (labels_of(session, kind, actor.locale) if own else {}) for kind in ("customer", "lead")}


def _fields_in(facts: dict[str, Any]) -> list[Any]:
    names = facts.get("fields")
    return names if isinstance(names, list) else []


def _worded(facts: dict[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    """Return facts with the names of fields in words."""
    return facts | {"fields": [words.get(name, name) for name in _fields_in(facts)]} if _fields_in(facts) else facts


def _people(session: Session, actor: Actor, ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return who people are: colleagues by name, people of other companies by what they are to the customer."""
    side = 0 if actor.locale == EN else 1
    found: dict[str, dict[str, str]] = {}
    for user in session.scalars(select(User).where(User.id.in_(sorted(ids)))):
        if user.partner_id is None and user.role in {ADMIN, MANAGER, REP}:
            found[user.id] = {"id": user.id, "name": user.name}
        else:
            found[user.id] = {"id": user.id, "name": _OUTSIDE.get(user.role, _OUTSIDE["partner"])[side]}
    return found
