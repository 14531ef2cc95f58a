"""Whatever comes in, the answer is a 4xx problem with a code: never a 5xx, never a stack trace."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import just
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from werkzeug.test import TestResponse

from app.core import wire
from app.core.db import Database
from app.core.settings import read_settings
from app.factory import create_app
from tests.conftest import SetClock
from tests.databases import copy_sqlite
from tests.factories import World, make_world
from tests.http.conftest import ANY_ID, routes_of
from tests.people import Http

SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INSTANT = "2026-03-01T00:00:00Z"


def refused(answer: TestResponse) -> str:
    """Assert that an answer is a proper refusal and return its code."""
    text = answer.get_data(as_text=True)
    assert 400 <= answer.status_code < 500, (answer.status_code, text[:500])
    assert answer.mimetype == "application/problem+json", text[:500]
    problem = answer.get_json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:fieldloop:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert "Traceback" not in text
    assert 'File "' not in text
    assert "sqlalchemy" not in text
    return str(problem["code"])


def sane(answer: TestResponse) -> None:
    """Assert that an answer is a success or a proper refusal."""
    if answer.status_code >= 300:
        refused(answer)


@pytest.fixture
def targets(world: World) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Routes that write, each with a body it would take, and the person whose role may."""
    component = {"component_id": world.pack, "fitted_at": INSTANT}
    return {
        "POST /auth/sign-in": ("", "/auth/sign-in", {"login": "a", "password": "b", "label": "c"}),
        "POST /auth/refresh": ("", "/auth/refresh", {"refresh_token": "x"}),
        "POST /accounts/link": ("", "/accounts/link", {"code": "x", "password": "y"}),
        "POST /accounts/password-reset": ("", "/accounts/password-reset", {"login": "x"}),
        "PATCH /me": (world.admin, "/me", {"name": "n", "locale": "en", "email": "a@b.cd", "phone": "+8613800000000"}),
        "POST /customers": (
            world.admin,
            "/customers",
            {"code": "x", "name": "n", "phone": None, "email": None, "territory_id": world.territory, "owner_id": None},
        ),
        "POST /sites": (world.admin, f"/customers/{world.customer}/sites", {"name": "n", "address": "", "lat": 1.5, "lon": 2}),
        "POST /assets": (
            world.admin,
            "/assets",
            {"serial": "x", "model": "m", "customer_id": world.customer, "site_id": world.site, "warranty_until": "2030-01-01"},
        ),
        "POST /fittings": (world.admin, f"/assets/{world.asset}/fittings", component),
        "POST /devices": (
            world.admin,
            f"/assets/{world.asset}/devices",
            {"profile_id": world.profile, "address": "a", "installed_at": INSTANT, "shard": 3},
        ),
        "POST /device-profiles": (
            world.admin,
            "/device-profiles",
            {
                "code": "x",
                "name": "n",
                "adapter": "ovms",
                "soh_reference": "rated",
                "sends_only_changes": True,
                "metrics": {"soh_pct": {"unit": "%", "component": "battery_pack", "source": "v.b.soh", "scale": 1.0}},
            },
        ),
        "POST /commands": (world.admin, f"/devices/{world.device}/commands", {"body": {"a": 1}, "timeout_s": 5}),
        "PUT /settings": (world.admin, f"/devices/{world.device}/settings", {"settings": {"a": 1, "b": "x", "c": True}}),
        "POST /stations": (
            world.admin,
            "/stations",
            {
                "code": "x",
                "name": "n",
                "address": "",
                "lat": 1,
                "lon": 2,
                "opening_hours": "24/7",
                "time_zone": "UTC",
                "bays": 2,
                "active": True,
                "partner_id": None,
                "certificates": ["c"],
                "territory_ids": [world.territory],
            },
        ),
        "PATCH /stations": (
            world.admin,
            f"/stations/{world.stations[0]}",
            {"opening_hours": "Mo-Fr 09:00-18:00", "time_zone": "Asia/Shanghai", "certificates": []},
        ),
        "POST /stock": (world.admin, f"/stations/{world.stations[0]}/stock", {"part_no": "x", "on_hand": 2}),
        "POST /rules": (world.admin, "/rules", {"code": "x", "enabled": True, "document": {"a": 1}}),
        "PATCH /territories": (world.admin, f"/users/{world.rep}/territories", {"territory_ids": [world.territory]}),
        "POST /users": (
            world.admin,
            "/users",
            {"login": "l", "name": "n", "role": "rep", "locale": "en", "email": None, "phone": None, "territory_ids": []},
        ),
        "POST /work-orders": (
            world.rep,
            "/work-orders",
            {"asset_id": world.asset, "component_id": world.pack, "job": "j", "certificates": ["c"]},
        ),
        "POST /coupons/redeem": (world.staff[0], "/coupons/redeem", {"code": "x"}),
        "POST /me/registration-tokens": (world.owner, "/me/registration-tokens", {"address_kind": "fid", "address": "x"}),
        "POST /me/channels": (world.owner, "/me/channels", {"channel": "email", "enabled": True}),
        "POST /imports/customers": (world.admin, "/imports/customers", {"csv": "code,name", "dry_run": True}),
    }


def method_of(name: str) -> str:
    method = name.partition(" ")[0]
    return "PUT" if name == "PATCH /territories" else method


class Sender:
    """Sends raw bytes as the person a target needs."""

    def __init__(self, http: Http) -> None:
        self.http, self.signed_in = http, dict[str, Http]()

    def __call__(self, name: str, person: str, path: str, raw: bytes, content_type: str | None = "application/json") -> Any:
        headers = {"If-Match": "*"}
        if person:
            door = self.signed_in.setdefault(person, self.http.as_(person))
            headers["Authorization"] = f"Bearer {door.token}"
        if content_type is not None:
            headers["Content-Type"] = content_type
        return self.http.app.test_client().open("/api/v1" + path, method=method_of(name), data=raw, headers=headers)


@pytest.fixture
def send(http: Http) -> Sender:
    return Sender(http)


UNREADABLE: dict[str, bytes] = {
    "deep lists": b"[" * 100_000,
    "deep closed lists": b"[" * 5_000 + b"]" * 5_000,
    "deep objects": b'{"a":' * 100_000,
    "deep behind an escaped backslash": b'{"a":"\\\\","b":' + b"[" * 900 + b"]" * 900 + b"}",
    "deep behind an escaped quote": b'{"a":"\\"","b":' + b"[" * 900 + b"]" * 900 + b"}",
    "an open text full of escapes": b'{"a":"' + b"\\\\" * 200_000,
    "an integer of 6,000 digits": b'{"name":' + b"1" * 6_000 + b"}",
    "an integer of 6,000 digits, negative": b'{"name":-' + b"1" * 6_000 + b"}",
    "2**63": b'{"name":9223372036854775808}',
    "-2**63 - 1": b'{"name":-9223372036854775809}',
    "2**64": b'{"name":18446744073709551616}',
    "NaN": b'{"name":NaN}',
    "Infinity": b'{"name":Infinity}',
    "-Infinity": b'{"name":-Infinity}',
    "a float beyond all": b'{"name":1e400}',
    "a float with an exponent of 6,000 digits": b'{"name":1e' + b"9" * 6_000 + b"}",
    "NUL": b'{"name":"a\\u0000b"}',
    "NUL as a key": b'{"a\\u0000b":1}',
    "a raw NUL": b'{"name":"a\x00b"}',
    "a lone high surrogate": b'{"name":"\\ud800"}',
    "a lone low surrogate": b'{"name":"\\udc00x"}',
    "surrogates in the wrong order": b'{"name":"\\udc00\\ud800"}',
    "a surrogate in UTF-8": b'{"name":"\xed\xa0\x80"}',
    "overlong UTF-8": b'{"name":"\xc0\xaf"}',
    "invalid UTF-8": b'{"name":"\xff\xfe"}',
    "UTF-16": '{"name":"x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name":"x"}',
    "a text of 900,000": b'{"name":"' + b"x" * 900_000 + b'"}',
    "more than a megabyte": b'{"name":"' + b"x" * 1_100_000 + b'"}',
    "100,000 keys": b"{" + b",".join(b'"k%d":1' % i for i in range(90_000)) + b"}",
    "100,000 entries": b'{"name":[' + b",".join([b"1"] * 100_000) + b"]}",
    "nothing": b"",
    "blanks": b" \n\t",
    "two documents": b"{}{}",
    "a cut document": b'{"name":"x',
    "a comment": b'{"name":"x"/*c*/}',
    "a trailing comma": b'{"name":"x",}',
    "single quotes": b"{'name':'x'}",
    "binary": bytes(range(256)),
    "a pickle": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94.",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
}
NOT_OBJECTS = [b"null", b"true", b"1", b"1.9", b'"text"', b"[]", b'[{"name":"x"}]', b"[null]"]
MEDIA_TYPES = [
    None,
    "",
    "text/plain",
    "text/html",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/json-patch+json",
    "application/jsonx",
    "application",
    "x" * 5_000,
]
WRONG_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.9,
    2**63 - 1,
    -(2**63),
    1e308,
    -0.0,
    "",
    " ",
    "12",
    "1.9",
    "true",
    "x" * 19_000,
    "\u202e\ufeff\U0001f600" * 60,
    "İ" * 195 + "@a.bc",
    "ﷺ" * 60,
    "=cmd|' /C calc'!A0",
    "'; DROP TABLE users; --",
    "%s%n{0}{name}${jndi:ldap://x}",
    "../../etc/passwd",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-03-01T00:00:00",
    "2026-02-30T00:00:00Z",
    "0001-01-01",
    "9999-12-31",
    "2026-W01-1",
    "-9223372036854775808",
    "NaN",
    "localtime",
    "Mo-Fr 25:00-99:99",
    [],
    {},
    [None],
    [[["x"]]],
    {"$ne": None},
    {"x": {"x": {"x": 1}}},
    ["x" * 300] * 101,
    ANY_ID,
]


@SQLITE_ONLY
def test_a_body_that_cannot_be_read_is_refused_at_every_route_that_takes_one(
    targets: dict[str, tuple[str, str, dict[str, Any]]], send: Sender
) -> None:
    """Every unreadable body at two routes, and at every other route a few of them in turn."""
    everywhere = ("POST /auth/sign-in", "POST /customers")
    bodies = list(UNREADABLE.items())
    for i, (name, (person, path, _)) in enumerate(targets.items()):
        for what, raw in bodies if name in everywhere else [bodies[(i * 5 + n) % len(bodies)] for n in range(5)]:
            began = time.perf_counter()
            code = refused(send(name, person, path, raw))
            assert code in {"malformed", "validation_failed"}, (name, what, code)
            assert time.perf_counter() - began < 5, (name, what)


def test_a_readable_body_of_another_shape_is_refused_field_by_field(
    targets: dict[str, tuple[str, str, dict[str, Any]]], send: Sender
) -> None:
    for name, (person, path, _) in targets.items():
        for raw in NOT_OBJECTS[len(name) % 2 :: 2]:
            assert refused(send(name, person, path, raw)) == "validation_failed", (name, raw)
        answer = send(name, person, path, b'{"surprise": 1}')
        assert refused(answer) == "validation_failed"
        assert ("surprise", "unknown") in {(fault["field"], fault["code"]) for fault in answer.get_json()["errors"]}, name


@SQLITE_ONLY
def test_another_media_type_is_refused_before_the_body_is_read(
    targets: dict[str, tuple[str, str, dict[str, Any]]], send: Sender
) -> None:
    for name, (person, path, body) in targets.items():
        for content_type in MEDIA_TYPES[len(name) % 3 :: 3]:
            code = refused(send(name, person, path, json.dumps(body).encode(), content_type))
            assert code == "unsupported_media_type", (name, content_type, code)


def test_a_wrong_value_in_any_field_of_any_body_is_never_a_fault_of_ours(
    targets: dict[str, tuple[str, str, dict[str, Any]]], send: Sender
) -> None:
    """Each field gets values that a lenient layer would let through to the database, which differ between the two."""
    dice = random.Random(20260302)
    taken = refusals = 0
    for name, (person, path, body) in targets.items():
        for field in body:
            for value in dice.sample(WRONG_VALUES, 6):
                answer = send(name, person, path, json.dumps(body | {field: value}).encode())
                sane(answer)
                taken += answer.status_code < 300
                refusals += answer.status_code >= 400
    assert refusals > 250
    assert taken > 10


STRICT: list[tuple[str, str, Any, str]] = [
    ("POST /stock", "on_hand", 1.9, "not_integer"),
    ("POST /stock", "on_hand", 2.0, "not_integer"),
    ("POST /stock", "on_hand", "12", "not_integer"),
    ("POST /stock", "on_hand", True, "not_integer"),
    ("POST /stock", "on_hand", -1, "out_of_range"),
    ("POST /stock", "on_hand", 2**63 - 1, "out_of_range"),
    ("POST /stock", "part_no", 1, "not_text"),
    ("POST /stock", "part_no", "x" * 61, "too_long"),
    ("POST /stock", "part_no", "   ", "too_short"),
    ("POST /sites", "lat", "1", "not_number"),
    ("POST /sites", "lat", True, "not_number"),
    ("POST /sites", "lat", 90.01, "out_of_range"),
    ("POST /sites", "lon", -180.5, "out_of_range"),
    ("POST /fittings", "fitted_at", "0001-01-01T00:00:00+14:00", "time_invalid"),
    ("POST /fittings", "fitted_at", "9999-12-31T23:59:59-14:00", "time_invalid"),
    ("POST /fittings", "fitted_at", "2026-03-01T00:00:00", "time_invalid"),
    ("POST /fittings", "fitted_at", 1772323200, "time_invalid"),
    ("POST /fittings", "component_id", "short", "id_invalid"),
    ("POST /fittings", "component_id", "../../etc/passwd", "id_invalid"),
    ("POST /assets", "warranty_until", "2026-02-30", "date_invalid"),
    ("POST /assets", "warranty_until", "2026-W01-1", "date_invalid"),
    ("POST /assets", "warranty_until", 20260301, "date_invalid"),
    ("POST /stations", "active", "true", "not_flag"),
    ("POST /stations", "active", 1, "not_flag"),
    ("POST /stations", "opening_hours", "whenever", "hours_invalid"),
    ("POST /stations", "time_zone", "Mars/Olympus", "hours_invalid"),
    ("POST /stations", "time_zone", "localtime", "hours_invalid"),
    ("POST /stations", "time_zone", "../../etc/passwd", "hours_invalid"),
    ("POST /stations", "certificates", "c", "not_list"),
    ("POST /stations", "certificates", ["c"] * 101, "too_many"),
    ("POST /stations", "bays", None, "null"),
    ("PATCH /me", "email", "İ" * 195 + "@a.bc", "too_long"),
    ("PATCH /me", "email", "nobody", "email_invalid"),
    ("PATCH /me", "phone", "tel:x", "phone_invalid"),
    ("PATCH /me", "locale", "fr", "not_one_of"),
    ("POST /rules", "document", [], "not_object"),
    ("POST /device-profiles", "metrics", [], "not_object"),
    ("POST /customers", "id", "ab", "id_invalid"),
    ("POST /customers", "version", 7, "unknown"),
    ("POST /customers", "created_at", INSTANT, "unknown"),
    ("POST /customers", "deleted_at", INSTANT, "unknown"),
    ("POST /customers", "change_no", 7, "unknown"),
    ("POST /devices", "secret_hash", "x", "unknown"),
    ("POST /devices", "state", "active", "unknown"),
    ("PATCH /me", "role", "admin", "unknown"),
    ("PATCH /me", "password_hash", "x", "unknown"),
    ("PATCH /me", "valid_from", INSTANT, "unknown"),
    ("PATCH /me", "customer_id", ANY_ID, "unknown"),
    ("POST /users", "password_hash", "x", "unknown"),
    ("POST /users", "state", "active", "unknown"),
]


def test_each_type_is_taken_at_its_word(targets: dict[str, tuple[str, str, dict[str, Any]]], send: Sender) -> None:
    for name, field, value, code in STRICT:
        person, path, body = targets[name]
        answer = send(name, person, path, json.dumps(body | {field: value}).encode())
        assert refused(answer) == "validation_failed", (name, field, value)
        found = {(fault["field"].partition(".")[0], fault["code"]) for fault in answer.get_json()["errors"]}
        wanted = "opening_hours" if code == "hours_invalid" else field
        assert (wanted, code) in found, (name, field, value, found)
        assert all(fault["text"] for fault in answer.get_json()["errors"])


def test_every_text_at_its_longest_can_be_stored(http: Http, world: World) -> None:
    """What the schema takes the columns must hold; SQLite holds anything, PostgreSQL does not."""
    admin = http.as_(world.admin)

    def wide(n: int, letter: str = "漢") -> str:
        return letter * n

    made = admin.post("/territories", {"code": wide(40), "name": wide(100)}, expect=201)
    admin.post("/partners", {"name": wide(200)}, expect=201)
    customer = {"code": wide(40), "name": wide(200), "email": "x" * 194 + "@a.bcd", "id": "i" * 36, "territory_id": made["id"]}
    admin.post("/customers", customer, expect=201)
    site = {"id": "s" * 36, "name": wide(200), "address": wide(300), "lat": -90, "lon": 180}
    admin.post(f"/customers/{'i' * 36}/sites", site, expect=201)
    asset = {"id": "a" * 36, "serial": wide(60), "model": wide(100), "customer_id": "i" * 36, "site_id": "s" * 36}
    admin.post("/assets", asset | {"warranty_until": "2199-12-31"}, expect=201)
    admin.post("/components", {"serial": wide(60), "kind": wide(40), "part_no": wide(60)}, expect=201)
    metrics = {wide(60): {"unit": wide(20), "component": wide(40), "source": wide(100), "scale": 1e12}}
    profile = {"code": wide(40), "name": wide(100), "adapter": "ovms", "metrics": metrics}
    profile_id = admin.post("/device-profiles", profile, expect=201)["id"]
    device = {
        "id": "d" * 36,
        "profile_id": profile_id,
        "address": f"{wide(59)}/{wide(60)}",
        "shard": 255,
        "installed_at": INSTANT,
    }
    admin.post(f"/assets/{'a' * 36}/devices", device, expect=201)
    hours = "Mo-Fr 09:00-18:00;" * 16 + '"' + "x" * 10 + '"'
    station = {"code": wide(40), "name": wide(200), "address": wide(300), "lat": 1, "lon": 1, "opening_hours": "24/7", "bays": 50}
    station_id = admin.post("/stations", station | {"certificates": [wide(40)] * 100}, expect=201)["id"]
    sane(admin.call("PATCH", f"/stations/{station_id}", {"opening_hours": hours[:300]}, If_Match="*"))
    admin.post(f"/stations/{station_id}/stock", {"part_no": wide(60), "on_hand": 100_000})
    admin.edit("/me", {"name": wide(100), "email": "y" * 194 + "@a.bcd"}, 1)
    admin.post("/me/registration-tokens", {"address_kind": "token", "address": wide(500)}, expect=201)
    person = {"login": wide(200), "name": wide(100), "role": "rep", "email": "z" * 194 + "@a.bcd", "phone": "+8613800000000"}
    admin.post("/users", person, expect=201)
    http.refused("POST", "/auth/sign-in", 401, "bad_credentials", {"login": wide(200), "password": wide(200), "label": wide(100)})
    http.post("/auth/sign-in", {"login": "rep@example.test", "password": "correct horse battery", "label": wide(100)})
    world.report(74.9, 74.5, 74.1)
    [task] = http.as_(world.staff[0]).get("/station-tasks")["items"]
    http.as_(world.staff[0]).post(f"/station-tasks/{task['id']}/reject", {"reason": wide(200)})
    [offer] = http.as_(world.owner).get("/service-offers")["items"]
    http.as_(world.owner).post(f"/service-offers/{offer['id']}/decline", {"reason": wide(200)})
    order = admin.post("/work-orders", {"asset_id": world.asset, "component_id": world.pack, "job": wide(40)}, expect=201)
    admin.post(f"/work-orders/{order['id']}/cancel", {"reason": wide(60)})
    answer = admin.call("POST", "/customers", {"code": "k"}, Idempotency_Key="k" * 100)
    assert refused(answer) == "validation_failed"


QUERIES = [
    "cursor=" + "A" * 10_000,
    "cursor=%00",
    "cursor=AA%3D%3D",
    "cursor=%FF%FE",
    "cursor=4pyT4pyT4pyT",
    "cursor=Li4vLi4vZXRj",
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=1.9",
    "limit=9" + "9" * 6_000,
    "limit=%D9%A3",
    "limit=true",
    "limit=NaN",
    "limit=",
    "limit=1%00",
]


def test_hostile_queries_headers_and_paths_are_refused(http: Http, world: World) -> None:
    admin = http.as_(world.admin)
    for query in QUERIES:
        sane(admin.call("GET", f"/customers?{query}"))
    for query in QUERIES[:3] + QUERIES[6:11]:
        assert refused(admin.call("GET", f"/customers?{query}")) == "validation_failed", query
    telemetry = f"/devices/{world.device}/telemetry"
    for query in (
        "",
        "metric=",
        "metric=%00",
        "metric=x&since=0001-01-01T00:00:00%2B14:00",
        "metric=x&until=x",
        "metric=x&limit=2e3",
    ):
        assert refused(admin.call("GET", f"{telemetry}?{query}")) == "validation_failed", query
    for query in ("state=%00", "state[]=raised", "asset_id=%00", "asset_id=" + "a" * 5_000):
        sane(admin.call("GET", f"/alarms?{query}"))
    hostile_ids = [
        "%00",
        "a%00bcdefgh",
        "%FF%FE%FD",
        "%ED%A0%80aaaaaa",
        "..%2F..%2Fetc",
        "%2e%2e",
        "a" * 20_000,
        "🚗" * 9,
        "%0d%0aX: y",
    ]
    for bad in hostile_ids:
        for path in (
            f"/customers/{bad}",
            f"/devices/{bad}/latest",
            f"/history/customer/{bad}",
            f"/history/{bad}/{world.customer}",
        ):
            answer = admin.call("GET", path)
            assert (answer.status_code, refused(answer)) == (404, "not_found"), path[:80]


def test_hostile_headers_are_refused(http: Http, world: World) -> None:
    admin, body = http.as_(world.admin), {"name": "x"}
    for key in ("", "short", "k" * 101, "k" * 10_000, "a b c d e f", "ключ-ключ".encode().decode("latin-1"), "k" * 20 + "\x7f"):
        assert refused(admin.call("POST", "/partners", body, Idempotency_Key=key)) == "key_invalid", key[:20]
    path = f"/customers/{world.customer}"
    for version in ("1", '"0"', '"2"', "W/1", '"1', "'1'", "x" * 10_000, '"' + "9" * 6_000 + '"', "**", '"*"'):
        assert refused(admin.call("PATCH", path, body, If_Match=version)) == "version_stale", version[:20]
    assert refused(admin.call("PATCH", path, body, If_Match="")) == "version_required"
    for language in ("x" * 10_000, "zh;q=x,en;q=", ";;;,,,", "zh;q=1e999", "\xff\xfe", "*"):
        http.refused("GET", "/me", 401, "unauthenticated", Accept_Language=language)
    for request_id in ("x" * 5_000, "a b", "\xff", "", "<script>"):
        answer = http.call("GET", "/me", X_Request_Id=request_id)
        assert wire.ID_PATTERN.fullmatch(answer.headers["X-Request-Id"])
        assert answer.headers["X-Request-Id"] != request_id
    assert http.call("GET", "/me", X_Request_Id="phone-4711-0001").get_json()["request_id"] == "phone-4711-0001"


def _lies_in(path: str, other: str) -> bool:
    """Tell whether an address is one of a route with an id, too: ``/visits/plan-day`` is a visit's, as far as that goes."""
    parts, others = path.split("/"), other.split("/")
    return len(parts) == len(others) and all(a == b or b.startswith("<") for a, b in zip(parts, others, strict=True))


def test_a_method_an_address_does_not_take_is_405_with_those_it_does(http: Http, app: Flask, world: World) -> None:
    admin = http.as_(world.admin)
    methods: dict[str, set[str]] = {}
    for route in routes_of(app):
        methods.setdefault(route.path, set()).add(route.method)
    for path, own in methods.items():
        taken = set().union(*(of for other, of in methods.items() if _lies_in(path, other)))
        filled = "/".join(ANY_ID if part.startswith("<") else part for part in path.split("/"))
        method = next(m for m in ("DELETE", "PUT", "PATCH", "POST", "GET") if m not in taken)
        assert own <= taken
        for asked in (method, "TRACE", "CONNECT", "PROPFIND"):
            answer = admin.call(asked, filled)
            assert (answer.status_code, refused(answer)) == (405, "method_not_allowed"), (asked, path)
            allow = {name.strip() for name in answer.headers["Allow"].split(",")}
            assert taken <= allow <= taken | {"HEAD", "OPTIONS"}, (path, allow)


def test_head_and_options_tell_nothing_a_get_would_not(http: Http, world: World) -> None:
    admin, path = http.as_(world.admin), f"/customers/{world.customer}"

    head, got = admin.call("HEAD", path), admin.call("GET", path)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", got.headers["ETag"])
    assert admin.call("HEAD", f"/customers/{ANY_ID}").status_code == 404
    assert http.call("HEAD", path).status_code == 401
    assert http.as_(world.staff[0]).call("HEAD", "/users").status_code == 403
    options = http.call("OPTIONS", path)
    assert (options.status_code, options.data) == (200, b"")
    assert {"GET", "PATCH"} <= {name.strip() for name in options.headers["Allow"].split(",")}
    assert http.call("TRACE", path, X_Canary="canary").status_code == 405


def test_a_body_where_none_belongs_changes_nothing(http: Http, app: Flask, world: World) -> None:
    admin = http.as_(world.admin)
    for raw in (b"[" * 100_000, b"\xff" * 100, b'{"limit": 1}', b"x" * 1_000_000):
        for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": content_type}
            answer = app.test_client().get("/api/v1/customers", data=raw, headers=headers)
            assert answer.status_code == 200
            assert len(answer.get_json()["items"]) == 1
            sane(app.test_client().post("/api/v1/me/test-notification", data=raw, headers=headers))


def test_a_body_beyond_every_bound_is_413_or_refused_unread(http: Http, app: Flask, world: World) -> None:
    admin = http.as_(world.admin)
    headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"}

    for size in (1_000_001, 5_000_001, 20_000_000):
        answer = app.test_client().post("/api/v1/partners", data=b" " * size, headers=headers)
        assert refused(answer) in {"malformed", "too_large"}, size
    headers |= {"Idempotency-Key": "a-key-of-mine-1"}
    answer = app.test_client().post("/api/v1/me/test-notification", data=b" " * 5_000_001, headers=headers)
    assert (answer.status_code, refused(answer)) == (413, "too_large")


def test_an_address_nobody_knows_is_a_problem_too(http: Http, app: Flask) -> None:
    for path in ("/nothing", "/", "/customers/", "/customers/a/b/c/d", "/" + "x" * 50_000, "/%00", "/..%2f..%2fetc%2fpasswd"):
        assert refused(http.call("GET", path)) == "not_found", path[:50]
    for path in ("/", "/admin", "/.env", "/docs/../../etc/passwd", "/docs/%2e%2e/%2e%2e/etc/passwd", "/docs/%00", "/api/v2/me"):
        assert refused(app.test_client().get(path)) == "not_found", path


def test_a_text_of_escapes_does_not_hold_the_parser_up() -> None:
    """The scan for deep nesting must stay linear: a hundred kilobytes once took a minute."""
    for raw in (b'["' + b'\\\\"' * 300_000 + b"\\" + b"[" * 33, b'["' + b'\\"' * 450_000 + b"\\", b'"' * 900_000 + b"[" * 33):
        began = time.perf_counter()
        with pytest.raises(wire.WireError):
            wire.parse_json(raw)
        assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'["' + b"[" * 100 + b'"]', ["[" * 100]),
        (b'["\\"' + b"{" * 100 + b'\\""]', ['"' + "{" * 100 + '"']),
        (b'["\\\\",["' + b"[" * 100 + b'"]]', ["\\", ["[" * 100]]),
    ],
)
def test_brackets_inside_a_text_are_not_nesting(raw: bytes, value: object) -> None:
    assert wire.parse_json(raw) == value


# Generated requests


def test_generated_requests_meet_no_fault_of_ours(sqlite_file: Path, tmp_path: Path, clock: SetClock) -> None:
    """Schemathesis makes requests from the API's own description, the same at every run.

    Once as described, with ids of things that are there, and once broken.
    """
    url = copy_sqlite(sqlite_file, tmp_path / "generated.db")
    database = Database(url, clock)
    settings = read_settings(database_url=url, var_dir=tmp_path, secret_key="s" * 40, argon2_profile="test", default_locale="en")
    world = make_world(database, settings)
    world.report(74.9, 74.5, 74.1)
    app = create_app(settings, database)
    admin = Http(app, database, settings).as_(world.admin)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    known = things_of(admin, world)
    sent: dict[GenerationMode, Counter[int]] = {mode: Counter() for mode in GenerationMode}
    ends = time.monotonic() + 50
    unbreakable: list[str] = []

    def try_one(case: Any, mode: GenerationMode) -> None:
        if time.monotonic() > ends:
            return
        case.headers["Authorization"] = f"Bearer {admin.token}"
        case.headers["Accept-Encoding"] = "identity"  # this transport does not unpack what it says it takes
        answer = case.call()
        sent[mode][answer.status_code] += 1
        told = (case.method, case.formatted_path, case.query, case.headers, case.body, answer.status_code, answer.text[:500])
        assert answer.status_code < 500, told
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], told
            assert answer.json()["code"], told

    bounds = hypothesis_settings(
        max_examples=6,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    for operation in operations:
        if operation.path.endswith("/auth/sign-out"):
            continue
        here = {name: thing for name, thing in known.items() if f"{{{name}}}" in operation.path}
        for mode, ids in ((GenerationMode.POSITIVE, here or None), (GenerationMode.NEGATIVE, None)):
            if mode is GenerationMode.NEGATIVE and "{token}" in operation.path:
                continue  # any text may be a token, and its body is bytes: nothing in the description can be broken
            cases = operation.as_strategy(generation_mode=mode, path_parameters=ids)
            try:
                bounds(given(case=cases, mode=just(mode))(try_one))()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, operation.path
                unbreakable.append(operation.path)
    assert len(unbreakable) <= 3, unbreakable

    assert len(operations) > 70
    database.close()
    assert min(sent[mode].total() for mode in GenerationMode) > 20, sent
    if time.monotonic() < ends:  # a machine this slow has sent less, and what it sent met no fault
        assert min(sent[mode].total() for mode in GenerationMode) > 400, sent
        assert {200, 201, 409, 422} <= set(sent[GenerationMode.POSITIVE]), sent
        assert {400, 422} <= set(sent[GenerationMode.NEGATIVE]), sent


def things_of(admin: Http, world: World) -> dict[str, str]:
    """Return an id that exists for each parameter of a path."""
    [order], [offer] = admin.get("/work-orders")["items"], admin.get("/service-offers")["items"]
    command = admin.post(f"/devices/{world.device}/commands", {"body": {}}, expect=201)
    return {
        "customer_id": world.customer,
        "asset_id": world.asset,
        "device_id": world.device,
        "station_id": world.stations[0],
        "user_id": world.staff[1],
        "order_id": order["id"],
        "offer_id": offer["id"],
        "task_id": admin.get("/station-tasks")["items"][0]["id"],
        "alarm_id": admin.get("/alarms")["items"][0]["id"],
        "rule_id": admin.get("/rules")["items"][0]["id"],
        "notification_id": admin.post("/me/test-notification", expect=201)["id"],
        "command_id": command["id"],
        "kind": "work_order",
        "subject": order["id"],
    }
