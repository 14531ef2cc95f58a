"""What the door does not let in besides unknown fields: unknown names in a query, control characters in one line."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.core.http import PUBLIC
from tests.factories import PASSWORD, World
from tests.http.conftest import routes_of
from tests.people import Http


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unknown_name_in_a_query_is_refused_by_every_route(app: Flask, http: Http, world: World) -> None:
    checked = 0
    people = [http.as_(user_id) for user_id in (world.admin, world.rep, world.staff[0], world.owner)]
    for route in routes_of(app):
        if route.policy == PUBLIC or route.method != "GET":
            continue
        answers = [person.call("GET", f"{route.filled()}?colour=red") for person in people]
        told = [answer.json for answer in answers if answer.status_code != 403]
        assert told, route
        for problem in told:
            assert problem["code"] == "validation_failed", (route, problem)
            assert ("colour", "unknown") in [(fault["field"], fault["code"]) for fault in problem["errors"]], route
        checked += 1
    assert checked > 30


def test_a_post_takes_no_query_either(http: Http, world: World) -> None:
    body = {"login": "rep@example.test", "password": PASSWORD}
    http.refused("POST", "/auth/sign-in?label=x", 422, "validation_failed", body)
    http.post("/auth/sign-in", body)


@pytest.mark.parametrize("letter", ["\r\n", "\n", "\t", "\x01", "\x7f", "\x85", "\u2028"])
def test_names_codes_and_logins_are_one_line(http: Http, world: World, letter: str) -> None:
    admin = http.as_(world.admin)
    text = f"A{letter}B"
    bodies: list[tuple[str, dict[str, Any], str]] = [
        ("/territories", {"code": text, "name": "North"}, "code"),
        ("/territories", {"code": "N", "name": text}, "name"),
        ("/users", {"login": text, "name": "A", "role": "rep"}, "login"),
        ("/components", {"serial": text, "kind": "pack", "part_no": "P"}, "serial"),
    ]
    for path, body, field in bodies:
        refusal = admin.refused("POST", path, 422, "validation_failed", body)
        assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [(field, "control_characters")]


def test_an_address_may_have_several_lines(http: Http, world: World) -> None:
    body = {"name": "Yard", "lat": 1, "lon": 1, "address": "Road 1\nSecond gate"}
    assert http.as_(world.admin).post(f"/customers/{world.customer}/sites", body, expect=201)["address"] == body["address"]


def test_a_new_password_is_another_one(http: Http, world: World) -> None:
    body = {"old_password": PASSWORD, "new_password": PASSWORD}
    refusal = http.as_(world.rep).refused("POST", "/me/password", 422, "validation_failed", body)
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("new_password", "unchanged")]
