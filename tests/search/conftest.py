"""What the tests of search share."""

from __future__ import annotations

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_world


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)
