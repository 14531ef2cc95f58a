"""A rep's day: the order of visits asked for and taken over, consent to tracks, and shifts."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.core.clock import from_ms
from app.day_plans.models import DayPlan
from app.jobs import end_shifts, plan_days
from app.tracks.models import Shift, TrackConsent
from app.tracks.notice import notice_of
from tests.sync.simulation.noun import Found, Habits, Noun

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker

_HOUR_MS = 3_600_000


class DayPlans(Noun):
    collections = ("day_plans",)
    once = ("day_plan.asked", "day_plan.ready", "day_plan.applied")

    def habits(self, role: str) -> Habits:
        return [(self.plan, 2), (self.apply, 3)] if role == "rep" else ()

    def plan(self, worker: Worker) -> None:
        if worker.holds("day_plans"):
            row_id = f"day-plan-{next(self.ledger.numbers):07}"
            starts = self.company.now_ms()
            span = {"starts_at": from_ms(starts).isoformat(), "ends_at": from_ms(starts + 10 * _HOUR_MS).isoformat()}
            worker.intend("day.plan", row_id, id=row_id, start_lat=22.5, start_lon=114.0, **span)

    def apply(self, worker: Worker) -> None:
        row = worker.phone.some("day_plans", worker.chance)
        if row is not None and row["state"] == "ready":
            worker.intend("day_plan.apply", row["id"], day_plan_id=row["id"])

    def between(self, *, last: bool) -> None:
        plan_days(self.company.db, self.company.world.settings)

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            plans = {row.id: row for row in session.scalars(select(DayPlan))}
        asked = sorted(self.ledger.intents[intent.id][1] for intent in found.accepted("day.plan"))
        assert asked == sorted(plans), "a day is planned for each time that somebody asked"
        applied = sorted(json.loads(intent.body)["day_plan_id"] for intent in found.accepted("day_plan.apply"))
        assert applied == sorted(row.id for row in plans.values() if row.state == "applied")


class Tracks(Noun):
    collections = ("track_consents", "track_shifts")
    once = ("track_consent.given", "track_consent.withdrawn", "track_shift.began")

    def habits(self, role: str) -> Habits:
        return [(self.agree, 4), (self.withdraw, 3), (self.begin_shift, 6), (self.end_shift, 2)] if role == "rep" else ()

    def agree(self, worker: Worker) -> None:
        if worker.holds("track_consents"):
            row_id, notice = f"consent-{next(self.ledger.numbers):07}", notice_of(self.company.world.settings)
            worker.intend("track_consent.give", row_id, id=row_id, text_version=notice.text_version, digest=notice.digest)

    def withdraw(self, worker: Worker) -> None:
        row = worker.phone.some("track_consents", worker.chance)
        if row is not None and worker.chance.random() < 0.5:
            worker.intend("track_consent.withdraw", row["id"], consent_id=row["id"], erase=worker.chance.random() < 0.3)

    def begin_shift(self, worker: Worker) -> None:
        if worker.holds("track_shifts"):
            row_id = f"shift-{next(self.ledger.numbers):07}"
            worker.intend("track_shift.begin", row_id, id=row_id)

    def end_shift(self, worker: Worker) -> None:
        if row := worker.phone.some("track_shifts", worker.chance):
            worker.intend("track_shift.end", row["id"], shift_id=row["id"])

    def between(self, *, last: bool) -> None:
        if self.company.is_morning:
            end_shifts(self.company.db, self.company.world.settings)

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            consents = list(session.scalars(select(TrackConsent)))
            shifts = list(session.scalars(select(Shift)))
        told = {kind: sorted(self.ledger.intents[one.id][1] for one in found.accepted(kind)) for kind in (
            "track_consent.give", "track_consent.withdraw", "track_shift.begin",
        )}  # fmt: skip
        assert told["track_consent.give"] == sorted(row.id for row in consents)
        assert told["track_consent.withdraw"] == sorted(row.id for row in consents if row.state == "withdrawn")
        assert told["track_shift.begin"] == sorted(row.id for row in shifts)
        given = {row.user_id for row in consents if row.state == "given"}
        running = Counter(row.user_id for row in shifts if row.state == "running")
        assert all(n == 1 for n in running.values()), f"two shifts run at once: {running}"
        assert set(running) <= given, "a shift runs without consent"
