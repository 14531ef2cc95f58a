"""Visits have an ordered kit of steps: what is recorded, corrected, left, and comes later."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.jobs import follow_photos_of_steps
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.visits.ask import ASKED, COUNT, ORDER, SHELF, begin, end, make_type, told
from tests.visits.test_check_ins import attach, faulty, fix, plan


def lacks(answer: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(one["step"], one["code"], one["question"]) for one in answer["lacking"]]


def test_a_visit_whose_required_steps_are_done_is_complete(rep: Http, boss: Http, world: World) -> None:
    kind = make_type(boss, SHELF, COUNT, ASKED, ORDER)
    visit = begin(rep, world, type_id=kind["id"])
    for name in ("photo-00001", "photo-000002"):
        attach(world, world.rep, name)
    rep.post(f"/visits/{visit}/steps/shelf", {"photo_ids": ["photo-00001", "photo-000002"]}, expect=201)
    rep.post(f"/visits/{visit}/steps/stock", {"stock": [{"product": "P-1", "count": 0}]}, expect=201)
    rep.post(f"/visits/{visit}/steps/asked", {"answers": {"area_m2": 42.5, "rival": "cheaper"}}, expect=201)
    lines = [{"product": "P-1", "quantity": 3, "unit_price": "19.90"}, {"product": "P-2", "quantity": 1, "unit_price": "0.05"}]
    order = rep.post(f"/visits/{visit}/steps/wanted", {"order": lines}, expect=201)

    assert order["total"] == "59.75 CNY"
    assert (end(rep, world, visit)["incomplete"], rep.get(f"/visits/{visit}")["state"]) == (False, "finished")


def test_a_check_out_is_never_refused_but_says_what_is_missing_and_why_it_was_left(rep: Http, boss: Http, world: World) -> None:
    visit = begin(rep, world, type_id=make_type(boss, SHELF, COUNT, ASKED, ORDER)["id"])
    rep.post(f"/visits/{visit}/steps/asked", {"answers": {"rival": "dearer", "opens_on": "soon"}}, expect=201)
    answer = end(rep, world, visit, incomplete_reason="they were closing")
    boss_reads = boss.get(f"/visits/{visit}")

    assert lacks(answer) == [
        ("shelf", "step_missing", None), ("stock", "step_missing", None), ("asked", "answer_missing", "area_m2"),
        ("asked", "answer_invalid", "rival"), ("asked", "answer_invalid", "opens_on"),
    ]  # fmt: skip
    assert answer["lacking"][2]["text"] == "“问卷”中“面积”未填写。"
    assert boss_reads["lacking"][0]["text"] == "“Photos of the shelf” was not done."
    assert (boss_reads["incomplete"], boss_reads["incomplete_reason"]) == (True, "they were closing")
    reasons = [entry["reason"] for entry in boss.get(f"/history/visit/{visit}")["about"]]
    assert "The visit ended without what its kit asks for (asked, shelf, stock): they were closing." in reasons


def test_the_reason_may_come_later_and_so_may_what_was_missing(rep: Http, boss: Http, world: World) -> None:
    visit = begin(rep, world, type_id=make_type(boss, COUNT)["id"])
    end(rep, world, visit)
    explained = rep.post(f"/visits/{visit}/explain", {"reason": "no key to the store"})
    assert (explained["incomplete"], explained["incomplete_reason"]) == (True, "no key to the store")

    rep.post(f"/visits/{visit}/steps/stock", {"stock": [{"product": "P-1", "count": 7}]}, expect=201)
    seen = rep.get(f"/visits/{visit}")
    assert (seen["incomplete"], seen["lacking"]) == (False, [])
    assert told(rep, "visit", visit)[-2:] == ["visit.step_recorded", "visit.completed"]
    rep.refused("POST", f"/visits/{visit}/explain", 409, "visit_complete", {"reason": "x"})


def test_photos_whose_bytes_come_later_complete_the_visit_then(rep: Http, boss: Http, world: World) -> None:
    visit = begin(rep, world, type_id=make_type(boss, SHELF)["id"])
    attach(world, world.rep, "photo-00001", arrives=False)
    attach(world, world.manager, "photo-000002")
    named = ["photo-00001", "photo-000002"]
    rep.post(f"/visits/{visit}/steps/shelf", {"photo_ids": named}, expect=201)
    # Somebody else's picture is none, and one that is only said to exist is not enough either.
    assert lacks(end(rep, world, visit)) == [("shelf", "photos_too_few", None)]

    attach(world, world.rep, "photo-0000003")
    rep.post(f"/visits/{visit}/steps/shelf", {"photo_ids": [*named, "photo-0000003"]}, expect=201)
    assert lacks(rep.get(f"/visits/{visit}")) == [("shelf", "photos_on_the_way", None)]
    assert follow_photos_of_steps(world.db, world.settings) == 0
    attach(world, world.rep, "photo-00000004")
    rep.post(f"/visits/{visit}/steps/shelf", {"photo_ids": ["photo-0000003", "photo-000000005"]}, expect=201)
    attach(world, world.rep, "photo-000000005")
    assert follow_photos_of_steps(world.db, world.settings) == 1
    assert rep.get(f"/visits/{visit}")["incomplete"] is False
    assert follow_photos_of_steps(world.db, world.settings) == 0


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1, 3, 2)])
def test_in_whatever_order_results_come_and_however_often_the_last_made_stands(
    rep: Http, boss: Http, world: World, order: tuple[int, ...]
) -> None:
    visit = begin(rep, world, type_id=make_type(boss, COUNT)["id"])
    for n in order:
        body = {"id": f"result-{n:04}", "made_ms": 1_772_000_000_000 + n, "stock": [{"product": "P-1", "count": n}]}
        assert rep.post(f"/visits/{visit}/steps/stock", body, expect=201)["id"] == f"result-{n:04}"
    kept = rep.get(f"/visits/{visit}/steps")["items"]

    assert [(row["content"]["lines"][0]["count"], row["standing"]) for row in kept] == [(1, False), (2, False), (3, True)]
    assert end(rep, world, visit)["incomplete"] is False


def test_an_id_that_means_another_result_is_refused(rep: Http, boss: Http, world: World) -> None:
    visit = begin(rep, world, type_id=make_type(boss, COUNT)["id"])
    body = {"id": "result-0001", "stock": [{"product": "P-1", "count": 1}]}
    rep.post(f"/visits/{visit}/steps/stock", body, expect=201)

    answer = rep.post(f"/visits/{visit}/steps/stock", body | {"stock": [{"product": "P-1", "count": 2}]}, expect=422)
    assert faulty(answer) == ["id"]


def test_of_corrections_made_at_once_one_stands(rep: Http, boss: Http, world: World) -> None:
    visit = begin(rep, world, type_id=make_type(boss, COUNT)["id"])
    gate, codes = threading.Barrier(4), []

    def correct(n: int) -> None:
        gate.wait()
        body = {"id": f"result-{n:04}", "made_ms": 1_772_000_000_000 + n, "stock": [{"product": "P-1", "count": n}]}
        codes.append(rep.call("POST", f"/visits/{visit}/steps/stock", body).status_code)

    threads = [threading.Thread(target=correct, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [201] * 4
    assert [row["standing"] for row in rep.get(f"/visits/{visit}/steps")["items"]] == [False, False, False, True]


def test_a_visit_keeps_the_kit_it_began_with(rep: Http, boss: Http, world: World) -> None:
    kind = make_type(boss, COUNT)
    old = begin(rep, world, type_id=kind["id"])
    changed = boss.edit(f"/visit-types/{kind['id']}", {"steps": [ASKED]}, 1)
    end(rep, world, old)
    new = begin(rep, world, type_id=kind["id"])

    assert (changed["number"], changed["kit_id"] != kind["kit_id"]) == (2, True)
    assert (rep.get(f"/visits/{old}")["kit_id"], rep.get(f"/visits/{new}")["kit_id"]) == (kind["kit_id"], changed["kit_id"])
    assert lacks(rep.get(f"/visits/{old}")) == [("stock", "step_missing", None)]
    assert faulty(rep.post(f"/visits/{new}/steps/stock", {"stock": []}, expect=422)) == ["step"]
    # The same steps again are no new kit.
    assert boss.edit(f"/visit-types/{kind['id']}", {"steps": [ASKED], "active": False}, 2)["number"] == 2
    assert faulty(rep.post("/visits", {"site_id": world.site, "type_id": kind["id"],
                                       "planned_from": "2026-03-02T01:00:00Z", "planned_until": "2026-03-02T02:00:00Z"},
                           expect=422)) == ["type_id"]  # fmt: skip


def test_a_phone_that_had_the_older_kit_offline_began_with_that(rep: Http, boss: Http, world: World) -> None:
    kind = make_type(boss, COUNT)
    other = make_type(boss, ASKED, code="other")
    boss.edit(f"/visit-types/{kind['id']}", {"steps": [ASKED]}, 1)
    visit = plan(rep, world, type_id=kind["id"])
    rep.post(f"/visits/{visit}/check-in", fix(world, kit_id=kind["kit_id"]))
    end(rep, world, visit)
    foreign = plan(rep, world, type_id=kind["id"])
    rep.post(f"/visits/{foreign}/check-in", fix(world, kit_id=other["kit_id"]))

    assert rep.get(f"/visits/{visit}")["kit_id"] == kind["kit_id"]
    assert rep.get(f"/visits/{foreign}")["kit_id"] == boss.get(f"/visit-types/{kind['id']}")["kit_id"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["photo_ids"]),
        ({"stock": [], "answers": {}}, ["photo_ids"]),
        ({"answers": {"area_m2": 1}}, ["kind"]),
        ({"stock": [{"product": "P-1", "count": -1}]}, ["stock.0.count"]),
        ({"stock": [{"product": "P-1", "count": 1}, {"product": "P-1", "count": 2}]}, ["stock.1"]),
        ({"stock": [{"product": f"P-{n}", "count": 1} for n in range(201)]}, ["stock"]),
        ({"order": [{"product": "P-1", "quantity": 0, "unit_price": "1.00"}]}, ["order.0.quantity"]),
        ({"order": [{"product": "P-1", "quantity": 1, "unit_price": 1.5}]}, ["order.0.unit_price"]),
    ],
)
def test_what_is_no_result_of_the_step_is_refused(
    rep: Http, boss: Http, world: World, body: dict[str, Any], fields: list[str]
) -> None:
    visit = begin(rep, world, type_id=make_type(boss, COUNT)["id"])

    assert faulty(rep.post(f"/visits/{visit}/steps/stock", body, expect=422)) == fields
    assert rep.get(f"/visits/{visit}/steps")["items"] == []


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ({**ASKED, "questions": []}, ["steps.0.questions"]),
        ({**COUNT, "questions": ASKED["questions"]}, ["steps.0.questions"]),
        ({**COUNT, "least": 2}, ["steps.0.least"]),
        ({**COUNT, "code": "Not a code"}, ["steps.0.code"]),
        ({**ASKED, "questions": [{**ASKED["questions"][1], "choices": []}]}, ["steps.0.questions.0.choices"]),  # type: ignore[index]
        ({**ASKED, "questions": [ASKED["questions"][0]] * 2}, ["steps.0.questions.1.code"]),  # type: ignore[index]
    ],
)
def test_a_kit_that_contradicts_itself_is_refused(boss: Http, step: dict[str, Any], fields: list[str]) -> None:
    body = {"code": "shop", "name_zh": "门店", "name_en": "Shop", "steps": [step]}

    assert faulty(boss.post("/visit-types", body, expect=422)) == fields


def test_steps_of_a_visit_that_is_over_for_a_month_or_called_off_are_refused_with_the_reason(
    rep: Http, boss: Http, world: World, clock: SetClock
) -> None:
    kind = make_type(boss, COUNT)["id"]
    body = {"stock": [{"product": "P-1", "count": 1}]}
    called_off = plan(rep, world, type_id=kind)
    rep.post(f"/visits/{called_off}/cancel", {"reason": "x"})
    visit = begin(rep, world, type_id=kind)
    end(rep, world, visit)
    clock.advance(days=31)

    rep.refused("POST", f"/visits/{called_off}/steps/stock", 409, "state_conflict", body)
    rep.refused("POST", f"/visits/{visit}/steps/stock", 409, "visit_closed", body)


def test_only_the_office_makes_types_and_only_the_visits_rep_records(rep: Http, boss: Http, world: World) -> None:
    rep.refused("POST", "/visit-types", 403, "forbidden", {"code": "x"})
    kind = make_type(boss, COUNT)["id"]
    visit = begin(rep, world, type_id=kind)

    boss.refused("POST", f"/visits/{visit}/steps/stock", 403, "forbidden", {"stock": []})
    assert rep.get("/visit-types")["items"][0]["steps"][0]["label_zh"] == "盘点"
