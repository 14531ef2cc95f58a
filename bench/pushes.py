"""Up and across: pushes, repeated pushes, rows that move to another territory, a territory that gets another rep."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import func, select

from app.core.db import Database, last_change
from app.core.scopes import ScopeEntry, ScopeGrant
from app.customers.models import Customer, Site
from app.customers.operations import edit_customer
from app.users.rights import Actor
from bench.filled import Filled
from bench.goals import Found, Sizes
from bench.phone import Phone
from bench.rows import GROUP, SEED, Rows
from bench.served import Served
from offline_sync.models import SyncProblem

# What a phone sends with a row it made.
_MADE = {"created_at": 0, "updated_at": 0, "_status": "created", "_changed": ""}

# Of a push that takes longer, one round is enough.
LONG_S = 20.0


def pushes(served: Served, filled: Filled, sizes: Sizes, found: Found) -> None:
    """Push rows a phone made offline in one request, then the same request again, as after a lost answer."""
    with served.phone(filled.reps[0]) as phone:
        phone.pull()
        for turn in range(sizes.rounds + 1):  # the first, of few rows, warms the connection up
            rows = Rows([(filled.territories[0], filled.reps[0])], SEED + 1 + turn).take(sizes.pushed if turn else GROUP)
            count = sum(map(len, rows.values()))
            for customer in rows["customers"]:
                customer["code"] = ""  # the server numbers what was made offline
            body = msgspec.json.encode(
                {name: {"created": [row | _MADE for row in made], "updated": [], "deleted": []} for name, made in rows.items()}
            )
            before = _stored(served.database)
            first_s, rejected = phone.push(body)
            after = _stored(served.database)
            found.check("rows of a push (stored, problems, rejected)", (after[0] - before[0], after[1], rejected), (count, 0, 0))
            again_s, rejected = phone.push(body)
            found.check("rows after the same push again", (*_stored(served.database), rejected), (*after, 0))
            if turn:
                found.note("push", first_s)
                found.note("replay", again_s)
            if first_s > LONG_S:
                break


def moves(served: Served, filled: Filled, sizes: Sizes, found: Found) -> None:
    """Move customers with their sites to an empty territory and back, in one transaction of the verb the API runs."""
    boss = Actor(filled.admin, "admin", "admin", "en")
    away, back = filled.territories[-1], filled.territories[0]
    with served.database.reading() as session:
        query = select(Customer.id).where(Customer.territory_id == back).order_by(Customer.id).limit(sizes.moved // GROUP)
        ids = list(session.scalars(query))
    for turn in range(sizes.rounds):
        target = back if turn % 2 else away
        began = time.perf_counter()
        with served.database.transaction() as session:
            for customer_id in ids:
                edit_customer(session, boss, session.get_one(Customer, customer_id), {"territory_id": target})
        found.note("move", (time.perf_counter() - began) * 1000)
        with served.database.reading() as session:
            moved = select(func.count()).where(ScopeEntry.scope == f"territory:{target}", ScopeEntry.gone.is_(False))
            moved = moved.where(ScopeEntry.change_no == last_change(session), ScopeEntry.collection.in_(["customers", "sites"]))
            found.check("rows moved", session.scalar(moved), len(ids) * GROUP)


def hand_over(served: Served, filled: Filled, sizes: Sizes, found: Found) -> None:
    """Take a territory from one rep and give it to another and back: two requests of the office, each with its transaction."""
    territory, pair = filled.territories[0], [filled.reps[0], filled.reps[-1]]
    with served.phone(filled.admin) as office:
        office.call("GET", "/territories")
        for _ in range(2 * sizes.rounds):
            giver, taker = pair
            took_s = _assign(office, giver, []) + _assign(office, taker, [territory])
            found.note("hand over", took_s * 1000)
            with served.database.reading() as session:
                holds = select(ScopeGrant.user_id).where(
                    ScopeGrant.scope == f"territory:{territory}", ScopeGrant.left_no.is_(None)
                )
                holders = set(session.scalars(holds.where(ScopeGrant.user_id.in_(pair))))
            found.check("holders of a territory handed over", holders, {taker})
            pair.reverse()


def _assign(office: Phone, user_id: str, territory_ids: list[str]) -> float:
    body = msgspec.json.encode({"territory_ids": territory_ids})
    return office.call("PUT", f"/users/{user_id}/territories", body, {"If-Match": "*"}).took_s


def _stored(database: Database) -> tuple[int, int]:
    """Return how many customers and sites there are, and how many problems of the phone that pushes."""
    with database.reading() as session:
        rows = sum(session.scalar(select(func.count()).select_from(model)) or 0 for model in (Customer, Site))
        problems = select(func.count()).where(SyncProblem.installation_id != "bench-other-phone")
        return rows, session.scalar(problems) or 0
