"""Walking the causal log from one subject, backward to what caused it and forward to what followed.

The walk goes only through subjects the caller may see: where it meets another one it stops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset, Component, Device, FaultCode
from app.attachments import queries as attachments
from app.attachments.models import Attachment
from app.contacts import queries as contacts
from app.contacts.models import Contact, ContactRelation
from app.core.errors import NotFound
from app.core.history import HistoryCause, HistoryEntry
from app.customer_reports import queries as reports
from app.customer_reports.models import CustomerReport
from app.customers import queries as customers
from app.customers.models import Customer, Site
from app.day_plans import queries as day_plans
from app.day_plans.models import DayPlan
from app.entitlements import queries as entitlements
from app.entitlements.models import EntitlementGrant, EntitlementSpend
from app.follow_ups import queries as follow_ups
from app.follow_ups.models import FollowUp
from app.imports import queries as imports
from app.imports.models import Import, ImportMapping
from app.lead_forms import queries as lead_forms
from app.lead_forms.models import FormSubmission, LeadForm
from app.leads import queries as leads
from app.leads.models import Lead
from app.pages.reasons import reason_of
from app.rules import queries as rules
from app.rules.models import Rule
from app.service_offers import queries as offers
from app.service_offers.models import Coupon, ServiceOffer
from app.stations import queries as stations
from app.stations.models import Station
from app.teams import queries as teams
from app.teams.models import Team
from app.tracks import queries as tracks
from app.tracks.models import Shift, TrackConsent, TrackDeletion, TrackLook, VisitProposal
from app.users import queries as users
from app.users.models import Partner, User
from app.users.rights import CUSTOMER, REP, RIGHTS, Actor
from app.visits import queries as visits
from app.visits.models import CheckIn, Visit
from app.work_orders import queries as orders
from app.work_orders.models import StationTask, WorkOrder
from iot import queries as iot
from iot.models import Alarm, DeviceCommand
from push import queries as push
from push.models import Notification

_MOST_ENTRIES = 300
_GREW = "customer_report.number_grew"

# Kind of subject -> the ids of it that an actor may see. A kind without a row is seen by nobody.
_SCOPES: dict[str, tuple[Callable[[Actor], Select[Any]], Any]] = {
    "user": (users.visible_to, User.id),
    "partner": (users.visible_partners, Partner.id),
    "team": (teams.visible_to, Team.id),
    "customer": (customers.told_to, Customer.id),
    "site": (customers.visible_sites, Site.id),
    "contact": (contacts.told_to, Contact.id),
    "contact_relation": (contacts.relations_told_to, ContactRelation.id),
    "asset": (assets.visible_to, Asset.id),
    "attachment": (attachments.visible_to, Attachment.id),
    "component": (assets.visible_components, Component.id),
    "device": (assets.visible_devices, Device.id),
    "station": (stations.visible_to, Station.id),
    "lead": (leads.told_to, Lead.id),
    "lead_form": (lead_forms.visible_to, LeadForm.id),
    "form_submission": (lead_forms.told_to, FormSubmission.id),
    "customer_report": (reports.visible_to, CustomerReport.id),
    "entitlement_grant": (entitlements.visible_grants, EntitlementGrant.id),
    "entitlement_spend": (entitlements.visible_spends, EntitlementSpend.id),
    "follow_up": (follow_ups.visible_to, FollowUp.id),
    "visit": (visits.visible_to, Visit.id),
    "day_plan": (day_plans.visible_to, DayPlan.id),
    "check_in": (visits.visible_check_ins, CheckIn.id),
    "import": (imports.visible_to, Import.id),
    "import_mapping": (imports.visible_mappings, ImportMapping.id),
    "track_consent": (tracks.visible_consents, TrackConsent.id),
    "track_shift": (tracks.visible_shifts, Shift.id),
    "track_look": (tracks.visible_looks, TrackLook.id),
    "track_deletion": (tracks.visible_deletions, TrackDeletion.id),
    "visit_proposal": (tracks.visible_proposals, VisitProposal.id),
    "work_order": (orders.visible_to, WorkOrder.id),
    "station_task": (orders.visible_tasks, StationTask.id),
    "service_offer": (offers.visible_to, ServiceOffer.id),
    "coupon": (offers.visible_coupons, Coupon.id),
    "alarm": (iot.visible_alarms, Alarm.id),
    "device_command": (iot.visible_commands, DeviceCommand.id),
    "notification": (push.explainable_to, Notification.id),
}


def chain_of(session: Session, actor: Actor, kind: str, subject_id: str, time_zone: tzinfo) -> dict[str, Any]:
    """Return what happened to a subject, everything that caused it, and everything that followed.

    Args:
        kind: of the subject, such as ``coupon`` or ``reading``.
        subject_id: its id.
        time_zone: of the organisation; the reasons tell times in it.

    Returns:
        ``{"subject", "about": [...], "causes": [...], "effects": [...], "cut": bool}``; each entry with its reason
        in the actor's language, the ids of its causes, and its distance in hops.

    Raises:
        NotFound: when there is no such subject, or the actor may not see it.
    """
    # What happened to a customer that was merged into this one is part of its story.
    ids = [subject_id, *(customers.merged_into(session, subject_id) if kind == "customer" else ())]
    own = session.scalars(
        select(HistoryEntry)
        .where(HistoryEntry.subject_kind == kind, HistoryEntry.subject_id.in_(ids))
        .order_by(HistoryEntry.id)
        .limit(_MOST_ENTRIES)
    ).all()
    visible = visible_entries(session, actor, own)
    about = [entry for entry in own if entry.id in visible]
    if not about:
        raise NotFound
    causes, cut_back = _walk(session, actor, about, backward=True)
    effects, cut_forward = _walk(session, actor, about, backward=False)
    arrows = _arrows(session, [*about, *(entry for entry, _ in causes), *(entry for entry, _ in effects)])
    shown = {entry.id for entry in about} | {entry.id for entry, _ in causes} | {entry.id for entry, _ in effects}

    def view(entry: HistoryEntry, hops: int) -> dict[str, Any]:
        return _view(entry, hops, [cause for cause in arrows.get(entry.id, []) if cause in shown], actor, time_zone)

    return {
        "subject": {"kind": kind, "id": subject_id},
        "about": [view(entry, 0) for entry in about],
        "causes": [view(entry, hops) for entry, hops in causes],
        "effects": [view(entry, hops) for entry, hops in effects],
        "cut": cut_back or cut_forward,
    }


def _walk(
    session: Session, actor: Actor, start: list[HistoryEntry], *, backward: bool
) -> tuple[list[tuple[HistoryEntry, int]], bool]:
    """Walk the arrows breadth first, one query a ring, at most 300 entries."""
    seen = {entry.id for entry in start}
    found: list[tuple[HistoryEntry, int]] = []
    ring = deque([(entry.id for entry in start)])
    hops = 0
    here, there = (HistoryCause.effect_id, HistoryCause.cause_id) if backward else (HistoryCause.cause_id, HistoryCause.effect_id)
    while ring:
        hops += 1
        following = select(HistoryEntry).join(HistoryCause, there == HistoryEntry.id).where(here.in_(sorted(ring.popleft())))
        fresh = [entry for entry in session.scalars(following.order_by(HistoryEntry.id)).unique() if entry.id not in seen]
        visible = visible_entries(session, actor, fresh)
        fresh = [entry for entry in fresh if entry.id in visible]
        seen.update(entry.id for entry in fresh)
        found += [(entry, hops) for entry in fresh]
        if len(found) > _MOST_ENTRIES:
            return found[:_MOST_ENTRIES], True
        if fresh:
            ring.append(entry.id for entry in fresh)
    return found, False


def visible_entries(session: Session, actor: Actor, entries: Any) -> set[str]:
    """Return the ids of the entries whose subject the actor may see, and that say nothing which is not theirs to read."""
    by_kind: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        if actor.role == CUSTOMER and entry.kind == _GREW and not reports.of_owners_own([entry.facts]):
            continue
        by_kind.setdefault(entry.subject_kind, {}).setdefault(entry.subject_id, []).append(entry.id)
    allowed: set[str] = set()
    for kind, subjects in by_kind.items():
        seen = _seen_subjects(session, actor, kind, sorted(subjects), entries)
        allowed.update(entry_id for subject_id in seen for entry_id in subjects[subject_id])
    return allowed


def _seen_subjects(session: Session, actor: Actor, kind: str, subject_ids: list[str], entries: Any) -> set[str]:
    if kind == "reading":
        # A reading is seen by whoever sees the component it speaks of.
        component_of = {
            entry.subject_id: entry.facts.get("component_id", "") for entry in entries if entry.subject_kind == "reading"
        }
        seen = _seen_subjects(session, actor, "component", sorted(set(component_of.values())), entries)
        return {reading for reading, component_id in component_of.items() if component_id in seen}
    if kind == "fault_code":
        codes = session.execute(select(FaultCode.id, FaultCode.asset_id).where(FaultCode.id.in_(subject_ids))).all()
        assets_seen = _seen_subjects(session, actor, "asset", sorted({asset_id for _, asset_id in codes}), entries)
        return {code_id for code_id, asset_id in codes if asset_id in assets_seen}
    if kind == "rule":
        may = actor.role in RIGHTS["rules.read"]
        return set(session.scalars(rules.visible().with_only_columns(Rule.id).where(Rule.id.in_(subject_ids)))) if may else set()
    if kind not in _SCOPES:
        return set(subject_ids) if actor.sees_all else set()
    scope, column = _SCOPES[kind]
    return set(session.scalars(scope(actor).with_only_columns(column).where(column.in_(subject_ids))))


def _arrows(session: Session, entries: list[HistoryEntry]) -> dict[str, list[str]]:
    arrows: dict[str, list[str]] = {}
    ids = [entry.id for entry in entries]
    for start in range(0, len(ids), 500):
        rows = session.execute(
            select(HistoryCause.effect_id, HistoryCause.cause_id).where(HistoryCause.effect_id.in_(ids[start : start + 500]))
        )
        for effect_id, cause_id in rows:
            arrows.setdefault(effect_id, []).append(cause_id)
    return arrows


def _view(entry: HistoryEntry, hops: int, causes: list[str], actor: Actor, time_zone: tzinfo) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "subject": {"kind": entry.subject_kind, "id": entry.subject_id},
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "actor_id": entry.actor_id,
        "reason": reason_of(entry.kind, entry.facts, actor.locale, time_zone),
        # The facts may name other people's stations, loads and orders; the sentence above does not.
        "facts": entry.facts if actor.sees_all or actor.role == REP else {},
        "because_of": causes,
        "hops": hops,
    }
