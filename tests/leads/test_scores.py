"""Scores: a document of the office, tried out on the leads there are, switched on, told with its reasons."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.db import Database
from app.leads import scores
from app.leads.conditions import FIELDS
from app.leads.scoring import read_score, score_of, told
from tests.conftest import SetClock
from tests.leads.conftest import Desk

RICH = {"field": "budget", "comparison": "at_least", "value": 50000, "points": 60}
FAIR = {"field": "source", "comparison": "one_of", "value": ["fair", "web"], "points": 15}
POOR = {"field": "email", "comparison": "empty", "points": -20}


def score(*conditions: dict[str, Any], base: int = 10) -> dict[str, Any]:
    return {"base": base, "conditions": list(conditions)}


def points(document: dict[str, Any], **facts: Any) -> int:
    return score_of(read_score(document), facts).points


def test_the_points_of_what_holds_are_added_and_kept_between_0_and_100() -> None:
    document = score(RICH, FAIR, POOR)

    assert points(document, budget="49999.99", source="FAIR", email="a@b.example") == 25
    assert points(document, budget="50000.00", source=" web ", email="a@b.example") == 85
    assert points(document) == 0
    assert points(score(RICH, RICH), budget="60000") == 100


def test_each_comparison_says_what_it_means() -> None:
    def one(comparison: str, value: Any, found: Any, field: str = "custom.a") -> bool:
        condition = {"field": field, "comparison": comparison, "points": 1} | ({"value": value} if value is not None else {})
        custom = {"a": found} if found is not None else {}
        return points(score(condition, base=0), custom=custom) == 1

    assert (one("filled", None, "x"), one("filled", None, ""), one("filled", None, None)) == (True, False, False)
    assert (one("empty", None, None), one("empty", None, 0)) == (True, False)
    assert (one("is", "A", "a"), one("is", 5, "5.0"), one("is", True, True), one("is", True, 1)) == (True, True, True, False)
    assert (one("is_not", "a", "b"), one("is_not", "a", "A"), one("is_not", "a", None)) == (True, False, True)
    assert (one("one_of", ["a", "b"], ["c", "B"]), one("one_of", ["a"], "b")) == (True, False)
    assert (one("contains", "lift", "Forklifts"), one("contains", "lift", "cranes")) == (True, False)
    assert (one("at_least", 10, "9.9"), one("at_least", 10, 10), one("at_most", 10, 11)) == (False, True, False)
    assert one("at_least", 1, "many") is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"field": "colour", "comparison": "filled", "points": 1},
        {"field": "custom.", "comparison": "filled", "points": 1},
        {"field": "source", "comparison": "filled", "value": 1, "points": 1},
        {"field": "source", "comparison": "at_least", "value": 1, "points": 1},
        {"field": "budget", "comparison": "at_least", "value": True, "points": 1},
        {"field": "source", "comparison": "one_of", "value": [], "points": 1},
        {"field": "source", "comparison": "contains", "value": 5, "points": 1},
        {"field": "source", "comparison": "like", "value": "x", "points": 1},
        {"field": "source", "comparison": "filled", "points": 0},
        {"field": "source", "comparison": "filled", "points": 101},
        {"field": "source", "comparison": "filled"},
        {"field": "source", "comparison": "is", "value": "x" * 201, "points": 1},
    ],
)
def test_a_document_that_makes_no_sense_is_refused_with_what_is_wrong(desk: Desk, wrong: dict[str, Any]) -> None:
    for path in ("/lead-scores", "/lead-score-trials"):
        refusal = desk.boss.refused("POST", path, 422, "document_invalid", {"document": score(wrong)})
        assert len(refusal["detail"]) > 20
    assert desk.boss.get("/lead-scores")["items"] == []


_SCALAR = st.one_of(st.text(max_size=20), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.booleans(), st.none())


@given(
    field=st.sampled_from([*FIELDS, "custom.a"]),
    comparison=st.sampled_from(["filled", "empty", "is", "is_not", "one_of", "contains", "at_least", "at_most"]),
    value=st.one_of(_SCALAR, st.lists(_SCALAR, max_size=3)),
    found=st.one_of(_SCALAR, st.lists(_SCALAR, max_size=3)),
)
def test_whatever_is_written_it_is_refused_or_scores_every_lead_and_reads_in_both_languages(
    field: str, comparison: str, value: Any, found: Any
) -> None:
    try:
        document = read_score(score({"field": field, "comparison": comparison, "value": value, "points": 5}))
    except ValueError:
        return
    made = score_of(document, {field: found, "custom": {"a": found}})

    assert made.points in {10, 15}
    for locale in ("en", "zh-CN"):
        assert all(reason["text"].endswith("+5") for reason in told(made.reasons, locale))


def test_a_lead_tells_what_its_score_is_made_of_in_the_readers_language(desk: Desk) -> None:
    desk.boss.post("/lead-scores", {"document": score(RICH, FAIR)}, expect=201)
    lead = desk.lead(desk.rep, budget="50000.00", source="fair")

    assert lead["score"] == 85
    assert [reason["text"] for reason in lead["score_reasons"]] == ["预算不低于 50000：+60", "来源属于fair、web：+15"]
    english = desk.read(lead)["score_reasons"]
    assert [reason["text"] for reason in english] == ["budget is at least 50000: +60", "source is one of fair, web: +15"]


def test_a_trial_shows_what_a_draft_would_do_and_changes_nothing(desk: Desk) -> None:
    desk.boss.post("/lead-scores", {"document": score(base=30)}, expect=201)
    rich, poor = desk.lead(budget="90000.00", email="a@b.example"), desk.lead()
    desk.boss.post(f"/leads/{desk.lead()['id']}/lose", {"reason": "not counted"})

    found = desk.boss.post("/lead-score-trials", {"document": score(RICH, POOR, base=30)})

    assert (found["leads"], found["cut"], found["changed"]) == (2, False, 2)
    assert found["before"] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 0]
    assert found["after"] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert [(row["lead_id"], row["before"], row["after"]) for row in found["risers"]] == [(rich["id"], 30, 90)]
    assert [(row["lead_id"], row["before"], row["after"]) for row in found["fallers"]] == [(poor["id"], 30, 10)]
    assert (desk.read(rich)["score"], len(desk.boss.get("/lead-scores")["items"])) == (30, 1)
    assert desk.rescore() == 0


def test_a_trial_looks_at_the_newest_leads_and_says_that_there_are_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_TRIED", 2)
    leads = [desk.lead() for _ in range(3)]

    found = desk.boss.post("/lead-score-trials", {"document": score(base=99)})

    assert (found["leads"], found["cut"]) == (2, True)
    assert {row["lead_id"] for row in found["risers"]} == {lead["id"] for lead in leads[1:]}


def test_switching_on_scores_every_live_lead_anew_a_page_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_PAGE", 2)
    leads = [desk.lead() for _ in range(5)]
    lost = desk.lead()
    desk.boss.post(f"/leads/{lost['id']}/lose", {"reason": "x"})

    version = desk.boss.post("/lead-scores", {"document": score(base=77)}, expect=201)

    assert (version["number"], version["in_force"]) == (1, True)
    assert (desk.rescore(), desk.rescore()) == (5, 0)
    assert {desk.read(lead)["score"] for lead in leads} == {77}
    assert desk.read(lost)["score"] == lost["score"]
    told = desk.boss.get(f"/history/lead/{leads[0]['id']}")
    entry = next(entry for entry in told["about"] if entry["kind"] == "lead.rescored")
    assert entry["because_of"]
    assert desk.lead()["score"] == 77


def test_a_territory_may_have_a_score_of_its_own_and_give_it_up(desk: Desk, db: Database, clock: SetClock) -> None:
    area = desk.world.territory
    inside, outside = desk.lead(), desk.lead(territory_id=...)
    desk.boss.post("/lead-scores", {"document": score(base=11)}, expect=201)
    desk.boss.post("/lead-scores", {"territory_id": area, "document": score(base=22)}, expect=201)
    desk.rescore()
    assert (desk.read(inside)["score"], desk.read(outside)["score"]) == (22, 11)

    trial = desk.boss.post("/lead-score-trials", {"document": score(base=33)})
    assert [row["lead_id"] for row in trial["risers"]] == [outside["id"]]
    trial = desk.boss.post("/lead-score-trials", {"territory_id": area, "document": score(base=33)})
    assert [row["lead_id"] for row in trial["risers"]] == [inside["id"]]
    moved = desk.boss.edit(f"/leads/{outside['id']}", {"territory_id": area}, desk.read(outside)["version"])
    assert moved["score"] == 22
    desk.boss.post("/lead-scores", {"territory_id": area, "document": None}, expect=201)
    desk.rescore()
    assert (desk.read(inside)["score"], desk.read(outside)["score"]) == (11, 11)
    desk.boss.refused("POST", "/lead-scores", 422, "validation_failed", {"document": None})
    body = {"territory_id": "no-such-area", "document": score()}
    desk.boss.refused("POST", "/lead-scores", 422, "validation_failed", body)


def test_a_field_that_a_region_added_counts(desk: Desk) -> None:
    field = {"subject_kind": "lead", "key": "cold_store", "kind": "flag", "label_zh": "冷库", "label_en": "Cold store"}
    desk.boss.post("/custom-fields", field, expect=201)
    lead = desk.lead(desk.rep, custom={"cold_store": True})
    condition = {"field": "custom.cold_store", "comparison": "is", "value": True, "points": 40}
    desk.boss.post("/lead-scores", {"territory_id": desk.world.territory, "document": score(condition)}, expect=201)
    desk.rescore()

    found = desk.read(lead)
    assert (found["score"], found["score_reasons"][0]["text"]) == (50, "Cold store is yes: +40")
