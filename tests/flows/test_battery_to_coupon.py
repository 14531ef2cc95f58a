"""The product's main job, from readings to the fitted pack, through the doors its users use."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.core.db import Database
from app.core.settings import Settings
from iot.ingest import follow_due
from tests.conftest import SetClock
from tests.factories import make_world
from tests.people import Http


def test_from_falling_health_to_the_fitted_pack(db: Database, settings: Settings, clock: SetClock, http: Http) -> None:
    world = make_world(db, settings)
    owner, rep, staff = http.as_(world.owner), http.as_(world.rep), http.as_(world.staff[0])

    world.report(76.0, 75.2, 74.9, 74.5, 74.1)

    [alarm] = rep.get("/alarms")["items"]
    assert (alarm["state"], alarm["subject_id"], alarm["readings"]) == ("raised", world.pack, 3)
    [offer] = owner.get("/service-offers")["items"]
    assert (offer["state"], offer["price"], offer["amount_due"]) == ("issued", "4800.00", "4300.00")
    [task] = staff.get("/station-tasks")["items"]
    assert (task["state"], task["station_id"]) == ("offered", world.stations[0])
    [stock] = staff.get(f"/stations/{world.stations[0]}/stock")["items"]
    assert (stock["on_hand"], stock["reserved"]) == (1, 1)
    assert {note["kind"] for note in owner.get("/notifications")["items"]} == {"offer_made"}
    assert {note["kind"] for note in staff.get("/notifications")["items"]} == {"task_offered"}
    assert {note["kind"] for note in rep.get("/notifications")["items"]} == {"battery_alarm"}

    staff.post(f"/station-tasks/{task['id']}/accept")
    owner.post(f"/service-offers/{offer['id']}/view")
    slots = owner.get(f"/work-orders/{offer['work_order_id']}/slots")["slots"]
    owner.post(f"/service-offers/{offer['id']}/accept", {"slot_at": slots[3]})
    coupon = owner.get(f"/service-offers/{offer['id']}/coupon")
    assert len(coupon["code"]) == 16

    staff.refused("POST", f"/station-tasks/{task['id']}/finish", 409, "not_redeemed", {"serial": "NEW-1"})
    redeemed = staff.post("/coupons/redeem", {"code": coupon["qr"]})
    assert redeemed["state"] == "redeemed"
    staff.refused("POST", "/coupons/redeem", 409, "coupon_redeemed", {"code": coupon["code"]})
    clock.advance(hours=3)
    staff.post(f"/station-tasks/{task['id']}/finish", {"serial": "NEW-1"})
    follow_due(db, settings)

    cleared = rep.get(f"/alarms/{alarm['id']}")
    assert (cleared["state"], cleared["end_reason"]) == ("cleared", "component_replaced")
    assert rep.get(f"/work-orders/{offer['work_order_id']}")["state"] == "finished"
    [stock] = staff.get(f"/stations/{world.stations[0]}/stock")["items"]
    assert (stock["on_hand"], stock["reserved"]) == (0, 0)

    chain = rep.get(f"/history/coupon/{coupon['coupon_id']}")
    kinds = [entry["kind"] for entry in chain["causes"]]
    assert kinds.count("reading.observed") == 3
    assert {
        "service_offer.accepted",
        "service_offer.issued",
        "alarm.raised",
        "station_task.accepted",
        "work_order.opened",
    } <= set(kinds)
    assert {"work_order.finished", "component.fitted", "alarm.cleared"} <= {entry["kind"] for entry in chain["effects"]}
    reading = next(entry for entry in chain["causes"] if entry["kind"] == "reading.observed")
    forward = rep.get(f"/history/reading/{reading['subject']['id']}")
    assert "coupon.redeemed" in {entry["kind"] for entry in forward["effects"]}
    assert all(entry["reason"] for entry in chain["causes"] + chain["effects"])


def test_a_station_that_does_not_answer_loses_the_task_to_the_next(
    db: Database, settings: Settings, clock: SetClock, http: Http
) -> None:
    from app.work_orders.operations import lapse_tasks

    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    clock.advance(minutes=31)

    with db.transaction() as session:
        assert lapse_tasks(session, settings) == 1

    [mine] = http.as_(world.staff[0]).get("/station-tasks")["items"]
    [theirs] = http.as_(world.staff[1]).get("/station-tasks")["items"]
    assert (mine["state"], theirs["state"]) == ("lapsed", "offered")
    http.as_(world.staff[0]).refused("POST", f"/station-tasks/{mine['id']}/accept", 409, "state_conflict")
    http.as_(world.staff[0]).refused("GET", f"/assets/{world.asset}", 404, "not_found")


def test_the_same_readings_late_doubled_and_shuffled_make_one_offer(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    messages = world.telemetry(76.0, 74.9, 74.5, 74.1)

    for message in [messages[3], messages[0], messages[2], messages[3], messages[1], *messages]:
        world.send(message)

    assert len(http.as_(world.owner).get("/service-offers")["items"]) == 1
    assert len(http.as_(world.rep).get("/alarms")["items"]) == 1


def test_a_late_good_reading_withdraws_the_alarm_the_offer_and_the_task(
    db: Database, settings: Settings, clock: SetClock, http: Http
) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)

    late: datetime = clock.now() - timedelta(hours=36)
    world.report(79.0, start=late, boot="b2")

    [alarm] = http.as_(world.rep).get("/alarms")["items"]
    assert (alarm["state"], alarm["end_reason"]) == ("withdrawn", "readings_do_not_show_it")
    assert http.as_(world.owner).get("/service-offers")["items"][0]["state"] == "withdrawn"
    assert http.as_(world.manager).get("/station-tasks")["items"][0]["state"] == "withdrawn"
    stock = http.as_(world.staff[0]).get(f"/stations/{world.stations[0]}/stock")["items"][0]
    assert stock["reserved"] == 0
