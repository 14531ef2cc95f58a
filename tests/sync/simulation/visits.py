"""Visits: planned, moved, begun, recorded step by step and ended where there is no network, by a person with two phones."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.core.clock import from_ms
from app.follow_ups.models import FollowUp
from app.jobs import miss_visits
from app.visits.models import CheckIn, StepResult, Visit
from tests.sync.simulation.noun import Duties, Found, Habits, Noun
from tests.visits.ask import COUNT, make_type

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker

_HOUR_MS = 3_600_000


class Visits(Noun):
    collections = ("visits", "visit_types", "visit_kits", "step_results")
    once = (
        "visit.planned", "visit.began", "visit.ended", "visit.no_show", "visit.cancelled", "check_in.recorded",
    )  # fmt: skip

    def begin(self) -> None:
        self.type_id = make_type(self.company.manager, COUNT)["id"]

    def habits(self, role: str) -> Habits:
        if role != "rep":
            return ()
        return [
            (self.plan, 12), (self.check_in, 18), (self.check_out, 10), (self.record, 16), (self.move, 2), (self.cancel, 1),
            (self.no_show, 1), (self.explain, 1), (self.meet, 3), (self.appeal, 1),
        ]  # fmt: skip

    def duties(self) -> Duties:
        return [(self.order, 3), (self.put_off, 2), (self.call_off, 1), (self.decide, 1)]

    # On phones

    def plan(self, worker: Worker) -> None:
        site = worker.phone.some("sites", worker.chance)
        if site is not None and worker.holds("visits"):
            row_id = f"visit-{next(self.ledger.numbers):07}"
            body = {"id": row_id, "site_id": site["id"]} | self._window(worker.chance)
            worker.intend("visit.plan", row_id, **body | worker.chance.choice([{}, {"type_id": self.type_id}]))
            worker.planned.append(row_id)

    def _window(self, chance: random.Random) -> dict[str, str]:
        begins = self.company.now_ms() + chance.randrange(-3, 30) * _HOUR_MS
        return {"planned_from": from_ms(begins).isoformat(), "planned_until": from_ms(begins + 2 * _HOUR_MS).isoformat()}

    def _one(self, worker: Worker, *states: str) -> str | None:
        """Return a visit of the person's own in one of some states, as far as the phone knows; or one it just asked for."""
        mine = [
            row["id"]
            for row in worker.phone.live("visits").values()
            if row["user_id"] == worker.user_id and row["state"] in states
        ]
        mine += worker.planned[-2:]
        return worker.chance.choice(mine) if mine else None

    def _fix(self, worker: Worker) -> dict[str, Any]:
        at_ms, n = worker.now_ms(), next(self.ledger.numbers)
        place = {"lat": 22.5 + n % 997 * 1.013e-4, "lon": 114.0 + n % 991 * 1.017e-4, "datum": "wgs84", "accuracy_m": 12.0}
        return place | {"at_ms": at_ms, "sent_ms": at_ms}

    def _ask(self, worker: Worker, kind: str, *states: str, **more: Any) -> str | None:
        visit = self._one(worker, *states)
        if visit is not None:
            worker.intend(kind, visit, visit_id=visit, **more)
        return visit

    def check_in(self, worker: Worker) -> None:
        if visit := self._ask(worker, "visit.check_in", "planned", "missed", **self._fix(worker)):
            worker.planned.append(visit)  # it is begun, whatever the phone has of it

    def check_out(self, worker: Worker) -> None:
        n = next(self.ledger.numbers)
        came = worker.chance.choice([{}, {"outcome": f"outcome {n}", "next_step": f"step {n}", "next_due": "2026-12-01"}])
        self._ask(worker, "visit.check_out", "in_progress", **self._fix(worker), **came)

    def no_show(self, worker: Worker) -> None:
        self._ask(worker, "visit.no_show", "planned", "missed", **self._fix(worker), reason="closed")

    def record(self, worker: Worker) -> None:
        n = next(self.ledger.numbers)
        told = {"id": f"result-{n:07}", "made_ms": max(worker.now_ms(), 1), "step": COUNT["code"]}
        self._ask(worker, "visit.record_step", "planned", "in_progress", "finished", **told, stock=[{"product": "P", "count": n}])

    def explain(self, worker: Worker) -> None:
        self._ask(worker, "visit.explain", "finished", reason="the shop was closing")

    def move(self, worker: Worker) -> None:
        self._ask(worker, "visit.move", "planned", "missed", **self._window(worker.chance), reason="as they asked")

    def cancel(self, worker: Worker) -> None:
        self._ask(worker, "visit.cancel", "planned", reason="not needed")

    def meet(self, worker: Worker) -> None:
        people = [{"name": f"Person {worker.chance.randrange(30)}"} for _ in range(2)]
        self._ask(worker, "visit.participants", "planned", "in_progress", "finished", participants=people)

    def appeal(self, worker: Worker) -> None:
        with self.company.db.reading() as session:
            query = select(CheckIn.id).where(CheckIn.user_id == worker.user_id, CheckIn.state != "accepted")
            found = session.scalars(query.order_by(CheckIn.id)).all()
        if found and worker.holds("visits"):
            row_id = worker.chance.choice(found)
            worker.intend("check_in.appeal", row_id, check_in_id=row_id, text="the gate is at the back")

    # In the office

    def order(self, chance: random.Random) -> None:
        """Plan a visit for a rep, be they in charge of the customer or not."""
        company = self.company
        body = {"site_id": company.known(chance, "sites"), "user_id": chance.choice(company.reps)} | self._window(chance)
        company.call(company.manager, "POST", "/visits", body | chance.choice([{}, {"type_id": self.type_id}]))

    def _some(self, chance: random.Random, *states: str) -> str | None:
        with self.company.db.reading() as session:
            found = sorted(session.scalars(select(Visit.id).where(Visit.state.in_(states))))
        return chance.choice(found) if found else None

    def put_off(self, chance: random.Random) -> None:
        if visit := self._some(chance, "planned", "missed"):
            body = self._window(chance) | {"reason": "the street is closed"}
            self.company.call(self.company.manager, "POST", f"/visits/{visit}/move", body)

    def call_off(self, chance: random.Random) -> None:
        if visit := self._some(chance, "planned", "missed"):
            self.company.call(self.company.manager, "POST", f"/visits/{visit}/cancel", {"reason": "not now"})

    def decide(self, chance: random.Random) -> None:
        """Decide on a check-in that somebody is to look at."""
        with self.company.db.reading() as session:
            found = sorted(session.scalars(select(CheckIn.id).where(CheckIn.state == "needs_review")))
        if found:
            body = {"accepted": chance.random() < 0.5, "reason": "looked at"}
            self.company.call(self.company.manager, "POST", f"/check-ins/{chance.choice(found)}/decide", body)

    def between(self, *, last: bool) -> None:
        if self.company.is_morning:
            miss_visits(self.company.db, self.company.world.settings)

    # In the end

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            visits = {row.id: row for row in session.scalars(select(Visit))}
            check_ins = list(session.scalars(select(CheckIn)))
            results = list(session.scalars(select(StepResult)))
            came = Counter(row.visit_id for row in session.scalars(select(FollowUp).where(FollowUp.visit_id.is_not(None))))
        planned = [self.ledger.intents[intent.id][1] for intent in found.accepted("visit.plan")]
        assert len(planned) == len(set(planned)), "a visit was planned twice"
        assert set(planned) == {row_id for row_id in visits if row_id.startswith("visit-")}
        self._check_states(found, visits, check_ins)
        self._check_steps(found, results)
        ended = {row.id for row in visits.values() if row.state == "finished" and (row.outcome or row.next_step)}
        assert came == Counter(ended), f"what came of visits is not told once: {(came - Counter(ended)).most_common(3)}"
        for worker in self.company.workers:
            if worker.role == "rep" and worker.holds("visits"):
                mine = {row.id for row in visits.values() if row.user_id == worker.user_id}
                here = {row["id"] for row in worker.phone.live("visits").values() if row["user_id"] == worker.user_id}
                assert here == mine, (worker.phone.name, "does not hold its person's visits")

    def _check_states(self, found: Found, visits: dict[str, Visit], check_ins: list[CheckIn]) -> None:
        """A visit is where its accepted intents put it, and each of its check-ins is there once, as the phone told it."""
        asked: defaultdict[str, list[Any]] = defaultdict(list)
        for kind in ("visit.check_in", "visit.no_show", "visit.check_out"):
            for intent in found.accepted(kind):
                asked[json.loads(intent.body)["visit_id"]].append((kind, json.loads(intent.body)["at_ms"]))
        there: defaultdict[str, list[tuple[bool, int]]] = defaultdict(list)
        for row in check_ins:
            there[row.visit_id].append((row.leaving, row.told_ms))
        for visit in visits.values():
            kinds = Counter(kind for kind, _ in asked[visit.id])
            is_at = kinds["visit.check_in"] + kinds["visit.no_show"]
            assert is_at <= 1, f"{visit.id} was begun twice: {asked[visit.id]}"
            assert kinds["visit.check_out"] <= kinds["visit.check_in"]
            state = "finished" if kinds["visit.check_out"] else "in_progress" if kinds["visit.check_in"] else None
            state = "no_show" if kinds["visit.no_show"] else state
            assert (visit.state if visit.state in {"finished", "in_progress", "no_show"} else None) == state, visit.id
            told = sorted((kind == "visit.check_out", at_ms) for kind, at_ms in asked[visit.id])
            assert sorted(there[visit.id]) == told, f"{visit.id}: {there[visit.id]} is kept of {told}"
        at_once = Counter(visit.user_id for visit in visits.values() if visit.state == "in_progress")
        assert all(n == 1 for n in at_once.values()), f"at two places at once: {at_once}"

    def _check_steps(self, found: Found, results: list[StepResult]) -> None:
        """Each result is there once; of a step the one made last stands, in whatever order they came."""
        told = sorted(json.loads(intent.body)["id"] for intent in found.accepted("visit.record_step"))
        assert sorted(row.id for row in results) == told
        by_step: defaultdict[tuple[str, str], list[StepResult]] = defaultdict(list)
        for row in results:
            by_step[row.visit_id, row.step].append(row)
        for step, rows in by_step.items():
            latest = max(rows, key=lambda row: (row.made_ms, row.id))
            assert [row.id for row in rows if row.standing] == [latest.id], f"not the last result of {step} stands"
