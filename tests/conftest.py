"""Fixtures every test shares: both databases, a clock that is set, settings, the application, people who are signed in."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.orm import Session

import app.tables
from app.core.clock import Clock
from app.core.db import Database
from app.core.edge import Edge
from app.core.settings import Settings, read_settings
from tests.databases import copy_sqlite, drop_postgres, empty, postgres_url, sqlite_template
from tests.people import Http
from tests.warm import share_what_is_warm


def _keep_no_logger(configure: Callable[..., None], **options: Any) -> None:
    configure(**options | {"cache_logger_on_first_use": False})


hypothesis_settings.register_profile("fieldloop", print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("fieldloop")
share_what_is_warm()
# Loggers that keep what they were first set up with would write for one test what the next one listens for.
structlog.configure = partial(_keep_no_logger, structlog.configure)

MONDAY_MORNING = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai


class SetClock(Clock):
    """A clock that stands until it is moved; leases follow it too."""

    def __init__(self, at: datetime = MONDAY_MORNING) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def database_now(self, session: Session) -> datetime:
        return self.at

    def set(self, at: datetime) -> None:
        self.at = at

    def advance(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A process of the product that a test plays sets logs up; the next test's are as before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        root.handlers[:], root.level = handlers, level


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_template(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres(worker_id: str, testrun_uid: str) -> Iterator[str]:
    """The URL of a PostgreSQL database that only this process of this run uses."""
    name = f"fieldloop_{testrun_uid[:12]}_{worker_id}"
    yield postgres_url(name)
    drop_postgres(name)


@pytest.fixture(scope="session")
def emptier(postgres: str) -> Iterator[Database]:
    """A connection that stays: a new one would have to read again what every table is like."""
    database = Database(postgres, pool_size=1)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, sqlite_file: Path, tmp_path: Path) -> str:
    """The URL of an empty, migrated database, once for each kind."""
    if request.param == "sqlite":
        return copy_sqlite(sqlite_file, tmp_path / "test.db")
    url: str = request.getfixturevalue("postgres")
    empty(request.getfixturevalue("emptier"))
    return url


@pytest.fixture
def db(database_url: str, clock: SetClock) -> Iterator[Database]:
    database = Database(database_url, clock, pool_size=20)
    yield database
    database.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return read_settings(
        database_url=database_url,
        var_dir=tmp_path,
        secret_key="a secret of the tests, long enough for anything",
        argon2_profile="test",
        station_lease_s=1800,
        default_locale="en",
    )


@pytest.fixture(scope="session")
def assembled(sqlite_file: Path) -> Flask:
    """The application, with its rooms and routes: they are the same whatever the database. ``app`` gives it one."""
    from app.factory import create_app

    settings = read_settings(database_url=f"sqlite:///{sqlite_file}", secret_key="replaced by each test, as the database is")
    return create_app(settings, Database(settings.database_url))


@pytest.fixture
def app(assembled: Flask, settings: Settings, db: Database) -> Flask:
    edge: Edge = assembled.extensions["fieldloop"]
    edge.database, edge.settings = db, settings
    return assembled


@pytest.fixture
def http(app: Flask, db: Database, settings: Settings) -> Http:
    return Http(app, db, settings)


# Folders of tests are in memory where so much is free: nothing here outlives a failure of the machine, and on a disk each
# commit of SQLite waits for it.
_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED = 2_000_000_000


def pytest_configure(config: pytest.Config) -> None:
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
    os.environ.setdefault("TZ", "UTC")
    for name in list(os.environ):
        if name.startswith("FIELDLOOP_"):
            del os.environ[name]
