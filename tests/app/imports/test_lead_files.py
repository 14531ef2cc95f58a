"""Spreadsheets of leads: known again by their number, given to whom the rules say, brought in once each, and taken back."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.core.db import Database
from app.core.history import HistoryCause, HistoryEntry, Subject, last_entry
from app.core.settings import Settings
from app.core.unfinished import Unfinished
from app.imports import running
from app.imports.models import ImportRow
from app.leads import operations as leads
from app.leads.models import Lead
from app.users.models import User
from tests.app.imports.test_uploads import errors, sheet_csv, undone, xlsx
from tests.factories import World, make_user
from tests.people import Http
from tests.races.together import together

HEADER = ["姓名", "手机号", "意向", "公司名称", "区域", "来源", "预算"]
ONE, TWO = "13800000001", "13800000002"
ROWS = [
    ["陈伟", ONE, "两台叉车", "鹏程物流", "SZ", "展会", "150000"],
    ["王芳", TWO, "电池", "", "SZ", "", ""],
]


@dataclass
class Desk:
    """The office and two reps of one territory, with files of leads."""

    world: World
    db: Database
    settings: Settings
    office: Http
    rep: Http
    other: Http
    other_id: str

    def upload(self, raw: bytes, **more: Any) -> dict[str, Any]:
        body = {"kind": "leads", "file_name": "fair.xlsx", "content": base64.b64encode(raw).decode()} | more
        made: dict[str, Any] = self.office.post("/imports", body, 201)
        return made

    def checked(self, rows: Sequence[Sequence[Any]], **mapping: Any) -> dict[str, Any]:
        made = self.upload(xlsx(rows))
        if mapping:
            self.office.edit(f"/imports/{made['id']}", mapping, made["version"])
        found: dict[str, Any] = self.office.post(f"/imports/{made['id']}/check")
        return found

    def started(self, rows: Sequence[Sequence[Any]], **mapping: Any) -> dict[str, Any]:
        found = self.checked(rows, **mapping)
        started: dict[str, Any] = self.office.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
        return started

    def brought_in(self, rows: Sequence[Sequence[Any]], **mapping: Any) -> dict[str, Any]:
        found = self.started(rows, **mapping)
        running.run_imports(self.db, self.settings)
        done: dict[str, Any] = self.office.get(f"/imports/{found['id']}")
        return done

    def undone(self, done: dict[str, Any]) -> dict[str, Any]:
        return undone(self.office, self.db, self.settings, done["id"])

    def lead(self, phone: str) -> dict[str, Any]:
        """Return the newest lead with a number."""
        found: list[dict[str, Any]] = [one for one in self.office.get("/leads")["items"] if one["phone"] == f"+86{phone}"]
        return max(found, key=lambda one: one["number"])

    def log(self, who: Http, lead: dict[str, Any], kind: str) -> None:
        who.post("/follow-ups", {"kind": kind, "lead_id": lead["id"], "summary": "…"}, 201)


@pytest.fixture
def desk(world: World, db: Database, settings: Settings, http: Http) -> Desk:
    with db.transaction() as session:
        other = make_user(session, settings, "rep", "rep2", territory_ids=[world.territory])
    return Desk(world, db, settings, http.as_(world.manager), http.as_(world.rep), http.as_(other.id), other.id)


def test_a_file_becomes_leads_that_the_rules_give_to_the_reps_in_turn(desk: Desk) -> None:
    made = desk.upload(xlsx([HEADER, *ROWS]))
    fields = ["name", "phone", "interest", "company", "territory_code", "source", "budget"]
    assert (made["columns"], made["key"]) == (dict(zip(HEADER, fields, strict=True)), "phone")

    found = desk.office.post(f"/imports/{made['id']}/check")
    assert found["counts"] == {"ready": 2, "to_create": 2}
    assert desk.office.get("/leads")["items"] == []

    desk.office.post(f"/imports/{made['id']}/run", {})
    assert running.run_imports(desk.db, desk.settings) == 2
    done = desk.office.get(f"/imports/{made['id']}")
    assert (done["state"], done["done"], done["counts"]["created"]) == ("done", 2, 2)
    one, two = desk.lead(ONE), desk.lead(TWO)
    told = {name: one[name] for name in ("name", "interest", "company", "territory_id", "source", "budget")}
    assert told == {
        "name": "陈伟", "interest": "两台叉车", "company": "鹏程物流",
        "territory_id": desk.world.territory, "source": "展会", "budget": "150000.00",
    }  # fmt: skip
    assert {one["owner_id"], two["owner_id"]} == {desk.world.rep, desk.other_id}
    assert one["first_touch_due_at"] is not None
    story = [entry["kind"] for entry in desk.office.get(f"/history/lead/{one['id']}")["about"]]
    assert story == ["lead.created", "lead.assigned", "lead.imported"]


def test_english_columns_cells_that_are_numbers_and_defaults(desk: Desk) -> None:
    header = ["Contact person", "Mobile", "Budget", "Rep"]
    done = desk.brought_in(
        [header, ["Chen Wei", ONE, 99.5, "rep2@example.test"]], defaults={"interest": "forklifts", "territory_code": "SZ"}
    )
    assert done["counts"]["created"] == 1, errors(desk.office, done["id"])
    lead = desk.lead(ONE)
    assert (lead["budget"], lead["interest"], lead["owner_id"]) == ("99.50", "forklifts", desk.other_id)

    again = desk.brought_in([header, ["Chen Wei", ONE, "", ""]], defaults={"interest": "pallets", "territory_code": "SZ"})
    assert again["counts"] == {"unchanged": 1, "to_unchanged": 1}
    assert desk.lead(ONE)["interest"] == "forklifts", "a default is for leads that are new"


def test_a_live_lead_with_the_number_is_changed_where_it_differs_and_others_make_a_new_one(desk: Desk) -> None:
    desk.brought_in([HEADER, *ROWS])
    one, two = desk.lead(ONE), desk.lead(TWO)
    desk.office.post(f"/leads/{two['id']}/lose", {"reason": "bought elsewhere"})

    rows = [["陈伟", "+86 138 0000 0001", "三台叉车", "", "", "", ""], ["王芳", TWO, "充电桩", "", "SZ", "", ""]]
    done = desk.brought_in([HEADER, *rows])

    assert done["counts"] == {"updated": 1, "created": 1, "to_update": 1, "to_create": 1}
    changed = desk.lead(ONE)
    kept = ("id", "owner_id", "company", "source", "budget", "assigned_at")
    assert {name: changed[name] for name in kept} == {name: one[name] for name in kept}
    assert changed["interest"] == "三台叉车"
    assert desk.lead(TWO)["id"] != two["id"]
    assert desk.office.get(f"/leads/{two['id']}")["state"] == "lost"


def test_what_is_wrong_with_a_row_is_said_by_column(desk: Desk) -> None:
    for _ in range(2):
        desk.office.post("/leads", {"name": "Twin", "phone": "13800000009", "interest": "x"}, 201)
    header = ["name", "phone", "interest", "territory", "owner", "budget", "email"]
    found = desk.checked(
        [
            header,
            ["A", ONE, "", "", "", "", ""],
            ["B", "", "x", "", "", "", ""],
            ["C", 13800000002, "x", "", "", "", ""],
            ["D", "13800000003", "x", "NO", "nobody@example.test", "a lot", "at"],
            ["E", "13800000004", "x", "", "", "", ""],
            ["F", "13800000004", "x", "", "", "", ""],
            ["G", "13800000009", "x", "", "", "", ""],
        ]
    )
    assert sorted(errors(desk.office, found["id"])) == [
        (2, "interest", "required"),
        (3, "phone", "required"),
        (4, "phone", "number_cell"),
        (5, "budget", "amount_invalid"),
        (5, "email", "email_invalid"),
        (5, "owner", "unknown_reference"),
        (5, "territory", "unknown_reference"),
        (7, "phone", "duplicate"),
        (8, "phone", "ambiguous"),
    ]


@pytest.mark.parametrize(
    ("mapping", "field", "code"),
    [
        ({"columns": {"姓名": "name", "手机号": "phone", "公司名称": "credit_code"}}, "columns", "not_one_of"),
        ({"key": "code"}, "key", "not_one_of"),
        ({"system": "SAP"}, "system", "unknown"),
        ({"columns": {"姓名": "name", "手机号": "phone", "公司名称": "custom.grade"}}, "columns", "not_one_of"),
    ],
)
def test_a_mapping_of_customers_is_none_of_leads(desk: Desk, mapping: dict[str, Any], field: str, code: str) -> None:
    made = desk.upload(xlsx([HEADER, *ROWS]))
    told = desk.office.edit(f"/imports/{made['id']}", mapping, made["version"], expect=422)

    assert [(one["field"], one["code"]) for one in told["errors"]] == [(field, code)]


def test_customers_take_no_defaults_of_leads_and_mappings_are_proposed_by_kind(desk: Desk) -> None:
    mapping = {"columns": {"Wer": "name", "Nr": "phone", "Was": "interest"}, "defaults": {"source": "fair"}, "key": "phone"}
    told = desk.office.call("POST", "/import-mappings", mapping | {"kind": "customers", "name": "x"})
    assert {one["field"] for one in told.json["errors"]} == {"columns", "defaults"}
    desk.office.post("/import-mappings", mapping | {"kind": "leads", "name": "fair"}, 201)

    raw = sheet_csv([["Wer", "Nr", "Was"], ["Chen", ONE, "x"]])
    assert desk.upload(raw)["columns"] == mapping["columns"]
    assert desk.upload(raw, kind="customers")["columns"] == {}


def test_a_rep_the_row_names_gets_the_lead_also_one_that_is_there(desk: Desk) -> None:
    header = ["name", "phone", "interest", "rep"]
    desk.brought_in([header, ["Chen", ONE, "x", "rep@example.test"]])
    assert desk.lead(ONE)["owner_id"] == desk.world.rep
    done = desk.brought_in([header, ["Chen", ONE, "", "rep2@example.test"]])
    assert (desk.lead(ONE)["owner_id"], done["counts"]["updated"]) == (desk.other_id, 1)

    gone = desk.undone(done)
    assert (gone["counts"]["undone"], desk.lead(ONE)["owner_id"]) == (1, desk.world.rep)


def test_undoing_loses_what_nobody_touched_and_keeps_the_rest_with_the_reason(desk: Desk) -> None:
    phones = [f"1380000010{n}" for n in range(6)]
    done = desk.brought_in([HEADER, *(["陈伟", phone, "叉车", "", "SZ", "", ""] for phone in phones)])
    made = [desk.lead(phone) for phone in phones]
    mine = [desk.rep if one["owner_id"] == desk.world.rep else desk.other for one in made]
    desk.log(mine[1], made[1], "call")  # contacted
    desk.log(desk.office, made[2], "note")
    desk.office.edit(f"/leads/{made[3]['id']}", {"company": "x", "interest": "货架"}, made[3]["version"])
    assert mine[4].call("POST", f"/leads/{made[4]['id']}/give-back", {"reason": "too far"}).status_code == 204
    desk.office.post(f"/leads/{made[5]['id']}/lose", {"reason": "bought elsewhere"})

    gone = desk.undone(done)

    assert (gone["state"], gone["counts"]["undone"], gone["counts"]["kept"]) == ("undone", 1, 5)
    assert sorted(errors(desk.office, done["id"], "kept")) == [
        (3, "lead", "used_since"),
        (4, "lead", "used_since"),
        (5, "interest", "changed_since"),
        (6, "lead", "used_since"),
        (7, "lead", "used_since"),
    ]
    states = [desk.office.get(f"/leads/{one['id']}")["state"] for one in made]
    assert states == ["lost", "contacted", "open", "open", "open", "lost"]
    assert desk.office.get(f"/leads/{made[0]['id']}")["lost_reason"] == "import_undone"
    [entry] = [one for one in desk.office.get(f"/history/lead/{made[0]['id']}")["about"] if one["kind"] == "lead.lost"]
    assert "import" in entry["reason"]


def test_undoing_sets_back_what_a_file_changed_and_nobody_since(desk: Desk) -> None:
    desk.brought_in([HEADER, *ROWS])
    done = desk.brought_in([HEADER, ["陈大伟", ONE, "货架", "", "", "网站", "200"], ["王芳", TWO, "充电桩", "", "", "", ""]])
    desk.office.edit(f"/leads/{desk.lead(ONE)['id']}", {"interest": "托盘"}, desk.lead(ONE)["version"])
    desk.office.post(f"/leads/{desk.lead(TWO)['id']}/lose", {"reason": "gone"})

    desk.undone(done)

    one = desk.lead(ONE)
    told = (one["name"], one["interest"], one["source"], one["budget"])
    assert told == ("陈伟", "托盘", "展会", "150000.00")
    assert sorted(errors(desk.office, done["id"], "kept")) == [(2, "interest", "changed_since"), (3, "lead", "used_since")]


def causes_of(desk: Desk, phone: str, kind: str) -> set[str]:
    """Return the kinds of what the newest entry of a kind about a lead follows from at once."""
    with desk.db.reading() as session:
        found = last_entry(session, Subject("lead", desk.lead(phone)["id"]), kind)
        assert found is not None, kind
        of = select(HistoryEntry.kind).join(HistoryCause, HistoryCause.cause_id == HistoryEntry.id)
        return set(session.scalars(of.where(HistoryCause.effect_id == found.id)))


def test_what_a_file_and_its_undoing_do_to_leads_follows_from_them_in_the_causal_log(desk: Desk) -> None:
    desk.office.post("/lead-routings", {"document": {"rules": []}}, 201)
    header = ["name", "phone", "interest", "rep"]
    made = desk.brought_in([header, ["A", ONE, "x", ""], ["B", TWO, "x", "rep@example.test"]])
    assert causes_of(desk, ONE, "lead.created") == {"import.started"}
    changed = desk.brought_in([header, ["A", ONE, "y", "rep@example.test"], ["B", TWO, "", "rep2@example.test"]])
    for phone, kind in ((ONE, "lead.edited"), (ONE, "lead.assigned"), (TWO, "lead.assigned")):
        assert "import.started" in causes_of(desk, phone, kind), kind

    desk.undone(changed)
    for phone, kind in ((ONE, "lead.edited"), (ONE, "lead.pooled"), (TWO, "lead.assigned")):
        assert "import.undo_started" in causes_of(desk, phone, kind), kind
    fresh = desk.brought_in([header, ["C", "13800000003", "x", ""]])
    desk.undone(fresh)
    assert "import.undo_started" in causes_of(desk, "13800000003", "lead.lost")
    assert "import.undo_started" in {one["kind"] for one in desk.office.get(f"/history/lead/{desk.lead(ONE)['id']}")["causes"]}
    assert made["counts"]["created"] == 2


def graded(desk: Desk) -> dict[str, Any]:
    """Bring in a file that says another grade and company of a lead that is there; grades are a field of the company's own."""
    field = {"subject_kind": "lead", "key": "grade", "kind": "text", "label_zh": "等级", "label_en": "Grade"}
    made = desk.office.post("/custom-fields", field, 201)
    desk.office.post("/leads", {"name": "Chen", "phone": ONE, "interest": "x", "company": "A", "custom": {"grade": "a"}}, 201)
    done = desk.brought_in([["name", "phone", "interest", "company", "custom.grade"], ["Chen", ONE, "x", "B", "b"]])
    assert (desk.lead(ONE)["custom"], desk.lead(ONE)["company"]) == ({"grade": "b"}, "B")
    return done | {"field": made}


def test_what_a_lead_cannot_hold_any_more_stays_when_the_rest_is_set_back(desk: Desk) -> None:
    done = graded(desk)
    field = done["field"]
    desk.office.edit(f"/custom-fields/{field['id']}", {"retired": True}, field["version"])

    gone = desk.undone(done)

    assert (gone["state"], errors(desk.office, done["id"], "kept")) == ("undone", [(2, "custom.grade", "unknown")])
    assert (desk.lead(ONE)["custom"], desk.lead(ONE)["company"]) == ({"grade": "b"}, "A")


def test_an_import_that_cannot_go_on_keeps_no_other_from_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = [desk.started([HEADER, *ROWS[:1]]) for _ in range(6)]
    good = desk.started([HEADER, *ROWS[1:]])
    verb = running.step

    def fails(session: Any, settings: Settings, import_id: str) -> int:
        if import_id in {one["id"] for one in stuck}:
            raise ValueError("no")
        return verb(session, settings, import_id)

    monkeypatch.setattr(running, "step", fails)
    with pytest.raises(Unfinished) as told:
        running.run_imports(desk.db, desk.settings)

    assert (told.value.done, told.value.failed) == (1, [one["id"] for one in stuck])
    assert desk.office.get(f"/imports/{good['id']}")["state"] == "done"


def many(count: int) -> list[list[str]]:
    return [HEADER[:3], *([f"客户{n}", f"138{n:08}", "叉车"] for n in range(count))]


def test_a_process_that_dies_brings_each_lead_in_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    found = desk.started(many(12))
    verb, calls = leads.create_lead, 0

    def dies(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        made = verb(*args, **more)
        if calls in {5, 9}:
            raise KeyboardInterrupt
        return made

    monkeypatch.setattr(leads, "create_lead", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            running.run_imports(desk.db, desk.settings)
    half = desk.office.get(f"/imports/{found['id']}")
    assert (half["state"], half["done"]) == ("running", 7)
    running.run_imports(desk.db, desk.settings)

    with desk.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Lead)) == 12
        assert session.scalar(select(func.count(Lead.phone.distinct()))) == 12
    assert desk.office.get(f"/imports/{found['id']}")["counts"]["created"] == 12


def test_two_workers_bring_each_lead_in_once(desk: Desk) -> None:
    found = desk.started(many(12))

    done = together(*[lambda: running.run_imports(desk.db, desk.settings)] * 2)
    assert all(isinstance(one, int) for one in done), done
    assert sum(one for one in done if isinstance(one, int)) == 12
    running.run_imports(desk.db, desk.settings)

    assert desk.office.get(f"/imports/{found['id']}")["counts"]["created"] == 12
    with desk.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Lead)) == 12


def test_a_row_whose_rep_left_meanwhile_is_refused_and_the_others_come(desk: Desk) -> None:
    header = ["name", "phone", "interest", "rep"]
    found = desk.started([header, ["A", ONE, "x", "rep2@example.test"], ["B", TWO, "x", ""]])
    with desk.db.transaction() as session:
        session.execute(update(User).where(User.id == desk.other_id).values(state="deactivated"))
    running.run_imports(desk.db, desk.settings)

    assert errors(desk.office, found["id"], "refused") == [(2, "rep", "unknown_reference")]
    with desk.db.reading() as session:
        states = {row.number: row.state for row in session.execute(select(ImportRow.number, ImportRow.state))}
    assert states == {2: "refused", 3: "created"}
