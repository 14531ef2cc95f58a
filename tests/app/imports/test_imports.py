"""Files of customers, assets and stations: all rows or none, nothing overwritten, nothing that breaks the door."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from app.assets.models import Asset, Component, Device, Fitting
from app.core.db import Database, last_change
from app.core.history import HistoryEntry
from app.core.tracked import add
from app.customers.models import Customer, Site
from app.imports import operations
from app.stations.models import PartStock, Station, StationTerritory
from app.users.models import Partner
from tests.factories import World, make_user
from tests.people import Http

CUSTOMER = {"code": "C-2", "name": "林物流", "phone": "0755 2663 0000", "email": "a@b.example", "territory_code": "SZ"} | {
    "owner_login": "rep@example.test"
}
SITE = {"site_name": "Depot", "site_address": "Road 1", "lat": "22.5", "lon": "114.1"}
ASSET = {"serial": "VIN-2", "model": "Model 60", "customer_code": "C-1", "site_name": "Depot", "warranty_until": "2028-05-31"}
COMPONENT = {"component_serial": "PACK-2", "component_kind": "battery_pack", "component_part_no": "PACK-60"} | {
    "component_fitted_at": "2026-01-05T08:00:00+08:00"
}
DEVICE = {"device_id": "device-0002", "profile_code": "native"}
PLACE = {"code": "S9", "name": "North", "address": "", "lat": "22.6", "lon": "114.0", "opening_hours": "Mo-Fr 09:00-18:00"}
MEANS = {"time_zone": "Asia/Shanghai", "bays": "3", "certificates": "high_voltage|cooling", "stock": "PACK-60:4|FAN:2"}
STATION = PLACE | MEANS | {"territory_codes": "SZ", "partner_name": ""}
FILES = {"customers": CUSTOMER | SITE, "assets": ASSET | COMPONENT | DEVICE, "stations": STATION}
TABLES = (Customer, Site, Asset, Component, Fitting, Device, Station, StationTerritory, PartStock, HistoryEntry)


def sheet(*rows: Mapping[str, str], columns: Sequence[str] | None = None) -> str:
    """Return rows as a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def counts(db: Database) -> dict[str, int | None]:
    with db.reading() as session:
        return {model.__tablename__: session.scalar(select(func.count()).select_from(model)) for model in TABLES}


def bring(http: Http, kind: str, text: str, dry_run: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = http.post(f"/imports/{kind}", {"csv": text, "dry_run": dry_run})
    assert found["dry_run"] is dry_run
    return found


def errors(found: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(error["row"], error["field"], error["code"]) for error in found["errors"]]


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_a_dry_run_tells_what_a_real_run_does_and_writes_nothing(office: Http, db: Database, kind: str) -> None:
    before = counts(db)
    told = bring(office, kind, sheet(FILES[kind]), dry_run=True)
    assert counts(db) == before

    done = bring(office, kind, sheet(FILES[kind]))
    assert (
        told | {"dry_run": False}
        == done
        == {"dry_run": False, "rows": 1, "created": 1, "unchanged": 0, "errors": [], "cut": False}
    )
    assert counts(db) != before


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize("dry_run", [True, False])
def test_the_same_file_again_changes_nothing(office: Http, db: Database, kind: str, dry_run: bool) -> None:
    bring(office, kind, sheet(FILES[kind]))
    before = counts(db)
    again = bring(office, kind, sheet(FILES[kind]), dry_run)
    assert (again["created"], again["unchanged"], again["errors"]) == (0, 1, [])
    assert counts(db) == before


def test_an_imported_customer_is_as_if_entered_by_hand(office: Http, db: Database, world: World) -> None:
    bring(office, "customers", sheet(FILES["customers"]))
    with db.reading() as session:
        customer = session.scalars(select(Customer).where(Customer.code == "C-2")).one()
        site = session.scalars(select(Site).where(Site.customer_id == customer.id)).one()
        assert customer.change_no == site.change_no == last_change(session)
    assert (customer.name, customer.phone, customer.email) == ("林物流", "+8675526630000", "a@b.example")
    assert (customer.territory_id, customer.owner_id) == (world.territory, world.rep)
    assert (site.name, site.address, site.lat, site.lon) == ("Depot", "Road 1", 22.5, 114.1)
    assert [entry["kind"] for entry in office.get(f"/history/customer/{customer.id}")["about"]] == ["customer.created"]


def test_an_imported_asset_holds_its_component_and_its_device(office: Http, db: Database, world: World) -> None:
    bring(office, "assets", sheet(FILES["assets"]))
    with db.reading() as session:
        asset = session.scalars(select(Asset).where(Asset.serial == "VIN-2")).one()
        fitting = session.scalars(select(Fitting).where(Fitting.asset_id == asset.id)).one()
        component = session.get_one(Component, fitting.component_id)
        device = session.get_one(Device, "device-0002")
    assert (asset.customer_id, asset.site_id, str(asset.warranty_until)) == (world.customer, world.site, "2028-05-31")
    assert (component.serial, component.kind, fitting.fitted_at.isoformat()) == (
        "PACK-2",
        "battery_pack",
        "2026-01-05T00:00:00+00:00",
    )
    assert (device.asset_id, device.profile_id, device.address) == (asset.id, world.profile, "device-0002")
    assert office.post("/devices/device-0002/secret")["secret"]


def test_an_imported_station_may_serve_and_has_stock(office: Http, db: Database, world: World) -> None:
    bring(office, "stations", sheet(STATION))
    with db.reading() as session:
        station = session.scalars(select(Station).where(Station.code == "S9")).one()
        served = session.scalars(select(StationTerritory.territory_id).where(StationTerritory.station_id == station.id)).all()
    stock = {part["part_no"]: part["on_hand"] for part in office.get(f"/stations/{station.id}/stock")["items"]}
    assert (station.bays, station.certificates, served, stock) == (
        3,
        ["high_voltage", "cooling"],
        [world.territory],
        {"PACK-60": 4, "FAN": 2},
    )


def test_groups_of_columns_and_blank_cells_may_be_left_out(office: Http) -> None:
    assert bring(office, "customers", sheet(CUSTOMER))["created"] == 1
    assert (
        bring(office, "customers", sheet({"code": "C-3", "name": "X", "territory_code": "SZ"}, columns=list(FILES["customers"])))[
            "created"
        ]
        == 1
    )
    assert bring(office, "assets", sheet(ASSET))["created"] == 1
    assert bring(office, "assets", sheet(ASSET | {"serial": "VIN-3"} | DEVICE))["created"] == 1
    blank = {"code": "S8", "name": "X", "lat": "1", "lon": "2", "opening_hours": "24/7"}
    assert bring(office, "stations", sheet(blank, columns=list(STATION)))["created"] == 1


ROW_ERRORS: list[tuple[str, dict[str, str], list[tuple[str, str]]]] = [
    ("customers", {"code": ""}, [("code", "required")]),
    ("customers", {"code": "C" * 41}, [("code", "too_long")]),
    ("customers", {"code": "C-1"}, [("code", "already_exists")]),
    ("customers", {"name": "", "phone": "12"}, [("name", "required"), ("phone", "phone_invalid")]),
    ("customers", {"email": "nowhere"}, [("email", "email_invalid")]),
    ("customers", {"territory_code": ""}, [("territory_code", "required")]),
    ("customers", {"territory_code": "GZ"}, [("territory_code", "unknown_reference")]),
    ("customers", {"owner_login": "manager@example.test"}, [("owner_login", "unknown_reference")]),
    ("customers", {"lat": ""}, [("lat", "required")]),
    ("customers", {"lat": "north", "lon": "181"}, [("lat", "not_number"), ("lon", "out_of_range")]),
    ("customers", {"lat": "nan", "lon": "1_0"}, [("lat", "not_number"), ("lon", "not_number")]),
    ("assets", {"serial": "VIN-0001"}, [("serial", "already_exists")]),
    ("assets", {"customer_code": "C-9"}, [("customer_code", "unknown_reference"), ("site_name", "unknown_reference")]),
    ("assets", {"site_name": "Elsewhere"}, [("site_name", "unknown_reference")]),
    ("assets", {"warranty_until": "31.05.2028"}, [("warranty_until", "date_invalid")]),
    ("assets", {"component_serial": "PACK-0001"}, [("component_serial", "already_exists")]),
    (
        "assets",
        {"component_kind": "", "component_fitted_at": ""},
        [("component_fitted_at", "required"), ("component_kind", "required")],
    ),
    ("assets", {"component_fitted_at": "2026-01-05 08:00"}, [("component_fitted_at", "time_invalid")]),
    ("assets", {"component_fitted_at": "2099-01-05T08:00:00+08:00"}, [("component_fitted_at", "in_future")]),
    ("assets", {"device_id": ""}, [("device_id", "required")]),
    ("assets", {"device_id": "x"}, [("device_id", "id_invalid")]),
    ("assets", {"device_id": "device-0001"}, [("device_id", "already_exists")]),
    ("assets", {"profile_code": ""}, [("profile_code", "required")]),
    ("assets", {"profile_code": "morse"}, [("profile_code", "unknown_reference")]),
    ("stations", {"code": "S0"}, [("code", "already_exists")]),
    ("stations", {"opening_hours": "always, more or less 9"}, [("opening_hours", "hours_invalid")]),
    ("stations", {"time_zone": "../../etc/passwd"}, [("opening_hours", "hours_invalid")]),
    ("stations", {"bays": "0"}, [("bays", "out_of_range")]),
    ("stations", {"bays": "2.5"}, [("bays", "not_integer")]),
    ("stations", {"certificates": "x" * 41}, [("certificates", "too_long")]),
    ("stations", {"territory_codes": "SZ|GZ"}, [("territory_codes", "unknown_reference")]),
    ("stations", {"partner_name": "Nobody"}, [("partner_name", "unknown_reference")]),
    ("stations", {"stock": "PACK-60"}, [("stock", "not_integer"), ("stock", "too_short")]),
    ("stations", {"stock": "PACK-60:-1"}, [("stock", "out_of_range")]),
    ("stations", {"stock": "PACK-60:1|PACK-60:2"}, [("stock", "duplicate")]),
]


@pytest.mark.parametrize(("kind", "changes", "wanted"), ROW_ERRORS)
def test_what_is_wrong_with_a_row_is_named_and_nothing_is_written(
    office: Http, db: Database, kind: str, changes: dict[str, str], wanted: list[tuple[str, str]]
) -> None:
    key = next(iter(FILES[kind]))
    others = {"component_serial": "P", "device_id": "device-0003"} if kind == "assets" else {}
    good = FILES[kind] | {key: "GOOD-1"} | others
    text = sheet(good, FILES[kind] | changes)
    before = counts(db)
    told, done = bring(office, kind, text, dry_run=True), bring(office, kind, text)

    assert sorted(errors(done)) == [(3, *fault) for fault in wanted]
    assert told | {"dry_run": False} == done
    assert (done["rows"], done["created"], done["unchanged"]) == (2, 0, 0)
    assert counts(db) == before


def test_errors_are_told_in_the_readers_language(http: Http, world: World, db: Database, settings: Any) -> None:
    with db.transaction() as session:
        reader = make_user(session, settings, "manager", "wang", locale="zh-CN").id
    found = bring(http.as_(reader), "customers", sheet(CUSTOMER | {"name": ""}))
    assert found["errors"] == [{"row": 2, "field": "name", "code": "required", "text": "必填"}]
    refusal = http.as_(reader).refused("POST", "/imports/customers", 422, "csv_invalid", {"csv": "code,name", "dry_run": True})
    assert refusal["detail"] == "缺少列：phone, email, territory_code, owner_login。"


def test_rows_are_counted_as_a_spreadsheet_shows_them(office: Http) -> None:
    """With a byte order mark, blank rows and a line break inside a cell."""
    text = '\ufeffcode,name,phone,email,territory_code,owner_login\r\n\r\n,,,,,\r\nC-8,"two\r\nlines",,,SZ,\r\nC-9,,,,SZ,\r\n'
    found = bring(office, "customers", text)
    assert (found["rows"], errors(found)) == (2, [(4, "name", "control_characters"), (5, "name", "required")])


def test_a_row_with_another_number_of_cells_is_wrong(office: Http) -> None:
    text = sheet(CUSTOMER) + "C-3,Three,,,SZ\r\nC-4,Four,,,SZ,,\r\n"
    assert errors(bring(office, "customers", text)) == [(3, "row", "cells_wrong"), (4, "row", "cells_wrong")]


def test_a_key_twice_in_a_file_is_wrong(office: Http, db: Database) -> None:
    before = counts(db)
    assert errors(bring(office, "customers", sheet(CUSTOMER, CUSTOMER))) == [(3, "code", "duplicate")]
    twins = [FILES["assets"], FILES["assets"] | {"serial": "VIN-3"}]
    assert sorted(errors(bring(office, "assets", sheet(*twins)))) == [
        (3, "component_serial", "already_exists"),
        (3, "device_id", "already_exists"),
    ]
    assert counts(db) == before


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("customers", {"name": "Other"}, "code"),
        ("customers", {"phone": ""}, "code"),
        ("customers", {"lat": "22.6"}, "code"),
        ("assets", {"model": "Model 80"}, "serial"),
        ("assets", {"component_fitted_at": "2026-01-06T08:00:00+08:00"}, "serial"),
        ("assets", {"component_part_no": "PACK-80"}, "serial"),
        ("assets", {"device_id": "device-0001"}, "serial"),
        ("stations", {"certificates": ""}, "code"),
        ("stations", {"territory_codes": ""}, "code"),
        ("stations", {"stock": "PACK-60:5"}, "code"),
        ("stations", {"bays": "1"}, "code"),
    ],
)
def test_a_file_overwrites_nothing(office: Http, db: Database, kind: str, changes: dict[str, str], field: str) -> None:
    bring(office, kind, sheet(FILES[kind]))
    before = counts(db)
    assert errors(bring(office, kind, sheet(FILES[kind] | changes))) == [(2, field, "already_exists")]
    assert counts(db) == before


def test_a_site_name_that_fits_two_sites_is_not_guessed(office: Http, world: World) -> None:
    office.post(f"/customers/{world.customer}/sites", {"name": "Depot", "lat": 1, "lon": 1}, expect=201)
    assert errors(bring(office, "assets", sheet(ASSET))) == [(2, "site_name", "ambiguous")]


HEADER = "code,name,phone,email,territory_code,owner_login"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "\ufeff",
        ",,,,,",
        "code,name",
        HEADER + ",colour",
        HEADER + ",lat,lon",
        HEADER + ",code",
        HEADER + ",",
        HEADER.replace(",", ";"),
        HEADER.upper(),
        f'{HEADER}\nC-2,"open,,,SZ,',
        f'{HEADER}\nC-2,"a"b,,,SZ,',
        f"{HEADER}\n" + "x" * 200_000,
        f"{HEADER}\n" + "C,x,,,SZ,\n" * 5_001,
        "PK\x03\x04\x14\x08garbage\ufffd\ufffd",
        "<html><body>not a file</body></html>",
        ",".join("x" * i for i in range(1_000)),
        ",".join(str(i) for i in range(120_000)),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(office: Http, db: Database, text: str) -> None:
    before = counts(db)
    refusal = office.refused("POST", "/imports/customers", 422, "csv_invalid", {"csv": text, "dry_run": False})
    assert 10 < len(refusal["detail"]) < 400
    assert counts(db) == before


def test_entries_of_stock_are_bounded(office: Http) -> None:
    stock = "|".join(f"P{i}:1" for i in range(2_501))
    rows = [STATION | {"code": code, "stock": stock} for code in ("S8", "S9")]
    office.refused("POST", "/imports/stations", 422, "csv_invalid", {"csv": sheet(*rows), "dry_run": True})


def test_a_file_without_rows_is_a_file(office: Http) -> None:
    assert bring(office, "customers", HEADER)["rows"] == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"csv": HEADER}, 422, "validation_failed"),
        ({"csv": HEADER, "dry_run": "no"}, 422, "validation_failed"),
        ({"csv": ["a"], "dry_run": True}, 422, "validation_failed"),
        ({"csv": "x" * 900_001, "dry_run": True}, 400, "malformed"),
        ({"csv": "电" * 310_000, "dry_run": True}, 422, "validation_failed"),
        ({"csv": "x" * 1_100_000, "dry_run": True}, 400, "malformed"),
        ({"csv": f"{HEADER}\nC-2,\x00,,,SZ,", "dry_run": True}, 400, "malformed"),
        ({"csv": f"{HEADER}\nC-2,\ud800,,,SZ,", "dry_run": True}, 400, "malformed"),
    ],
)
def test_what_the_door_does_not_let_in(office: Http, body: Any, status: int, code: str) -> None:
    import json

    raw = json.dumps(body, ensure_ascii="电" not in str(body))
    answer = office.app.test_client().post(
        "/api/v1/imports/customers",
        data=raw.encode(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {office.token}"},
    )
    assert (answer.status_code, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "@SUM(A1)",
        "-2+3",
        "+cmd|' /C calc'!A0",
        "\u202e",
        "' OR 1=1 --",
        "%s{0}{code}",
    ],
)
def test_a_formula_is_kept_as_the_text_it_is(office: Http, db: Database, cell: str) -> None:
    assert bring(office, "customers", sheet(CUSTOMER | {"name": cell}))["created"] == 1
    with db.reading() as session:
        assert session.scalars(select(Customer.name).where(Customer.code == "C-2")).one() == cell
    assert errors(bring(office, "customers", sheet(CUSTOMER | {"code": "C-3", "territory_code": cell}))) == [
        (2, "territory_code", "unknown_reference")
    ]


_CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60),
    st.sampled_from(["1e999", "-0", "||:", ":", "9" * 30, "24/7", "Mo", "Asia", "2026-02-30", "9999-12-31T23:59:59+00:00"]),
)


@pytest.mark.parametrize("kind", sorted(FILES))
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_in_the_cells_the_answer_is_a_list_of_errors(office: Http, kind: str, data: st.DataObject) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(FILES[kind])), _CELLS))
    answer = office.call("POST", f"/imports/{kind}", {"csv": sheet(FILES[kind] | changes), "dry_run": True})
    assert answer.status_code == 200, answer.get_data(as_text=True)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200))
def test_whatever_the_file_is_the_answer_is_no_fault_of_ours(office: Http, text: str) -> None:
    for csv_text in (text, f"{HEADER}\n{text}"):
        assert office.call("POST", "/imports/customers", {"csv": csv_text, "dry_run": True}).status_code in {200, 422}


def test_the_list_of_errors_is_bounded(office: Http) -> None:
    text = HEADER + "\n" + "".join(f"C-{i},,1,x,SZ,\n" for i in range(5_000))
    found = bring(office, "customers", text)
    assert (len(found["errors"]), found["cut"], found["rows"], found["created"]) == (1_000, True, 5_000, 0)


def test_a_long_file_is_brought_in_and_brought_in_again(office: Http, db: Database) -> None:
    """Longer than what is looked up in one statement."""
    text = sheet(*(CUSTOMER | SITE | {"code": f"B-{i}"} for i in range(520)))
    assert bring(office, "customers", text)["created"] == 520
    assert bring(office, "customers", text)["unchanged"] == 520
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer).where(Customer.change_no.is_(None))) == 0


@pytest.mark.parametrize(("kind", "role"), [(kind, role) for kind in sorted(FILES) for role in ("rep", "owner", "staff")])
def test_only_the_office_imports(http: Http, world: World, kind: str, role: str) -> None:
    somebody = world.staff[0] if role == "staff" else getattr(world, role)
    http.as_(somebody).refused("POST", f"/imports/{kind}", 403, "forbidden", {"csv": "", "dry_run": True})
    http.refused("POST", f"/imports/{kind}", 401, "unauthenticated", {"csv": "", "dry_run": True})


@pytest.fixture
def dealer(http: Http, world: World, db: Database) -> Http:
    """The manager of a partner who owns the second station, in a deployment with another partner."""
    with db.transaction() as session:
        dealer, _rival = add(session, Partner(name="Dealer")), add(session, Partner(name="Rival"))
        session.get_one(Station, world.stations[1]).partner_id = dealer.id
        manager = make_user(session, world.settings, "manager", "dealer", partner_id=dealer.id)
    return http.as_(manager.id)


def test_a_partner_brings_in_stations_of_its_own_only(dealer: Http, db: Database, world: World) -> None:
    own = STATION | {"territory_codes": ""}
    assert errors(bring(dealer, "stations", sheet(own | {"partner_name": "Rival"}))) == [(2, "partner_name", "unknown_reference")]
    assert errors(bring(dealer, "stations", sheet(STATION))) == [(2, "territory_codes", "unknown_reference")]
    assert errors(bring(dealer, "stations", sheet(own | {"code": "S0"}))) == [(2, "code", "already_exists")]

    assert bring(dealer, "stations", sheet(own))["created"] == 1
    assert bring(dealer, "stations", sheet(own | {"partner_name": "Dealer"}))["unchanged"] == 1
    with db.reading() as session:
        station = session.scalars(select(Station).where(Station.code == "S9")).one()
        assert station.partner_id == session.scalars(select(Partner.id).where(Partner.name == "Dealer")).one()


def test_a_partner_brings_no_customers_or_assets_into_others(dealer: Http, db: Database, world: World) -> None:
    before = counts(db)
    found = bring(dealer, "customers", sheet(CUSTOMER))
    assert errors(found) == [(2, "territory_code", "unknown_reference"), (2, "owner_login", "unknown_reference")]
    found = bring(dealer, "customers", sheet({"code": "C-1", "name": "x", "territory_code": "SZ"}, columns=list(CUSTOMER)))
    assert errors(found) == [(2, "territory_code", "unknown_reference")]
    found = bring(dealer, "assets", sheet(ASSET))
    assert errors(found) == [(2, "customer_code", "unknown_reference"), (2, "site_name", "unknown_reference")]
    assert counts(db) == before


def test_a_repeated_request_is_answered_from_the_store(office: Http, db: Database) -> None:
    body = {"csv": sheet(CUSTOMER), "dry_run": False}
    first = office.call("POST", "/imports/customers", body, Idempotency_Key="import-0001")
    again = office.call("POST", "/imports/customers", body, Idempotency_Key="import-0001")
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_dry_run_and_a_file_with_an_error_wait_for_nobody_who_writes(office: Http, db: Database, kind: str) -> None:
    """SQLite has one writer at a time, so whoever waited for it would give up here."""
    good, wrong = FILES[kind], FILES[kind] | {next(iter(FILES[kind])): ""}
    with db.transaction() as session:
        session.execute(update(Customer).values(name="somebody writes"))
        assert bring(office, kind, sheet(good), dry_run=True)["created"] == 1
        assert bring(office, kind, sheet(wrong))["errors"]
        session.rollback()


def test_a_row_somebody_else_entered_meanwhile_is_named_and_nothing_is_written(
    office: Http, db: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = operations.plan

    def slow(*given: Any, **named: Any) -> operations.Plan:
        found = real(*given, **named)
        body = {"code": "C-3", "name": "First", "territory_id": world.territory}
        office.post("/customers", body, expect=201)
        return found

    monkeypatch.setattr(operations, "plan", slow)
    found = bring(office, "customers", sheet(CUSTOMER, CUSTOMER | {"code": "C-3"}))

    assert (errors(found), found["created"]) == ([(3, "code", "already_exists")], 0)
    with db.reading() as session:
        assert session.scalar(select(func.count()).where(Customer.code == "C-2")) == 0
