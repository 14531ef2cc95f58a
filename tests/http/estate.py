"""A deployment of two sides that must not meet: two territories, reps and customers, two partners with a station each.

The customer of side 1 was given to partner A's station, that of side 2 to partner B's. Every text of
a side holds that side's word, so that a leak shows in any answer without knowing the answer's shape.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets import operations as assets
from app.assets.models import FaultCode, Fitting
from app.attachments import operations as attachments
from app.attachments.uploads import Uploads
from app.contacts.operations import create_contact
from app.contacts.relations import create_relation
from app.core.clock import to_ms
from app.core.db import Database
from app.core.history import Subject, record
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import add
from app.customer_reports import forms
from app.customer_reports import operations as reports
from app.customer_reports.queries import newest_version
from app.customers import operations as customers
from app.day_plans import operations as day_plans
from app.entitlements import kinds as entitlement_kinds
from app.entitlements import operations as entitlements
from app.entitlements.counting import derived_id
from app.follow_ups import operations as follow_ups
from app.imports import uploads
from app.lead_forms import intake
from app.lead_forms import operations as lead_forms
from app.lead_forms.models import FormSubmission
from app.leads import operations as leads
from app.rules.operations import install_default_rules
from app.service_offers.models import Coupon, ServiceOffer
from app.teams import operations as teams
from app.territories import operations as territories
from app.tracks import batches, consents, looks, shifts
from app.tracks.models import TrackDeletion, TrackLook, VisitProposal
from app.tracks.notice import notice_of
from app.tracks.told import Batch
from app.users import auth
from app.users.models import Partner, User
from app.users.rights import Actor
from app.visit_types import operations as visit_types
from app.visits import operations as visits
from app.work_orders.models import StationTask, WorkOrder
from iot.commands import ask_device
from iot.ingest import ingest_batch
from iot.models import Alarm, DeadLetter, Incident
from push.models import Notification
from tests.factories import make_asset, make_station, make_user, soh

SIDES = ("1", "2")
SIDE_WORDS = {"1": "KESTREL", "2": "BADGER"}
STATION_WORDS = {"1": "HERON", "2": "OTTER"}
PHONES = {"1": "+8613800000001", "2": "+8613800000002"}

# Whose customers a person sees: both sides' the office, their own side's the others, nobody's a dealer's rep.
OFFICE = {"admin", "manager"}
SHOPPERS = {"rep1", "rep2", "owner1", "owner2"}  # they see every station: stations are shops


@dataclass
class Estate:
    """``people`` by name; ``things`` by side and kind, the kinds being the names of path parameters without ``_id``."""

    db: Database
    settings: Settings
    people: dict[str, str] = field(default_factory=dict)
    things: dict[str, dict[str, str]] = field(default_factory=lambda: {side: {} for side in SIDES})

    def sees(self, person: str, kind: str) -> set[str]:
        """Return the sides whose thing of a kind a person may see, when their role may read the kind at all."""
        own = set(SIDES) if person in OFFICE else {person[-1]}
        if kind in {"rule", "letter"} or (kind == "station" and person in SHOPPERS):
            return set(SIDES)  # one for all; who may read them is a matter of rights
        if kind == "notification":
            return own if person.startswith("owner") else set()
        if kind == "proposal":
            return own if person.startswith("rep") else set()  # where a rep was is theirs to say
        if kind in {"lead_form", "submission"}:
            return own if person in OFFICE else set()
        if kind in {"contact", "contact_relation", "team"}:  # what is said of people stays in the organisation
            return own if person in OFFICE or person in {"rep1", "rep2"} else set()
        if kind == "customer_report":  # what an owner tells is told to the organisation
            return own if person in OFFICE or person.startswith(("rep", "owner")) else set()
        if kind == "entitlement_grant":  # what was sold to an owner, and by which order, is the organisation's
            return own if person in OFFICE or person in {"rep1", "rep2"} else set()
        if kind in {"entitlement", "entitlement_spend"}:
            return own if person in OFFICE or person.startswith(("rep", "owner")) else set()
        if kind == "upload":
            return own if person.startswith("rep") else set()  # of whoever made the attachment, and nobody else's
        if kind == "user":
            return own if person.startswith(("admin", "manager", "partner_manager", "partner_admin")) else set()
        if kind in {"station", "partner"}:
            return own
        return set() if person.startswith("partner_rep") else own

    def report(self, side: str, *values: float) -> None:
        """Report states of health of a side's pack, a day apart, the last one now."""
        present = self.db.clock.now()
        messages = [
            soh(self.things[side]["device"], present - timedelta(days=len(values) - 1 - i), value, "b1", i, present)
            for i, value in enumerate(values)
        ]
        ingest_batch(self.db, self.settings, messages)


def make_estate(db: Database, settings: Settings) -> Estate:
    """Make both sides through the product's own verbs, down to the offers and the tasks."""
    estate = Estate(db, settings)
    office = Actor("system-user", "admin", "system", "en")
    with db.transaction() as session:
        for name in ("admin", "manager"):
            estate.people[name] = make_user(session, settings, name, name).id
        profile = assets.create_profile(
            session,
            office,
            {
                "code": "native",
                "name": "Native",
                "adapter": "native",
                "metrics": {"soh_pct": {"unit": "%", "component": "battery_pack"}},
            },
        )
        for side in SIDES:
            _make_side(session, estate, office, profile, side)
        kind = visit_types.create_type(session, office, {"code": "shop", "name_zh": "x", "name_en": "x", "steps": []})
        words = {"name_zh": "x", "name_en": "x"}
        question = {"code": "says", "kind": "text", "label_zh": "x", "label_en": "x", "required": True}
        step = {"code": "ask", "kind": "form", "label_zh": "x", "label_en": "x", "required": True, "questions": [question]}
        form = forms.create_form(session, office, {"code": "shop", **words, "steps": [step]})
        hours = {"code": "hours", **words, "unit": "hour"}
        owed = entitlement_kinds.create_kind(session, office, hours)
        rule = install_default_rules(session)[0]
        letter = DeadLetter(
            id=new_id(),
            fingerprint="f" * 64,
            topic="devices/0/unknown/telemetry",
            payload=b"{",
            size=1,
            whole=True,
            reason="not_json",
            detail="",
            received_at=db.clock.now(),
            last_at=db.clock.now(),
            times=1,
        )
        session.add(letter)
        for side in SIDES:
            estate.things[side] |= {
                "rule": rule.id,
                "letter": letter.id,
                "profile": profile.id,
                "visit_type": kind.id,
                "report_form": form.id,
                "entitlement_kind": owed.id,
            }
    for side in SIDES:
        estate.report(side, 76.0, 74.9, 74.5, 74.1)
        with db.reading() as session:
            _find_effects(session, estate, side)
        _attach(estate, side)
        _visit(estate, side)
        _report(estate, side)
        _spend(estate, side)
        _lead(estate, side)
        _form(estate, side)
        _import(estate, side)
        _track(estate, side)
    return estate


def _import(estate: Estate, side: str) -> None:
    """Let the office upload a file of a side's customers, and keep its mapping."""
    with estate.db.transaction() as session:
        manager = auth.actor_of(session, session.get_one(User, estate.people["manager"]))
        word = SIDE_WORDS[side]
        made = uploads.upload(session, manager, "customers", f"{word}.csv", f"code,name,{word}\nK{side},{word},1\n".encode())
        mapping = {"kind": "customers", "name": word, "columns": {word: "code"}, "defaults": {}, "key": "code"}
        kept = uploads.keep_mapping(session, manager, mapping)
        estate.things[side] |= {"import": made.id, "mapping": kept.id}


def _visit(estate: Estate, side: str) -> None:
    """Let a side's rep begin a visit at its site, too far away to be plain."""
    things = estate.things[side]
    with estate.db.transaction() as session:
        rep = auth.actor_of(session, session.get_one(User, estate.people[f"rep{side}"]))
        present = estate.db.clock.now()
        window = {"planned_from": present, "planned_until": present + timedelta(hours=1)}
        visit = visits.plan_visit(session, rep, {"site_id": things["site"], "purpose": SIDE_WORDS[side], **window})
        told = {"lat": 22.6, "lon": 114.0, "datum": "wgs84", "accuracy_m": 5.0, "at_ms": 0}
        things |= {"visit": visit.id, "check_in": visits.begin_visit(session, estate.settings, rep, visit, told).id}
        asked = {"starts_at": present, "ends_at": present + timedelta(hours=1), "start_lat": 22.5, "start_lon": 114.0}
        asked |= {"datum": "wgs84", "keep_windows": True, "grace_minutes": 15}
        things["day_plan"] = day_plans.ask_for_plan(session, estate.settings, rep, asked).id


def _report(estate: Estate, side: str) -> None:
    """Let a side's owner report something."""
    things = estate.things[side]
    with estate.db.transaction() as session:
        owner = auth.actor_of(session, session.get_one(User, estate.people[f"owner{side}"]))
        told = {"ask": {"answers": {"says": SIDE_WORDS[side]}}}
        values = {"id": new_id(), "version_id": newest_version(session, things["report_form"]).id, "steps": told}
        things["customer_report"] = reports.send_report(session, estate.settings, owner, values).id


def _spend(estate: Estate, side: str) -> None:
    """Grant a side's customer some hours, and let its rep use more than that."""
    things, word = estate.things[side], SIDE_WORDS[side]
    office = Actor("system-user", "admin", "system", "en")
    of_it = {"customer_id": things["customer"], "kind_id": things["entitlement_kind"]}
    with estate.db.transaction() as session:
        rep = auth.actor_of(session, session.get_one(User, estate.people[f"rep{side}"]))
        given = of_it | {"amount": Decimal(1), "valid_from": estate.db.clock.now().date(), "reference": word}
        things["entitlement_grant"] = entitlements.grant(session, estate.settings, office, given).id
        used = of_it | {"id": new_id(), "amount": Decimal(2), "note": word}
        things["entitlement_spend"] = entitlements.spend(session, estate.settings, rep, used).id
        things["entitlement"] = derived_id("balance", *of_it.values())


def _lead(estate: Estate, side: str) -> None:
    """Let a side's rep make a lead, call it, and say what comes next."""
    word, things = SIDE_WORDS[side], estate.things[side]
    values = {
        "name": word,
        "phone": PHONES[side],
        "interest": word,
        "company": f"{word} Ltd",
        "territory_id": things["territory"],
    }
    with estate.db.transaction() as session:
        rep = auth.actor_of(session, session.get_one(User, estate.people[f"rep{side}"]))
        lead = leads.create_lead(session, estate.settings, rep, values)
        step = {"kind": "call", "lead_id": lead.id, "summary": word, "next_step": word}
        things |= {"lead": lead.id, "follow_up": follow_ups.log_follow_up(session, rep, step).id}


def _form(estate: Estate, side: str) -> None:
    """Let the office make a form of a side's, and somebody send what cannot become a lead."""
    word, things = SIDE_WORDS[side], estate.things[side]
    field = {"required": False, "codes": None, "else": "refuse", "range": "lower"}
    fields = [field | {"from": f"{word} {name}", "to": name} for name in ("name", "phone", "interest")]
    document = {"fields": fields, "defaults": {}, "origins": [], "trap": None}
    with estate.db.transaction() as session:
        manager = auth.actor_of(session, session.get_one(User, estate.people["manager"]))
        form, token = lead_forms.create_form(session, manager, {"name": word, "document": document})
        intake.submit(session, estate.settings, token, None, {f"{word} name": word})
        sent = session.scalars(select(FormSubmission.id).where(FormSubmission.form_id == form.id)).one()
        things |= {"lead_form": form.id, "submission": sent}


def _track(estate: Estate, side: str) -> None:
    """Let a side's rep record a track, a manager look at it, and the end of it be deleted; and propose a visit."""
    things, settings, present = estate.things[side], estate.settings, estate.db.clock.now()
    with estate.db.transaction() as session:
        rep = auth.actor_of(session, session.get_one(User, estate.people[f"rep{side}"]))
        boss = auth.actor_of(session, session.get_one(User, estate.people["manager"]))
        notice, since_ms = notice_of(settings), to_ms(present - timedelta(hours=2))
        told = {"text_version": notice.text_version, "digest": notice.digest, "at_ms": since_ms}
        consent = consents.give_consent(session, settings, rep, told)
        shift = shifts.begin_shift(session, settings, rep, {"at_ms": since_ms})
        fixes = [{"lat": 22.8, "lon": 114.0, "at_ms": since_ms + 60_000 * n, "datum": "wgs84"} for n in range(1, 70)]
        batches.take_batch(session, settings, rep, Batch("batch-0000001", to_ms(present), fixes))
        looks.look(session, settings, boss, shift, "mileage", SIDE_WORDS[side])
        shifts.end_shift(session, rep, shift, {"at_ms": since_ms + 60_000 * 60})
        # By hand: a visit to the only site is in progress, so that none is proposed.
        span = {"came_at": shift.began_at, "left_at": shift.covers_until, "distance_m": 3.0}
        where = {"customer_id": things["customer"], "site_id": things["site"]}
        proposal = add(session, VisitProposal(user_id=rep.id, shift_id=shift.id, state="proposed", **where, **span))
        record(session, "visit_proposal.made", Subject("visit_proposal", proposal.id), minutes=60)
        things |= {"consent": consent.id, "shift": shift.id, "proposal": proposal.id}
        for kind, model in (("look", TrackLook), ("deletion", TrackDeletion)):
            things[kind] = session.scalars(select(model.id).where(model.user_id == rep.id)).one()


def _attach(estate: Estate, side: str) -> None:
    """Let a side's rep attach a file to its asset, bytes and all."""
    raw, row_id = SIDE_WORDS[side].encode(), new_id()
    with estate.db.transaction() as session:
        rep = auth.actor_of(session, session.get_one(User, estate.people[f"rep{side}"]))
        values = {"id": row_id, "subject_kind": "asset", "subject_id": estate.things[side]["asset"], "name": "note.txt"}
        values |= {"mime": "text/plain", "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "made_ms": 0}
        attachments.create_attachment(session, estate.settings, rep, values)
    uploads = Uploads(estate.db, estate.settings)
    uploads.begin(rep, row_id, len(raw), keep_location=False)
    uploads.append(rep, row_id, 0, raw)
    estate.things[side] |= {"attachment": row_id, "upload": row_id}


def _make_side(session: Session, estate: Estate, office: Actor, profile: Any, side: str) -> None:
    word, station_word, settings = SIDE_WORDS[side], STATION_WORDS[side], estate.settings
    since = estate.db.clock.now() - timedelta(days=400)
    territory = territories.create_territory(session, office, word, f"{word} territory")
    partner = add(session, Partner(name=f"{station_word} partner"))
    team = teams.create_team(session, office, {"code": word, "name": f"{word} team"})
    rep = make_user(session, settings, "rep", f"rep-{word}", territory_ids=[territory.id], team_id=team.id)
    customer = customers.create_customer(
        session,
        office,
        {
            "code": word,
            "name": f"{word} Ltd",
            "phone": PHONES[side],
            "email": f"{word}@example.test",
            "territory_id": territory.id,
            "owner_id": rep.id,
        },
    )
    site = customers.create_site(
        session, office, customer, {"name": f"{word} depot", "lat": 22.5, "lon": 114.0, "address": f"{word} road"}
    )
    people = [create_contact(session, office, customer.id, {"name": f"{word} {n}", "note": word}).id for n in ("one", "two")]
    ends = {"from_id": people[0], "to_id": people[1], "kind": "knows", "strength": 3, "note": word}
    relation = create_relation(session, office, ends)
    station = make_station(session, office, territory, f"{station_word}-1", 22.6, partner_id=partner.id)
    owner = make_user(session, settings, "customer", f"owner-{word}", customer_id=customer.id)
    links = {"partner_id": partner.id}
    staff = make_user(session, settings, "station_staff", f"staff-{station_word}", station_id=station.id, **links)
    manager = make_user(session, settings, "manager", f"manager-{station_word}", **links)
    estate.people |= {
        f"rep{side}": rep.id,
        f"owner{side}": owner.id,
        f"staff{side}": staff.id,
        f"partner_manager{side}": manager.id,
    }
    if side == "1":
        for role, name in (("admin", "partner_admin1"), ("rep", "partner_rep1")):
            estate.people[name] = make_user(session, settings, role, f"{role}-{station_word}", **links).id
    asset, pack, device = make_asset(session, office, customer, site, profile, word, since, model=f"{word} 60")
    code = add(
        session,
        FaultCode(
            asset_id=asset.id,
            device_id=device.id,
            message_key=f"{word}-1",
            code=f"P-{word}",
            severity="high",
            occurred_at=since,
            received_at=since,
        ),
    )
    command = ask_device(session, office, device, {"say": word}, 300)
    estate.things[side] |= {
        "territory": territory.id,
        "team": team.id,
        "partner": partner.id,
        "customer": customer.id,
        "site": site.id,
        "contact": people[0],
        "contact_relation": relation.id,
        "station": station.id,
        "user": staff.id,
        "asset": asset.id,
        "component": pack.id,
        "device": device.id,
        "fault_code": code.id,
        "fitting": session.scalars(select(Fitting.id).where(Fitting.asset_id == asset.id)).one(),
        "command": command.id,
    }


def _find_effects(session: Session, estate: Estate, side: str) -> None:
    things = estate.things[side]
    order = session.scalars(select(WorkOrder).where(WorkOrder.asset_id == things["asset"])).one()
    task = session.scalars(select(StationTask).where(StationTask.work_order_id == order.id)).one()
    assert task.station_id == things["station"]
    offer = session.scalars(select(ServiceOffer).where(ServiceOffer.asset_id == things["asset"])).one()
    note = session.scalars(select(Notification).where(Notification.user_id == estate.people[f"owner{side}"])).one()
    things |= {
        "order": order.id,
        "task": task.id,
        "offer": offer.id,
        "coupon": session.scalars(select(Coupon.id).where(Coupon.offer_id == offer.id)).one(),
        "alarm": session.scalars(select(Alarm.id).where(Alarm.asset_id == things["asset"])).one(),
        "incident": session.scalars(select(Incident.id).where(Incident.asset_id == things["asset"])).one(),
        "notification": note.id,
    }
