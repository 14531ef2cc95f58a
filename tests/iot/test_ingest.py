"""Event time decides: whatever the order of arrival, the same readings end in the same alarms, and nobody hears twice."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from app.assets.models import Asset, Component, Device, DeviceProfile
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.core.tracked import touch
from app.rules.models import Rule
from app.service_offers.models import Coupon
from app.work_orders.models import WorkOrder
from iot import store
from iot.ahead import take_in_due
from iot.ingest import Message, follow_due
from iot.models import DeviceLatest, Telemetry
from iot.store import Row
from tests.conftest import MONDAY_MORNING, SetClock
from tests.databases import copy_sqlite
from tests.factories import World, make_world
from tests.iot.vehicles import (
    BOSS,
    DAY,
    HOUR,
    Value,
    Vehicle,
    alarms,
    causes_of,
    counted,
    dead_letters,
    deliver,
    expected_alarms,
    first_vehicle,
    happened,
    kinds,
    latest,
    make_vehicle,
    message,
    newest,
    notes,
    offers,
    replace_pack,
    reserved,
    row_counts,
    send,
    shown_alarms,
    stock_up,
    tasks,
    values,
)
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


# --- any order, any batches, any repetition ---


def arrive(world: World, vehicle: Vehicle, batches: list[list[Value]], replaced: tuple[int, datetime] | None, name: str) -> str:
    """Let batches arrive, the replacement of the pack being recorded before one of them; return the new pack or ''."""
    fresh = ""
    for i, batch in enumerate(batches):
        if replaced is not None and i == replaced[0]:
            fresh = replace_pack(world, vehicle, replaced[1], name)
        send(world, vehicle.device, *batch)
    if replaced is not None and not fresh:
        fresh = replace_pack(world, vehicle, replaced[1], name)
    return fresh


def check_end_state(world: World, vehicle: Vehicle, found: list[Value], fresh: str, replaced_at: datetime | None) -> None:
    """Compare with the pure fold over the set, and every offer with the alarm that led to it."""
    db = world.db
    assert shown_alarms(db, vehicle.pack) == expected_alarms(found, replaced_at)
    if replaced_at is not None:
        assert shown_alarms(db, fresh) == expected_alarms([value for value in found if value.at >= replaced_at])
    assert latest(db, vehicle.device) == newest(found)
    for pack in filter(None, (vehicle.pack, fresh)):
        by_alarm = {alarm.id: alarm for alarm in alarms(db, pack)}
        made = offers(db, pack)
        assert len({offer.alarm_id for offer in made}) == len(made), "two offers for one alarm"
        for offer in made:
            withdrawn = by_alarm[offer.alarm_id].state == "withdrawn"
            replaced = by_alarm[offer.alarm_id].end_reason == "component_replaced"
            assert offer.state == ("withdrawn" if withdrawn or replaced else "issued")


class Case:
    """One set of readings, one way it arrives."""

    def __init__(self, batches: list[list[Value]], replaced: tuple[int, datetime] | None) -> None:
        self.batches, self.replaced = batches, replaced

    def __repr__(self) -> str:
        shown = [[(value.at.isoformat()[5:16], value.soh_pct, value.key) for value in batch] for batch in self.batches]
        return f"Case({shown}, replaced={self.replaced and (self.replaced[0], self.replaced[1].isoformat())})"

    @property
    def found(self) -> list[Value]:
        return sorted({value for batch in self.batches for value in batch})

    def run(self, world: World, name: str) -> None:
        vehicle = make_vehicle(world, name)
        fresh = arrive(world, vehicle, self.batches, self.replaced, f"fresh-{name}")
        # The device goes on reporting; that, or the next tick, is when a fact from below is read.
        closing = Value(MONDAY_MORNING, 76.5, "z:1")
        send(world, vehicle.device, closing)
        follow_due(world.db, world.settings)
        check_end_state(world, vehicle, [*self.found, closing], fresh, self.replaced[1] if self.replaced else None)


LEVELS = [74.0, 74.0, 61.0, 80.0, 78.0, 76.0]  # as many that raise as do not: else most sets show no episode


@st.composite
def cases(draw: st.DrawFn) -> Case:
    hours = draw(st.lists(st.integers(0, 120), min_size=5, max_size=10, unique=True))
    found = [
        Value(MONDAY_MORNING - timedelta(hours=130 - hour), draw(st.sampled_from(LEVELS)), f"b:{i}")
        for i, hour in enumerate(sorted(hours))
    ]
    doubled = found + draw(st.lists(st.sampled_from(found), max_size=4))
    order = draw(st.permutations(doubled))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=5)))
    batches = [order[i:j] for i, j in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    replaced = None
    if draw(st.integers(0, 2)):
        at = MONDAY_MORNING - timedelta(hours=draw(st.integers(5, 125)), minutes=30)
        replaced = (draw(st.integers(0, len(batches))), at)
    return Case(batches, replaced)


def test_any_order_repetition_and_batching_end_in_the_alarms_of_the_set_of_readings(world: World) -> None:
    stock_up(world)
    numbers = itertools.count()

    @examples(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(cases())
    def holds(case: Case) -> None:
        case.run(world, f"h{next(numbers):06d}")

    holds()


@pytest.mark.parametrize("seed", [11, 12])
def test_longer_histories_in_random_order_end_in_the_alarms_of_the_set_of_readings(world: World, seed: int) -> None:
    stock_up(world)
    rng = random.Random(seed)
    for n in range(3):
        start = MONDAY_MORNING - timedelta(days=25)
        level, found = 76.0, []
        for i in range(40):
            level += rng.choice([-3, -1, 0, 1, 3])
            found.append(Value(start + 14 * i * HOUR + timedelta(minutes=rng.randrange(600)), level, f"b:{i}"))
        order = found + rng.sample(found, 8)
        rng.shuffle(order)
        batches: list[list[Value]] = [[]]
        for value in order:
            if rng.random() < 0.3:
                batches.append([])
            batches[-1].append(value)
        replaced = (rng.randrange(len(batches)), MONDAY_MORNING - timedelta(days=rng.randrange(2, 20), minutes=7))
        Case(batches, rng.choice([None, replaced])).run(world, f"s{seed}-{n}")


def test_all_720_orders_of_six_messages_leave_the_same_latest_value(sqlite_file: Any, tmp_path: Any) -> None:
    db = Database(copy_sqlite(sqlite_file, tmp_path / "orders.db"), SetClock())
    at_ms = to_ms(MONDAY_MORNING)
    # Two of them of the same instant: then the greater key is the later one, by definition.
    six = [(at_ms + offset, key, value) for offset, key, value in zip([0, 1, 2, 5, 5, 3], "abcdef", range(6), strict=True)]
    orders = list(itertools.permutations(six))
    with db.transaction() as session:
        for arriving in zip(*orders, strict=True):  # the first of every order, then the second of every order, ...
            rows = [Row(f"device-{n:03d}", key, "soh_pct", at, float(v), at_ms, False) for n, (at, key, v) in enumerate(arriving)]
            store.move_latest(session, rows)
        found = session.execute(select(DeviceLatest.at_ms, DeviceLatest.message_key, DeviceLatest.value)).all()
    db.close()

    assert found == [(at_ms + 5, "e", 4.0)] * 720


def test_the_same_latest_value_comes_of_one_batch_whatever_its_order(world: World) -> None:
    six = values(MONDAY_MORNING - 6 * HOUR, HOUR, 80, 81, 82, 83, 84, 85)
    for n, order in enumerate(random.Random(5).sample(list(itertools.permutations(six)), 4)):
        vehicle = make_vehicle(world, f"latest-{n}")
        counts = send(world, vehicle.device, *order)

        assert counts["reading"] == 6
        assert latest(world.db, vehicle.device) == newest(six)


def test_a_message_sent_twice_is_one_reading_in_one_batch_or_in_two(world: World) -> None:
    [value] = values(MONDAY_MORNING, DAY, 80.0)

    first = send(world, world.device, value, value)
    second = send(world, world.device, value)

    assert (first["reading"], first["duplicate"], second["reading"], second["duplicate"]) == (1, 1, 0, 1)
    with world.db.reading() as session:
        assert len(session.scalars(select(Telemetry)).all()) == 1


def test_a_device_that_started_again_may_use_its_numbers_again(world: World) -> None:
    before = values(MONDAY_MORNING - 3 * DAY, DAY, 80.0, 81.0, boot="first")
    after = values(MONDAY_MORNING - DAY, DAY, 82.0, 83.0, boot="second")

    send(world, world.device, *before, *after)

    with world.db.reading() as session:
        assert sorted(session.scalars(select(Telemetry.value))) == [80.0, 81.0, 82.0, 83.0]


def test_messages_without_a_number_are_known_by_their_time_and_content(world: World) -> None:
    def say(value: float) -> Message:
        body = msgspec.json.encode({"ts": to_ms(MONDAY_MORNING), "m": {"soh_pct": value}})
        return Message(f"devices/0/{world.device}/telemetry", body, False, to_ms(MONDAY_MORNING))

    counts = deliver(world, say(80.0), say(80.0), say(81.0))

    assert (counts["reading"], counts["duplicate"]) == (2, 1)


# --- decision 6, one promise after the other ---


def test_a_late_episode_is_told_of_when_the_newest_reading_still_violates_and_the_words_say_when_it_was_measured(
    world: World,
) -> None:
    low = values(MONDAY_MORNING - 8 * DAY, DAY, 74.9, 74.5, 74.1)
    send(world, world.device, *low)

    [offer] = offers(world.db, world.pack)
    assert offer.state == "issued"
    for note in (*notes(world.db, world.owner), *notes(world.db, world.rep)):
        assert note.data["late"] is True
        assert note.data["measured_on"] == low[-1].at.isoformat()
        assert note.data["soh_pct"] == 74.1


def test_an_episode_of_today_is_not_called_late(world: World) -> None:
    world.report(74.9, 74.5, 74.1)

    assert [note.data["late"] for note in notes(world.db, world.owner)] == [False]


def test_a_late_episode_is_silent_when_later_data_has_cleared_it(world: World) -> None:
    good = values(MONDAY_MORNING - 3 * DAY, DAY, 80.0, 80.0, 80.0, boot="g")
    send(world, world.device, *good)
    send(world, world.device, *values(MONDAY_MORNING - 9 * DAY, DAY, 74.9, 74.5, 74.1))

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.acted_at, alarm.cleared_at) == ("cleared", None, good[-1].at)
    assert offers(world.db, world.pack) == []
    assert kinds(world.db, world.owner) == kinds(world.db, world.rep) == []


def test_a_late_episode_is_silent_when_the_newest_reading_is_no_longer_bad_though_it_has_not_cleared(world: World) -> None:
    send(world, world.device, *values(MONDAY_MORNING, DAY, 76.0, boot="g"))
    send(world, world.device, *values(MONDAY_MORNING - 9 * DAY, DAY, 74.9, 74.5, 74.1))

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.acted_at) == ("raised", None)
    assert kinds(world.db, world.rep) == []


def test_readings_older_than_the_allowance_are_history_until_a_fresh_bad_one_promotes_the_episode(world: World) -> None:
    old = values(MONDAY_MORNING - 40 * DAY, DAY, 74.9, 74.5, 74.1)
    send(world, world.device, *old)

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.raised_at, alarm.acted_at) == ("raised", old[-1].at, None)
    assert offers(world.db, world.pack) == []
    assert kinds(world.db, world.rep) == []

    [fresh] = values(MONDAY_MORNING, DAY, 74.0, boot="f")
    send(world, world.device, fresh)

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.raised_at, alarm.acted_at, alarm.readings) == (old[-1].at, MONDAY_MORNING, 4)
    assert [offer.alarm_id for offer in offers(world.db, world.pack)] == [alarm.id]
    assert kinds(world.db, world.rep) == ["battery_alarm"]
    promoted = next(entry for entry in happened(world.db, alarm.id) if entry.kind == "alarm.promoted")
    assert fresh.soh_pct in [entry.facts.get("value") for entry in causes_of(world.db, promoted)]


def test_exactly_the_allowance_still_notifies_and_a_moment_more_does_not(world: World, clock: SetClock) -> None:
    other = make_vehicle(world, "older")
    send(world, world.device, *values(MONDAY_MORNING - 32 * DAY, DAY, 74.9, 74.5, 74.1))
    send(world, other.device, *values(MONDAY_MORNING - 32 * DAY - timedelta(seconds=1), DAY, 74.9, 74.5, 74.1))

    assert [alarm.acted_at for alarm in alarms(world.db, world.pack)] == [MONDAY_MORNING]
    assert [alarm.acted_at for alarm in alarms(world.db, other.pack)] == [None]


def test_withdrawing_takes_back_the_unanswered_offer_the_unstarted_task_and_the_reservation(
    world: World, http: Http, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    [task] = tasks(world.db)
    http.as_(world.staff[0]).post(f"/station-tasks/{task.id}/accept")
    assert reserved(world.db) == 1

    world.report(79.0, start=clock.now() - timedelta(hours=36), boot="late")

    [alarm], [offer], [task] = alarms(world.db, world.pack), offers(world.db, world.pack), tasks(world.db)
    assert (alarm.state, alarm.end_reason) == ("withdrawn", "readings_do_not_show_it")
    assert (offer.state, offer.close_reason) == ("withdrawn", "alarm_withdrawn")
    assert (task.state, reserved(world.db)) == ("withdrawn", 0)
    with world.db.reading() as session:
        assert session.scalars(select(Coupon.state)).all() == ["void"]
        assert session.scalars(select(WorkOrder.state)).all() == ["cancelled"]
    assert "offer_withdrawn" in kinds(world.db, world.owner)
    assert "task_withdrawn" in kinds(world.db, world.staff[0])
    assert "alarm_withdrawn" in kinds(world.db, world.rep)
    withdrawn = happened(world.db, alarm.id)[-1]
    assert (withdrawn.kind, withdrawn.facts["reason"]) == ("alarm.withdrawn", "readings_do_not_show_it")
    assert 79.0 in [entry.facts.get("value") for entry in causes_of(world.db, withdrawn)]


def accept(world: World, http: Http) -> str:
    """Let the station take the task and the owner the offer; return the offer's id."""
    [task], [offer] = tasks(world.db), offers(world.db, world.pack)
    http.as_(world.staff[0]).post(f"/station-tasks/{task.id}/accept")
    owner = http.as_(world.owner)
    [slot, *_] = owner.get(f"/work-orders/{offer.work_order_id}/slots")["slots"]
    owner.post(f"/service-offers/{offer.id}/accept", {"slot_at": slot})
    return offer.id


def test_withdrawing_leaves_what_the_owner_accepted_and_a_manager_is_asked(world: World, http: Http, clock: SetClock) -> None:
    world.report(74.9, 74.5, 74.1)
    accept(world, http)

    world.report(79.0, start=clock.now() - timedelta(hours=36), boot="late")

    [alarm], [offer], [task] = alarms(world.db, world.pack), offers(world.db, world.pack), tasks(world.db)
    assert (alarm.state, offer.state, task.state, reserved(world.db)) == ("withdrawn", "accepted", "accepted", 1)
    assert kinds(world.db, world.manager) == ["decision_needed"]
    assert "offer_withdrawn" not in kinds(world.db, world.owner)
    assert happened(world.db, offer.id)[-1].kind == "service_offer.left_to_decide"

    http.as_(world.manager).post(f"/service-offers/{offer.id}/withdraw", {"reason": "measured wrongly"})
    assert (offers(world.db, world.pack)[0].state, reserved(world.db)) == ("withdrawn", 0)


def test_a_withdrawn_alarm_is_not_revived_and_later_data_raises_a_new_one_with_its_own_offer(
    world: World, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    world.report(79.0, start=clock.now() - timedelta(hours=36), boot="late")
    clock.advance(days=3)
    world.report(74.0, 73.9, 73.8, boot="again")

    first, second = alarms(world.db, world.pack)
    assert (first.state, second.state) == ("withdrawn", "raised")
    assert second.episode == first.episode + 1
    assert [offer.state for offer in offers(world.db, world.pack)] == ["withdrawn", "issued"], "no cool-down after a withdrawal"


def raise_again(world: World, clock: SetClock) -> None:
    """Let the pack recover and fall again: a second episode."""
    for boot, level in (("up", 80.0), ("down", 74.0)):
        clock.advance(days=4)
        world.report(level, level, level, boot=f"{boot}{clock.now()}")


def not_made(world: World, alarm_id: str) -> list[dict[str, Any]]:
    return [entry.facts for entry in happened(world.db, alarm_id) if entry.kind == "service_offer.not_made"]


def test_a_second_alarm_while_an_offer_is_open_makes_no_second_offer_and_the_history_says_why(
    world: World, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    raise_again(world, clock)

    first, second = alarms(world.db, world.pack)
    [offer] = offers(world.db, world.pack)
    assert (first.state, second.state, offer.alarm_id) == ("cleared", "raised", first.id)
    assert not_made(world, second.id) == [{"reason": "offer_open", "offer_id": offer.id}]
    assert kinds(world.db, world.rep) == ["battery_alarm"] * 2, "the rep hears of both alarms"


def test_a_declined_offer_starts_the_cool_down_and_after_it_there_is_a_new_offer(
    world: World, http: Http, clock: SetClock, settings: Settings
) -> None:
    world.report(74.9, 74.5, 74.1)
    [offer] = offers(world.db, world.pack)
    http.as_(world.owner).post(f"/service-offers/{offer.id}/decline", {"reason": "not now"})
    raise_again(world, clock)

    _, second = alarms(world.db, world.pack)
    facts = {"reason": "cool_down", "offer_id": offer.id, "days": settings.offer_cooldown_days}
    assert not_made(world, second.id) == [facts]
    assert len(offers(world.db, world.pack)) == 1

    clock.advance(days=settings.offer_cooldown_days)
    raise_again(world, clock)
    assert [offer.state for offer in offers(world.db, world.pack)] == ["declined", "issued"]


def test_a_job_opened_by_hand_stands_in_the_way_of_an_offer_and_the_history_says_so(world: World, http: Http) -> None:
    order = http.as_(world.rep).post(
        "/work-orders", {"asset_id": world.asset, "component_id": world.pack, "job": "battery_replacement"}, 201
    )
    world.report(74.9, 74.5, 74.1)

    [alarm] = alarms(world.db, world.pack)
    assert not_made(world, alarm.id) == [{"reason": "order_open", "work_order_id": order["id"]}]


@pytest.mark.parametrize("covers", [Component, Asset])
def test_warranty_makes_the_price_zero_until_its_last_day(
    world: World, http: Http, clock: SetClock, covers: type[Component] | type[Asset]
) -> None:
    def cover(vehicle: Vehicle, until: date) -> None:
        with world.db.transaction() as session:
            row = session.get_one(covers, vehicle.pack if covers is Component else vehicle.asset)
            row.warranty_until = until
            touch(session, row)

    today = clock.now().astimezone(world.settings.time_zone).date()
    over = make_vehicle(world, "over")
    cover(first_vehicle(world), today)
    cover(over, today - timedelta(days=1))
    for device in (world.device, over.device):
        send(world, device, *values(MONDAY_MORNING - 2 * DAY, DAY, 74.9, 74.5, 74.1))

    shown = {offer["component_id"]: offer for offer in http.as_(world.owner).get("/service-offers")["items"]}
    assert (shown[world.pack]["amount_due"], shown[world.pack]["under_warranty"]) == ("0.00", True)
    assert shown[world.pack]["price"] == "4800.00"
    assert (shown[over.pack]["amount_due"], shown[over.pack]["under_warranty"]) == ("4300.00", False)


def edit_rule(world: World, http: Http, **changes: Any) -> None:
    """Give the battery rule a new version, as a manager does."""
    manager = http.as_(world.manager)
    rule = next(rule for rule in manager.get("/rules")["items"] if rule["code"] == "battery-health")
    manager.edit(f"/rules/{rule['id']}", {"document": rule["document"] | changes}, rule["version"])


def test_a_new_version_of_a_rule_withdraws_the_alarm_it_does_not_show_and_leaves_those_that_ended(
    world: World, http: Http, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    ended = first_vehicle(world)
    clock.advance(days=4)
    world.report(80.0, 80.0, 80.0, boot="up")
    standing = make_vehicle(world, "standing")
    send(world, standing.device, *values(clock.now() - 2 * DAY, DAY, 74.9, 74.5, 74.1))
    cleared_before = shown_alarms(world.db, ended.pack)

    edit_rule(world, http, raise_if={"below": 60.0, "readings": 3, "span_h": 24})
    clock.advance(hours=1)
    for vehicle in (ended, standing):
        send(world, vehicle.device, Value(clock.now(), 74.0, "n:1"))

    [alarm] = alarms(world.db, standing.pack)
    assert (alarm.state, alarm.end_reason, alarm.rule_number) == ("withdrawn", "rule_changed", 1)
    assert [offer.state for offer in offers(world.db, standing.pack)] == ["withdrawn"]
    assert [a.state for a in alarms(world.db, ended.pack)] == ["cleared"]
    assert shown_alarms(world.db, ended.pack) == cleared_before
    with world.db.reading() as session:
        assert session.scalars(select(Rule.number).where(Rule.code == "battery-health")).one() == 2


def test_a_new_version_that_still_shows_the_alarm_keeps_it_without_a_second_offer(
    world: World, http: Http, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    edit_rule(world, http, raise_if={"below": 74.95, "readings": 3, "span_h": 24})
    clock.advance(hours=1)
    send(world, world.device, Value(clock.now(), 74.0, "n:1"))

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.rule_number, alarm.readings) == ("raised", 2, 4)
    assert len(offers(world.db, world.pack)) == 1


def test_a_new_version_does_not_raise_for_what_ended_before_it(world: World, http: Http, clock: SetClock) -> None:
    send(world, world.device, *values(clock.now() - 9 * DAY, DAY, 77.0, 77.0, 77.0, 80.0, 80.0, 80.0))
    edit_rule(world, http, raise_if={"below": 77.5, "readings": 3, "span_h": 24})
    clock.advance(hours=1)
    send(world, world.device, Value(clock.now(), 80.0, "n:1"))

    assert alarms(world.db, world.pack) == []


# --- values that hold, packs that move ---


def hold_values(world: World) -> None:
    with world.db.transaction() as session:
        profile = session.get_one(DeviceProfile, world.profile)
        profile.sends_only_changes = True
        touch(session, profile)


def test_a_value_that_holds_matures_without_another_reading(world: World, clock: SetClock) -> None:
    hold_values(world)
    world.report(74.0)
    clock.advance(hours=23)
    assert follow_due(world.db, world.settings) == 0
    assert alarms(world.db, world.pack) == []

    clock.advance(hours=2)
    assert follow_due(world.db, world.settings) == 1

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.raised_at) == ("raised", MONDAY_MORNING + DAY)
    assert [offer.state for offer in offers(world.db, world.pack)] == ["issued"]
    assert follow_due(world.db, world.settings) == 0, "once"


def test_a_value_that_holds_clears_in_the_same_way(world: World, clock: SetClock) -> None:
    hold_values(world)
    world.report(74.0)
    clock.advance(hours=30)
    follow_due(world.db, world.settings)
    world.report(79.0, boot="up")
    risen = clock.now()
    clock.advance(hours=24)

    assert follow_due(world.db, world.settings) == 1
    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.cleared_at) == ("cleared", risen + DAY)


def test_a_late_reading_that_shows_the_value_did_not_hold_withdraws_the_alarm(world: World, clock: SetClock) -> None:
    hold_values(world)
    world.report(74.0)
    clock.advance(hours=30)
    follow_due(world.db, world.settings)

    send(world, world.device, Value(MONDAY_MORNING + 5 * HOUR, 79.0, "late:1"))

    assert [(a.state, a.end_reason) for a in alarms(world.db, world.pack)] == [("withdrawn", "readings_do_not_show_it")]
    assert [offer.state for offer in offers(world.db, world.pack)] == ["withdrawn"]


def test_replacing_a_pack_clears_its_alarm_at_that_instant_without_another_reading(world: World, clock: SetClock) -> None:
    world.report(74.9, 74.5, 74.1)
    clock.advance(hours=5)
    at = clock.now() - 2 * HOUR
    replace_pack(world, first_vehicle(world), at, "fresh")

    assert follow_due(world.db, world.settings) == 1

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.state, alarm.end_reason, alarm.cleared_at) == ("cleared", "component_replaced", at)
    assert [offer.state for offer in offers(world.db, world.pack)] == ["withdrawn"]
    assert reserved(world.db) == 0
    assert follow_due(world.db, world.settings) == 0, "once"


def test_readings_of_the_new_pack_do_not_count_for_the_old_one(world: World, clock: SetClock) -> None:
    send(world, world.device, *values(MONDAY_MORNING - 3 * DAY, DAY, 74.9, 74.5))
    fresh = replace_pack(world, first_vehicle(world), MONDAY_MORNING - DAY, "fresh")
    send(world, world.device, *values(MONDAY_MORNING - HOUR, HOUR, 74.1, 74.0, boot="new"))

    assert alarms(world.db, world.pack) == alarms(world.db, fresh) == []


def test_a_replacement_recorded_days_late_moves_the_readings_to_the_pack_they_were_of(world: World) -> None:
    """The alarm had been raised by readings of both packs; the set of each alone shows none."""
    send(world, world.device, *values(MONDAY_MORNING - 6 * DAY, DAY, 76.0, 74.9, 74.5, 74.1, 74.0, 73.9))
    assert [a.state for a in alarms(world.db, world.pack)] == ["raised"]

    fresh = replace_pack(world, first_vehicle(world), MONDAY_MORNING - 3.5 * DAY, "fresh")
    send(world, world.device, Value(MONDAY_MORNING, 73.8, "n:1"))

    assert [(a.state, a.end_reason) for a in alarms(world.db, world.pack)] == [("withdrawn", "readings_do_not_show_it")]
    [alarm] = alarms(world.db, fresh)
    assert (alarm.raised_at, alarm.readings) == (MONDAY_MORNING - DAY, 4)
    assert [offer.state for offer in offers(world.db, world.pack)] == ["withdrawn"]
    assert [offer.state for offer in offers(world.db, fresh)] == ["issued"]


def test_a_replacement_recorded_after_the_new_packs_readings_had_cleared_the_old_ones_alarm(world: World) -> None:
    send(world, world.device, *values(MONDAY_MORNING - 8 * DAY, DAY, 74.9, 74.5, 74.1, 80.0, 80.0, 80.0))
    assert [a.end_reason for a in alarms(world.db, world.pack)] == ["readings_recovered"]

    at = MONDAY_MORNING - 5.5 * DAY
    replace_pack(world, first_vehicle(world), at, "fresh")
    send(world, world.device, Value(MONDAY_MORNING, 80.0, "n:1"))

    assert [(a.end_reason, a.cleared_at) for a in alarms(world.db, world.pack)] == [("component_replaced", at)]


@pytest.mark.parametrize("known", [0, 1, 2, 3])
def test_readings_of_a_pack_that_come_after_its_removal_was_known_still_count_for_the_time_before(
    world: World, known: int
) -> None:
    """Some readings came before the removal was recorded and folded, the others come late, in order among themselves."""
    low = values(MONDAY_MORNING - 9 * DAY, DAY, 74.9, 74.5, 74.1, 74.0)
    at = MONDAY_MORNING - 4 * DAY
    send(world, world.device, Value(MONDAY_MORNING - 20 * DAY, 80.0, "g:1"), *low[:known])
    replace_pack(world, first_vehicle(world), at, "fresh")
    follow_due(world.db, world.settings)
    send(world, world.device, Value(MONDAY_MORNING - DAY, 90.0, "n:1"))

    for value in low[known:]:
        send(world, world.device, value)
    follow_due(world.db, world.settings)

    assert shown_alarms(world.db, world.pack) == expected_alarms(low, at)
    assert [a.end_reason for a in alarms(world.db, world.pack)] == ["component_replaced"]
    assert [offer.state for offer in offers(world.db, world.pack)] in ([], ["withdrawn"])
    assert follow_due(world.db, world.settings) == 0


def test_the_offer_goes_to_whoever_owned_the_asset_the_pack_was_in_at_that_time(world: World) -> None:
    """The pack moved to another vehicle since; the alarm is of the time before."""
    low = values(MONDAY_MORNING - 6 * DAY, DAY, 74.9, 74.5, 74.1)
    other = make_vehicle(world, "other")
    replace_pack(world, first_vehicle(world), MONDAY_MORNING - 2 * DAY, "fresh")
    send(world, world.device, *low)

    [alarm] = alarms(world.db, world.pack)
    assert (alarm.asset_id, alarm.end_reason) == (world.asset, "component_replaced")
    assert offers(world.db, world.pack) == [], "it is in no vehicle any more"
    assert alarms(world.db, other.pack) == []


# --- other devices' ways ---


def test_an_ovms_car_goes_from_plain_text_topics_to_an_offer(world: World, clock: SetClock) -> None:
    ovms = make_vehicle(world, "ovms")
    with world.db.transaction() as session:
        profile = DeviceProfile(
            code="ovms",
            name="OVMS",
            adapter="ovms",
            sends_only_changes=True,
            metrics={"soh_pct": {"source": "v/b/soh"}, "range_km": {"source": "v/b/range/est", "scale": 1.609344}},
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        session.add(profile)
        session.flush()
        device = session.get_one(Device, ovms.device)
        device.adapter, device.address, device.profile_id = "ovms", "lin/CAR1", profile.id

    def say(topic: str, payload: bytes, retained: bool = False) -> Message:
        return Message(f"ovms/lin/CAR1/{topic}", payload, retained, to_ms(clock.now()))

    counts = deliver(
        world,
        say("metric/v/b/soh", b"74.2"),
        say("metric/v/b/range/est", b"100"),
        say("metric/v/b/soh", b"90", retained=True),
        say("metric/v/e/on", b"yes"),
        say("metric/m/version", b"3.3.004"),
        say("metric/v/b/c/voltage", b"4.105,4.095"),
        say("event/server/v3/connected", b""),
        Message("ovms/lin/CAR2/metric/v/b/soh", b"70", False, to_ms(clock.now())),
    )
    assert (counts["reading"], counts["unknown_device"], counts["poison"]) == (3, 1, 0)
    assert (counts["ignored_retained"], counts["ignored_not_a_number"], counts["ignored_not_a_metric"]) == (1, 2, 1)
    assert latest(world.db, ovms.device) == (MONDAY_MORNING, 74.2)
    assert latest(world.db, ovms.device, "range_km") == (MONDAY_MORNING, pytest.approx(160.9344))

    clock.advance(hours=25)
    follow_due(world.db, world.settings)

    [alarm] = alarms(world.db, ovms.pack)
    assert (alarm.state, alarm.raised_at) == ("raised", MONDAY_MORNING + DAY)
    assert [offer.state for offer in offers(world.db, ovms.pack)] == ["issued"]


def test_a_list_of_samples_in_one_message_counts_each_once(world: World) -> None:
    low = values(MONDAY_MORNING - 2 * DAY, DAY, 74.9, 74.5, 74.1)
    listed = [msgspec.json.decode(message(world, world.device, value).payload) for value in low]
    whole = Message(f"devices/0/{world.device}/telemetry", msgspec.json.encode(listed), False, to_ms(MONDAY_MORNING))

    assert deliver(world, whole)["reading"] == 3
    assert send(world, world.device, *low)["duplicate"] == 3, "the same samples one by one are the same samples"
    assert len(offers(world.db, world.pack)) == 1


def test_fault_codes_are_kept_once_with_their_place_in_the_history(world: World, http: Http) -> None:
    body = msgspec.json.encode(
        {"ts": to_ms(MONDAY_MORNING - HOUR), "boot": "b", "seq": 7, "code": "P0A80", "severity": "major", "text": "replace"}
    )
    report = Message(f"devices/0/{world.device}/events", body, False, to_ms(MONDAY_MORNING))

    assert deliver(world, report, report)["fault_code"] == 1
    assert deliver(world, report)["duplicate"] == 1

    [fault] = http.as_(world.rep).get(f"/assets/{world.asset}/fault-codes")["items"]
    assert (fault["code"], fault["severity"]) == ("P0A80", "major")
    assert [entry.kind for entry in happened(world.db, fault["id"])] == ["fault_code.reported"]


# --- what must leave no trace, or hardly any ---


@pytest.mark.parametrize("ahead", [timedelta(minutes=5, seconds=1), timedelta(days=3650)])
def test_a_device_whose_clock_is_ahead_is_kept_apart(world: World, ahead: timedelta) -> None:
    send(world, world.device, Value(MONDAY_MORNING, 80.0, "b:0"))
    wrong = values(MONDAY_MORNING + ahead, DAY, 74.9, 74.5, 74.1, boot="future")

    counts = send(world, world.device, *wrong)

    assert (counts["ahead"], counts["reading"]) == (3, 3)
    assert latest(world.db, world.device) == (MONDAY_MORNING, 80.0)
    assert alarms(world.db, world.pack) == []
    with world.db.reading() as session:
        assert sorted(session.scalars(select(Telemetry.ahead))) == [False, True, True, True]


def test_five_minutes_ahead_is_still_a_reading(world: World) -> None:
    send(world, world.device, Value(MONDAY_MORNING + timedelta(minutes=5), 80.0, "b:0"))

    assert latest(world.db, world.device) == (MONDAY_MORNING + timedelta(minutes=5), 80.0)


def test_readings_kept_apart_stay_apart_until_they_are_judged_whatever_else_is_folded(world: World, clock: SetClock) -> None:
    found = values(MONDAY_MORNING + 8 * DAY, DAY, 74.9, 74.5, 74.1, boot="future")
    send(world, world.device, *found)
    clock.advance(days=20)
    good = values(clock.now() - DAY, DAY, 80.0, 80.0)
    send(world, world.device, good[1])
    send(world, world.device, good[0])
    assert alarms(world.db, world.pack) == []

    assert take_in_due(world.db, world.settings) == 3
    assert shown_alarms(world.db, world.pack) == expected_alarms(found + good) != []


UNCHANGED_BUT = ("ingest_counters", "change_counter")


def test_a_hundred_devices_nobody_knows_are_counted_and_nothing_grows(world: World) -> None:
    before = row_counts(world.db, without=UNCHANGED_BUT)

    strangers = [message(world, f"stranger-{n:04d}", Value(MONDAY_MORNING, 70.0, "b:0")) for n in range(100)]
    assert deliver(world, *strangers)["unknown_device"] == 100
    deliver(world, *strangers)

    assert row_counts(world.db, without=UNCHANGED_BUT) == before
    assert counted(world.db)["unknown_device"] == 200


def test_a_revoked_device_is_counted_and_nothing_grows(world: World, http: Http) -> None:
    send(world, world.device, Value(MONDAY_MORNING, 80.0, "b:0"))
    admin = http.as_(world.admin)
    device = admin.get(f"/devices/{world.device}")
    admin.edit(f"/devices/{world.device}", None, device["version"], method="DELETE")
    before = row_counts(world.db, without=UNCHANGED_BUT)

    counts = send(world, world.device, *values(MONDAY_MORNING, HOUR, 74.9, 74.5, boot="after"))

    assert counts["revoked_device"] == 2
    assert row_counts(world.db, without=UNCHANGED_BUT) == before
    assert latest(world.db, world.device) == (MONDAY_MORNING, 80.0)


def test_a_device_that_speaks_on_another_shards_topic_is_not_believed(world: World) -> None:
    """Its own process reads its own shard; two processes on one device would race."""
    before = row_counts(world.db, without=(*UNCHANGED_BUT, "dead_letters"))
    listed = [msgspec.json.decode(message(world, world.device, v).payload) for v in values(MONDAY_MORNING, DAY, 74.0, 73.0)]
    wrong = Message(f"devices/3/{world.device}/telemetry", msgspec.json.encode(listed), False, to_ms(MONDAY_MORNING))

    counts = deliver(world, wrong)

    assert (counts["poison"], counts["message"], counts["reading"]) == (1, 1, 0)
    [letter] = dead_letters(world.db)
    assert (letter.reason, letter.times, letter.whole) == ("wrong_shard", 1, True)
    assert row_counts(world.db, without=(*UNCHANGED_BUT, "dead_letters")) == before


def test_an_answer_on_another_shards_topic_answers_nothing(world: World) -> None:
    from iot.commands import ask_device, take_queued
    from iot.models import DeviceCommand

    with world.db.transaction() as session:
        command = ask_device(session, BOSS, session.get_one(Device, world.device), {"ask": "soh"}, 60)
    with world.db.transaction() as session:
        assert len(take_queued(session, [0])) == 1

    def answer(shard: int) -> Message:
        return Message(f"devices/{shard}/{world.device}/responses/{command.id}", b'{"soh": 80}', False, to_ms(MONDAY_MORNING))

    deliver(world, answer(2))
    with world.db.reading() as session:
        assert session.get_one(DeviceCommand, command.id).state == "sent"
    deliver(world, answer(0))
    with world.db.reading() as session:
        assert session.get_one(DeviceCommand, command.id).state == "answered"


def test_metrics_no_profile_names_are_stored_but_do_not_become_latest_values(world: World) -> None:
    body = msgspec.json.encode({"ts": to_ms(MONDAY_MORNING), "boot": "b", "seq": 1, "m": {"soh_pct": 80.0, "made_up": 1.0}})
    deliver(world, Message(f"devices/0/{world.device}/telemetry", body, False, to_ms(MONDAY_MORNING)))

    assert latest(world.db, world.device, "made_up") is None
    assert latest(world.db, world.device) == (MONDAY_MORNING, 80.0)


def test_a_chain_of_reasons_leads_from_the_coupon_to_copies_of_the_readings(world: World) -> None:
    """The telemetry may go; what caused something stays readable."""
    world.report(76.0, 74.9, 74.5, 74.1)
    with world.db.transaction() as session:
        coupon = session.scalars(select(Coupon.id)).one()
        session.execute(Telemetry.__table__.delete())

    seen, todo = {}, [happened(world.db, coupon)[0]]
    while todo:
        entry = todo.pop()
        seen[entry.id] = entry
        todo += [cause for cause in causes_of(world.db, entry) if cause.id not in seen]
    assert sorted(entry.facts["value"] for entry in seen.values() if entry.kind == "reading.observed") == [74.1, 74.5, 74.9]


def test_a_batch_is_all_or_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault behind the last write leaves nothing of the batch, so that the redelivered one starts from the same place."""
    before = row_counts(world.db)
    stop: Callable[..., None] = lambda *_: (_ for _ in ()).throw(OSError("planted"))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(store, "add_counts", stop)
        with pytest.raises(OSError, match="planted"):
            world.report(74.9, 74.5, 74.1)
    assert row_counts(world.db) == before

    world.report(74.9, 74.5, 74.1)
    assert len(offers(world.db, world.pack)) == 1


def test_a_late_episode_that_is_over_is_recorded_beside_the_alarm_that_is_open(world: World) -> None:
    vehicle = first_vehicle(world)
    start = world.db.clock.now() - 20 * DAY
    early = values(start, DAY, 74.0, 74.0, 74.0, 79.0, 79.0, 79.0)
    recent = [Value(start + (12 + n) * DAY, 74.0, f"recent:{n}") for n in range(3)]
    world.send(*[message(world, vehicle.device, value) for value in recent])
    # One message, as a device sends what it kept while it was away: it is stored whole or not at all.
    kept = [
        {"ts": to_ms(v.at), "boot": v.key.partition(":")[0], "seq": int(v.key.partition(":")[2]), "m": {"soh_pct": v.soh_pct}}
        for v in early
    ]
    whole = message(world, vehicle.device, early[0])
    world.send(whole._replace(payload=msgspec.json.encode(kept)))

    assert dead_letters(world.db) == []
    assert shown_alarms(world.db, vehicle.pack) == expected_alarms([*early, *recent])
    assert sorted(alarm.state for alarm in alarms(world.db, vehicle.pack)) == ["cleared", "raised"]
