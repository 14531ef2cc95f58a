"""A visit with steps, done where there is no network: the phone holds the kit, and what it told comes back."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.factories import World
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.ask import ASKED, COUNT, make_type
from tests.visits.test_check_ins import fix, plan


def test_a_phone_holds_the_types_their_kits_and_the_results(http: Http, rep: Http, boss: Http, world: World) -> None:
    kind = make_type(boss, COUNT)
    boss.edit(f"/visit-types/{kind['id']}", {"steps": [COUNT, ASKED]}, 1)
    visit = plan(rep, world, type_id=kind["id"])
    device, owner = Phone(rep), Phone(http.as_(world.owner))
    device.pull()
    owner.pull()

    assert device.rows["visits"][visit]["type_id"] == kind["id"]
    kits = sorted(
        (row["number"], [one["code"] for one in json.loads(row["steps"])]) for row in device.rows["visit_kits"].values()
    )
    assert kits == [(1, ["stock"]), (2, ["stock", "asked"])]
    assert device.rows["visit_types"][kind["id"]]["name_zh"] == "门店拜访"
    assert {"visits", "visit_types", "visit_kits", "step_results"}.isdisjoint(owner.rows)


def test_in_every_order_in_which_offline_rows_come_the_visit_ends_the_same(rep: Http, boss: Http, world: World) -> None:
    kind = make_type(boss, COUNT)["id"]
    ends = set()
    for n, order in enumerate(itertools.permutations(range(4))):
        if order.index(0) > order.index(1):
            continue  # who checks out has checked in
        visit = plan(rep, world, type_id=kind)
        ends.add(tell_in(order, Phone(rep, f"phone-{n:06}"), world, visit, n, rep))

    assert ends == {("finished", True, 5)}


def tell_in(order: tuple[int, ...], device: Phone, world: World, visit: str, n: int, rep: Http) -> tuple[str, bool, int]:
    """Tell check-in, check-out and two counts in an order, the counts twice; return state, completeness and what stands."""
    device.pull()
    asked: list[tuple[str, dict[str, Any]]] = [
        ("visit.check_in", fix(world)),
        ("visit.check_out", fix(world)),
        ("visit.record_step", count(n, 1, made_ms=1_772_000_000_001)),
        ("visit.record_step", count(n, 5, made_ms=1_772_000_000_002)),
    ]
    for place, which in enumerate([*order, 2, 3]):
        kind, body = asked[which]
        device.intend(f"intent-{n:04}-{place:04}", kind, json.dumps({"visit_id": visit} | body))
        device.sync()
    device.sync()
    verdicts = [row["verdict"] for key, row in device.rows["intents"].items() if key.startswith(f"intent-{n:04}")]
    assert verdicts == ["accepted"] * 6
    seen = rep.get(f"/visits/{visit}")
    [standing] = [row for row in device.rows["step_results"].values() if row["visit_id"] == visit and row["standing"]]
    return seen["state"], not seen["incomplete"], json.loads(standing["content"])["lines"][0]["count"]


def count(n: int, counted: int, made_ms: int) -> dict[str, Any]:
    result = {"id": f"result-{n:04}-{counted:04}", "made_ms": made_ms, "step": "stock"}
    return result | {"stock": [{"product": "P-1", "count": counted}]}
