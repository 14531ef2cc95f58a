"""Before a visit its rep reads what changed since the last one, and what to bring; after it, what it brought to light."""

from __future__ import annotations

from typing import Any

import pytest

from app.assets import operations as assets
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.visits.ask import ASKED, COUNT, ORDER, begin, end, make_type
from tests.visits.test_check_ins import attach, faulty, plan
from tests.visits.test_plans import add_customer

COLD = {
    "name": "Cold chain",
    "change": "asset_added",
    "any_of": ["Cold cabinet 300"],
    "least": 2,
    "advice_zh": "请携带冷链商品目录。",
    "advice_en": "Bring the cold-chain catalogue.",
}


def add_cabinets(world: World, *serials: str, model: str = "Cold cabinet 300") -> None:
    for serial in serials:
        with world.db.transaction() as session:
            values = {"serial": serial, "model": model, "customer_id": world.customer, "site_id": world.site}
            assets.create_asset(session, world.actor(world.admin), values)


def visited(rep: Http, world: World, clock: SetClock, **more: Any) -> str:
    """Visit the site; some days pass."""
    visit = begin(rep, world)
    end(rep, world, visit, **more)
    clock.advance(days=3)
    return visit


def lines(person: Http, visit: str) -> list[str]:
    return [one["text"] for one in person.get(f"/visits/{visit}/preparation")["items"]]


def test_what_changed_since_the_last_visit_is_read_with_its_source(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    boss.edit(f"/customers/{world.customer}", {"phone": "+8613800000001"}, 1)
    clock.advance(days=1)
    last = visited(rep, world, clock, next_step="bring a quote")
    visit = plan(rep, world)
    nothing = rep.get(f"/visits/{visit}/preparation")
    assert ([one["text"] for one in nothing["items"]], nothing["last_visit_id"]) == (["上次约定的下一步：bring a quote"], last)

    boss.edit(f"/customers/{world.customer}", {"email": "new@example.test", "name": "Lin Cold Chain"}, 2)
    clock.advance(minutes=1)
    add_cabinets(world, "CC-1", "CC-2")
    clock.advance(minutes=1)
    attach(world, world.manager, "licence-0001")
    seen = boss.get(f"/visits/{visit}/preparation")

    assert [one["text"] for one in seen["items"]] == [
        "Agreed last time: bring a quote",
        "New attachment: “gate”.",
        "2 new: Cold cabinet 300.",
        "The customer's record was changed: e-mail address, name.",
    ]
    assert lines(rep, visit)[2:] == ["新增 2 台：Cold cabinet 300。", "客户资料已更改：邮箱、名称。"]
    sources = {entry["id"]: entry for entry in boss.get(f"/history/customer/{world.customer}")["about"]}
    changed = seen["items"][3]
    assert (sources[changed["entry_ids"][0]]["kind"], changed["subject_id"]) == ("customer.edited", world.customer)
    assert (len(seen["items"][2]["entry_ids"]), seen["items"][2]["count"], seen["cut"]) == (2, 2, False)


def test_alarms_orders_and_offers_are_told_as_they_stand_now(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    visited(rep, world, clock)
    visit = plan(rep, world)
    world.report(76.0, 74.9, 74.5, 74.1)
    kinds = {one["change"]: one["text"] for one in boss.get(f"/visits/{visit}/preparation")["items"]}

    assert {"alarm_stands", "work_order", "service_offer"} <= set(kinds)
    assert kinds["alarm_stands"].startswith("An alarm stands on Model 60 (VIN-0001): Rule “battery-health”")
    assert kinds["work_order"].startswith("Work order WO-2026-000001: ")


def test_two_new_cold_cabinets_want_cold_chain_goods_and_one_does_not(
    rep: Http, boss: Http, world: World, clock: SetClock
) -> None:
    rule = boss.post("/bring-rules", COLD, expect=201)
    visited(rep, world, clock)
    visit = plan(rep, world)
    add_cabinets(world, "CC-1")
    add_cabinets(world, "OV-1", "OV-2", model="Oven")
    assert rep.get(f"/visits/{visit}/preparation")["bring"] == []
    add_cabinets(world, "CC-2")

    [advice] = rep.get(f"/visits/{visit}/preparation")["bring"]
    assert (advice["text"], advice["count"], len(advice["entry_ids"])) == ("请携带冷链商品目录。", 2, 2)
    assert boss.get(f"/visits/{visit}/preparation")["bring"][0]["text"] == "Bring the cold-chain catalogue."
    boss.edit(f"/bring-rules/{rule['id']}", {"active": False}, 1)
    assert rep.get(f"/visits/{visit}/preparation")["bring"] == []


def test_what_to_bring_may_wait_for_a_field_of_the_companys_own(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    graded = COLD | {"change": "customer_edited", "any_of": ["custom.grade"], "least": 1}
    refused = boss.refused("POST", "/bring-rules", 422, "validation_failed", graded)
    assert [(one["field"], one["code"]) for one in refused["errors"]] == [("any_of.0", "unknown_reference")]
    boss.post("/custom-fields", {"key": "grade", "kind": "text", "label_zh": "等级", "label_en": "Grade"}, expect=201)
    rule = boss.post("/bring-rules", graded, expect=201)
    boss.edit(f"/bring-rules/{rule['id']}", {"any_of": ["custom.size"]}, 1, expect=422)
    visited(rep, world, clock)
    visit = plan(rep, world)
    assert rep.get(f"/visits/{visit}/preparation")["bring"] == []
    boss.edit(f"/customers/{world.customer}", {"custom": {"grade": "A"}}, 1)

    assert [one["text"] for one in rep.get(f"/visits/{visit}/preparation")["bring"]] == ["请携带冷链商品目录。"]
    assert lines(boss, visit) == ["The customer's record was changed: Grade."]
    assert lines(rep, visit) == ["客户资料已更改：等级。"]


def test_before_the_first_visit_it_is_what_changed_in_90_days(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    add_cabinets(world, "CC-1")
    clock.advance(days=91)
    add_cabinets(world, "CC-2")
    seen = boss.get(
        f"/visits/{plan(rep, world, planned_from='2026-06-02T00:00:00Z', planned_until='2026-06-02T01:00:00Z')}/preparation"
    )

    assert (seen["last_visit_id"], [one["text"] for one in seen["items"]]) == (None, ["1 new: Cold cabinet 300."])


def test_what_was_merged_into_the_customer_is_told(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    visited(rep, world, clock)
    other, _ = add_customer(world, "C-2")
    visit = plan(rep, world)
    boss.post(f"/customers/{world.customer}/merge", {"other_id": other})

    assert any("turned out to be the same customer" in text for text in lines(boss, visit))


def test_what_the_last_visit_left_open_is_told(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    visit = begin(rep, world, type_id=make_type(boss, COUNT, ASKED)["id"])
    end(rep, world, visit)
    clock.advance(days=1)

    assert lines(boss, plan(rep, world)) == ["Left open last time: Stock, Questions."]


def test_of_other_customers_nothing_is_told(http: Http, rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    visited(rep, world, clock)
    visit = plan(rep, world)
    other, site = add_customer(world, "C-2", owner_id=None)
    boss.edit(f"/customers/{other}", {"phone": "+8613800000002"}, 1)
    boss.edit(f"/sites/{site}", {"name": "y"}, 1)
    with world.db.transaction() as session:
        stranger = make_user(session, world.settings, "rep", "stranger").id

    assert lines(rep, visit) == []
    http.as_(stranger).refused("GET", f"/visits/{visit}/preparation", 404, "not_found")


@pytest.mark.parametrize(
    ("more", "field"), [({"change": "mood"}, "change"), ({"least": 0}, "least"), ({"advice_zh": ""}, "advice_zh")]
)
def test_a_rule_that_says_nothing_is_refused(boss: Http, more: dict[str, Any], field: str) -> None:
    assert faulty(boss.post("/bring-rules", COLD | more, expect=422)) == [field]


# What a visit brought to light


def codes(person: Http, visit: str) -> list[str]:
    return [one["code"] for one in person.get(f"/visits/{visit}/new-information")["items"]]


def test_new_is_what_comes_from_the_visit_and_was_not_known_before(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    kind = make_type(boss, COUNT, ORDER)["id"]
    counted = {"stock": [{"product": "P-1", "count": 7}]}
    first = begin(rep, world, type_id=kind)
    rep.post(f"/visits/{first}/steps/stock", counted, expect=201)
    attach(world, world.rep, "photo-00001")
    rep.edit(f"/customers/{world.customer}", {"phone": "+8613800000001"}, 1)
    end(rep, world, first)
    # Somebody else's edit of that time is not the visit's.
    boss.edit(f"/customers/{world.customer}", {"email": "x@example.test"}, 2)
    assert sorted(codes(rep, first)) == ["answer_differs", "attachment_new", "field_edited"]

    clock.advance(days=7)
    second = begin(rep, world, type_id=kind)
    rep.post(f"/visits/{second}/steps/stock", counted, expect=201)
    attach(world, world.rep, "photo-00002", arrives=False)  # the same bytes as before, under another id
    rep.post(f"/visits/{second}/steps/wanted", {"order": [{"product": "P", "quantity": 1, "unit_price": "1.00"}]}, expect=201)
    end(rep, world, second)
    assert codes(rep, second) == ["goods_ordered"]
    assert boss.get(f"/visits/{second}/new-information")["items"][0]["text"] == "The customer ordered (Order)."


def test_three_visits_in_a_row_without_anything_new_give_a_hint(rep: Http, world: World, clock: SetClock) -> None:
    visits = [visited(rep, world, clock) for _ in range(2)]
    assert rep.get(f"/visits/{visits[1]}/new-information")["hint"] is None
    third = visited(rep, world, clock)

    assert rep.get(f"/visits/{third}/new-information")["hint"].startswith("连续 3 次拜访没有新信息")
    fourth = begin(rep, world)
    version = rep.get(f"/sites?customer_id={world.customer}")["items"][0]["version"]
    rep.edit(f"/sites/{world.site}", {"name": "Depot, east gate"}, version)
    end(rep, world, fourth)
    assert (codes(rep, fourth), rep.get(f"/visits/{fourth}/new-information")["hint"]) == (["field_edited"], None)
