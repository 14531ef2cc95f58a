"""Entitlements: whoever used what, wherever and however often they told it, it counts once, and stands as the fold has it."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from app.core.clock import from_ms
from app.entitlements.counting import differing
from app.entitlements.models import Entitlement, EntitlementSpend
from tests.sync.simulation.noun import Duties, Found, Habits, Noun

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker

_MOST_BALANCES = 10_000


class Entitlements(Noun):
    collections = ("entitlements", "entitlement_spends")
    once = ("entitlement_spend.told",)

    def begin(self) -> None:
        names = {"code": "hours", "name_zh": "课时", "name_en": "hours", "unit": "hour"}
        self.kind = self.company.call(self.company.manager, "POST", "/entitlement-kinds", names).json["id"]

    def habits(self, role: str) -> Habits:
        return () if role == "station_staff" else [(self.use, 6), (self.take_back, 1)]

    def duties(self) -> Duties:
        return [(self.grant, 4), (self.withdraw, 1), (self.forgive, 1)]

    def use(self, worker: Worker) -> None:
        customer = worker.phone.some("customers", worker.chance)
        if customer is None:
            return
        row_id = f"spend-{next(self.ledger.numbers):07}"
        body = {
            "id": row_id,
            "customer_id": customer["id"],
            "kind_id": self.kind,
            "amount": worker.chance.choice(["0.50", "1.00"]),
        }
        ago_ms = worker.chance.choice([0, 1_000, 3_600_000])
        self.ledger.made_for["entitlement_spends", row_id] = customer["id"]
        at = from_ms(self.company.now_ms() - ago_ms).isoformat()
        worker.intend("entitlement.spend", row_id, happened_at=at, **body)

    def take_back(self, worker: Worker) -> None:
        row = worker.phone.some("entitlement_spends", worker.chance)
        if row is not None and (row["user_id"] == worker.user_id or worker.role == "manager"):
            worker.intend("entitlement.return", row["id"], spend_id=row["id"], reason="a mistake")

    def grant(self, chance: random.Random) -> None:
        company = self.company
        customer = company.known(chance, "customers")
        first = company.db.clock.now().date()
        body = {"customer_id": customer, "kind_id": self.kind, "amount": "2.00", "valid_from": first.isoformat()}
        if chance.random() < 0.5:
            body["valid_until"] = first.isoformat()
        if company.call(company.manager, "POST", "/entitlement-grants", body).status_code == 201:
            self.ledger.count("grants")

    def withdraw(self, chance: random.Random) -> None:
        company = self.company
        rows = company.call(company.manager, "GET", "/entitlement-grants?limit=20").json["items"]
        if rows:
            path = f"/entitlement-grants/{chance.choice(rows)['id']}/withdraw"
            company.call(company.manager, "POST", path, {"reason": "order cancelled"})

    def forgive(self, chance: random.Random) -> None:
        company = self.company
        rows = company.call(company.manager, "GET", "/entitlement-spends?state=beyond&limit=20").json["items"]
        if rows:
            path = f"/entitlement-spends/{chance.choice(rows)['id']}/forgive"
            company.call(company.manager, "POST", path, {"reason": "a present"})

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            rows = {row.id: row for row in session.scalars(select(EntitlementSpend))}
            others = differing(session, _MOST_BALANCES)
            assert (session.scalar(select(func.count()).select_from(Entitlement)) or 0) < _MOST_BALANCES
        told = Counter(json.loads(intent.body)["id"] for intent in found.accepted("entitlement.spend"))
        assert all(n == 1 for n in told.values()), f"told twice: {told.most_common(2)}"
        assert set(told) == set(rows), f"what was told is not what is kept: {sorted(set(told) ^ set(rows))[:4]}"
        back = {json.loads(intent.body)["spend_id"] for intent in found.accepted("entitlement.return")}
        assert back == {row.id for row in rows.values() if row.state == "returned"}
        assert not others, f"balances that are not what was granted and used: {others[:4]}"
