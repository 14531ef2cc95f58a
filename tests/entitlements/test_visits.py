"""A visit that ends spends by itself: once, by its length or a fixed amount, however late or often it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.clock import to_ms
from app.entitlements.counting import derived_id
from tests.conftest import SetClock
from tests.entitlements.conftest import HOURS, figures, grant, make_kind
from tests.factories import World
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.ask import make_type
from tests.visits.test_check_ins import WINDOW, fix, plan


@pytest.fixture
def lesson(office: Http) -> str:
    """A visit type without steps."""
    return str(make_type(office, code="lesson")["id"])


def spends(person: Http, world: World) -> list[tuple[str, str, str]]:
    """Return kind, amount and state of what was used, the first first."""
    rows = person.get(f"/entitlement-spends?customer_id={world.customer}")["items"]
    return sorted((row["kind_id"], row["amount"], row["state"]) for row in rows)


def visit(rep: Http, world: World, clock: SetClock, minutes: float, type_id: str) -> str:
    made = plan(rep, world, type_id=type_id)
    rep.post(f"/visits/{made}/check-in", fix(world))
    clock.advance(minutes=minutes)
    rep.post(f"/visits/{made}/check-out", fix(world))
    return made


@pytest.mark.parametrize(
    ("minutes", "step", "amount"),
    [(60, 15, "1.00"), (61, 15, "1.25"), (1, 15, "0.25"), (61, 60, "2.00"), (61, 6, "1.10")],
)
def test_a_length_is_rounded_up_to_the_step(
    office: Http, rep: Http, world: World, clock: SetClock, lesson: str, minutes: int, step: int, amount: str
) -> None:
    kind = make_kind(office, visit_type_id=lesson, per_visit="length", step_minutes=step)
    grant(office, world.customer, kind, "5.00")

    made = visit(rep, world, clock, minutes, lesson)

    [row] = rep.get("/entitlement-spends")["items"]
    assert (row["amount"], row["state"], row["source"], row["visit_id"], row["user_id"]) == (
        amount, "covered", "visit", made, world.rep,
    )  # fmt: skip
    assert row["happened_at"] == rep.get(f"/visits/{made}")["ended_at"]
    # The log leads from the spend to the end of the visit.
    chain = rep.get(f"/history/entitlement_spend/{row['id']}")
    assert ("visit.ended", made) in [(one["kind"], one["subject"]["id"]) for one in chain["causes"]]


@pytest.mark.parametrize(("minutes", "spent"), [(24 * 60, "24.00"), (24 * 60 + 1, None)])
def test_a_visit_told_to_be_longer_than_a_day_spends_no_length_and_says_so(
    office: Http, rep: Http, world: World, clock: SetClock, lesson: str, minutes: int, spent: str | None
) -> None:
    kind = make_kind(office, visit_type_id=lesson, per_visit="length")
    fixed = make_kind(office, visit_type_id=lesson, per_visit="1", code="inspections", unit="visit")
    grant(office, world.customer, kind, "50.00")

    made = visit(rep, world, clock, minutes, lesson)

    assert {(row[0], row[1]) for row in spends(rep, world)} == {(fixed, "1.00")} | ({(kind, spent)} if spent else set())
    told = [entry for entry in office.get(f"/history/visit/{made}")["about"] if entry["kind"] == "visit.length_not_counted"]
    assert len(told) == (0 if spent else 1)


def test_each_kind_that_is_attached_is_spent_once(office: Http, rep: Http, world: World, clock: SetClock, lesson: str) -> None:
    fixed = make_kind(office, visit_type_id=lesson, per_visit="1", code="inspections", unit="visit")
    hours = make_kind(office, visit_type_id=lesson, per_visit="length")
    retired = make_kind(office, visit_type_id=lesson, per_visit="2.00", code="old", active=False)
    other = make_kind(office, visit_type_id=make_type(office, code="other")["id"], per_visit="3.00", code="other")
    assert rep.get(f"/entitlement-kinds/{fixed}")["per_visit"] == "1.00"

    made = visit(rep, world, clock, 30, lesson)
    rep.refused("POST", f"/visits/{made}/check-out", 409, "state_conflict", fix(world))

    assert spends(rep, world) == sorted([(fixed, "1.00", "beyond"), (hours, "0.50", "beyond")])
    assert {retired, other}.isdisjoint({kind for kind, *_ in spends(rep, world)})


def test_who_takes_the_id_of_a_visits_spend_does_not_keep_it_from_counting(
    office: Http, rep: Http, world: World, clock: SetClock, lesson: str
) -> None:
    kind = make_kind(office, visit_type_id=lesson, per_visit="1.00")
    first = visit(rep, world, clock, 10, lesson)
    [row] = rep.get("/entitlement-spends")["items"]
    assert row["visit_id"] == first
    second = plan(rep, world, type_id=lesson, id="visit-00000002")
    body = {"id": derived_id("visit", second, kind), "customer_id": world.customer, "kind_id": kind, "amount": "0.01"}
    rep.post("/entitlement-spends", body, expect=201)
    rep.post(f"/visits/{second}/check-in", fix(world))
    rep.post(f"/visits/{second}/check-out", fix(world))
    assert [amount for _, amount, _ in spends(rep, world)] == ["0.01", "1.00", "1.00"]


def test_no_show_and_cancelled_visits_spend_nothing(office: Http, rep: Http, world: World, clock: SetClock, lesson: str) -> None:
    make_kind(office, visit_type_id=lesson, per_visit="1.00")
    absent = plan(rep, world, type_id=lesson)
    rep.post(f"/visits/{absent}/no-show", fix(world, reason="closed"))
    cancelled = plan(rep, world, type_id=lesson)
    rep.post(f"/visits/{cancelled}/cancel", {"reason": "rain"})
    assert spends(rep, world) == []
    assert rep.get(f"/entitlements?customer_id={world.customer}")["items"] == []


def test_a_whole_visit_told_in_the_evening_and_twice_spends_by_event_time(
    office: Http, rep: Http, world: World, clock: SetClock, lesson: str, phone: Callable[..., Phone]
) -> None:
    kind = make_kind(office, visit_type_id=lesson, per_visit="length")
    grant(office, world.customer, kind, "1.00", until="2026-03-02")
    device = phone(world.rep)
    device.pull()
    begun = fix(world)
    clock.advance(minutes=50)
    ended = fix(world, outcome="", next_step="")
    clock.advance(hours=20)  # the grant has ended meanwhile
    sent_ms = to_ms(world.db.clock.now())
    told: list[tuple[str, dict[str, Any]]] = [
        ("visit.check_out", {"visit_id": "visit-00000001"} | ended | {"sent_ms": sent_ms}),
        ("visit.check_in", {"visit_id": "visit-00000001"} | begun | {"sent_ms": sent_ms}),
        ("visit.plan", {"id": "visit-00000001", "site_id": world.site, "type_id": lesson, **WINDOW}),
    ]
    for n, (what, body) in enumerate(told):
        device.intend(f"intent-{n:08}", what, json.dumps(body), sent_ms + (what == "visit.check_out"))
    kept = device.snapshot()
    device.push()  # its answer is lost with what the phone noted of it
    device.go_back(kept)
    device.sync()
    device.sync()

    [row] = device.rows["entitlement_spends"].values()
    assert (row["amount"], row["state"], row["source"]) == ("1.00", "covered", "visit")
    assert figures(office, world.customer, kind)[3] == "0.00"
    assert device.rows["entitlement_kinds"][kind]["code"] == HOURS["code"]
