"""What the tests of the HTTP door share: the list of routes, a small organisation, an estate of two sides."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_world
from tests.http.estate import Estate, make_estate

ANY_ID = "no-such-thing-0001"


@dataclass(frozen=True)
class Route:
    """One method of one path of the application."""

    method: str
    path: str
    endpoint: str
    policy: str | None

    @property
    def room(self) -> str:
        return self.endpoint.partition(".")[0]

    def filled(self, **ids: str) -> str:
        """Return the path below ``/api/v1`` with its parameters filled; those not given get an unknown id."""
        parts = [ids.get(part[1:-1], ANY_ID) if part.startswith("<") else part for part in self.path.split("/")]
        return "/".join(parts)

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("<")]


def routes_of(app: Flask) -> list[Route]:
    """Return every route of the API, and not the pages beside it."""
    return [
        Route(
            method, rule.rule.removeprefix("/api/v1"), rule.endpoint, getattr(app.view_functions[rule.endpoint], "policy", None)
        )
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api-docs.openapi_json"
    ]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def estate(db: Database, settings: Settings) -> Estate:
    return make_estate(db, settings)
