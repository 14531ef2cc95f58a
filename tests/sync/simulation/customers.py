"""Customers with their sites and photos: what everything else hangs on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.contacts.models import ContactRelation
from app.core.scopes import forget_removals
from app.customers.models import Site
from tests.sync.simulation.ledger import FIELDS, MODELS, value_of
from tests.sync.simulation.noun import Duties, Found, Habits, Noun

if TYPE_CHECKING:
    from tests.sync.phones import Row
    from tests.sync.simulation.worker import Worker


class Customers(Noun):
    collections = ("customers", "sites", "sync_problems")
    once = ("customer.created", "site.created", "attachment.created")

    def habits(self, role: str) -> Habits:
        if role == "station_staff":
            return ()
        return [
            (lambda w: w.edit("customers"), 40),
            (lambda w: w.edit("sites"), 30),
            (self.make_customer, 5),
            (self.make_site, 8),
            (self.delete, 4),
            (self.attach, 3),
        ]

    def duties(self) -> Duties:
        return [(self.hand_over, 4), (self.correct, 6), (self.drop, 1), (self.add, 1)]

    # On phones

    def make_customer(self, worker: Worker) -> None:
        if self.company.crowded():
            worker.edit("customers")
            return
        n = next(self.ledger.numbers)
        row = {"id": f"customer-{n:07}", "code": "", "territory_id": worker.chance.choice(self.company.areas), "owner_id": None}
        worker.make("customers", row | {name: worker.fresh(name) for name in ("name", "phone", "email")})

    def make_site(self, worker: Worker) -> None:
        parent = worker.phone.some("customers", worker.chance)
        if parent is None or self.company.crowded():
            worker.edit("sites")
            return
        row = {"id": f"site-{next(self.ledger.numbers):07}", "customer_id": parent["id"], "lon": 114.0}
        worker.make("sites", row | {name: worker.fresh(name) for name in FIELDS["sites"]})
        self.ledger.made_for["sites", row["id"]] = parent["id"]

    def attach(self, worker: Worker) -> None:
        subject = worker.phone.some("customers", worker.chance)
        if subject is None or "attachments" not in worker.phone.tables():
            return
        row = {"id": f"attachment-{next(self.ledger.numbers):07}", "subject_kind": "customer", "subject_id": subject["id"]}
        row |= {"name": "photo.txt", "mime": "text/plain", "size": 1, "sha256": "0" * 64, "state": "waiting", "code": None}
        worker.make("attachments", row | {"made_at": worker.now_ms()})
        self.ledger.made_for["attachments", row["id"]] = subject["id"]

    def delete(self, worker: Worker) -> None:
        table = worker.chance.choices(["customers", "sites"], [1, 2])[0]
        row = worker.phone.some(table, worker.chance)
        if worker.newest is not None and worker.chance.random() < 0.4:  # made by mistake: maybe it was not even sent yet
            table, row = worker.newest[0], worker.phone.live(worker.newest[0]).get(worker.newest[1])
        # What equipment belongs to is not deleted; an app would not offer it.
        if row is not None and row["id"] not in self.company.fixed:
            worker.phone.delete(table, row["id"])

    # In the office

    def hand_over(self, chance: random.Random) -> None:
        """Give a customer to another rep or another territory."""
        company = self.company
        change = chance.choice(
            [{"territory_id": chance.choice(company.areas)}, {"owner_id": chance.choice([None, *company.reps])}]
        )
        company.call(company.manager, "PATCH", f"/customers/{company.known(chance, 'customers')}", change, If_Match="*")
        self.ledger.count("customers handed over")

    def _read(self, table: str, row_id: str) -> Row | None:
        """Return a row as the office sees it now."""
        company = self.company
        if table == "customers":
            answer = company.call(company.manager, "GET", f"/customers/{row_id}")
            return answer.json if answer.status_code == 200 and answer.json["id"] == row_id else None
        with company.db.reading() as session:
            site = session.get(Site, row_id)
        if site is None or site.deleted_at is not None:
            return None
        items = company.call(company.manager, "GET", f"/sites?customer_id={site.customer_id}&limit=200").json["items"]
        return next((item for item in items if item["id"] == row_id), None)

    def correct(self, chance: random.Random) -> None:
        """Edit a field, by the version that was read: so it is known which value was replaced."""
        table = chance.choice(["customers", "sites"])
        row = self._read(table, self.company.known(chance, table))
        if row is not None:
            name, n = chance.choice([name for name in FIELDS[table] if name != "custom"]), next(self.ledger.numbers)
            new = {"phone": f"+86139{n:08}", "email": f"o{n}@example.test", "lat": n / 10**7}.get(name, f"office {n}")
            self.company.correct(f"/{table}/{row['id']}", table, row, name, new)

    def drop(self, chance: random.Random) -> None:
        table = chance.choice(["customers", "sites"])
        row_id = self.company.known(chance, table)
        if row_id not in self.company.fixed:
            self.company.drop(f"/{table}/{row_id}", table, row_id)

    def add(self, chance: random.Random) -> None:
        n = next(self.ledger.numbers)
        body = {"id": f"customer-{n:07}", "name": f"name {n}", "territory_id": chance.choice(self.company.areas)}
        if self.company.call(self.company.manager, "POST", "/customers", body).status_code == 201:
            with self.ledger.lock:
                self.ledger.made.add(("customers", body["id"]))
                self.ledger.created.add(("customers", body["id"]))

    # Between the turns

    def between(self, *, last: bool) -> None:
        self.bring_back()
        self.restore_conflict()
        if self.company.is_morning:
            with self.company.db.transaction() as session:
                forget_removals(session, self.company.plan.keep_days)

    def bring_back(self) -> None:
        """Undelete a customer or a site; a customer's sites that went with it must come, too."""
        company = self.company
        table = company.chance.choice(["customers", "sites"])
        with company.db.reading() as session:
            model = MODELS[table]
            gone = select(model.id).where(model.deleted_at.is_not(None))
            dead = sorted(session.scalars(gone.where(model.merged_into_id.is_(None)) if table == "customers" else gone))
        if dead:
            row_id = company.chance.choice(dead)
            before = self._dead_below(table, row_id)
            if company.call(company.manager, "POST", f"/{table}/{row_id}/undelete").status_code == 200:
                self._lives_again(table, row_id, before)
                self.ledger.count("brought back")

    def _dead_below(self, table: str, row_id: str) -> set[tuple[str, str]]:
        """Return the deleted rows that would come back with one."""
        below: dict[str, Any] = {
            "customers": ("sites", Site, Site.customer_id == row_id),
            "contacts": (
                "contact_relations",
                ContactRelation,
                (ContactRelation.from_id == row_id) | (ContactRelation.to_id == row_id),
            ),
        }
        if table not in below:
            return set()
        name, model, where = below[table]
        with self.company.db.reading() as session:
            return {(name, found) for found in session.scalars(select(model.id).where(where, model.deleted_at.is_not(None)))}

    def _lives_again(self, table: str, row_id: str, before: set[tuple[str, str]]) -> None:
        ledger = self.ledger
        ledger.note(table, row_id, "lives again")
        ledger.lives[table, row_id] += 1
        still = self._dead_below(table, row_id)
        for row in before - still:
            ledger.note(*row, "lives again with", row_id)
            ledger.lives[row] += 1
        if table == "customers":
            own = {row for row in still if ledger.lives[row] in ledger.deletions.get(row, set())}
            assert still <= own, f"sites that went with {row_id} did not come back with it: {sorted(still - own)}"

    def restore_conflict(self) -> None:
        """Take one lost value out of the journal and write it again."""
        company, ledger = self.company, self.ledger
        items = company.call(company.manager, "GET", "/sync/conflicts?state=open&limit=200").json["items"]
        if not items or company.chance.random() < 0.3:
            return
        lost = company.chance.choice(items)
        table, row_id = lost["collection"], company.heir_of(lost["collection"], lost["row_id"])
        before = self._dead_below(table, row_id)
        with company.db.reading() as session:
            stored = session.get_one(MODELS[table], row_id)
        if company.call(company.manager, "POST", f"/sync/conflicts/{lost['id']}/restore").status_code != 200:
            return
        ledger.count("conflicts restored")
        ledger.note(table, row_id, "restored", lost["field"], lost["lost"])
        if stored.deleted_at is not None:
            self._lives_again(table, row_id, before)
        for name, value in company.lost_values(lost["field"], lost["lost"]).items():
            ledger.supersede((table, row_id, name, value_of(stored, name)))
            with ledger.lock:
                key = (table, row_id, name, value)
                if key not in ledger.superseded:
                    ledger.acked.add(key)

    # In the end

    def check(self, found: Found) -> None:
        ledger, stored = self.ledger, found.stored
        # A row that came early, and whose parent was refused or left, is a problem with all that it held.
        missing = {row for row in ledger.created if row not in stored and row not in ledger.deletions} - found.kept
        assert not missing, f"acknowledged rows are not there: {sorted(missing)[:5]}"
        world = self.company.world
        known = ledger.made | {("customers", world.customer), ("sites", world.site)}
        stranger = {row for row in stored if row[0] != "contacts" and row not in known}
        assert not stranger, f"rows that nobody made: {sorted(stranger)[:5]}"
        codes = [row.code for (table, _), row in stored.items() if table == "customers"]
        assert len(codes) == len(set(codes))
        drawn = sorted(int(code.rsplit("-", 1)[1]) for code in codes if code != "C-1")
        assert drawn == list(range(1, len(drawn) + 1)), "numbers were drawn for rows that are not there"
        for row, deletions in ledger.deletions.items():
            # A deletion of what its person may not see any more is refused; an RxDB phone is rid of the row anyway.
            if row in stored and row[0] != "leads" and ledger.lives[row] in deletions and row not in found.refused | ledger.again:
                assert stored[row].deleted_at is not None, f"{row} was deleted and lives\n{ledger.told_of([row])}"
        for row, kept in stored.items():
            if kept.deleted_at is None or row[0] == "attachments" or getattr(kept, "merged_into_id", None) is not None:
                continue
            assert ledger.lives[row] in ledger.deletions.get(row, ()) or self._went_along(found, row), (
                f"{row} is deleted, and nobody did it\n{ledger.told_of([row])}"
            )

    def _went_along(self, found: Found, row: tuple[str, str]) -> bool:
        """Tell whether what a deleted row hangs on was deleted, or became another."""
        above: list[tuple[str, str]] = []
        if row[0] == "sites":
            above = [("customers", found.stored[row].customer_id)]
        if row[0] == "contact_relations":
            above = [("contacts", found.stored[row].from_id), ("contacts", found.stored[row].to_id)]
        return any(one in self.ledger.deletions or getattr(found.stored[one], "merged_into_id", None) for one in above)
