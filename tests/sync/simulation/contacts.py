"""People at customers and how they stand to each other: made, edited, deleted, met at visits, confirmed, merged."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.contacts.models import Contact, ContactRelation
from app.contacts.schemes import install_default_scheme
from tests.sync.simulation.ledger import FIELDS
from tests.sync.simulation.noun import Duties, Found, Habits, Noun
from tests.sync.simulation.worker import fresh

if TYPE_CHECKING:
    from tests.sync.phones import Row
    from tests.sync.simulation.worker import Worker


class Contacts(Noun):
    collections = ("contacts", "contact_relations", "contact_schemes")
    once = ("contact.created", "contact.proposed", "contact_relation.created")

    def begin(self) -> None:
        with self.company.db.transaction() as session:
            install_default_scheme(session)

    def habits(self, role: str) -> Habits:
        if role == "station_staff":
            return ()
        return [
            (self.make, 7), (lambda w: w.edit("contacts"), 10), (self.relate, 4), (lambda w: w.edit("contact_relations"), 4),
            (self.delete, 2), (self.decide, 2), (self.merge, 2),
        ]  # fmt: skip

    def duties(self) -> Duties:
        return [(self.correct, 2), (self.drop, 1)]

    # On phones

    def make(self, worker: Worker) -> None:
        customer = worker.phone.some("customers", worker.chance)
        if worker.newest is not None and worker.newest[0] == "customers" and worker.chance.random() < 0.3:
            customer = worker.phone.live("customers").get(worker.newest[1])
        if customer is None or not worker.holds("contacts"):
            return
        row = {"id": f"contact-{next(self.ledger.numbers):07}", "customer_id": customer["id"], "do_not_call": False}
        self.ledger.made_for["contacts", row["id"]] = customer["id"]
        worker.make("contacts", row | {name: worker.fresh(name) for name in FIELDS["contacts"]})

    def _two(self, worker: Worker) -> tuple[Row, Row] | None:
        """Return two people of one customer, if the phone has them."""
        one = worker.phone.some("contacts", worker.chance)
        if one is None:
            return None
        others = [
            row
            for row in worker.phone.live("contacts").values()
            if row["customer_id"] == one["customer_id"] and row["id"] != one["id"]
        ]
        return (one, worker.chance.choice(others)) if others else None

    def relate(self, worker: Worker) -> None:
        if two := self._two(worker):
            row = {"id": f"relation-{next(self.ledger.numbers):07}", "from_id": two[0]["id"], "to_id": two[1]["id"]}
            kind = worker.chance.choice(["knows", "influences"])
            worker.make("contact_relations", row | {"kind": kind, "strength": 3, "note": worker.fresh("note")})

    def delete(self, worker: Worker) -> None:
        table = worker.chance.choice(["contacts", "contact_relations"])
        if row := worker.phone.some(table, worker.chance):
            worker.phone.delete(table, row["id"])

    def decide(self, worker: Worker) -> None:
        if row := worker.phone.some("contacts", worker.chance):
            worker.intend(worker.chance.choice(["contact.confirm", "contact.reject"]), row["id"], contact_id=row["id"])

    def merge(self, worker: Worker) -> None:
        if two := self._two(worker):
            worker.intend("contact.merge", two[1]["id"], contact_id=two[0]["id"], other_id=two[1]["id"])

    # In the office

    def _known(self, chance: random.Random) -> str | None:
        with self.ledger.lock:
            found = sorted(row[1] for row in self.ledger.created if row[0] == "contacts" and row not in self.ledger.deletions)
        return chance.choice(found) if found else None

    def correct(self, chance: random.Random) -> None:
        company, contact = self.company, self._known(chance)
        answer = company.call(company.manager, "GET", f"/contacts/{contact}")
        if answer.status_code == 200:
            name = chance.choice(FIELDS["contacts"])
            company.correct(f"/contacts/{contact}", "contacts", answer.json, name, fresh(name, next(self.ledger.numbers)))

    def drop(self, chance: random.Random) -> None:
        if contact := self._known(chance):
            self.company.drop(f"/contacts/{contact}", "contacts", contact)

    # In the end

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            people = {row.id: row for row in session.scalars(select(Contact))}
            relations = list(session.scalars(select(ContactRelation)))
        for row in people.values():
            known = ("contacts", row.id) in self.ledger.made
            assert known or found.happened["contact.proposed", row.id] == 1, f"{row.id} is a contact, and nobody met them"
            if row.merged_into_id is not None:
                keeper = people[row.merged_into_id]
                assert row.deleted_at is not None
                assert keeper.merged_into_id is None, f"{row.id} leads to {keeper.id}, which is somebody else now"
        for relation in relations:
            if relation.deleted_at is None:
                ends = [people[relation.from_id], people[relation.to_id]]
                assert all(end.deleted_at is None for end in ends), f"{relation.id} ends at somebody who is gone"
                assert {end.customer_id for end in ends} == {relation.customer_id}, f"{relation.id} is of another customer"
        merged = {row.id for row in people.values() if row.merged_into_id is not None}
        asked = [self.ledger.intents[intent.id][1] for intent in found.accepted("contact.merge")]
        assert sorted(asked) == sorted(merged), f"merged otherwise than asked: {sorted(merged ^ set(asked))[:4]}"
