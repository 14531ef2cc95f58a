"""Follow-ups: what was done with customers and leads is told once, its next step is done once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.core.clock import from_ms
from app.follow_ups.models import FollowUp
from tests.sync.simulation.noun import Found, Habits, Noun

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker


class FollowUps(Noun):
    collections = ("follow_ups",)
    once = ("follow_up.logged", "follow_up.done")

    def habits(self, role: str) -> Habits:
        return () if role == "station_staff" else [(self.log, 8), (self.finish, 4)]

    def log(self, worker: Worker) -> None:
        table = worker.chance.choice(["leads", "leads", "customers"])
        subject = worker.phone.some(table, worker.chance)
        if subject is None:
            return
        n = next(self.ledger.numbers)
        row_id = f"follow-up-{n:07}"
        body = {"id": row_id, "kind": worker.chance.choice(["call", "note", "meeting"]), "summary": f"summary {n}"}
        body["lead_id" if table == "leads" else "customer_id"] = subject["id"]
        if worker.chance.random() < 0.5:
            body["happened_at"] = from_ms(self.company.now_ms() - 1_000).isoformat()
        if worker.chance.random() < 0.7:
            body |= {"next_step": f"step {n}", "next_due": "2026-12-01"}
        if table == "customers":
            self.ledger.made_for["follow_ups", row_id] = subject["id"]
        worker.intend("follow_up.log", row_id, **body)

    def finish(self, worker: Worker) -> None:
        row = worker.phone.some("follow_ups", worker.chance)
        if row is not None and row["state"] == "open":
            worker.intend("follow_up.done", row["id"], follow_up_id=row["id"])

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            rows = {row.id: row for row in session.scalars(select(FollowUp))}
        told = {}
        for intent in found.accepted("follow_up.log"):
            body = json.loads(intent.body)
            assert body["id"] not in told, f"{body['id']} was told twice"
            told[body["id"]] = (intent.user_id, body["summary"])
        kept = {row.id: (row.user_id, row.summary) for row in rows.values() if row.visit_id is None}
        assert kept == told, f"what was told is not what is kept: {sorted(kept.items() ^ told.items())[:4]}"
        done = Counter(json.loads(intent.body)["follow_up_id"] for intent in found.accepted("follow_up.done"))
        assert all(n == 1 for n in done.values()), f"done more than once: {done.most_common(2)}"
        assert set(done) == {row.id for row in rows.values() if row.state == "done"}
