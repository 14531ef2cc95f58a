"""People and a place to visit."""

from __future__ import annotations

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_world
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)
