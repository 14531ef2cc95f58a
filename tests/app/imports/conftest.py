"""What the tests of imports share."""

from __future__ import annotations

import pytest
from flask import Flask

from app import factory
from app.core.db import Database
from app.core.settings import Settings
from app.imports.routes import routes
from tests.factories import World, make_world


@pytest.fixture
def app(settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application; its list of rooms may not name this one yet."""
    if routes not in factory.ROOMS:
        monkeypatch.setattr(factory, "ROOMS", (*factory.ROOMS, routes))
    return factory.create_app(settings, db)


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)
