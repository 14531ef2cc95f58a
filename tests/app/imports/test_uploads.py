"""Spreadsheets of customers: mapped, checked, brought in once per row whatever happens, and taken back."""

from __future__ import annotations

import base64
import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from sqlalchemy import func, select, update

from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.customers.models import Customer, Site
from app.imports import running
from app.imports.models import Import, ImportRow
from app.imports.spreadsheets import MOST_ROWS
from app.imports.uploads import forget_rows
from app.users.models import User
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.races.together import together

HEADER = ["客户编号", "客户名称", "联系电话", "区域", "地址"]
ROWS = [
    ["K-1", "鹏程物流", "13800000001", "SZ", "深圳市南山区科技园1号"],
    ["K-2", "大海贸易", "13800000002", "SZ", "深圳市福田区福华路2号"],
]


def xlsx(rows: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


def sheet_csv(rows: Sequence[Sequence[str]], encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def body(raw: bytes, name: str = "kunden.xlsx") -> dict[str, str]:
    return {"kind": "customers", "file_name": name, "content": base64.b64encode(raw).decode()}


def upload(office: Http, raw: bytes) -> dict[str, Any]:
    made: dict[str, Any] = office.post("/imports", body(raw), 201)
    return made


def refused(office: Http, raw: bytes) -> str:
    told = office.refused("POST", "/imports", 422, "file_invalid", body(raw))
    return str(told["detail"])


def checked(office: Http, raw: bytes, **mapping: Any) -> dict[str, Any]:
    made = upload(office, raw)
    if mapping:
        office.edit(f"/imports/{made['id']}", mapping, made["version"])
    found: dict[str, Any] = office.post(f"/imports/{made['id']}/check")
    return found


def brought_in(office: Http, db: Database, settings: Settings, raw: bytes, **mapping: Any) -> dict[str, Any]:
    found = checked(office, raw, **mapping)
    office.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
    running.run_imports(db, settings)
    done: dict[str, Any] = office.get(f"/imports/{found['id']}")
    return done


def undone(office: Http, db: Database, settings: Settings, import_id: str) -> dict[str, Any]:
    office.post(f"/imports/{import_id}/undo")
    running.run_imports(db, settings)
    found: dict[str, Any] = office.get(f"/imports/{import_id}")
    return found


def errors(office: Http, import_id: str, state: str = "faulty") -> list[tuple[int, str, str]]:
    rows = office.get(f"/imports/{import_id}/rows?state={state}")["items"]
    return [(row["row"], error["field"], error["code"]) for row in rows for error in row["errors"]]


def names(db: Database) -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(Customer.name).where(Customer.deleted_at.is_(None))))


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


FORMS = {
    "xlsx": xlsx([HEADER, *ROWS]),
    "utf8": sheet_csv([HEADER, *ROWS]),
    "bom": sheet_csv([HEADER, *ROWS], "utf-8-sig"),
    "gbk": sheet_csv([HEADER, *ROWS], "gbk"),
    "gb18030": sheet_csv([HEADER, *ROWS], "gb18030"),
    "tabs": sheet_csv([HEADER, *ROWS]).replace(b",", b"\t"),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_spreadsheet_becomes_customers_with_their_sites(
    office: Http, db: Database, settings: Settings, world: World, form: str
) -> None:
    made = upload(office, FORMS[form])
    assert made["columns"] == dict(zip(HEADER, ["code", "name", "phone", "territory_code", "site_address"], strict=True))
    assert (made["state"], made["key"], made["rows"], made["counts"]) == ("draft", "code", 2, {"new": 2})

    found = office.post(f"/imports/{made['id']}/check")
    assert (found["state"], found["counts"]) == ("checked", {"ready": 2, "to_create": 2})
    assert names(db) == {"Lin Logistics"}

    assert office.post(f"/imports/{made['id']}/run", {})["state"] == "running"
    assert running.run_imports(db, settings) == 2
    done = office.get(f"/imports/{made['id']}")
    assert (done["state"], done["done"], done["counts"]["created"]) == ("done", 2, 2)
    with db.reading() as session:
        customer = session.scalars(select(Customer).where(Customer.code == "K-1")).one()
        site = session.scalars(select(Site).where(Site.customer_id == customer.id)).one()
    assert (customer.name, customer.phone, customer.territory_id) == ("鹏程物流", "+8613800000001", world.territory)
    assert (site.name, site.address, site.lat) == ("鹏程物流", "深圳市南山区科技园1号", None)
    assert office.get("/search?q=pcwl")["items"][0]["id"] == customer.id
    told = [entry["kind"] for entry in office.get(f"/history/customer/{customer.id}")["about"]]
    assert told == ["customer.created", "customer.imported"]
    story = [entry["kind"] for entry in office.get(f"/history/import/{made['id']}")["about"]]
    assert story == ["import.uploaded", "import.checked", "import.started", "import.done"]


def test_a_second_file_changes_what_differs_and_leaves_the_rest(office: Http, db: Database, settings: Settings) -> None:
    brought_in(office, db, settings, FORMS["xlsx"])
    again = checked(office, xlsx([HEADER, ROWS[0], ["K-2", "大海国际", "", "", ""], ["K-3", "新城", "", "SZ", ""]]))
    assert again["counts"] == {"ready": 3, "to_create": 1, "to_update": 1, "to_unchanged": 1}

    office.post(f"/imports/{again['id']}/run", {})
    running.run_imports(db, settings)
    assert office.get(f"/imports/{again['id']}")["counts"]["updated"] == 1
    with db.reading() as session:
        changed = session.scalars(select(Customer).where(Customer.code == "K-2")).one()
    assert (changed.name, changed.phone) == ("大海国际", "+8613800000002")  # an empty cell changes nothing


@pytest.mark.parametrize("key", ["phone", "credit_code"])
def test_customers_are_known_again_by_another_key(office: Http, db: Database, settings: Settings, key: str) -> None:
    header = ["name", "phone", "credit code", "territory"]
    one = ["鹏程物流", "13800000001", "91350100M000100Y43", "SZ"]
    brought_in(office, db, settings, xlsx([header, one]), key=key)
    done = brought_in(office, db, settings, xlsx([header, ["鹏程国际", *one[1:]]]), key=key)

    assert done["counts"]["updated"] == 1
    assert names(db) == {"Lin Logistics", "鹏程国际"}


def test_what_a_spreadsheet_broke_is_refused_cell_by_cell(office: Http) -> None:
    found = checked(
        office,
        xlsx(
            [
                ["code", "name", "phone", "territory"],
                [1001, "A", "13800000001", "SZ"],
                ["K-2", "B", 13800000002, "SZ"],
                ["K-3", "C", "1.38E+10", "SZ"],
                ["K-4", 3721, "13800000004", "SZ"],
                ["K-5", "E", "123", "NO"],
                ["K-4", "F", "", "SZ"],
                ["", "G", "", "SZ"],
                ["K-8", "", "", "SZ"],
                ["K-9", True, "", "SZ"],
            ]
        ),
    )
    assert errors(office, found["id"]) == [
        (2, "code", "number_cell"),
        (3, "phone", "number_cell"),
        (4, "phone", "number_lost"),
        (6, "phone", "phone_invalid"),
        (6, "territory", "unknown_reference"),
        (7, "code", "duplicate"),
        (8, "code", "required"),
        (9, "name", "required"),
        (10, "name", "not_text"),
    ]
    assert found["counts"] == {"faulty": 8, "ready": 1, "to_create": 1}


def test_dates_are_taken_by_their_type_and_formulas_by_their_value(office: Http) -> None:
    made = upload(office, xlsx([["code", "seit"], ["K-1", date(2028, 5, 31)]]))

    assert office.get(f"/imports/{made['id']}/rows")["items"][0]["cells"] == {"code": "K-1", "seit": "2028-05-31"}


def test_errors_come_as_a_file_in_the_readers_language(http: Http, office: Http, world: World, db: Database) -> None:
    found = checked(office, sheet_csv([["code", "name", "phone", "territory"], ["K-1", "=1+1", "1.38E+10", "SZ"]]))
    with db.transaction() as session:
        session.execute(update(User).where(User.id == world.admin).values(locale="zh-CN"))

    def told(reader: Http) -> list[list[str]]:
        answer = reader.call("GET", f"/imports/{found['id']}/errors")
        assert answer.mimetype == "text/csv"
        return list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))

    english, chinese = told(office), told(http.as_(world.admin))
    assert english[0] == ["Row", "code", "name", "phone", "territory", "What is wrong"]
    assert english[1][:5] == ["2", "K-1", "'=1+1", "1.38E+10", "SZ"]  # no formula for whoever opens it
    assert "rounded" in english[1][5]
    assert chinese[0][0] == "行号"
    assert "舍入" in chinese[1][5]
    assert english[1][5].startswith("phone: ")
    assert chinese[1][5].startswith("phone：")
    assert " " not in chinese[1][5]


def test_rows_with_errors_are_left_out_only_when_somebody_says_so(office: Http, db: Database, settings: Settings) -> None:
    found = checked(office, sheet_csv([HEADER, ROWS[0], ["K-9", "x", "123", "SZ", ""]]))
    told = office.refused("POST", f"/imports/{found['id']}/run", 409, "import_has_errors", {})
    assert "1 rows" in told["detail"]

    office.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
    running.run_imports(db, settings)
    assert names(db) == {"Lin Logistics", "鹏程物流"}
    assert office.get(f"/imports/{found['id']}")["counts"]["faulty"] == 1


def test_a_file_is_checked_before_it_runs_and_runs_once(office: Http, db: Database, settings: Settings) -> None:
    made = upload(office, FORMS["xlsx"])
    office.refused("POST", f"/imports/{made['id']}/run", 409, "state_conflict", {})
    office.refused("POST", f"/imports/{made['id']}/undo", 409, "state_conflict")
    office.post(f"/imports/{made['id']}/check")
    office.post(f"/imports/{made['id']}/run", {})
    for verb in ("run", "undo"):
        office.refused("POST", f"/imports/{made['id']}/{verb}", 409, "state_conflict", {} if verb == "run" else None)
    office.refused("POST", f"/imports/{made['id']}/check", 409, "state_conflict")
    office.edit(f"/imports/{made['id']}", {"key": "phone"}, office.get(f"/imports/{made['id']}")["version"], expect=409)


def many(count: int) -> bytes:
    return sheet_csv([HEADER[:4], *([f"K-{n}", f"客户{n}号", "", "SZ"] for n in range(count))])


def test_a_process_that_dies_goes_on_where_it_stopped_and_each_row_has_its_effect_once(
    office: Http, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = checked(office, many(120))
    office.post(f"/imports/{found['id']}/run", {})
    made = 0

    class Killed(BaseException):
        pass

    verb = customers.create_customer

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal made
        made += 1
        if made in {70, 90}:
            raise Killed
        return verb(*args, **kwargs)

    monkeypatch.setattr(customers, "create_customer", dies)
    for _ in range(2):
        with pytest.raises(Killed):
            running.run_imports(db, settings)
    half = office.get(f"/imports/{found['id']}")
    assert (half["state"], half["done"]) == ("running", 50)
    assert len(names(db)) == 51

    assert running.run_imports(db, settings) == 70
    done = office.get(f"/imports/{found['id']}")
    assert (done["state"], done["done"], done["counts"]["created"]) == ("done", 120, 120)
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 121


def test_who_may_not_import_any_more_stops_it(office: Http, db: Database, settings: Settings, world: World, http: Http) -> None:
    found = checked(office, many(3))
    office.post(f"/imports/{found['id']}/run", {})
    with db.transaction() as session:
        session.execute(update(User).where(User.id == world.manager).values(state="deactivated"))
    running.run_imports(db, settings)
    admin = http.as_(world.admin)
    assert (admin.get(f"/imports/{found['id']}")["state"], admin.get(f"/imports/{found['id']}")["reason"]) == (
        "failed",
        "importer_gone",
    )

    admin.post(f"/imports/{found['id']}/run", {})
    running.run_imports(db, settings)
    assert admin.get(f"/imports/{found['id']}")["counts"]["created"] == 3


def test_a_row_that_somebody_overtook_is_refused_and_the_others_come(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    found = checked(office, many(3))
    office.post(f"/imports/{found['id']}/run", {})
    with db.transaction() as session:  # by a rep of a partner, say: the manager would not see whose it is
        row = session.get_one(ImportRow, (found["id"], 3))
        row.cells = row.cells | {"区域": "GONE"}
    running.run_imports(db, settings)

    assert errors(office, found["id"], "refused") == [(3, "区域", "unknown_reference")]
    assert office.get(f"/imports/{found['id']}")["counts"]["created"] == 2


def test_undoing_takes_back_what_nobody_touched_and_says_why_the_rest_stays(
    office: Http, db: Database, settings: Settings
) -> None:
    old = brought_in(office, db, settings, sheet_csv([HEADER, ["K-0", "旧名", "13800000009", "SZ", ""]]))
    rows = [*ROWS, ["K-3", "三", "", "SZ", ""], ["K-4", "四", "", "SZ", ""], ["K-0", "新名", "13900000009", "", ""]]
    done = brought_in(office, db, settings, sheet_csv([HEADER, *rows]))
    by_code = {one["code"]: one for one in office.get("/customers")["items"]}
    # Somebody edits one, gives another one a further site, deletes a third, and changes one field of the old one.
    office.edit(f"/customers/{by_code['K-2']['id']}", {"name": "大海运输"}, by_code["K-2"]["version"])
    office.post(f"/customers/{by_code['K-3']['id']}/sites", {"name": "Werk", "lat": 1, "lon": 2}, 201)
    assert office.call("DELETE", f"/customers/{by_code['K-4']['id']}", If_Match="*").status_code == 200
    office.edit(f"/customers/{by_code['K-0']['id']}", {"phone": "13700000009"}, by_code["K-0"]["version"])

    gone = undone(office, db, settings, done["id"])
    assert (gone["state"], gone["counts"]["undone"], gone["counts"]["kept"]) == ("undone", 2, 3)
    assert errors(office, done["id"], "kept") == [
        (3, "name", "changed_since"),
        (4, "customer", "used_since"),
        (6, "phone", "changed_since"),
    ]
    left = {one["code"]: one for one in office.get("/customers")["items"]}
    assert set(left) == {"C-1", "K-0", "K-2", "K-3"}
    assert (left["K-0"]["name"], left["K-0"]["phone"]) == ("旧名", "+8613700000009")
    assert office.get("/search?q=鹏程")["items"] == []
    assert office.get(f"/imports/{old['id']}")["state"] == "done"


def test_undoing_goes_on_after_a_process_died(
    office: Http, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = brought_in(office, db, settings, many(60))
    office.post(f"/imports/{done['id']}/undo")
    taken = 0
    verb = customers.delete_customer

    def dies(*args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 55:
            raise KeyboardInterrupt
        return verb(*args)

    monkeypatch.setattr(customers, "delete_customer", dies)
    with pytest.raises(KeyboardInterrupt):
        running.run_imports(db, settings)
    assert len(names(db)) == 11
    running.run_imports(db, settings)
    assert names(db) == {"Lin Logistics"}
    assert office.get(f"/imports/{done['id']}")["counts"] == {"undone": 60, "to_create": 60}


def test_a_mapping_is_kept_by_name_and_proposed_for_the_next_file_that_fits(
    office: Http, db: Database, settings: Settings
) -> None:
    header = ["Nr", "Wer", "Wo"]
    made = upload(office, sheet_csv([header, ["K-1", "鹏程", "深圳市南山区"]]))
    assert made["columns"] == {}
    mapping = {
        "columns": {"Nr": "code", "Wer": "name", "Wo": "site_address"},
        "defaults": {"territory_code": "SZ"},
        "key": "code",
    }
    kept = office.post("/import-mappings", mapping | {"kind": "customers", "name": "Alt"}, 201)

    next_one = upload(office, sheet_csv([[*header, "Rest"], ["K-1", "鹏程", "深圳市南山区", "?"]]))
    assert {name: next_one[name] for name in mapping} == mapping
    office.post(f"/imports/{next_one['id']}/check")
    office.post(f"/imports/{next_one['id']}/run", {})
    running.run_imports(db, settings)
    assert "鹏程" in names(db)

    replaced = office.post("/import-mappings", mapping | {"kind": "customers", "name": "ALT", "key": "code"}, 201)
    assert replaced["id"] == kept["id"]
    office.edit(f"/import-mappings/{kept['id']}", None, replaced["version"], method="DELETE")
    assert office.get("/import-mappings")["items"] == []


@pytest.mark.parametrize(
    ("mapping", "field", "code"),
    [
        ({"columns": {"nowhere": "code"}}, "columns", "unknown_column"),
        ({"columns": {"客户编号": "code", "客户名称": "code"}}, "columns", "duplicate"),
        ({"columns": {"客户名称": "name"}}, "key", "required"),
        ({"key": "credit_code"}, "key", "required"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(office: Http, mapping: dict[str, Any], field: str, code: str) -> None:
    made = upload(office, FORMS["xlsx"])
    told = office.edit(f"/imports/{made['id']}", mapping, made["version"], expect=422)

    assert [(one["field"], one["code"]) for one in told["errors"]] == [(field, code)]


def packed(**parts: bytes) -> bytes:
    """Return a spreadsheet whose parts are replaced."""
    raw = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(FORMS["xlsx"])) as old, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, parts.get("sheet" if "sheet1" in part.filename else part.filename, old.read(part)))
        if "bomb" in parts:
            new.writestr("xl/media/image1.png", parts["bomb"])
    return raw.getvalue()


def lying_bomb() -> bytes:
    """Return a ZIP whose directory says that a part of 70 MB is one of ten bytes."""
    raw = bytearray(packed(bomb=b"0" * 70_000_000))
    size = (70_000_000).to_bytes(4, "little")
    while size in raw:
        at = raw.index(size)
        raw[at : at + 4] = (10).to_bytes(4, "little")
    return bytes(raw)


FAR = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    b'<sheetData><row r="1"><c r="A1"/></row>%s</sheetData></worksheet>'
)
HOSTILE = {
    "bomb": (lambda: packed(bomb=b"0" * 70_000_000), "unpacks"),
    "lying bomb": (lying_bomb, "unpacks"),
    "far row": (lambda: packed(sheet=FAR % b'<row r="1048576"><c r="A1048576"><v>1</v></c></row>'), "5000 rows"),
    "far column": (lambda: packed(sheet=FAR % b"<row r='2'><c r='XFD2'><v>1</v></c></row>"), "60 columns"),
    "cut off": (lambda: FORMS["xlsx"][:-200], "damaged"),
    "no sheet": (lambda: packed(sheet=b"<worksheet"), "rows|damaged|first row"),
    "old": (lambda: b"\xd0\xcf\x11\xe0" + b"x" * 600, "old Excel"),
    "utf-16": (lambda: "客户,电话\n1,2\n".encode("utf-16"), "neither"),
    "noise": (lambda: bytes(range(128, 256)) * 9, "neither|name"),
    "quotes": (lambda: b'code,name\n"K,x\n', "quotation"),
    "no header": (lambda: b"\n\n", "first row"),
    "header only": (lambda: b"code,name\n", "no rows"),
    "twice": (lambda: b"code,code\n1,2\n", "twice"),
    "unnamed": (lambda: b"code,,name\n1,2,3\n", "needs a name"),
    "beyond": (lambda: b"code,name\n1,2,3\n", "more cells"),
    "long cell": (lambda: b"code,name\n1," + b"x" * 501 + b"\n", "longer"),
    "many columns": (lambda: ",".join(f"c{n}" for n in range(61)).encode() + b"\n1\n", "60 columns"),
    "many rows": (lambda: b"code\n" + b"1\n" * (MOST_ROWS + 1), "5000 rows"),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_a_hostile_or_broken_file_is_refused_with_the_reason(office: Http, case: str) -> None:
    make, words = HOSTILE[case]
    detail = refused(office, make())

    assert any(word in detail for word in words.split("|")), detail


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_body_that_is_no_upload_is_refused(office: Http) -> None:
    for change, field, code in (
        ({"content": "%%%"}, "content", "invalid"),
        ({"kind": "users"}, "kind", "not_one_of"),
        ({"file_name": ""}, "file_name", "too_short"),
    ):
        told = office.refused("POST", "/imports", 422, "validation_failed", body(FORMS["xlsx"]) | change)
        assert [(one["field"], one["code"]) for one in told["errors"]] == [(field, code)]


def test_the_rows_of_old_imports_are_forgotten(office: Http, db: Database, settings: Settings, clock: SetClock) -> None:
    done = brought_in(office, db, settings, FORMS["xlsx"])
    clock.advance(days=89)
    with db.transaction() as session:
        assert forget_rows(session, 90) == 0
    clock.set(clock.now() + timedelta(days=2))
    with db.transaction() as session:
        assert forget_rows(session, 90) == 2
    assert office.get(f"/imports/{done['id']}/rows")["items"] == []
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Import)) == 1


def test_two_workers_at_one_import_bring_each_row_in_once(office: Http, db: Database, settings: Settings) -> None:
    found = checked(office, many(120))
    office.post(f"/imports/{found['id']}/run", {})

    done = together(*[lambda: running.run_imports(db, settings)] * 2)
    assert sum(one for one in done if isinstance(one, int)) == 120, done
    assert office.get(f"/imports/{found['id']}")["counts"]["created"] == 120
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 121


def test_an_import_is_started_once_by_two_who_ask_together(office: Http, http: Http, world: World) -> None:
    found = checked(office, many(2))
    doors = [office, http.as_(world.admin)]
    answers = together(*[lambda door=door: door.call("POST", f"/imports/{found['id']}/run", {}).status_code for door in doors])

    assert sorted(answers) == [200, 409]
