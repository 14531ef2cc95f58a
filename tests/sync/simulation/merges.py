"""Customers that turn out to be one, and that were two after all: what belongs to them goes there and back."""

from __future__ import annotations

import random

from sqlalchemy import select

from app.core.db import Base
from app.customers.belongings import BELONGINGS
from app.customers.merging import follow_late
from app.customers.models import Customer, CustomerMerge
from tests.sync.simulation.noun import Duties, Found, Noun, Rivals


class Merges(Noun):
    def duties(self) -> Duties:
        return [(self.merge, 3)]

    def merge(self, chance: random.Random) -> None:
        company = self.company
        one, other = company.known(chance, "customers"), company.known(chance, "customers")
        with self.ledger.lock:
            stocked = sorted(set(self.ledger.made_for.values()) - company.fixed)
        if stocked and chance.random() < 0.7:  # something hangs on it
            other = chance.choice(stocked)
        if other not in company.fixed:
            answer = company.call(company.manager, "POST", f"/customers/{one}/merge", {"other_id": other})
            if answer.status_code == 200:
                self.ledger.note("customers", other, "merged into", one)
                self.ledger.note("customers", one, "took over", other)
                self.ledger.count("merges")

    def between(self, *, last: bool) -> None:
        """Part one merge or, in the end, two of three; give what came late to whom it belongs."""
        company = self.company
        with company.db.reading() as session:
            standing = select(CustomerMerge).where(CustomerMerge.state == "merged").order_by(CustomerMerge.id)
            merges = [(made.survivor_id, made.other_id) for made in session.scalars(standing)]
        parted = (
            [pair for n, pair in enumerate(reversed(merges)) if n % 3]
            if last
            else company.chance.sample(merges, min(1, len(merges)))
        )
        for survivor, other in parted if last or company.chance.random() < 0.4 else ():
            if company.call(company.manager, "POST", f"/customers/{survivor}/unmerge", {"other_id": other}).status_code == 200:
                self.ledger.note("customers", other, "parted from", survivor)
                self.ledger.note("customers", survivor, "gave up", other)
                self.ledger.lives["customers", other] += 1
                self.ledger.count("unmerges")
        if company.is_morning or last:
            self.follow()

    def follow(self) -> None:
        with self.company.db.transaction() as session:
            follow_late(session)

    def rivals(self) -> Rivals:
        """Return what stood in customers before an edit of one that was merged into them: it comes back when they part."""
        told: Rivals = {}
        with self.company.db.reading() as session:
            for made in session.scalars(select(CustomerMerge)):
                for name, values in made.taken.items():
                    if not isinstance(values["before"], dict):
                        told.setdefault((made.survivor_id, name), set()).add(values["before"])
        return told

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            into = {row.id: row.merged_into_id for row in session.scalars(select(Customer))}
            gone = {row_id for row_id, heir in into.items() if heir is not None}
            homes = {}
            for belonging in BELONGINGS:
                rows = belonging.rows
                query = select(rows.c.id, rows.c[belonging.column])
                if belonging.only is not None:
                    query = query.where(rows.c[belonging.only[0]] == belonging.only[1])
                homes |= {(belonging.table, row_id): home for row_id, home in session.execute(query)}
            sites = Base.metadata.tables["sites"].c
            visits = Base.metadata.tables["visits"].c
            strays = session.execute(
                select(visits.id)
                .join_from(visits.id.table, sites.id.table, sites.id == visits.site_id)
                .where(sites.customer_id != visits.customer_id)
            ).all()
        left = {row for row, home in homes.items() if home in gone}
        assert not left, f"rows of customers that are others now: {sorted(left)[:4]}"
        assert not strays, f"visits to another customer than the site's: {strays[:4]}"
        for row, customer in self.ledger.made_for.items():
            while into.get(customer) is not None:
                customer = into[customer]  # type: ignore[assignment]
            assert homes.get(row, customer) == customer, (
                f"{row} was made for {self.ledger.made_for[row]} and is at {homes[row]}, not {customer}\n"
                + self.ledger.told_of([("customers", self.ledger.made_for[row]), ("customers", homes[row])])
            )
