"""What the tests of customers share: a small organisation, and a second record of its customer."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_world
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def other(office: Http, world: World) -> dict[str, Any]:
    """A second record of the same customer, with a site."""
    values = {"name": "Lin Logistics Ltd.", "phone": "13812345678", "territory_id": world.territory, "owner_id": world.rep}
    made: dict[str, Any] = office.post("/customers", values, expect=201)
    office.post(f"/customers/{made['id']}/sites", {"name": "Yard", "lat": 22.5, "lon": 114.0}, expect=201)
    return made
