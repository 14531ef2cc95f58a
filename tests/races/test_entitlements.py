"""The last hours under contention: everything that is used at once counts, once, and stands as it would one after the other."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.findings import of_entitlements
from tests.factories import World, make_user
from tests.people import Http
from tests.races.together import together

ROUNDS = 20 if os.environ.get("SOAK") else 3


@pytest.fixture
def reps(world: World, http: Http) -> list[Http]:
    with world.db.transaction() as session:
        made = [make_user(session, world.settings, "rep", f"rep{n}", territory_ids=[world.territory]).id for n in range(4)]
    return [http.as_(user_id) for user_id in made]


@pytest.fixture
def office(world: World, http: Http) -> Http:
    return http.as_(world.manager)


def status(answer: Any) -> int:
    return answer.status_code if isinstance(answer, TestResponse) else -1


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_what_is_used_at_once_counts_once_and_the_earliest_are_covered(
    world: World, office: Http, reps: list[Http], round_: int
) -> None:
    """Each rep uses an hour and tells it twice, of a kind nobody has touched yet; the office grants two hours meanwhile."""
    rng = random.Random(round_)
    names = {"name_zh": "课时", "name_en": "hours", "unit": "hour"}
    kind = office.post("/entitlement-kinds", names | {"code": f"hours_{round_}"}, expect=201)["id"]
    of_it = {"customer_id": world.customer, "kind_id": kind}
    minutes = rng.sample(range(60), len(reps))
    told = [
        of_it | {"id": f"spend-{round_}-{n:04}", "amount": "1.00", "happened_at": f"2026-03-02T01:{minute:02}:00Z"}
        for n, minute in enumerate(minutes)
    ]
    calls = [partial(rep.call, "POST", "/entitlement-spends", body) for rep, body in zip(reps, told, strict=True)] * 2
    given = of_it | {"amount": "2.00", "valid_from": "2026-01-01"}
    calls.append(partial(office.call, "POST", "/entitlement-grants", given))
    rng.shuffle(calls)

    answers = together(*calls)

    assert [status(answer) for answer in answers] == [201] * len(calls), answers
    [balance] = office.get(f"/entitlements?kind_id={kind}")["items"]
    assert [balance[name] for name in ("granted", "spent", "left", "beyond")] == ["2.00", "2.00", "0.00", "2.00"]
    rows = office.get(f"/entitlement-spends?kind_id={kind}")["items"]
    states = [row["state"] for row in sorted(rows, key=lambda row: row["happened_at"])]
    assert states == ["covered", "covered", "beyond", "beyond"]
    with world.db.reading() as session:
        assert list(of_entitlements(session)) == []


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_returns_and_spends_at_once_leave_the_balance_as_the_fold_has_it(
    world: World, office: Http, reps: list[Http], round_: int
) -> None:
    names = {"name_zh": "课时", "name_en": "hours", "unit": "hour"}
    kind = office.post("/entitlement-kinds", names | {"code": f"hours_{round_}"}, expect=201)["id"]
    of_it = {"customer_id": world.customer, "kind_id": kind}
    office.post("/entitlement-grants", of_it | {"amount": "2.00", "valid_from": "2026-01-01"}, expect=201)
    for n, rep in enumerate(reps):
        at = f"2026-03-02T01:{n:02}:00Z"
        rep.post("/entitlement-spends", of_it | {"id": f"spend-{n:06}", "amount": "1.00", "happened_at": at}, expect=201)
    late = of_it | {"amount": "1.00", "happened_at": "2026-03-02T00:00:00Z"}

    answers = together(
        partial(reps[0].call, "POST", "/entitlement-spends/spend-000000/return", {"reason": "x"}),
        partial(office.call, "POST", "/entitlement-spends/spend-000000/return", {"reason": "x"}),
        partial(office.call, "POST", "/entitlement-spends/spend-000001/forgive", {"reason": "x"}),
        partial(reps[3].call, "POST", "/entitlement-spends", late | {"id": "spend-000009"}),
    )

    assert [status(answer) for answer in answers] == [200, 200, 200, 201], answers
    rows = {row["id"]: row["state"] for row in office.get(f"/entitlement-spends?kind_id={kind}")["items"]}
    assert rows == {
        "spend-000009": "covered", "spend-000000": "returned", "spend-000001": "forgiven", "spend-000002": "covered",
        "spend-000003": "beyond",
    }  # fmt: skip
    with world.db.reading() as session:
        assert list(of_entitlements(session)) == []


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_grant_that_is_sent_again_while_it_is_under_way_is_one_grant(world: World, office: Http, round_: int) -> None:
    names = {"name_zh": "课时", "name_en": "hours", "unit": "hour"}
    kind = office.post("/entitlement-kinds", names | {"code": f"hours_{round_}"}, expect=201)["id"]
    body = {
        "id": f"grant-{round_:06}",
        "customer_id": world.customer,
        "kind_id": kind,
        "amount": "2.00",
        "valid_from": "2026-01-01",
    }

    answers = together(*[partial(office.call, "POST", "/entitlement-grants", body)] * 4)

    assert [status(answer) for answer in answers] == [201] * 4, answers
    [balance] = office.get(f"/entitlements?kind_id={kind}")["items"]
    assert balance["granted"] == "2.00"
