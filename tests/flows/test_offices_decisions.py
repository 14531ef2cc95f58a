"""What the office does by hand, and what follows from it below and above."""

from __future__ import annotations

from app.core.db import Database
from app.core.settings import Settings
from app.service_offers.operations import follow_cancelled_orders
from tests.factories import make_world
from tests.people import Http


def test_a_cancelled_order_takes_its_offer_and_coupon_along(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    [offer] = http.as_(world.owner).get("/service-offers")["items"]

    http.as_(world.manager).post(f"/work-orders/{offer['work_order_id']}/cancel", {"reason": "vehicle sold"})
    with db.transaction() as session:
        assert follow_cancelled_orders(session) == 1

    found = http.as_(world.owner).get(f"/service-offers/{offer['id']}")
    assert (found["state"], found["close_reason"]) == ("withdrawn", "order_cancelled")
    assert http.as_(world.owner).get(f"/service-offers/{offer['id']}/coupon")["state"] == "void"
    assert http.as_(world.owner).get("/notifications")["items"][0]["kind"] == "offer_withdrawn"


def test_an_order_no_station_can_take_is_left_to_a_manager_who_assigns_it(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings, units=0)
    world.report(74.9, 74.5, 74.1)
    manager, staff, owner = http.as_(world.manager), http.as_(world.staff[1]), http.as_(world.owner)
    [order] = manager.get("/work-orders?state=unassigned")["items"]
    assert "order_unassigned" in {note["kind"] for note in manager.get("/notifications")["items"]}
    assert owner.get(f"/work-orders/{order['id']}/slots") == {"station_id": None, "slots": []}

    wanted = {"station_id": world.stations[1]}
    manager.refused("POST", f"/work-orders/{order['id']}/assign", 409, "station_not_able", wanted)
    staff.post(f"/stations/{world.stations[1]}/stock", {"part_no": "PACK-60", "on_hand": 1})
    task = manager.post(f"/work-orders/{order['id']}/assign", wanted)
    staff.post(f"/station-tasks/{task['id']}/accept")

    assert owner.get(f"/work-orders/{order['id']}/slots")["station_id"] == world.stations[1]


def test_a_station_lost_after_the_owner_chose_asks_for_a_new_slot(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    first, second, owner = http.as_(world.staff[0]), http.as_(world.staff[1]), http.as_(world.owner)
    [task] = first.get("/station-tasks")["items"]
    [offer] = owner.get("/service-offers")["items"]
    first.post(f"/station-tasks/{task['id']}/accept")
    slots = owner.get(f"/work-orders/{offer['work_order_id']}/slots")["slots"]
    owner.post(f"/service-offers/{offer['id']}/accept", {"slot_at": slots[0]})
    code = owner.get(f"/service-offers/{offer['id']}/coupon")["code"]

    first.post(f"/station-tasks/{task['id']}/reject", {"reason": "lift is broken"})

    assert "offer_new_slot_needed" in {note["kind"] for note in owner.get("/notifications")["items"]}
    assert owner.get(f"/work-orders/{offer['work_order_id']}")["slot_at"] is None
    first.refused("POST", "/coupons/redeem", 422, "coupon_invalid", {"code": code})
    [again] = second.get("/station-tasks")["items"]
    second.post(f"/station-tasks/{again['id']}/accept")
    slots = owner.get(f"/work-orders/{offer['work_order_id']}/slots")["slots"]
    owner.post(f"/service-offers/{offer['id']}/accept", {"slot_at": slots[0]})
    assert second.post("/coupons/redeem", {"code": code})["state"] == "redeemed"


def test_a_station_finishes_with_the_spare_part_it_registered_before(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    staff, owner, office = http.as_(world.staff[0]), http.as_(world.owner), http.as_(world.manager)
    spare = {"serial": "SPARE-1", "kind": "battery_pack", "part_no": "PACK-60"}
    spare_id = staff.post("/components", spare, expect=201)["id"]
    staff.post("/components", spare | {"serial": "OTHER-1", "part_no": "PACK-80"}, expect=201)
    [task] = staff.get("/station-tasks")["items"]
    [offer] = owner.get("/service-offers")["items"]
    staff.post(f"/station-tasks/{task['id']}/accept")
    slots = owner.get(f"/work-orders/{offer['work_order_id']}/slots")["slots"]
    owner.post(f"/service-offers/{offer['id']}/accept", {"slot_at": slots[0]})
    staff.post("/coupons/redeem", {"code": owner.get(f"/service-offers/{offer['id']}/coupon")["code"]})

    for serial in ("OTHER-1", "PACK-0001"):  # another part, and the one that is in there
        refusal = staff.refused("POST", f"/station-tasks/{task['id']}/finish", 422, "validation_failed", {"serial": serial})
        assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("serial", "already_exists")]
    finished = staff.post(f"/station-tasks/{task['id']}/finish", {"serial": "SPARE-1", "warranty_until": "2030-01-01"})

    assert finished["state"] == "finished"
    fitted = [fitting for fitting in office.get(f"/assets/{world.asset}/fittings")["items"] if fitting["removed_at"] is None]
    assert [fitting["component_id"] for fitting in fitted] == [spare_id]
    components = {component["id"]: component for component in office.get("/components")["items"]}
    assert components[spare_id]["warranty_until"] == "2030-01-01"
