"""News of the customers a person is in charge of: from the causal log, one row a customer, what matters most first.

The scopes say which rows of theirs changed lately; the log says what happened to these.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import String, and_, func, literal, or_, select, union_all
from sqlalchemy.sql.selectable import CompoundSelect

from app.assets.models import Asset
from app.contacts.models import Contact
from app.core.db import among
from app.core.history import HistoryEntry
from app.core.scopes import ChangeTime, ScopeEntry
from app.customer_reports.models import CustomerReport
from app.customers.models import Customer, Site
from app.follow_ups.models import FollowUp
from app.leads.models import Lead
from app.pages.looks import Found, Look, row
from app.pages.reasons import reason_of
from app.service_offers.models import ServiceOffer
from app.users.rights import REP
from app.visits.models import Visit
from app.work_orders.models import StationTask, WorkOrder
from iot.models import Alarm

# Of what is told, the first matters most. What is not here is no news.
IMPORTANCE = {
    kind: place
    for place, kind in enumerate(
        (
            "alarm.escalated",
            "alarm.raised",
            "alarm.reopened",
            "alarm.stood_too_long",
            "work_order.unassigned",
            "work_order.slot_lost",
            "service_offer.declined",
            "service_offer.expired",
            "station_task.rejected",
            "station_task.lapsed",
            "work_order.cancelled",
            "service_offer.accepted",
            "service_offer.slot_changed",
            "customer_report.number_grew",
            "customer_report.received",
            "work_order.finished",
            "work_order.scheduled",
            "station_task.begun",
            "service_offer.issued",
            "service_offer.withdrawn",
            "alarm.closed",
            "alarm.cleared",
            "alarm.withdrawn",
            "visit.no_show",
            "visit.missed",
            "visit.ended",
            "visit.found",
            "visit.cancelled",
            "customer.handed_over",
            "lead.converted",
            "follow_up.logged",
            "follow_up.done",
            "contact.left",
            "contact.created",
            "contact.proposed",
            "customer.merged",
            "customer.unmerged",
            "customer.created",
            "customer.imported",
            "customer.edited",
            "customer.fact_chosen",
            "customer.fact_told",
            "customer.code_understood",
            "customer.decided_anew",
            "customer.repair_needed",
            "customer.repaired",
            "contact.confirmed",
            "contact.edited",
            "site.created",
            "site.edited",
            "asset.created",
            "asset.edited",
        )
    )
}
# Collection, its subject in the log, its table, and how its customer is found.
_KINDS: tuple[tuple[str, str, Any, Any, Any], ...] = (
    ("customers", "customer", Customer, Customer.id, None),
    ("sites", "site", Site, Site.customer_id, None),
    ("assets", "asset", Asset, Asset.customer_id, None),
    ("alarms", "alarm", Alarm, Asset.customer_id, Asset.id == Alarm.asset_id),
    ("work_orders", "work_order", WorkOrder, WorkOrder.customer_id, None),
    ("station_tasks", "station_task", StationTask, WorkOrder.customer_id, WorkOrder.id == StationTask.work_order_id),
    ("service_offers", "service_offer", ServiceOffer, ServiceOffer.customer_id, None),
    ("visits", "visit", Visit, Visit.customer_id, None),
    ("contacts", "contact", Contact, Contact.customer_id, None),
    ("leads", "lead", Lead, Lead.customer_id, None),
    ("follow_ups", "follow_up", FollowUp, FollowUp.customer_id, None),
    ("customer_reports", "customer_report", CustomerReport, CustomerReport.customer_id, None),
)
_SUBJECTS = {collection: subject for collection, subject, *_ in _KINDS}
# So many rows that changed last are asked after, and so many entries about them.
_MOST_ROWS, _MOST_ENTRIES = 400, 1000


def updates(look: Look, most: int) -> Found:
    """Return the news since the last look: each customer's most important one, and how many further ones there are."""
    subjects = _changed(look)
    if not subjects:
        return Found()
    entries = _entries(look, subjects)
    customers = _customers(look, entries)
    told: defaultdict[tuple[str, str], list[HistoryEntry]] = defaultdict(list)
    for entry in entries:
        if (customer := customers.get((entry.subject_kind, entry.subject_id))) is not None:
            told[customer].append(entry)
    for some in told.values():
        some.sort(key=lambda entry: (IMPORTANCE[entry.kind], -entry.occurred_at.timestamp(), entry.id))
    ordered = sorted(told.items(), key=lambda pair: (IMPORTANCE[pair[1][0].kind], -pair[1][0].occurred_at.timestamp(), pair[0]))
    return Found(len(ordered), [_row(look, *customer, some) for customer, some in ordered[:most]])


def _row(look: Look, customer_id: str, name: str, entries: list[HistoryEntry]) -> dict[str, Any]:
    first = entries[0]
    line = reason_of(first.kind, first.facts, look.actor.locale, look.settings.time_zone)
    source = {"kind": first.subject_kind, "id": first.subject_id}
    return row("customer", customer_id, name, line, first.occurred_at, source=source, further=len(entries) - 1)


def _scopes(look: Look) -> list[str]:
    """Return whose customers a person is in charge of: a rep their own, the office those of its territories."""
    if look.actor.role == REP:
        return [f"owner:{look.actor.id}"]
    return [f"territory:{territory}" for territory in sorted(look.actor.territory_ids)]


def _changed(look: Look) -> dict[str, list[str]]:
    """Return which rows changed lately: ids by kind of subject."""
    floor = select(func.max(ChangeTime.n)).where(ChangeTime.at <= look.since).scalar_subquery()
    query = (
        select(ScopeEntry.collection, ScopeEntry.row_id)
        .where(
            ScopeEntry.scope.in_(_scopes(look)),
            ScopeEntry.change_no > func.coalesce(floor, 0),
            ScopeEntry.gone.is_(False),
            ScopeEntry.collection.in_(sorted(_SUBJECTS)),
        )
        .order_by(ScopeEntry.change_no.desc(), ScopeEntry.row_id)
        .limit(_MOST_ROWS)
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    for collection, row_id in look.session.execute(query):
        found[_SUBJECTS[collection]].append(row_id)
    return found


def _entries(look: Look, subjects: dict[str, list[str]]) -> list[HistoryEntry]:
    about = [
        and_(HistoryEntry.subject_kind == kind, among(look.session, HistoryEntry.subject_id, ids))
        for kind, ids in sorted(subjects.items())
    ]
    query = (
        select(HistoryEntry)
        .where(
            or_(*about),
            HistoryEntry.recorded_at >= look.since,
            HistoryEntry.kind.in_(sorted(IMPORTANCE)),
            or_(HistoryEntry.actor_id.is_(None), HistoryEntry.actor_id != look.actor.id),
        )
        .order_by(HistoryEntry.id.desc())
        .limit(_MOST_ENTRIES)
    )
    return list(look.session.scalars(query))


def _customers(look: Look, entries: list[HistoryEntry]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the id and the name of the customer that each subject belongs to."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        ids[entry.subject_kind].add(entry.subject_id)
    parts = []
    for _, kind, model, column, through in _KINDS:
        if kind not in ids:
            continue
        part = select(literal(kind, String).label("kind"), model.id.label("id"), Customer.id.label("customer"), Customer.name)
        part = part.select_from(model) if through is None else part.select_from(model).join(column.class_, through)
        if model is not Customer:
            part = part.join(Customer, Customer.id == column)
        parts.append(part.where(among(look.session, model.id, sorted(ids[kind])), Customer.deleted_at.is_(None)))
    if not parts:
        return {}
    joined: CompoundSelect[Any] = union_all(*parts)
    return {(kind, row_id): (customer, name) for kind, row_id, customer, name in look.session.execute(joined)}
