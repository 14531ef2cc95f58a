"""What the tests of visits have in common: a type with a kit of each kind of step, planning, checking in and out."""

from __future__ import annotations

from typing import Any

from tests.factories import World
from tests.people import Http
from tests.visits.test_check_ins import fix, plan

LABELS = {"label_zh": "步骤", "label_en": "Step"}
SHELF = {
    "code": "shelf",
    "kind": "photo",
    "required": True,
    "least": 2,
    "label_zh": "货架照片",
    "label_en": "Photos of the shelf",
}
COUNT = {"code": "stock", "kind": "stock", "required": True, "label_zh": "盘点", "label_en": "Stock"}
ASKED = {
    "code": "asked",
    "kind": "form",
    "required": True,
    "label_zh": "问卷",
    "label_en": "Questions",
    "questions": [
        {"code": "area_m2", "kind": "number", "required": True, "label_zh": "面积", "label_en": "Area in square metres"},
        {"code": "rival", "kind": "choice", "choices": ["none", "cheaper"], "label_zh": "竞品", "label_en": "Rivals"},
        {"code": "opens_on", "kind": "day", "label_zh": "开业日", "label_en": "Opens on"},
    ],
}
ORDER = {"code": "wanted", "kind": "order", "required": False, "label_zh": "订货", "label_en": "Order"}


def make_type(boss: Http, *steps: dict[str, Any], code: str = "shop") -> dict[str, Any]:
    body = {"code": code, "name_zh": "门店拜访", "name_en": "Shop visit", "steps": list(steps)}
    made: dict[str, Any] = boss.post("/visit-types", body, expect=201)
    return made


def begin(rep: Http, world: World, **more: Any) -> str:
    """Plan a visit and check in; return its id."""
    visit = plan(rep, world, **more)
    rep.post(f"/visits/{visit}/check-in", fix(world))
    return visit


def end(rep: Http, world: World, visit: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = rep.post(f"/visits/{visit}/check-out", fix(world, **more))
    return answer


def told(person: Http, kind: str, subject: str) -> list[str]:
    """Return the kinds of entries about a subject in the causal log."""
    return [entry["kind"] for entry in person.get(f"/history/{kind}/{subject}")["about"]]
