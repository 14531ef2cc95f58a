"""Intents: what a person did offline is judged once, and its verdict comes back in the row, whatever the network does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.core.history import HistoryEntry
from app.service_offers.models import Coupon, ServiceOffer
from app.work_orders.models import StationTask
from iot.models import Alarm
from offline_sync.models import Intent
from tests.factories import World, make_user
from tests.iot.vehicles import DAY, first_vehicle, message, values
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import Phone
from tests.sync.rxdb_phones import RxdbPhone

Phones = Callable[..., Phone]


@dataclass(frozen=True)
class Story:
    """Ids of what an alarm has led to; ``staff``: somebody of the station that was asked."""

    task: str
    offer: str
    order: str
    alarm: str
    staff: str


@pytest.fixture
def story(db: Database, world: World) -> Story:
    start = db.clock.now() - 2 * DAY
    world.send(*[message(world, first_vehicle(world).device, value) for value in values(start, DAY, 74.9, 74.5, 74.1)])
    with db.reading() as session:
        task, offer = session.scalars(select(StationTask)).one(), session.scalars(select(ServiceOffer)).one()
        alarm = session.scalars(select(Alarm)).one()
        return Story(task.id, offer.id, task.work_order_id, alarm.id, world.staff[world.stations.index(task.station_id)])


def ask(phone: Phone | RxdbPhone, intent_id: str, kind: str, **body: str) -> None:
    phone.intend(intent_id, kind, json.dumps(body))


def sync_twice(phone: Phone | RxdbPhone) -> None:
    """Sync until the verdicts are back: one of the two protocols pulls before it pushes."""
    for _ in range(2):
        phone.sync()


def verdict(phone: Phone | RxdbPhone, intent_id: str) -> tuple[str | None, str | None]:
    row = phone.live("intents")[intent_id]
    return row["verdict"], row["code"]


def happened(db: Database, kind: str) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(HistoryEntry).where(HistoryEntry.kind == kind)) or 0


def coupon_code(world: World, http: Http, story: Story) -> str:
    """Let station and owner agree, over HTTP; return the coupon's code."""
    http.as_(story.staff).post(f"/station-tasks/{story.task}/accept")
    owner = http.as_(world.owner)
    slot = owner.get(f"/work-orders/{story.order}/slots")["slots"][0]
    owner.post(f"/service-offers/{story.offer}/accept", {"slot_at": slot})
    return str(owner.get(f"/service-offers/{story.offer}/coupon")["code"])


def test_the_whole_story_is_played_by_phones_that_were_offline(
    db: Database, world: World, story: Story, phone: Phones, http: Http
) -> None:
    owner, staff, rep = phone(world.owner), phone(story.staff), phone(world.rep)
    for one in (owner, staff, rep):
        one.sync()
    assert story.offer in owner.rows["service_offers"]
    assert story.task in staff.rows["station_tasks"]
    assert world.asset in staff.rows["assets"]

    ask(rep, "intent-rep-0001", "alarm.acknowledge", alarm_id=story.alarm)
    ask(staff, "intent-staff-01", "station_task.accept", task_id=story.task)
    ask(owner, "intent-owner-01", "service_offer.view", offer_id=story.offer)
    for one in (rep, staff, owner):
        one.sync()
    slot = http.as_(world.owner).get(f"/work-orders/{story.order}/slots")["slots"][0]
    ask(owner, "intent-owner-02", "service_offer.accept", offer_id=story.offer, slot_at=slot)
    owner.sync()
    code = http.as_(world.owner).get(f"/service-offers/{story.offer}/coupon")["code"]
    ask(staff, "intent-staff-02", "station_task.begin", task_id=story.task)
    ask(staff, "intent-staff-03", "coupon.redeem", code=code)
    staff.sync()
    db.clock.advance(hours=1)  # type: ignore[attr-defined]
    ask(staff, "intent-staff-04", "station_task.finish", task_id=story.task, serial="PACK-NEW-1")
    staff.sync()
    rep.sync()
    owner.sync()

    assert {verdict(staff, f"intent-staff-0{n}")[0] for n in (1, 2, 3, 4)} == {"accepted"}
    assert {verdict(owner, f"intent-owner-0{n}")[0] for n in (1, 2)} == {"accepted"}
    assert verdict(rep, "intent-rep-0001") == ("accepted", None)
    assert rep.rows["work_orders"][story.order]["state"] == "finished"
    assert owner.rows["service_offers"][story.offer]["state"] == "redeemed"
    assert staff.rows["station_tasks"][story.task]["state"] == "finished"
    with db.reading() as session:
        assert all(code not in row.body or row.kind == "coupon.redeem" for row in session.scalars(select(Intent)))


def test_intents_are_carried_out_as_the_person_did_them_however_they_are_listed(
    db: Database, world: World, story: Story, phone: Phones
) -> None:
    owner = phone(world.owner)
    owner.pull()
    kinds = ("service_offer.view", "service_offer.decline", "service_offer.view")
    rows = [
        {"id": f"intent-owner-{n}", "kind": kind, "body": json.dumps({"offer_id": story.offer}), "made_at": 1_772_000_000_000 + n}
        for n, kind in enumerate(kinds)
    ]
    sent = {"intents": {"created": rows[::-1], "updated": [], "deleted": []}}
    assert owner.http("POST", f"/sync/watermelon?last_pulled_at={owner.cursor}", sent).status_code == 200
    owner.sync()

    assert [verdict(owner, f"intent-owner-{n}")[0] for n in range(2)] == ["accepted", "accepted"]
    assert happened(db, "service_offer.viewed") == 1


def test_an_intent_sent_three_times_is_carried_out_once(db: Database, world: World, story: Story, phone: Phones) -> None:
    staff = phone(story.staff)
    staff.pull()
    ask(staff, "intent-staff-01", "station_task.accept", task_id=story.task)
    sent = staff.changes()
    for _ in range(3):
        assert staff.http("POST", f"/sync/watermelon?last_pulled_at={staff.cursor}", sent).status_code == 200
    staff.sync()

    assert verdict(staff, "intent-staff-01") == ("accepted", None)
    assert happened(db, "station_task.accepted") == 1
    assert happened(db, "intent.decided") == 1


def test_two_technicians_offline_cannot_both_redeem_and_finish(
    db: Database, world: World, story: Story, phone: Phones, http: Http
) -> None:
    code = coupon_code(world, http, story)
    with db.transaction() as session:
        station = session.get_one(StationTask, story.task).station_id
        mate = make_user(session, world.settings, "station_staff", "mate", station_id=station).id
    one, two = phone(story.staff), phone(mate)
    for n, who in enumerate((one, two)):
        who.pull()
        ask(who, f"intent-redeem-{n}", "coupon.redeem", code=code)
        ask(who, f"intent-finish-{n}", "station_task.finish", task_id=story.task, serial=f"PACK-NEW-{n}")
    db.clock.advance(hours=1)  # type: ignore[attr-defined]

    together(partial(one.push), partial(two.push))
    one.pull()
    two.pull()

    redeems = sorted([verdict(one, "intent-redeem-0")[0], verdict(two, "intent-redeem-1")[0]], key=str)
    finishes = sorted([verdict(one, "intent-finish-0")[0], verdict(two, "intent-finish-1")[0]], key=str)
    assert redeems == ["accepted", "rejected"]
    assert finishes == ["accepted", "rejected"]
    assert happened(db, "coupon.redeemed") == 1
    assert happened(db, "component.fitted") == 2  # the one of before, and one new


def test_a_refusal_is_a_verdict_in_the_persons_words_and_no_problem(
    db: Database, world: World, story: Story, phone: Phones
) -> None:
    staff = phone(story.staff)
    staff.pull()
    ask(staff, "intent-staff-01", "coupon.redeem", code="NOSUCHCOUPONCODE")
    staff.sync()

    assert verdict(staff, "intent-staff-01")[0] == "rejected"
    assert staff.rows["intents"]["intent-staff-01"]["text"]
    assert not staff.rows["sync_problems"]
    assert not staff.rejected


def test_wrong_codes_are_counted_whichever_way_they_come(
    db: Database, world: World, story: Story, phone: Phones, http: Http
) -> None:
    staff = phone(story.staff)
    staff.pull()
    for n in range(12):
        ask(staff, f"intent-guess-{n:02}", "coupon.redeem", code=f"NOSUCHCOUPON{n:04}")
        staff.push()

    assert http.as_(story.staff).call("POST", "/coupons/redeem", {"code": "NOSUCHCOUPON9999"}).status_code == 429


def test_work_done_on_a_task_that_went_to_another_station_is_for_a_person_to_review(
    db: Database, world: World, story: Story, phone: Phones, http: Http
) -> None:
    staff = phone(story.staff)
    http.as_(story.staff).post(f"/station-tasks/{story.task}/accept")
    staff.pull()
    http.as_(story.staff).post(f"/station-tasks/{story.task}/reject", {"reason": "by a colleague"})
    ask(staff, "intent-finish-1", "station_task.finish", task_id=story.task, serial="PACK-NEW-1")
    staff.sync()

    assert verdict(staff, "intent-finish-1")[0] == "needs_review"
    [seen] = http.as_(world.manager).get("/sync/intents?verdict=needs_review")["items"]
    assert seen["id"] == "intent-finish-1"


@pytest.mark.parametrize(("how", "code"), [("accepted", "settled_accepted"), ("rejected", "settled_rejected")])
def test_the_office_settles_what_waits_for_a_person_once_and_the_phone_hears_why(
    world: World, story: Story, phone: Phones, http: Http, how: str, code: str
) -> None:
    staff = in_review(story, phone, http)
    office = http.as_(world.manager)
    settled = office.post("/sync/intents/intent-finish-1/settle", {"how": how, "note": "seen on the spot"})
    assert (settled["verdict"], settled["code"]) == (how, code)
    staff.sync()

    assert verdict(staff, "intent-finish-1") == (how, code)
    assert "seen on the spot" in staff.rows["intents"]["intent-finish-1"]["text"]
    office.post("/sync/intents/intent-finish-1/settle", {"how": "retry"}, expect=409)
    assert office.get("/sync/intents?verdict=needs_review")["items"] == []


def test_a_retry_carries_the_work_out_once_things_stand_so_that_it_can_be(
    world: World, story: Story, phone: Phones, http: Http
) -> None:
    staff = phone(story.staff)
    staff.pull()
    ask(staff, "intent-begin-01", "station_task.begin", task_id=story.task)  # before anybody had accepted the task
    staff.sync()
    office = http.as_(world.manager)
    settle = "/sync/intents/intent-begin-01/settle"
    assert office.post(settle, {"how": "retry"})["verdict"] == "needs_review"  # nothing has changed yet

    coupon_code(world, http, story)
    assert office.post(settle, {"how": "retry"})["verdict"] == "accepted"
    staff.sync()
    assert verdict(staff, "intent-begin-01") == ("accepted", None)
    assert staff.rows["station_tasks"][story.task]["state"] == "in_progress"


def test_nobody_but_the_office_settles(world: World, story: Story, phone: Phones, http: Http) -> None:
    in_review(story, phone, http)
    for person in (story.staff, world.owner, world.rep):
        http.as_(person).post("/sync/intents/intent-finish-1/settle", {"how": "accepted"}, expect=403)


def in_review(story: Story, phone: Phones, http: Http) -> Phone:
    """Let staff finish a task that their station gave back meanwhile."""
    staff = phone(story.staff)
    http.as_(story.staff).post(f"/station-tasks/{story.task}/accept")
    staff.pull()
    http.as_(story.staff).post(f"/station-tasks/{story.task}/reject", {"reason": "by a colleague"})
    ask(staff, "intent-finish-1", "station_task.finish", task_id=story.task, serial="PACK-NEW-1")
    staff.sync()
    assert verdict(staff, "intent-finish-1")[0] == "needs_review"
    return staff


def test_an_intent_is_append_only_and_an_edited_or_deleted_one_comes_back(
    db: Database, world: World, story: Story, phone: Phones
) -> None:
    staff = phone(story.staff)
    staff.pull()
    ask(staff, "intent-staff-01", "station_task.accept", task_id=story.task)
    staff.sync()
    staff.update("intents", "intent-staff-01", kind="station_task.reject", verdict="rejected")
    staff.sync()
    assert (staff.rows["intents"]["intent-staff-01"]["kind"], verdict(staff, "intent-staff-01")[0]) == (
        "station_task.accept",
        "accepted",
    )
    staff.delete("intents", "intent-staff-01")
    staff.sync()
    staff.sync()
    assert verdict(staff, "intent-staff-01")[0] == "accepted"
    assert happened(db, "station_task.accepted") == 1


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("no.such.kind", "{}", "kind"),
        ("station_task.accept", "not json", "body"),
        ("station_task.accept", "[]", "body"),
        ("station_task.accept", "{}", "body.task_id"),
        ("station_task.finish", '{"task_id": "task-000001", "serial": 5}', "body.serial"),
        ("alarm.close", '{"alarm_id": "alarm-000001", "reason": ""}', "body.reason"),
        ("alarm.snooze", '{"alarm_id": "alarm-000001", "hours": 5}', "body.until"),
    ],
)
def test_a_malformed_intent_is_a_problem_with_a_reason_for_each_field(
    db: Database, world: World, phone: Phones, kind: str, body: str, field: str
) -> None:
    staff = phone(world.staff[0])
    staff.pull()
    staff.intend("intent-bad-0001", kind, body)
    staff.sync()

    [problem] = staff.rows["sync_problems"].values()
    assert field in json.loads(problem["reasons"])
    assert staff.rejected == {"intents": ["intent-bad-0001"]}


def test_an_intent_beyond_ones_rights_or_on_anothers_thing_is_rejected(
    db: Database, world: World, story: Story, phone: Phones
) -> None:
    rep = phone(world.rep)
    other = phone(next(staff for staff in world.staff if staff != story.staff))
    for n, one in enumerate((rep, other)):
        one.pull()
        ask(one, f"intent-steal-{n}", "station_task.accept", task_id=story.task)
        one.sync()

    assert verdict(rep, "intent-steal-0") == ("rejected", "forbidden")
    assert verdict(other, "intent-steal-1") == ("rejected", "not_found")


@pytest.mark.parametrize("protocol", [Phone, RxdbPhone])
def test_an_alarm_is_closed_and_snoozed_from_offline_as_over_http(
    db: Database, world: World, story: Story, http: Http, protocol: type[Phone] | type[RxdbPhone]
) -> None:
    rep, manager = protocol(http.as_(world.rep)), protocol(http.as_(world.manager))
    for one in (rep, manager):
        one.sync()
    until = db.clock.now() + timedelta(hours=5)
    ask(rep, "intent-snooze-1", "alarm.snooze", alarm_id=story.alarm, until=until.isoformat())
    ask(rep, "intent-close-0", "alarm.close", alarm_id=story.alarm, reason="not mine to close")
    ask(manager, "intent-close-1", "alarm.close", alarm_id=story.alarm, reason="the sensor was loose")
    db.clock.advance(hours=2)  # type: ignore[attr-defined]
    sync_twice(rep)
    office = http.as_(world.manager)
    shown = office.get(f"/alarms/{story.alarm}")
    assert (shown["state"], datetime.fromisoformat(shown["snoozed_until"])) == ("raised", until)
    assert verdict(rep, "intent-snooze-1") == ("accepted", None)
    assert verdict(rep, "intent-close-0") == ("rejected", "forbidden")
    ask(rep, "intent-wake-01", "alarm.wake", alarm_id=story.alarm)
    sync_twice(rep)
    assert office.get(f"/alarms/{story.alarm}")["snoozed_until"] is None
    assert verdict(rep, "intent-wake-01") == ("accepted", None)

    sync_twice(manager)

    assert verdict(manager, "intent-close-1") == ("accepted", None)
    shown = office.get(f"/alarms/{story.alarm}")
    assert (shown["state"], shown["close_reason"], shown["closed_by"]) == ("closed", "the sensor was loose", world.manager)
    assert datetime.fromisoformat(shown["closed_at"]) == db.clock.now()
    assert (happened(db, "alarm.closed"), happened(db, "alarm.snoozed")) == (1, 1)


@pytest.mark.parametrize("protocol", [Phone, RxdbPhone])
def test_what_is_asked_of_an_alarm_too_late_is_refused_in_words_and_waits_for_nobody(
    db: Database, world: World, story: Story, http: Http, protocol: type[Phone] | type[RxdbPhone]
) -> None:
    manager, office = protocol(http.as_(world.manager)), http.as_(world.manager)
    manager.sync()
    until = (db.clock.now() + timedelta(hours=1)).isoformat()
    ask(manager, "intent-snooze-1", "alarm.snooze", alarm_id=story.alarm, until=until)
    db.clock.advance(hours=1)  # type: ignore[attr-defined]
    sync_twice(manager)
    assert verdict(manager, "intent-snooze-1") == ("rejected", "snooze_over")
    assert "quiet time" in manager.live("intents")["intent-snooze-1"]["text"]
    assert office.get(f"/alarms/{story.alarm}")["snoozed_until"] is None

    office.post(f"/alarms/{story.alarm}/close", {"reason": "seen to"})
    later = (db.clock.now() + timedelta(hours=1)).isoformat()
    ask(manager, "intent-snooze-2", "alarm.snooze", alarm_id=story.alarm, until=later)
    ask(manager, "intent-close-1", "alarm.close", alarm_id=story.alarm, reason="seen to, too")
    sync_twice(manager)

    assert verdict(manager, "intent-snooze-2") == ("rejected", "state_conflict")
    assert verdict(manager, "intent-close-1") == ("rejected", "state_conflict")
    assert office.get(f"/alarms/{story.alarm}")["close_reason"] == "seen to"
    assert office.get("/sync/intents?verdict=needs_review")["items"] == []


def test_nobody_sees_or_takes_over_anothers_intent(db: Database, world: World, story: Story, phone: Phones) -> None:
    staff, rep = phone(story.staff), phone(world.rep)
    staff.pull()
    rep.pull()
    ask(staff, "intent-staff-01", "station_task.accept", task_id=story.task)
    staff.sync()
    ask(rep, "intent-staff-01", "alarm.acknowledge", alarm_id=story.alarm)
    rep.sync()

    assert "intent-staff-01" in rep.rejected["intents"]
    assert rep.rows["intents"].get("intent-staff-01", {}).get("kind") != "station_task.accept"
    assert verdict(staff, "intent-staff-01") == ("accepted", None)


def test_a_phone_whose_clock_is_years_off_is_served_all_the_same(db: Database, world: World, story: Story, phone: Phones) -> None:
    staff = phone(story.staff)
    staff.pull()
    staff.create(
        "intents",
        {"id": "intent-staff-01", "kind": "station_task.accept", "body": json.dumps({"task_id": story.task}), "made_at": 5},
    )
    staff.sync()

    assert verdict(staff, "intent-staff-01") == ("accepted", None)


def test_the_coupons_code_lies_in_no_synced_row_but_the_one_that_redeems_it(
    db: Database, world: World, story: Story, phone: Phones, http: Http
) -> None:
    code = coupon_code(world, http, story)
    owner, staff, manager = phone(world.owner), phone(story.staff), phone(world.manager)
    for one in (owner, staff, manager):
        one.sync()
        assert code not in json.dumps(one.rows)
    with db.reading() as session:
        assert session.scalars(select(Coupon)).one().code_hash != code
