"""Sites without a position: found by their address, as exactly as somebody knows, and never taken for more than it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from app.core.db import Database
from app.core.geo import Position, distance_m
from app.core.settings import Settings
from app.customers.look_ups import place_sites
from app.positions.datum import Datum, from_wgs84
from app.positions.districts import district_of
from app.positions.regions import Region
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.people import Http

HERE = Position(22.5405, 113.9345)
ADDRESS = "广东省深圳市南山区科技园南路8号"
SHIFTED = {Region.MAINLAND}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def coder() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as server:
        yield server


def asking(settings: Settings, coder: HTTPServer, kind: str) -> Settings:
    return dataclasses.replace(settings, geocoder=kind, geocoder_url=coder.url_for("").rstrip("/"), geocoder_key="key-1")


def add_site(office: Http, world: World, address: str = ADDRESS, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = office.post(f"/customers/{world.customer}/sites", {"name": "Werk", "address": address} | more, 201)
    return made


def site(office: Http, site_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in office.get("/sites")["items"] if one["id"] == site_id)
    return found


def at(row: dict[str, Any]) -> Position:
    return Position(row["lat"], row["lon"])


def answer(kind: str, exact: bool = True) -> dict[str, Any] | list[Any]:
    """What each geocoder says of ``HERE``, in its own datum."""
    if kind == "nominatim":
        place = {
            "lat": str(HERE.lat),
            "lon": str(HERE.lon),
            "display_name": "8号",
            "addresstype": "building" if exact else "city",
        }
        return [place]
    if kind == "amap":
        shown = from_wgs84(HERE, Datum.GCJ02, SHIFTED)
        code = {
            "location": f"{shown.lon:.6f},{shown.lat:.6f}",
            "level": "门牌号" if exact else "区县",
            "formatted_address": "8号",
        }
        return {"status": "1", "geocodes": [code]}
    shown = from_wgs84(HERE, Datum.BD09, SHIFTED)
    place = {"location": {"lng": shown.lon, "lat": shown.lat}, "level": "门址", "confidence": 80 if exact else 12}
    return {"status": 0, "result": place}


PATHS = {"nominatim": "/search", "amap": "/v3/geocode/geo", "baidu": "/geocoding/v3/"}


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_the_answer_of_each_geocoder_is_where_it_is_in_wgs84(
    office: Http, world: World, db: Database, settings: Settings, coder: HTTPServer, kind: str
) -> None:
    made = add_site(office, world)
    assert (made["lat"], made["lon"], made["position_source"]) == (None, None, None)
    coder.expect_request(PATHS[kind]).respond_with_json(answer(kind))

    assert place_sites(db, asking(settings, coder, kind)) == 1
    found = site(office, made["id"])
    assert found["position_source"] == "geocoded"
    assert distance_m(at(found), HERE) < 2
    sent = coder.log[0][0]
    assert ADDRESS in sent.args.values()
    assert ("key-1" in sent.args.values()) == (kind != "nominatim")
    assert [entry["kind"] for entry in office.get(f"/history/site/{made['id']}")["about"]] == ["site.created", "site.placed"]


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_an_answer_that_is_only_an_area_is_no_position_of_the_address(
    office: Http, world: World, db: Database, settings: Settings, coder: HTTPServer, kind: str
) -> None:
    made = add_site(office, world)
    coder.expect_request(PATHS[kind]).respond_with_json(answer(kind, exact=False))
    asked = asking(settings, coder, kind)

    assert place_sites(db, asked) == 1
    assert site(office, made["id"])["position_source"] == "district"
    assert place_sites(db, asked) == 0
    assert len(coder.log) == 1  # nobody is asked twice what they do not know


def test_without_a_geocoder_the_centre_of_the_district_stands_for_the_site(
    office: Http, world: World, db: Database, settings: Settings, coder: HTTPServer
) -> None:
    made, lost = add_site(office, world), add_site(office, world, "somewhere or other")

    assert place_sites(db, settings) == 1
    found = site(office, made["id"])
    assert found["position_source"] == "district"
    assert distance_m(at(found), Position(22.533, 113.930)) < 5_000
    assert site(office, lost["id"])["lat"] is None
    assert place_sites(db, settings) == 0

    # Once there is somebody to ask, the address is looked up again.
    coder.expect_request("/search").respond_with_json(answer("nominatim"))
    place_sites(db, asking(settings, coder, "nominatim"))
    assert site(office, made["id"])["position_source"] == "geocoded"


def test_a_geocoder_that_fails_is_asked_again_later_and_not_for_ever(
    office: Http, world: World, db: Database, settings: Settings, coder: HTTPServer, clock: SetClock
) -> None:
    made = add_site(office, world, "nowhere known")
    coder.expect_request("/search").respond_with_data("not json", status=200)
    asked = asking(settings, coder, "nominatim")

    place_sites(db, asked)
    place_sites(db, asked)
    assert len(coder.log) == 1
    for _ in range(20):
        clock.advance(days=2)
        place_sites(db, asked)
    assert len(coder.log) == 8
    assert site(office, made["id"])["lat"] is None


def test_a_position_given_meanwhile_is_kept(
    office: Http, world: World, db: Database, settings: Settings, coder: HTTPServer
) -> None:
    made = add_site(office, world)

    def give(_request: Any) -> Any:
        from werkzeug import Response

        office.edit(f"/sites/{made['id']}", {"lat": 1.0, "lon": 2.0}, made["version"])
        return Response(response='[{"lat": "22.5", "lon": "113.9", "display_name": "x"}]', content_type="application/json")

    coder.expect_request("/search").respond_with_handler(give)
    assert place_sites(db, asking(settings, coder, "nominatim")) == 0
    assert (at(site(office, made["id"])), site(office, made["id"])["position_source"]) == (Position(1, 2), "given")


def test_another_address_is_looked_up_anew_and_a_position_somebody_gave_stays(
    office: Http, world: World, db: Database, settings: Settings
) -> None:
    made, given = add_site(office, world), add_site(office, world, lat=1.0, lon=2.0)
    place_sites(db, settings)
    moved = site(office, made["id"])
    assert moved["position_source"] == "district"

    office.edit(f"/sites/{made['id']}", {"address": "上海市浦东新区世纪大道1号"}, moved["version"])
    assert site(office, made["id"])["lat"] is None
    place_sites(db, settings)
    assert distance_m(at(site(office, made["id"])), Position(31.24, 121.5)) < 10_000

    office.edit(f"/sites/{given['id']}", {"address": "上海市浦东新区世纪大道1号"}, given["version"])
    assert at(site(office, given["id"])) == Position(1, 2)


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"name": "x"}, "address", "address_or_position"),
        ({"name": "x", "lat": 1.0}, "lon", "required"),
        ({"name": "x", "lon": 1.0, "address": "y"}, "lat", "required"),
        ({"name": "x", "lat": 91.0, "lon": 1.0}, "lat", "out_of_range"),
        ({"name": "x", "address": "y", "position_source": "surveyed"}, "position_source", "unknown"),
    ],
)
def test_a_site_needs_a_place_or_an_address_to_find_it_by(
    office: Http, world: World, values: dict[str, Any], field: str, code: str
) -> None:
    told = office.refused("POST", f"/customers/{world.customer}/sites", 422, "validation_failed", values)

    assert [(one["field"], one["code"]) for one in told["errors"]] == [(field, code)]


def test_an_edit_leaves_a_site_with_a_place_or_an_address(office: Http, world: World) -> None:
    made = add_site(office, world)
    path, version = f"/sites/{made['id']}", made["version"]
    for values, field, code in (
        ({"address": ""}, "address", "address_or_position"),
        ({"lat": 1.0}, "lon", "required"),
    ):
        told = office.edit(path, values, version, expect=422)
        assert [(one["field"], one["code"]) for one in told["errors"]] == [(field, code)]
    assert office.edit(path, {"lat": 1.0, "lon": 2.0, "address": ""}, version)["position_source"] == "given"


def test_a_check_in_says_plainly_that_only_the_district_is_known(
    http: Http, office: Http, world: World, db: Database, settings: Settings
) -> None:
    made = add_site(office, world)
    rep = http.as_(world.rep)

    def check_in() -> dict[str, Any]:
        window = {"planned_from": "2026-03-02T02:00:00Z", "planned_until": "2026-03-02T03:00:00Z"}
        visit = rep.post("/visits", {"site_id": made["id"], "purpose": "x"} | window, 201)
        told = {"lat": 22.5333, "lon": 113.9298, "datum": "wgs84", "accuracy_m": 5.0, "at_ms": 1772416800000}
        done = rep.post(f"/visits/{visit['id']}/check-in", told)
        rep.post(f"/visits/{visit['id']}/check-out", told | {"outcome": "x", "next_step": "y"})
        row: dict[str, Any] = next(
            one for one in rep.get("/check-ins")["items"] if one["visit_id"] == visit["id"] and not one["leaving"]
        )
        assert done
        return row

    nowhere = check_in()
    assert (nowhere["nearness"], nowhere["distance_m"], nowhere["state"]) == ("unsure", None, "needs_review")
    assert "site_unplaced" in nowhere["reasons"]
    place_sites(db, settings)
    roughly = check_in()
    assert (roughly["nearness"], roughly["state"]) == ("unsure", "needs_review")
    assert "site_at_district" in roughly["reasons"]
    assert roughly["distance_m"] is not None


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("深圳南山区高新园", "南山区"),
        ("黑龙江鹤岗市南山区", "南山区"),
        ("南山区幸福路", None),  # there are two
        ("北京市朝阳区建国路88号", "朝阳区"),
        ("长春朝阳区人民大街", "长春"),  # the one of Beijing is far away
        ("8 Keyuan Road, Nanshan, Shenzhen", "shenzhen"),
        ("香港九龙弥敦道", "九龙"),
        ("", None),
        ("x" * 300, None),
    ],
)
def test_the_district_of_an_address_is_the_one_that_fits_what_else_it_names(address: str, name: str | None) -> None:
    found = district_of(address)

    assert (found.name if found else None) == name
