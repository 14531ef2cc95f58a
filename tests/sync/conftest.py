"""What the tests of sync share: a small organisation, and phones of its people."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_world
from tests.people import Http
from tests.sync.phones import Phone


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def phone(http: Http) -> Callable[..., Phone]:
    """Make a phone of a person: ``phone(world.rep)``."""

    def make(user_id: str, **more: object) -> Phone:
        return Phone(http.as_(user_id), **more)  # type: ignore[arg-type]

    return make
