"""The law of scopes: what entries and grants show a person is what every room's ``visible_to`` lets them see.

And old state + changes == fresh download, whatever happened in between.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from app.assets import queries as assets
from app.attachments import operations as attachment_verbs
from app.attachments import queries as attachments
from app.attachments.models import Attachment
from app.contacts import operations as contact_verbs
from app.contacts import queries as contacts
from app.contacts import relations
from app.core.clock import to_ms
from app.core.db import Database
from app.core.errors import DomainError
from app.core.settings import Settings
from app.custom_fields import queries as custom_fields
from app.customer_reports import forms as form_verbs
from app.customer_reports import operations as report_verbs
from app.customer_reports import queries as reports
from app.customers import operations as customer_verbs
from app.customers import queries as customers
from app.customers.models import Customer, Site
from app.entitlements import kinds as entitlement_kinds
from app.entitlements import operations as entitlement_verbs
from app.entitlements import queries as entitlements
from app.entitlements.models import EntitlementKind, EntitlementSpend
from app.follow_ups import operations as follow_up_verbs
from app.follow_ups import queries as follow_ups
from app.leads import assigning as lead_assigning
from app.leads import conversion as lead_conversion
from app.leads import operations as lead_verbs
from app.leads import queries as leads
from app.leads.models import Lead
from app.service_offers import queries as offers
from app.stations import queries as stations
from app.stations.models import Station
from app.territories import operations as territories
from app.users import operations as user_verbs
from app.users.auth import actor_of
from app.users.models import User
from app.users.rights import Actor
from app.visit_types import operations as type_verbs
from app.visit_types import queries as visit_types
from app.visits import operations as visit_verbs
from app.visits import queries as visits
from app.visits import steps as visit_steps
from app.visits.models import Visit
from app.work_orders import operations as order_verbs
from app.work_orders import queries as orders
from app.work_orders.models import StationTask, WorkOrder
from iot import queries as iot
from offline_sync.changes import Change, changes_since, head_of, names_for
from push import queries as push
from tests.conftest import SetClock
from tests.factories import World, make_asset, make_user, make_world

VISIBLE: dict[str, Callable[[Actor], Any]] = {
    "customers": customers.visible_to,
    "sites": customers.visible_sites,
    "custom_fields": custom_fields.visible_to,
    "contacts": contacts.visible_to,
    "contact_relations": contacts.visible_relations,
    "assets": assets.visible_to,
    "alarms": iot.visible_alarms,
    "work_orders": orders.visible_to,
    "station_tasks": orders.visible_tasks,
    "service_offers": offers.visible_to,
    "stations": stations.visible_to,
    "notifications": push.visible_to,
    "attachments": attachments.visible_to,
    "leads": leads.visible_to,
    "pool_leads": leads.visible_pool,
    "follow_ups": follow_ups.visible_to,
    "report_forms": reports.visible_forms,
    "report_form_versions": reports.visible_versions,
    "customer_reports": reports.visible_to,
    "entitlement_kinds": entitlements.visible_kinds,
    "entitlements": entitlements.visible_balances,
    "entitlement_spends": lambda actor: entitlements.visible_spends(actor).where(EntitlementSpend.recent),
    "visits": visits.visible_to,
    "step_results": visits.visible_results,
    "visit_types": visit_types.visible_to,
    "visit_kits": visit_types.visible_kits,
}


class Phones:
    """What each person's phone holds, brought up to date by changes alone."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.held: dict[str, tuple[int | None, set[tuple[str, str]]]] = {}

    def check_all(self) -> None:
        with self.db.reading() as session:
            head = head_of(session)
            people = [actor_of(session, user) for user in session.scalars(select(User).where(User.state == "active"))]
            for actor in people:
                names = names_for(actor)
                fresh = {(c.collection, c.row_id) for c in changes_since(session, actor, None, names)}
                for name in names:
                    if name not in VISIBLE:
                        continue
                    allowed = {row.id for row in session.scalars(VISIBLE[name](actor))}
                    shown = {row_id for collection, row_id in fresh if collection == name}
                    assert shown == allowed, (actor.name, name, shown ^ allowed)
                since, rows = self.held.get(actor.id, (None, set()))
                changed = changes_since(session, actor, since, names)
                rows = rows - {(c.collection, c.row_id) for c in changed if c.gone}
                rows |= {(c.collection, c.row_id) for c in changed if not c.gone}
                assert rows == fresh, (actor.name, rows ^ fresh)
                self.held[actor.id] = (head.n, rows)


class Company:
    """Random office work, so that rows and people move between scopes in every way there is."""

    def __init__(self, world: World, clock: SetClock, random_: random.Random) -> None:
        self.world, self.clock, self.random, self.n = world, clock, random_, 0
        self.db = world.db
        with self.db.transaction() as session:
            self.boss = actor_of(session, session.get_one(User, world.admin))
            north = territories.create_territory(session, self.boss, "N", "North")
            self.territories = [world.territory, north.id]
            partner = user_verbs.create_partner(session, self.boss, "Dealer")
            other = make_user(session, world.settings, "rep", "rep2", territory_ids=[north.id])
            dealer = make_user(session, world.settings, "manager", "dealer", partner_id=partner.id)
            self.reps, self.partner, self.dealer = [world.rep, other.id], partner.id, dealer.id

    def new_customer(self, session: Any) -> None:
        self.n += 1
        values = {"code": f"C{self.n:04}", "name": "x", "territory_id": self.random.choice(self.territories)}
        customer = customer_verbs.create_customer(
            session, self.boss, values | {"owner_id": self.random.choice([None, *self.reps])}
        )
        site = customer_verbs.create_site(session, self.boss, customer, {"name": "s", "lat": 22.5, "lon": 114.0, "address": ""})
        profile = assets.profiles()
        make_asset(
            session, self.boss, customer, site, session.scalars(profile).first(), f"9{self.n:04}",
            self.clock.now() - timedelta(days=100),
        )  # fmt: skip

    def move_customer(self, session: Any) -> None:
        customer = self.random.choice(list(session.scalars(select(Customer).order_by(Customer.id))))
        change = self.random.choice(
            [{"territory_id": self.random.choice(self.territories)}, {"owner_id": self.random.choice([None, *self.reps])}]
        )
        customer_verbs.edit_customer(session, self.boss, customer, change)

    def assign(self, session: Any) -> None:
        rep = session.get_one(User, self.random.choice(self.reps))
        some = self.random.sample(self.territories, self.random.randint(0, 2))
        territories.assign_territories(session, self.boss, rep, some)

    def new_territory(self, session: Any) -> None:
        self.n += 1
        self.territories.append(territories.create_territory(session, self.boss, f"T{self.n}", "t").id)

    def open_order(self, session: Any) -> None:
        asset = self.random.choice(list(session.scalars(assets.visible_to(self.boss))))
        component = assets.fitted_component(session, asset.id, "battery_pack", self.clock.now())
        if component is not None:
            order = order_verbs.open_order(
                session, asset, component, job="battery_replacement", certificates=[], coupon_required=False
            )
            order_verbs.dispatch(session, self.world.settings, order)

    def reject(self, session: Any) -> None:
        tasks = list(session.scalars(select(StationTask).where(StationTask.state.in_(("offered", "accepted")))))
        if tasks:
            task = self.random.choice(sorted(tasks, key=lambda found: found.id))
            staff = session.scalars(select(User).where(User.station_id == task.station_id)).first()
            order_verbs.reject_task(session, self.world.settings, actor_of(session, staff), task, "busy")

    def cancel(self, session: Any) -> None:
        found = list(session.scalars(select(WorkOrder).where(WorkOrder.state.in_(("proposed", "unassigned")))))
        if found:
            order_verbs.cancel_order(session, self.random.choice(sorted(found, key=lambda o: o.id)), "no", [], self.boss.id)

    def give_station(self, session: Any) -> None:
        from app.core.tracked import touch

        station = self.random.choice(list(session.scalars(select(Station).order_by(Station.id))))
        station.partner_id = None if station.partner_id else self.partner
        touch(session, station)

    def attach(self, session: Any) -> None:
        """Somebody attaches something to something they see; also station staff, and to things that are deleted later."""
        self.n += 1
        person = self.random.choice(sorted(session.scalars(select(User).where(User.state == "active")), key=lambda u: u.id))
        actor = actor_of(session, person)
        kind, visible = self.random.choice(
            [("customer", customers.visible_to), ("site", customers.visible_sites), ("asset", assets.visible_to),
             ("work_order", orders.visible_to)]
        )  # fmt: skip
        subjects = sorted(row.id for row in session.scalars(visible(actor)))
        if subjects:
            values = {"id": f"attachment-{self.n:04}", "subject_kind": kind, "subject_id": self.random.choice(subjects)}
            values |= {"name": "a.txt", "mime": "text/plain", "size": 1, "sha256": "0" * 64, "made_ms": 0}
            attachment_verbs.create_attachment(session, self.world.settings, actor, values)

    def detach(self, session: Any) -> None:
        found = sorted(session.scalars(select(Attachment).where(Attachment.deleted_at.is_(None))), key=lambda a: a.id)
        if found:
            attachment_verbs.delete_attachment(session, self.boss, self.random.choice(found))

    def new_site(self, session: Any) -> None:
        customer = self.random.choice(list(session.scalars(select(Customer).order_by(Customer.id))))
        customer_verbs.create_site(session, self.boss, customer, {"name": "s", "lat": 22.5, "lon": 114.0, "address": ""})

    def delete_site(self, session: Any) -> None:
        site = self.random.choice(sorted(session.scalars(select(Site).where(Site.deleted_at.is_(None))), key=lambda s: s.id))
        customer_verbs.delete_site(session, self.boss, site)

    def new_contacts(self, session: Any) -> None:
        customer = self.random.choice(list(session.scalars(select(Customer).order_by(Customer.id))))
        ends = [contact_verbs.create_contact(session, self.boss, customer.id, {"name": name}).id for name in ("a", "b")]
        values = {"from_id": ends[0], "to_id": ends[1], "kind": "knows", "strength": 1}
        relations.create_relation(session, self.boss, values)

    def delete_contact(self, session: Any) -> None:
        found = sorted(session.scalars(contacts.visible_to(self.boss)), key=lambda contact: contact.id)
        if found:
            contact_verbs.delete_contact(session, self.boss, self.random.choice(found))

    def plan_visit(self, session: Any) -> None:
        """The office plans a visit, also where the rep is not in charge: what they need for it comes to them."""
        sites = sorted(row.id for row in session.scalars(customers.visible_sites(self.boss)))
        at = self.clock.now() + timedelta(days=1)
        step = {"code": "stock", "kind": "stock", "label_zh": "x", "label_en": "x", "required": True}
        self.n += 1
        values = {"code": f"t{self.n}", "name_zh": "x", "name_en": "x", "active": True, "steps": [step]}
        kind = type_verbs.create_type(session, self.boss, values)
        window = {"planned_from": at, "planned_until": at, "type_id": kind.id}
        visit_verbs.plan_visit(
            session, self.boss, {"site_id": self.random.choice(sites), "user_id": self.random.choice(self.reps), **window}
        )

    def end_visit(self, session: Any) -> None:
        found = sorted(session.scalars(select(Visit).where(Visit.state.in_(("planned", "in_progress")))), key=lambda v: v.id)
        if not found:
            return
        visit = self.random.choice(found)
        if visit.state == "planned" and self.random.random() < 0.5:
            visit_verbs.cancel_visit(session, self.boss, visit, "no")
            return
        rep = actor_of(session, session.get_one(User, visit.user_id))
        if self.random.random() < 0.5:
            result = {"step": "stock", "kind": "stock", "content": {"lines": []}}
            visit_steps.record_step(session, rep, visit, result)
            return
        fix = {"lat": 22.5, "lon": 114.0, "datum": "wgs84", "accuracy_m": 5.0, "at_ms": to_ms(self.clock.now())}
        if visit.state == "planned":
            visit_verbs.begin_visit(session, self.world.settings, rep, visit, fix)
        else:
            visit_verbs.end_visit(session, self.world.settings, rep, visit, fix, "", "")

    def new_lead(self, session: Any) -> None:
        who = self.random.choice([self.boss, *(actor_of(session, session.get_one(User, rep)) for rep in self.reps)])
        values = {"name": "x", "phone": "+8613800138000", "interest": "y"}
        area = self.random.choice([None, *self.territories])
        lead_verbs.create_lead(session, self.world.settings, who, values | {"territory_id": area})

    def work_on_lead(self, session: Any) -> None:
        """Whatever moves a lead between people, the pool and customers, and what was done with it along."""
        found = sorted(session.scalars(select(Lead).where(Lead.state != "converted")), key=lambda lead: lead.id)
        if not found:
            return
        lead, rep, settings = self.random.choice(found), self.random.choice(self.reps), self.world.settings
        actor = actor_of(session, session.get_one(User, rep))
        area, anywhere = self.random.choice(self.territories), self.random.choice([None, *self.territories])
        steps: dict[str, Callable[[], Any]] = {
            "assign": lambda: lead_assigning.assign(session, settings, self.boss, lead, rep),
            "claim": lambda: lead_assigning.claim(session, settings, actor, lead.id),
            "back": lambda: lead_assigning.give_back(session, self.boss, lead, "no"),
            "log": lambda: follow_up_verbs.log_follow_up(session, actor, {"kind": "call", "lead_id": lead.id}),
            "call": lambda: follow_up_verbs.log_follow_up(session, self.boss, {"kind": "call", "lead_id": lead.id}),
            "qualify": lambda: lead_verbs.qualify(session, self.boss, lead),
            "lose": lambda: lead_verbs.lose(session, self.boss, lead, "no"),
            "convert": lambda: lead_conversion.convert(session, self.boss, lead, None, {"territory_id": area}),
            "move": lambda: lead_verbs.edit_lead(session, self.boss, lead, {"territory_id": anywhere}),
        }
        steps[self.random.choice(sorted(steps))]()

    def follow_customer_up(self, session: Any) -> None:
        customer = self.random.choice(sorted(row.id for row in session.scalars(customers.visible_to(self.boss))))
        follow_up_verbs.log_follow_up(session, self.boss, {"kind": "note", "customer_id": customer})

    def report(self, session: Any) -> None:
        """An owner reports something of the customer they are."""
        self.n += 1
        names = {"code": f"f{self.n}", "name_zh": "x", "name_en": "x"}
        step = {"code": "stock", "kind": "stock", "label_zh": "x", "label_en": "x", "required": True}
        form = form_verbs.create_form(session, self.boss, names | {"steps": [step]})
        told = {"stock": {"stock": [{"product": "P-1", "count": 1}]}}
        version = reports.newest_version(session, form.id).id
        owner = actor_of(session, session.get_one(User, self.world.owner))
        values = {"id": f"report-{self.n:06}", "version_id": version, "steps": told}
        report_verbs.send_report(session, self.world.settings, owner, values)

    def owe(self, session: Any) -> None:
        """The office grants something, or a rep uses some of it; now and then what was used is too old for phones."""
        self.n += 1
        rep = actor_of(session, session.get_one(User, self.world.rep))
        kind = session.scalar(select(EntitlementKind.id))
        if kind is None:
            names = {"code": "hours", "name_zh": "x", "name_en": "x", "unit": "hour"}
            kind = entitlement_kinds.create_kind(session, self.boss, names).id
        seen = {one: sorted(row.id for row in session.scalars(customers.visible_to(one))) for one in (self.boss, rep)}
        teller = self.random.choice([self.boss, rep] if seen[rep] else [self.boss])  # a rep may have lost every customer
        customer = self.random.choice(seen[teller])
        of_it = {"customer_id": customer, "kind_id": kind, "amount": Decimal(1)}
        if self.random.random() < 0.3:
            given = of_it | {"valid_from": self.clock.now().date()}
            entitlement_verbs.grant(session, self.world.settings, self.boss, given)
        else:
            entitlement_verbs.spend(session, self.world.settings, teller, of_it | {"id": f"spend-{self.n:06}"})
        if self.random.random() < 0.2:
            some = session.scalars(select(EntitlementSpend).where(EntitlementSpend.recent)).first()
            if some is not None:
                some.day -= timedelta(days=5000)
                session.flush()
                entitlement_verbs.retire_spends(session, self.world.settings)

    def retire_form(self, session: Any) -> None:
        """The office retires a form, takes it into use again, or gives it other steps."""
        found = sorted(session.scalars(reports.visible_forms(self.boss)), key=lambda form: form.id)
        if found:
            form = self.random.choice(found)
            step = {"code": f"s{self.n}", "kind": "stock", "label_zh": "x", "label_en": "x", "required": True}
            change = self.random.choice([{"active": not form.active}, {"steps": [step]}])
            form_verbs.edit_form(session, self.boss, form, change)

    def act(self) -> str:
        verb = self.random.choice(
            [self.attach, self.attach, self.attach, self.detach, self.new_contacts,
             self.delete_contact, self.new_site, self.delete_site, self.new_customer,
             self.move_customer, self.move_customer, self.assign, self.new_territory, self.open_order, self.open_order,
             self.reject, self.cancel, self.give_station, self.plan_visit, self.plan_visit, self.end_visit,
             self.end_visit, self.new_lead, self.new_lead, self.work_on_lead, self.work_on_lead, self.work_on_lead,
             self.work_on_lead, self.work_on_lead, self.follow_customer_up, self.report, self.report, self.retire_form,
             self.owe, self.owe, self.owe]
        )  # fmt: skip
        self.clock.advance(minutes=1)
        try:
            with self.db.transaction() as session:
                verb(session)
        except DomainError as refusal:
            return f"{verb.__name__}: {refusal.code}"
        return verb.__name__


def test_scopes_show_what_each_room_lets_a_person_see_and_changes_lead_there(
    db: Database, settings: Settings, clock: SetClock
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    company = Company(make_world(db, settings), clock, random.Random(seed))
    phones = Phones(db)
    for _ in range(80):
        print(company.act())
        phones.check_all()


def test_pages_together_are_the_whole(db: Database, settings: Settings, clock: SetClock) -> None:
    company = Company(make_world(db, settings), clock, random.Random(1))
    for _ in range(10):
        with db.transaction() as session:
            company.new_customer(session)
    with db.reading() as session:
        whole = changes_since(session, company.boss, None, names_for(company.boss))
        paged: list[Change] = []
        while page := changes_since(
            session, company.boss, None, names_for(company.boss), limit=7,
            after=(paged[-1].collection, paged[-1].row_id) if paged else ("", ""),
        ):  # fmt: skip
            assert len(page) == 7 or len(page) + len(paged) == len(whole)
            paged += page
    assert paged == whole
