"""Leads: made and edited, claimed from the pool, given back, won and lost, by reps on two phones each and by the office."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.jobs import remind_of_leads
from app.leads.models import LIVE_STATES, Lead, LeadHolding
from app.leads.routings import DEFAULT
from app.users.models import UserTerritory
from tests.sync.simulation.noun import Duties, Found, Habits, Noun
from tests.sync.simulation.worker import fresh

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker


class Leads(Noun):
    collections = ("leads", "pool_leads")
    once = ("lead.created", "lead.converted")

    def begin(self) -> None:
        self.company.manager.post("/lead-routings", {"document": {"rules": []}}, expect=201)
        for _ in range(5):
            self.add(self.company.chance)

    def habits(self, role: str) -> Habits:
        if role == "station_staff":
            return ()
        both = [(self.make, 4), (lambda w: w.edit("leads"), 10), (self.delete, 1), (self.lose, 1), (self.qualify, 2)]
        return both if role == "manager" else [*both, (self.claim, 4), (self.give_back, 2)]

    def duties(self) -> Duties:
        return [(self.add, 2), (self.correct, 2), (self.give, 2), (self.reopen, 1), (self.convert, 1), (self.route, 1)]

    # On phones

    def make(self, worker: Worker) -> None:
        if not worker.holds("leads"):
            return
        row = {name: worker.fresh(name) for name in ("name", "phone", "company", "email", "interest")}
        row["territory_id"] = worker.chance.choice([None, *self.company.areas])
        worker.make("leads", {"id": f"lead-{next(self.ledger.numbers):07}"} | row)

    def delete(self, worker: Worker) -> None:
        if row := worker.phone.some("leads", worker.chance):
            worker.phone.delete("leads", row["id"])

    def _ask(self, worker: Worker, kind: str, table: str = "leads", **more: Any) -> None:
        if row := worker.phone.some(table, worker.chance):
            worker.intend(kind, row["id"], lead_id=row["id"], **more)

    def claim(self, worker: Worker) -> None:
        self._ask(worker, "lead.claim", "pool_leads")

    def give_back(self, worker: Worker) -> None:
        self._ask(worker, "lead.give_back", reason="too far")

    def qualify(self, worker: Worker) -> None:
        self._ask(worker, "lead.qualify")

    def lose(self, worker: Worker) -> None:
        self._ask(worker, "lead.lose", reason="no need")

    # In the office

    def add(self, chance: random.Random) -> None:
        company, n = self.company, next(self.ledger.numbers)
        row = {"id": f"lead-{n:07}", "name": f"name {n}", "phone": f"+86137{n:08}", "interest": f"interest {n}"}
        row["territory_id"] = chance.choice(company.areas)
        if company.call(company.manager, "POST", "/leads", row).status_code == 201:
            with self.ledger.lock:
                self.ledger.made.add(("leads", row["id"]))
                self.ledger.created.add(("leads", row["id"]))

    def _known(self, chance: random.Random) -> str:
        with self.ledger.lock:
            return chance.choice(sorted(row_id for table, row_id in self.ledger.created if table == "leads"))

    def correct(self, chance: random.Random) -> None:
        company, path = self.company, f"/leads/{self._known(chance)}"
        row, name = company.call(company.manager, "GET", path).json, chance.choice(["name", "company", "email", "interest"])
        company.correct(path, "leads", row, name, fresh(name, next(self.ledger.numbers)))

    def give(self, chance: random.Random) -> None:
        company = self.company
        body = {"user_id": chance.choice(company.reps)}
        company.call(company.manager, "POST", f"/leads/{self._known(chance)}/assign", body)

    def reopen(self, chance: random.Random) -> None:
        company, lead = self.company, self._known(chance)
        if company.call(company.manager, "POST", f"/leads/{lead}/reopen").status_code == 200:
            with self.ledger.lock:
                self.ledger.lives["leads", lead] += 1

    def convert(self, chance: random.Random) -> None:
        company = self.company
        with company.db.reading() as session:
            ready = sorted(session.scalars(select(Lead.id).where(Lead.state == "qualified")))
        if ready:
            answer = company.call(company.manager, "POST", f"/leads/{chance.choice(ready)}/convert", {})
            if answer.status_code == 200:
                with self.ledger.lock:
                    self.ledger.made.add(("customers", answer.json["customer_id"]))

    def route(self, chance: random.Random) -> None:
        """Let new leads go to the reps in charge from now on, or into the pool."""
        body = {"document": chance.choice([DEFAULT, {"rules": []}])}
        self.company.call(self.company.manager, "POST", "/lead-routings", body)

    def between(self, *, last: bool) -> None:
        if self.company.is_morning:
            remind_of_leads(self.company.db, self.company.world.settings)

    # In the end

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            leads = {lead.id: lead for lead in session.scalars(select(Lead))}
            holdings = list(session.scalars(select(LeadHolding)))
            charge = [(row.user_id, row.territory_id) for row in session.scalars(select(UserTerritory))]
        self._check_holdings(leads, holdings)
        self._check_phones(leads, charge)
        had = {(one.lead_id, one.user_id) for one in holdings}
        for intent in found.accepted("lead.claim"):
            lead = json.loads(intent.body)["lead_id"]
            assert (lead, intent.user_id) in had, f"{intent.user_id} was told that {lead} is theirs, and never had it"
        for row, deletions in self.ledger.deletions.items():
            if row[0] == "leads" and self.ledger.lives[row] in deletions and row not in found.refused | self.ledger.again:
                lead = leads.get(row[1])
                assert lead is None or lead.state not in LIVE_STATES, f"{row} was dropped and lives\n{self.ledger.told_of([row])}"

    def _check_holdings(self, leads: dict[str, Lead], holdings: list[LeadHolding]) -> None:
        """A live lead is held by its owner and nobody else, since the last time that somebody got it."""
        count = Counter(one.lead_id for one in holdings)
        still = {(one.lead_id, one.user_id, one.number) for one in holdings if one.ended_at is None}
        should = {
            (lead.id, lead.owner_id, lead.assignments) for lead in leads.values() if lead.owner_id and lead.state in LIVE_STATES
        }
        assert still == should, f"who has a lead is not who holds it: {sorted(still ^ should)[:4]}"
        assert {lead.id: lead.assignments for lead in leads.values() if lead.assignments} == dict(count)

    def _check_phones(self, leads: dict[str, Lead], charge: list[tuple[str, str]]) -> None:
        """A lead is on its owner's phones and no other rep's; the pool shows what nobody has, there or without an area."""
        for worker in self.company.workers:
            if worker.role != "rep" or not worker.holds("leads"):
                continue
            me = worker.user_id
            areas: set[str | None] = {None} | {area for user, area in charge if user == me}
            mine = {lead.id for lead in leads.values() if lead.owner_id == me}
            pool = {lead.id for lead in leads.values() if lead.in_pool and lead.territory_id in areas}
            assert set(worker.phone.live("leads")) == mine, (worker.phone.name, "holds leads that are not its person's")
            assert set(worker.phone.live("pool_leads")) == pool, (worker.phone.name, "shows another pool")
