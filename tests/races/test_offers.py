"""Coupons and offers under contention: one success, clean refusals, one terminal state, and a history that agrees."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from app.service_offers.models import ServiceOffer
from app.service_offers.operations import expire_offers
from app.stations.models import Station
from app.work_orders.models import Booking, WorkOrder
from tests.factories import World
from tests.iot.vehicles import happened
from tests.races.conftest import People, Round, code_of, get_ready, in_a_later_process, parts_agree, states
from tests.races.together import together

Rounds = Callable[[int], list[Round]]
SOAK = bool(os.environ.get("SOAK"))
ROUNDS = 250 if SOAK else 10  # of each race
CROWDS = 100 if SOAK else 1
CLOSED = {
    "redeemed": ("redeemed", "scheduled", "accepted"),
    "declined": ("void", "cancelled", "withdrawn"),
    "expired": ("void", "cancelled", "withdrawn"),
    "withdrawn": ("void", "cancelled", "withdrawn"),
}


def outcome(answer: Any) -> tuple[int, str]:
    """Return status and code of an answer."""
    assert not isinstance(answer, Exception), answer
    return answer.status_code, "" if answer.status_code < 300 else answer.json["code"]


def test_fifty_redemptions_of_one_coupon_at_once_succeed_exactly_once(world: World, people: People, rounds: Rounds) -> None:
    made = rounds(CROWDS)
    get_ready(world, made, accept=True)
    for one in made:
        redeem = partial(people.asked(one).call, "POST", "/coupons/redeem", {"code": code_of(world, one)})

        found = Counter(map(outcome, together(*[redeem] * 50)))

        assert found == {(200, ""): 1, (409, "coupon_redeemed"): 49}
        assert states(world.db, one) == ("redeemed", "redeemed", "scheduled", "accepted")
        assert [entry.kind for entry in happened(world.db, one.coupon)] == ["coupon.issued", "coupon.redeemed"]


@pytest.fixture
def expire(database_url: str, world: World) -> Iterator[Callable[[], int]]:
    """The job, a moment after the end of what is offered now."""
    later_s = world.settings.offer_validity_days * 86_400 + 1
    with in_a_later_process(database_url, world, later_s, expire_offers) as run:
        yield run


def let_only_this_end(world: World, round_: Round) -> None:
    """Put the end of all other offers far off, so that one round's job does not play another round."""
    present = world.db.clock.now()
    with world.db.transaction() as session:
        for offer in session.scalars(select(ServiceOffer)):
            mine = offer.id == round_.offer
            offer.valid_until = present + timedelta(days=world.settings.offer_validity_days if mine else 100)


def check(world: World, round_: Round, answers: dict[str, tuple[int, str]], terminal: dict[str, str]) -> str:
    """Check that one verb won, that all tables tell the same, and the history too; return the state."""
    assert all(status < 500 for status, _ in answers.values()), answers
    state, *rest = states(world.db, round_)
    won = [terminal[name] for name, (status, _) in answers.items() if status == 200 and name in terminal]
    assert won in ([state], []) if state in {*terminal.values(), "expired"} else won == [], (won, state, answers)
    if state in CLOSED:
        assert tuple(rest) == CLOSED[state]
    ends = [entry.kind for entry in happened(world.db, round_.offer)]
    closing = [kind for kind in ends if kind.partition(".")[2] in {"declined", "expired", "withdrawn"}]
    redeemed = [entry.kind for entry in happened(world.db, round_.coupon) if entry.kind == "coupon.redeemed"]
    expected = {"redeemed": ([], ["coupon.redeemed"]), "accepted": ([], [])}.get(state, ([f"service_offer.{state}"], []))
    assert (closing, redeemed) == expected
    return state


def race(calls: dict[str, Callable[[], Any]], expire: Callable[[], int]) -> dict[str, tuple[int, str]]:
    """Release the calls and the job together; return what the calls were answered."""
    *answers, expired = together(*calls.values(), expire)
    assert expired in (0, 1), expired
    return dict(zip(calls, map(outcome, answers), strict=True))


def test_redeeming_withdrawing_declining_and_expiring_at_once_end_in_one_state(
    world: World, people: People, rounds: Rounds, expire: Callable[[], int]
) -> None:
    ended: Counter[str] = Counter()
    made = rounds(ROUNDS)
    get_ready(world, made, accept=True)
    for one in made:
        let_only_this_end(world, one)
        offer = f"/service-offers/{one.offer}"

        answers = race(
            {
                "redeem": partial(people.asked(one).call, "POST", "/coupons/redeem", {"code": code_of(world, one)}),
                "withdraw": partial(people.manager.call, "POST", f"{offer}/withdraw", {"reason": "race"}),
                "decline": partial(people.owner.call, "POST", f"{offer}/decline", {}),
            },
            expire,
        )

        assert answers["decline"] == (409, "offer_not_open")
        ended[check(world, one, answers, {"redeem": "redeemed", "withdraw": "withdrawn"})] += 1

    parts_agree(world.db)
    assert set(ended) <= {"redeemed", "withdrawn"}
    print(f"redeem x withdraw x decline x expire, {world.db.dialect}: {dict(ended)}")


def test_accepting_declining_withdrawing_and_expiring_at_once_end_in_one_state(
    world: World, people: People, rounds: Rounds, expire: Callable[[], int]
) -> None:
    ended: Counter[str] = Counter()
    made = rounds(ROUNDS)
    get_ready(world, made, accept=False)
    slots = people.owner.get(f"/work-orders/{made[0].order}/slots")["slots"]
    for one, slot in zip(made, slots, strict=False):
        let_only_this_end(world, one)
        offer = f"/service-offers/{one.offer}"

        answers = race(
            {
                "accept": partial(people.owner.call, "POST", f"{offer}/accept", {"slot_at": slot}),
                "decline": partial(people.owner.call, "POST", f"{offer}/decline", {}),
                "withdraw": partial(people.manager.call, "POST", f"{offer}/withdraw", {"reason": "race"}),
            },
            expire,
        )

        ended[check(world, one, answers, {"decline": "declined", "withdraw": "withdrawn"})] += 1

    parts_agree(world.db)
    assert set(ended) <= {"accepted", "declined", "withdrawn", "expired"}
    print(f"accept x decline x withdraw x expire, {world.db.dialect}: {dict(ended)}")


def test_ten_owners_choose_the_last_bay_of_a_slot_and_one_gets_it(world: World, people: People, rounds: Rounds) -> None:
    with world.db.transaction() as session:
        for station in session.scalars(select(Station)):
            station.bays = 1
            station.active = station.id == world.stations[0]
    made, owner = rounds(10), people.owner
    get_ready(world, made, accept=False)
    [slot, *_] = owner.get(f"/work-orders/{made[0].order}/slots")["slots"]

    answers = together(*[partial(owner.call, "POST", f"/service-offers/{one.offer}/accept", {"slot_at": slot}) for one in made])

    assert Counter(map(outcome, answers)) == {(200, ""): 1, (409, "slot_unavailable"): 9}
    for one, answer in zip(made, answers, strict=True):
        expected = ("accepted", "open", "scheduled") if answer.status_code == 200 else ("viewed", "open", "proposed")
        assert states(world.db, one)[:3] == expected
    with world.db.reading() as session:
        assert len(session.scalars(select(Booking)).all()) == 1
    assert slot not in owner.get(f"/work-orders/{made[0].order}/slots")["slots"]


def test_choosing_another_slot_while_the_station_gives_the_task_back_books_nothing_at_a_station_without_a_task(
    world: World, people: People, rounds: Rounds
) -> None:
    ended: Counter[str] = Counter()
    made = rounds(ROUNDS // 2)
    get_ready(world, made, accept=True)
    slot = people.owner.get(f"/work-orders/{made[0].order}/slots")["slots"][-1]
    for one in made:
        chosen, given_back = map(
            outcome,
            together(
                partial(people.owner.call, "POST", f"/service-offers/{one.offer}/accept", {"slot_at": slot}),
                partial(people.asked(one).call, "POST", f"/station-tasks/{one.task}/reject", {"reason": "race"}),
            ),
        )

        assert given_back == (200, "")
        assert chosen in {(200, ""), (409, "slot_unavailable")}
        assert states(world.db, one)[0::2] == ("accepted", "proposed")
        with world.db.reading() as session:
            order = session.get_one(WorkOrder, one.order)
            held = session.scalars(select(Booking.station_id).where(Booking.work_order_id == one.order, Booking.state == "held"))
            assert (order.slot_at, held.all()) == (None, []), "the owner must choose anew at the next station"
        ended[chosen[1] or "chosen"] += 1

    parts_agree(world.db)
    print(f"choose x reject, {world.db.dialect}: {dict(ended)}")
