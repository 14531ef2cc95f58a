"""The company's own fields of customers, edited key by key; and what another system says of customers over everybody's head."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.customers.models import Customer, CustomerFact, CustomerMerge
from tests.sync.simulation.ledger import values_in
from tests.sync.simulation.noun import Duties, Found, Habits, Noun, Rivals
from tests.sync.simulation.worker import fresh

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker

KEYS = ("grade", "branch", "note", "credit")
# Of these another system knows better than people.
_RULED = ("phone", "custom.credit")
_ORDER = [["erp"], ["owner_portal", "rep", "office"], ["device"], ["import"]]


class CustomFields(Noun):
    collections = ("custom_fields",)

    def begin(self) -> None:
        boss = self.company.manager
        self.fields = []
        for key in KEYS:
            body = {"key": key, "kind": "text", "label_zh": key, "label_en": key}
            self.fields.append(boss.post("/custom-fields", body, expect=201)["id"])
        boss.post("/fact-rules", {"fields": {name: {"order": _ORDER} for name in _RULED}})
        # What the other system said, by customer and field.
        self.told: dict[tuple[str, str], list[Any]] = {}

    def habits(self, role: str) -> Habits:
        return () if role == "station_staff" else [(self.edit, 15)]

    def duties(self) -> Duties:
        return [(self.correct, 3), (self.tell, 3), (self.retire, 1)]

    def edit(self, worker: Worker) -> None:
        """Edit one or two keys; those of an edit that still waits are named again, as the protocol asks."""
        row = worker.phone.some("customers", worker.chance)
        if row is None:
            return
        text = row.get("custom")
        edited = set(json.loads(text).get("_changed", ())) if text and worker.waits("customers", row["id"]) else set()
        chosen = worker.chance.sample(KEYS, worker.chance.choice([1, 1, 2]))
        values = values_in(text) | {key: worker.fresh(key) for key in chosen}
        custom = json.dumps(values | {"_changed": sorted(edited | set(chosen))})
        worker.phone.update("customers", row["id"], custom=custom)

    def correct(self, chance: random.Random) -> None:
        company, customer = self.company, self.company.known(chance, "customers")
        answer = company.call(company.manager, "GET", f"/customers/{customer}")
        if answer.status_code == 200 and answer.json["id"] == customer:
            key = chance.choice(KEYS)
            path = f"/customers/{customer}"
            company.correct(path, "customers", answer.json, f"custom.{key}", fresh(key, next(self.ledger.numbers)))

    def tell(self, chance: random.Random) -> None:
        """Let another system speak of a customer: from then on its word stands."""
        company, customer, name = self.company, self.company.known(chance, "customers"), chance.choice(_RULED)
        n = next(self.ledger.numbers)
        value = f"+86135{n:08}" if name == "phone" else f"credit {n}"
        body = {"system": "books", "facts": [{"customer_id": customer, "field": name, "value": value}]}
        with self.ledger.lock:
            self.told.setdefault((customer, name), [])
        answer = company.call(company.manager, "POST", "/customer-facts", body)
        if answer.status_code == 200 and answer.json["items"][0]["outcome"] == "survives":
            with self.ledger.lock:
                self.told[customer, name].append(value)
            self.ledger.note("customers", customer, "told by the books", name, value)
            self.ledger.count("facts")

    def retire(self, chance: random.Random) -> None:
        """Retire a field, or bring it back."""
        body = {"retired": chance.random() < 0.4}
        self.company.call(self.company.manager, "PATCH", f"/custom-fields/{chance.choice(self.fields)}", body, If_Match="*")

    def rivals(self) -> Rivals:
        """Return what people said of fields of which the other system spoke."""
        found: Rivals = {}
        with self.company.db.reading() as session:
            for fact in session.scalars(select(CustomerFact).where(CustomerFact.field.in_(_RULED))):
                found.setdefault((fact.about_id, fact.field), set()).add(fact.value)
                found.setdefault((fact.customer_id, fact.field), set()).add(fact.value)
        return found

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            pairs = session.execute(select(CustomerMerge.survivor_id, CustomerMerge.other_id)).all()
        mixed = {row_id for pair in pairs for row_id in pair}
        for (customer, name), values in self.told.items():
            row: Customer = found.stored["customers", customer]
            if values and customer not in mixed:
                stands = row.phone if name == "phone" else row.custom.get("credit")
                assert stands in values, f"{name} of {customer} is {stands!r}, though the books say {values}"
