"""Report forms: made by the office in versions, bound to fields of the customer, retired."""

from __future__ import annotations

from typing import Any

import pytest

from tests.customer_reports.conftest import ASKED, CABINETS, COUNT, LABELS, PROMOTION, SHELF, body_of, make_form, send
from tests.people import Http

WORDS = {"label_zh": "问题", "label_en": "Question"}


def steps_with(*questions: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**ASKED, "questions": list(questions)}]


def test_owners_read_the_questions_and_not_what_the_office_makes_of_the_answers(
    owner: Http, rep: Http, office: Http, form: dict[str, Any]
) -> None:
    [seen] = owner.get("/report-forms")["items"]
    [known] = rep.get("/report-forms")["items"]

    assert [step["code"] for step in seen["steps"]] == ["shelf", "stock", "asked"]
    assert seen["version_id"] == known["version_id"] == form["version_id"]
    assert seen["steps"][2]["questions"][0] == {
        k: v for k, v in CABINETS.items() if k not in {"field", "suggests_zh", "suggests_en"}
    }
    assert known["steps"][2]["questions"][0]["suggests_en"] == "cold-chain goods"
    assert "cold-chain" not in str(owner.get(f"/report-forms/{form['id']}"))
    for person in (owner, rep):
        person.refused("POST", "/report-forms", 403, "forbidden", {"code": "x"})


def test_other_steps_are_a_new_version_and_the_same_ones_are_not(office: Http, form: dict[str, Any]) -> None:
    path = f"/report-forms/{form['id']}"
    same = office.edit(path, {"name_en": "Your shop", "steps": form["steps"]}, form["version"])
    other = office.edit(path, {"steps": [COUNT]}, same["version"])

    assert (same["number"], same["version_id"], same["name_en"]) == (1, form["version_id"], "Your shop")
    assert (other["number"], [step["code"] for step in other["steps"]]) == (2, ["stock"])
    assert other["version_id"] != form["version_id"]
    kinds = [entry["kind"] for entry in office.get(f"/history/report_form/{form['id']}")["about"]]
    assert kinds == ["report_form.created", "report_form.edited", "report_form.edited"]


def test_a_retired_form_is_gone_for_owners_and_takes_no_report(owner: Http, office: Http, form: dict[str, Any]) -> None:
    sent = send(owner, form)
    office.edit(f"/report-forms/{form['id']}", {"active": False}, form["version"])

    assert owner.get("/report-forms")["items"] == []
    owner.refused("GET", f"/report-forms/{form['id']}", 404, "not_found")
    owner.refused("POST", "/customer-reports", 409, "report_form_retired", body_of(form, report_id="report-0002"))
    # What was sent before stays what it was, also to whoever sends it again.
    assert send(owner, form)["id"] == sent["id"]
    assert [row["active"] for row in office.get("/report-forms")["items"]] == [False]


@pytest.mark.parametrize(
    ("questions", "field", "code"),
    [
        ([{**CABINETS, "field": "custom.nobody"}], "field", "unknown_reference"),
        ([{**CABINETS, "field": "territory_id"}], "field", "unknown_reference"),
        ([{**CABINETS, "field": "phone"}], "field", "invalid"),
        ([{**CABINETS, "kind": "flag", "suggests_zh": None}], "suggests_zh", "null"),
        ([{**CABINETS, "code": "says", "kind": "text", "field": "name"}], "suggests_en", "unknown"),
        ([{k: v for k, v in CABINETS.items() if k != "suggests_zh"}], "suggests_zh", "required"),
        ([{**PROMOTION, "field": "custom.cold_cabinets"}], "field", "invalid"),
        ([{**PROMOTION, "field": "custom.grade"}], "choices", "not_one_of"),
        ([{**PROMOTION, "choices": []}], "choices", "required"),
        ([{**CABINETS, "formula": "1"}], "formula", "unknown"),
        ([{**CABINETS, "code": "Cabinets"}], "code", "code_invalid"),
    ],
)
def test_a_form_that_contradicts_itself_is_refused(
    office: Http, form: dict[str, Any], questions: list[dict[str, Any]], field: str, code: str
) -> None:
    grades = {"key": "grade", "kind": "choice", "choices": [{"code": "A", "label_zh": "甲", "label_en": "A"}]}
    office.post("/custom-fields", {**grades, **WORDS}, expect=201)
    body = {"code": "other", "name_zh": "其他", "name_en": "Other", "steps": steps_with(*questions)}

    refusal = office.refused("POST", "/report-forms", 422, "validation_failed", body)
    assert (f"steps.0.questions.0.{field}", code) in [(fault["field"], fault["code"]) for fault in refusal["errors"]]


def test_a_field_is_bound_once_and_an_order_is_no_step_of_an_owner(office: Http, form: dict[str, Any]) -> None:
    twice = steps_with(CABINETS, {**CABINETS, "code": "again"})
    order = [{"code": "wanted", "kind": "order", "required": False, **LABELS}]
    found = []
    for steps in (twice, order, [SHELF, SHELF]):
        body = {"code": "other", "name_zh": "其他", "name_en": "Other", "steps": steps}
        refusal = office.refused("POST", "/report-forms", 422, "validation_failed", body)
        found += [(fault["field"], fault["code"]) for fault in refusal["errors"]]

    assert found == [("steps.0.questions.1.field", "duplicate"), ("steps.0.kind", "not_one_of"), ("steps.1.code", "duplicate")]
    refusal = office.refused("POST", "/report-forms", 422, "validation_failed", {**body, "code": "shop", "steps": [COUNT]})
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("code", "already_exists")]
    assert make_form(office, COUNT, code="other")["number"] == 1
