"""The office's side of a form: checked when saved, tried out on a sample, and read by nobody else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.core.tracked import add
from app.custom_fields.models import CustomField
from app.lead_forms import queries
from app.lead_forms.budgets import read_budget
from app.lead_forms.documents import read_document
from app.lead_forms.reading import read_submission
from tests.lead_forms.conftest import SENT, Form, document, lead_count
from tests.leads.conftest import Desk


def field(source: str, to: str, **more: Any) -> dict[str, Any]:
    return {"from": source, "to": to, **more}


DOCS = Path(__file__).parents[2] / "docs"
NEEDED = [field("n", "name"), field("p", "phone"), field("i", "interest")]


def refusals(desk: Desk, draft: dict[str, Any]) -> dict[str, str]:
    refusal = desk.boss.refused("POST", "/lead-forms", 422, "validation_failed", {"name": "x", "document": draft})
    return {fault["field"]: fault["code"] for fault in refusal["errors"]}


WRONG: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"fields": []}, {f"document.fields.{name}": "not_covered" for name in ("name", "phone", "interest")}),
    ({"fields": [*NEEDED, field("x", "owner_id")]}, {"document.fields.3.to": "unknown_target"}),
    ({"fields": [*NEEDED, field("x", "custom.colour")]}, {"document.fields.3.to": "unknown_target"}),
    ({"fields": [*NEEDED, field("x", "phone")]}, {"document.fields.3.to": "duplicate"}),
    ({"fields": [*NEEDED, field("i", "interest")]}, {"document.fields.3.to": "duplicate"}),
    (
        {"fields": [*NEEDED, field("b", "budget", codes={"大": "many"})]},
        {"document.fields.3.codes.大": "amount_invalid"},
    ),
    (
        {"fields": [*NEEDED, field("b", "budget", codes={"A": "1", "ａ": "2"})]},
        {"document.fields.3.codes.ａ": "duplicate"},
    ),
    (
        {"fields": [*NEEDED, field("t", "territory_id", codes={"南": "no-such-area"})]},
        {"document.fields.3.codes.南": "unknown_reference"},
    ),
    ({"fields": [*NEEDED, field("e", "email", codes={"x": "nobody"})]}, {"document.fields.3.codes.x": "email_invalid"}),
    ({"fields": [*NEEDED, field("e", "email", **{"else": "guess"})]}, {"document.fields.3.else": "not_one_of"}),
    ({"fields": [*NEEDED, field("e", "email", range="any")]}, {"document.fields.3.range": "not_one_of"}),
    ({"fields": [*NEEDED, field("", "email")]}, {"document.fields.3.from": "too_short"}),
    ({"fields": [*NEEDED, field("e", "email", why="x")]}, {"document.fields.3.why": "unknown"}),
    ({"fields": NEEDED, "defaults": {"budget": "much"}}, {"document.defaults.budget": "amount_invalid"}),
    ({"fields": NEEDED, "defaults": {"territory_id": "no-such-area"}}, {"document.defaults.territory_id": "unknown_reference"}),
    ({"fields": NEEDED, "defaults": {"state": "lost"}}, {"document.defaults.state": "unknown_target"}),
    (
        {"fields": [NEEDED[0], NEEDED[2]], "defaults": {"phone": "13800138000"}},
        {"document.defaults.phone": "unknown_target"},
    ),
    ({"fields": NEEDED, "origins": ["http://a.example.com"]}, {"document.origins.0": "origin_invalid"}),
    ({"fields": NEEDED, "origins": ["https://a.example.com/page"]}, {"document.origins.0": "origin_invalid"}),
    ({"fields": NEEDED, "origins": ["https://*.example.com"]}, {"document.origins.0": "origin_invalid"}),
    ({"fields": NEEDED, "trap": "p"}, {"document.trap": "duplicate"}),
]


@pytest.mark.parametrize(("draft", "faults"), WRONG)
def test_a_document_that_makes_no_sense_is_refused_by_its_place(
    desk: Desk, draft: dict[str, Any], faults: dict[str, str]
) -> None:
    assert refusals(desk, draft) == faults
    assert desk.boss.get("/lead-forms")["items"] == []


def test_everything_that_is_needed_may_come_from_defaults_or_notes_but_the_number(desk: Desk) -> None:
    for draft in (
        {"fields": [field("p", "phone")], "defaults": {"name": "展会访客", "interest": "叉车"}},
        {"fields": [field("p", "phone"), field("n", "name"), field("m", "note")]},
    ):
        desk.boss.post("/lead-forms", {"name": "x", "document": draft}, expect=201)


def test_a_trial_says_what_lead_would_come_of_a_sample_and_changes_nothing(desk: Desk) -> None:
    found = desk.boss.post("/lead-form-trials", {"document": document(desk), "sample": SENT})

    assert found == {
        "lead": {
            "name": "陈伟", "phone": "+8613800138000", "interest": "叉车两台", "email": "chen@example.com",
            "budget": "200000.00", "source": "fair", "territory_id": desk.world.territory,
        },
        "errors": [],
        "trapped": False,
    }  # fmt: skip
    assert (lead_count(desk), desk.boss.get("/lead-forms")["items"]) == (0, [])


def test_a_trial_names_every_field_that_is_wrong_in_the_readers_language(desk: Desk) -> None:
    sample = {"手机": "12", "邮箱": "nobody", "预算": "面议", "website": "x"}
    found = desk.boss.post("/lead-form-trials", {"document": document(desk), "sample": sample})

    assert (found["lead"], found["trapped"]) == (None, True)
    assert {fault["field"]: fault["code"] for fault in found["errors"]} == {
        "姓名": "required", "手机": "phone_invalid", "产品": "required", "邮箱": "email_invalid", "预算": "budget_unreadable",
    }  # fmt: skip
    assert {"cannot be read as an amount or a range"} <= {fault["text"] for fault in found["errors"]}
    refusal = desk.boss.refused(
        "POST", "/lead-form-trials", 422, "validation_failed", {"document": {"fields": NEEDED[:2]}, "sample": {}}
    )
    assert refusal["errors"][0]["field"] == "document.fields.interest"


def tried(desk: Desk, extra: dict[str, Any], text: str) -> dict[str, Any]:
    draft = {"fields": [*NEEDED, field("x", **extra)]}
    sample = {"n": "A", "p": "13800138000", "i": "forklifts", "x": text}
    answer: dict[str, Any] = desk.boss.post("/lead-form-trials", {"document": draft, "sample": sample})
    return answer


CODES = {"10-20万": "150000", "Big": "900000.5"}


@pytest.mark.parametrize(
    ("extra", "text", "budget", "interest"),
    [
        ({"codes": CODES}, "10-20万", "150000.00", "forklifts"),
        ({"codes": CODES}, " ＢＩＧ ", "900000.50", "forklifts"),
        ({"codes": CODES, "else": "note"}, "面议", None, "forklifts; x: 面议"),
        ({"codes": CODES, "else": "note"}, "50万", None, "forklifts; x: 50万"),
        ({"codes": CODES, "else": "read"}, "50万", "500000.00", "forklifts"),
        ({"else": "note"}, "面议", None, "forklifts; x: 面议"),
        ({"range": "lower"}, "10-20万", "100000.00", "forklifts"),
        ({"range": "middle"}, "10-20万", "150000.00", "forklifts"),
        ({"range": "upper"}, "10-20万", "200000.00", "forklifts"),
        ({"range": "lower"}, "≤ 5万", "50000.00", "forklifts"),
    ],
)
def test_a_choice_becomes_what_the_office_says(
    desk: Desk, extra: dict[str, Any], text: str, budget: str | None, interest: str
) -> None:
    found = tried(desk, {"to": "budget"} | extra, text)

    assert found["errors"] == []
    assert (found["lead"].get("budget"), found["lead"]["interest"]) == (budget, interest)


@pytest.mark.parametrize(
    ("extra", "text", "code"),
    [
        ({"to": "budget", "codes": CODES}, "50万", "value_unmapped"),
        ({"to": "budget", "codes": CODES, "else": "read"}, "面议", "budget_unreadable"),
        ({"to": "territory_id"}, "no-such-area", "unknown_reference"),
        ({"to": "source"}, "x" * 61, "too_long"),
        ({"to": "company", "required": True}, "  ", "required"),
    ],
)
def test_what_cannot_be_taken_is_named_by_the_forms_field(desk: Desk, extra: dict[str, Any], text: str, code: str) -> None:
    found = tried(desk, extra, text)

    assert [(fault["field"], fault["code"]) for fault in found["errors"]] == [("x", code)]


def test_several_fields_become_one_and_a_long_interest_is_cut(desk: Desk) -> None:
    assert tried(desk, {"to": "name"}, "Wei")["lead"]["name"] == "A Wei"
    assert tried(desk, {"to": "interest"}, "racks")["lead"]["interest"] == "forklifts; racks"
    long = tried(desk, {"to": "note"}, "长" * 2000)["lead"]["interest"]
    assert (len(long), long[:15], long[-1]) == (500, "forklifts; x: 长", "…")
    assert [fault["code"] for fault in tried(desk, {"to": "name"}, "长" * 250)["errors"]] == ["too_long"]


def test_a_field_of_the_offices_own_is_read_by_its_kind_and_handed_on_by_its_key(desk: Desk) -> None:
    with desk.world.db.transaction() as session:
        for key, kind in (("seats", "number"), ("cold", "flag")):
            add(session, CustomField(subject_kind="lead", key=key, kind=kind, label_zh=key, label_en=key, choices=[]))
    fields = [*NEEDED, field("s", "custom.seats"), field("c", "custom.cold", codes={"需要": "true"})]
    sample = {"n": "A", "p": "13800138000", "i": "x", "s": "12", "c": "需要"}
    good = desk.boss.post("/lead-form-trials", {"document": {"fields": fields}, "sample": sample})
    wrong = desk.boss.post("/lead-form-trials", {"document": {"fields": fields}, "sample": sample | {"s": "many"}})

    assert good["lead"]["custom"] == {"seats": 12, "cold": True}
    assert [(fault["field"], fault["code"]) for fault in wrong["errors"]] == [("s", "not_number")]
    assert refusals(desk, {"fields": [*NEEDED, field("c", "custom.cold", codes={"x": "maybe"})]}) == {
        "document.fields.3.codes.x": "not_flag"
    }


def test_a_field_that_is_gone_since_is_named_and_nothing_breaks(desk: Desk, form: Form) -> None:
    raw = form.read()["document"]
    raw["fields"].append(field("s", "custom.gone", required=False, codes=None, range="lower", **{"else": "refuse"}))
    with desk.world.db.reading() as session:
        _, faults = read_submission(read_document(raw), SENT | {"s": "x"}, queries.targets(session))

    assert faults == {"s": ["unknown_target"]}


def test_a_form_is_changed_by_version_and_listed_with_its_counts(form: Form, desk: Desk) -> None:
    form.send()
    form.send({"姓名": "x"})
    before = form.read()
    changed = desk.boss.edit(form.path, {"name": "秋季展会"}, before["version"])

    assert (changed["name"], changed["document"]) == ("秋季展会", before["document"])
    desk.boss.edit(form.path, {"name": "x"}, before["version"], expect=412)
    desk.boss.edit(form.path, {"document": {"fields": []}}, changed["version"], expect=422)
    [listed] = desk.boss.get("/lead-forms?state=active")["items"]
    assert listed["counts"] == {"accepted": 1, "repeated": 0, "faulty": 1, "dismissed": 0, "trapped": 0}
    assert desk.boss.get("/lead-forms?state=retired")["items"] == []


@pytest.mark.parametrize("name", ["lead-forms.md", "lead-forms.zh-CN.md"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_document_and_the_page_of_the_docs_go_together(desk: Desk, name: str) -> None:
    text = (DOCS / name).read_text()
    [shown] = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    draft = json.loads(re.sub(r"<[^>]*id>", desk.world.territory, shown))
    [page] = re.findall(r"```html\n(.*?)```", text, re.DOTALL)
    filled = re.findall(r'name="([^"]+)"', page)
    for choice in re.findall(r"<option>([^<]+)", page):
        sample = dict(zip(filled, ("陈伟", "13800138000", "叉车", choice, ""), strict=True))
        found = desk.boss.post("/lead-form-trials", {"document": draft, "sample": sample})
        assert (found["errors"], found["trapped"]) == ([], False)
        assert "budget" in found["lead"]
    table = text[text.index("## 预算" if "zh" in name else "## Budgets") :]
    rows = re.findall(r"^\| [^|`]+ \| (`.*`) \|$", table, re.MULTILINE)
    budgets = [budget for row in rows[:4] for budget in re.findall(r"`([^`]+)`", row)]
    assert len(budgets) > 15
    assert [budget for budget in budgets if read_budget(budget) is None] == []


def test_reps_see_neither_forms_nor_what_was_sent(form: Form, desk: Desk) -> None:
    form.send({"姓名": "x"})
    [sent] = form.submissions()
    for method, path, body in (
        ("GET", "/lead-forms", None),
        ("GET", f"{form.path}/submissions", None),
        ("POST", f"/lead-form-submissions/{sent['id']}/dismiss", {"reason": "x"}),
        ("POST", "/lead-form-trials", {"document": {"fields": NEEDED}, "sample": {}}),
    ):
        desk.rep.refused(method, path, 403, "forbidden", body)
    desk.rep.refused("GET", f"/history/form_submission/{sent['id']}", 404, "not_found")
    desk.rep.refused("GET", f"/history/lead_form/{form.id}", 404, "not_found")
