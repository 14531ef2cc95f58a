"""The API's description, its page, and the addresses beside the API."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.core.db import Database
from app.core.http import PUBLIC
from app.core.leases import beat
from app.core.settings import Settings
from app.factory import create_app
from tests.factories import World
from tests.http.conftest import Route, routes_of

SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# A reference a browser would load by itself: attributes, imports, fetches and style sheets of another host.
OUTSIDE = re.compile(
    r"""(?:src|href|action|data-src)\s*=\s*["']?\s*(?:https?:)?//[^"'\s>]+
    |@import\s+["'(]?\s*(?:https?:)?//[^"')\s]+
    |url\(\s*["']?(?:https?:)?//[^"')\s]+
    |(?:fetch|importScripts|import|WebSocket|EventSource)\(\s*["'](?:https?:|wss?:)?//[^"']+""",
    re.VERBOSE | re.IGNORECASE,
)


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    found: dict[str, Any] = answer.get_json()
    return found


def operation_of(document: dict[str, Any], route: Route) -> dict[str, Any]:
    path = "/api/v1" + route.path.replace("<", "{").replace(">", "}")
    found: dict[str, Any] = document["paths"][path][route.method.lower()]
    return found


@SQLITE_ONLY
def test_every_operation_is_described(app: Flask, document: dict[str, Any]) -> None:
    routes = routes_of(app)
    for route in routes:
        operation = operation_of(document, route)
        assert operation["summary"].strip(), route
        assert operation["summary"] == operation["summary"].strip(), route
        assert operation["security"] == ([] if route.policy == PUBLIC else [{"bearer": []}]), route
        answers = [status for status in operation["responses"] if status.startswith("2")]
        assert len(answers) == 1, route
        named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        named |= {each["name"] for each in document["paths"]["/api/v1" + path_of(route)].get("parameters", []) if "name" in each}
        assert named == set(route.parameters), route
    described = sum(len(set(item) & {"get", "post", "put", "patch", "delete"}) for item in document["paths"].values())
    assert described == len(routes)


def path_of(route: Route) -> str:
    return route.path.replace("<", "{").replace(">", "}")


@SQLITE_ONLY
def test_the_description_is_openapi_3_1_and_hangs_together(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Fieldloop"
    assert document["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    text = json.dumps(document)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        here: Any = document
        for step in reference.split("/"):
            here = here[step]
    operations = [item[method] for item in document["paths"].values() for method in item if method != "parameters"]
    names = [operation["operationId"] for operation in operations if "operationId" in operation]
    assert len(names) == len(set(names))


@SQLITE_ONLY
def test_edits_ask_for_the_version_and_effects_for_a_key(app: Flask, document: dict[str, Any]) -> None:
    for route in routes_of(app):
        headers = {
            parameter["name"]: parameter["required"]
            for parameter in operation_of(document, route).get("parameters", [])
            if parameter["in"] == "header"
        }
        if route.path.startswith("/uploads"):  # tus has its own: Upload-Offset is the version one goes on from
            assert headers["Tus-Resumable"], route
            assert headers.get("Upload-Offset", False) == (route.method == "PATCH"), route
        elif route.method in {"PUT", "PATCH", "DELETE"}:
            assert headers == {"If-Match": True}, route
        elif route.method == "POST" and route.policy != PUBLIC:
            assert headers in ({"Idempotency-Key": False}, {}), route
        else:
            assert headers == {}, route


@SQLITE_ONLY
def test_what_nobody_may_send_is_not_in_a_body_and_what_nobody_may_read_not_in_an_answer(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        properties = schema.get("properties", {})
        assert not {"password_hash", "secret_hash", "code_hash", "token_hash", "change_no", "deleted_at"} & set(properties), name
        for secret in ("password", "old_password", "new_password"):
            assert properties.get(secret, {"writeOnly": True}).get("writeOnly"), (name, secret)
        for ours in ("version", "created_at", "updated_at"):
            assert properties.get(ours, {"readOnly": True}).get("readOnly"), (name, ours)


@SQLITE_ONLY
def test_the_page_of_the_api_loads_nothing_from_outside(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    html = page.get_data(as_text=True)
    assert OUTSIDE.findall(html) == []
    files = re.findall(r'(?:src|href)="(/docs/[^"]+)"', html)
    assert {file.rpartition(".")[2] for file in files} == {"css", "js"}

    for file in files:
        with client.get(file) as answer:
            assert answer.status_code == 200, file
            text = answer.get_data(as_text=True)
        references = [found for found in OUTSIDE.findall(text) if "www.w3.org" not in found]
        assert references == [], file
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert 'url: "/api/v1/openapi.json"' in client.get("/docs/start.js").get_data(as_text=True)
    assert "validatorUrl: null" in client.get("/docs/start.js").get_data(as_text=True)


@SQLITE_ONLY
def test_the_page_of_one_time_links_loads_nothing_from_outside(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/accounts/link?code=x")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    text = page.get_data(as_text=True) + client.get("/accounts/link.js").get_data(as_text=True)
    assert OUTSIDE.findall(text) == []
    assert "<script>" not in text


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/x.js">',
        "<link href=//cdn.example/x.css>",
        '@import "https://fonts.example/a.css"',
        "url('//fonts.example/a.woff')",
        'fetch("https://telemetry.example")',
    ],
)
def test_a_reference_to_another_host_is_recognised(text: str) -> None:
    assert OUTSIDE.search(text)


def test_health_and_metrics_answer(app: Flask, world: World, db: Database) -> None:
    client = app.test_client()

    live, ready, metrics = client.get("/health/live"), client.get("/health/ready"), client.get("/metrics")

    assert (live.status_code, live.json) == (200, {"status": "live"})
    assert ready.status_code == 503
    assert any(problem.startswith("worker: not heard") for problem in ready.get_json()["problems"])
    assert not any(problem.startswith(("database", "migrations")) for problem in ready.get_json()["problems"])
    assert metrics.status_code == 200
    assert "fieldloop_alarms" in metrics.get_data(as_text=True)
    assert "fieldloop_outbox_oldest_seconds 0.0" in metrics.get_data(as_text=True)
    assert "fieldloop_database_up 1" in metrics.get_data(as_text=True)


def test_metrics_of_the_web_server_are_shown_while_its_database_is_away(settings: Settings) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    client = create_app(settings, away).test_client()
    client.get("/health/live")

    shown = client.get("/metrics")

    assert shown.status_code == 200
    assert "fieldloop_database_up 0" in shown.get_data(as_text=True)
    assert "fieldloop_http_requests_total" in shown.get_data(as_text=True)
    away.close()


def test_a_deployment_whose_processes_are_heard_is_ready(app: Flask, world: World, db: Database) -> None:
    with db.transaction() as session:
        beat(session, "worker")
        beat(session, "ingest-0", connected=True)
    assert app.test_client().get("/health/ready").json == {"status": "ready", "problems": []}

    with db.transaction() as session:
        beat(session, "ingest-0", connected=False)
    answer = app.test_client().get("/health/ready")
    assert (answer.status_code, answer.get_json()["problems"]) == (503, ["ingest-0: no session with the broker"])


@SQLITE_ONLY
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "Bearer another",
        "Bearer ü",
    ],
)
def test_metrics_can_be_kept_for_who_knows_the_token(settings: Settings, db: Database, wrong: str | None) -> None:
    client = create_app(replace(settings, metrics_token="a token of the operator"), db).test_client()

    assert client.get("/metrics", headers={"Authorization": wrong} if wrong else {}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer a token of the operator"}).status_code == 200


@SQLITE_ONLY
def test_unknown_methods_and_addresses_do_not_grow_the_metrics(app: Flask) -> None:
    """A label's values must be bounded, or anybody can fill the memory of the server."""
    client = app.test_client()
    for i in range(20):
        client.open(f"/canary-path-{i}", method=f"CANARY{i}")
        client.open("/api/v1/me", method=f"CANARY{i}")

    assert "canary" not in client.get("/metrics").get_data(as_text=True).lower()


@SQLITE_ONLY
def test_every_answer_carries_the_headers_that_protect_a_browser(app: Flask) -> None:
    client = app.test_client()
    for path in ("/api/v1/me", "/api/v1/nothing", "/api/v1/openapi.json", "/docs", "/docs/start.js", "/health/live", "/metrics"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["X-Request-Id"], path
        assert "Access-Control-Allow-Origin" not in headers, path
    assert client.get("/api/v1/me").headers["Cache-Control"] == "no-store"
