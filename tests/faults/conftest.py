"""Fixtures of the fault tests: real brokers and servers that may be stopped, an organisation by the real clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.assets.models import DeviceProfile
from app.core.clock import Clock
from app.core.db import Database
from app.core.fault_points import FaultPoint
from app.core.settings import Settings, read_settings
from app.customers.models import Customer, Site
from app.migrate import migrate
from app.stations import operations as stations
from app.stations.models import Station
from app.users.rights import Actor
from tests.databases import copy_sqlite, empty
from tests.factories import PART, World, make_asset, make_world
from tests.faults.plant import DEVICES, SECRET, SOAK, Broker, OwnPostgres


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    running = Broker(tmp_path / "broker")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    server = OwnPostgres()
    yield server
    server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave half of the deaths of processes to the long run: each point with one database, one after the other."""
    if SOAK:
        return
    points = [str(point) for point in FaultPoint]
    for one in items:
        found = getattr(one, "callspec", None)
        if found is None or not {"point", "real_url"} <= set(found.params):
            continue
        other = ("postgresql", "sqlite")[points.index(str(found.params["point"])) % 2]
        if found.params["real_url"] == other:
            one.add_marker(pytest.mark.skip(reason=f"with {other} under SOAK=1"))


@pytest.fixture(params=["sqlite", "postgresql"])
def real_url(request: pytest.FixtureRequest, sqlite_file: Path, tmp_path: Path) -> str:
    """The URL of an empty, migrated database that may be stopped, once for each kind."""
    if request.param == "sqlite":
        return copy_sqlite(sqlite_file, tmp_path / "test.db")
    server: OwnPostgres = request.getfixturevalue("own_postgres")
    clean = Database(server.url)
    migrate(clean)
    empty(clean)
    clean.close()
    return server.url


@pytest.fixture
def real_settings(real_url: str, tmp_path: Path) -> Settings:
    return read_settings(database_url=real_url, var_dir=tmp_path, secret_key=SECRET, argon2_profile="test", default_locale="en")


@pytest.fixture
def real_world(real_url: str, real_settings: Settings) -> Iterator[World]:
    """The test's organisation, by the real clock, with many vehicles and parts for all of them."""
    database = Database(real_url, Clock())
    made = make_world(database, real_settings)
    with database.transaction() as session:
        boss = Actor("system-user", "admin", "system", "en")
        for station_id in made.stations:
            stations.set_stock(session, boss, session.get_one(Station, station_id), PART, 200)
        customer, site = session.get_one(Customer, made.customer), session.get_one(Site, made.site)
        profile = session.get_one(DeviceProfile, made.profile)
        for i in range(DEVICES):
            make_asset(session, boss, customer, site, profile, f"f{i:04}", database.clock.now() - timedelta(days=400))
    yield made
    database.close()
