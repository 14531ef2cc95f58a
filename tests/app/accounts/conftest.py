"""What the tests of accounts share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.settings import Settings
from app.users.models import OneTimeLink
from app.users.secrets import derived_code
from tests.factories import World, make_world


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def code_of(db: Database, settings: Settings) -> Callable[[str], str]:
    """Return the code of a person's newest link, as the mail would show it."""

    def newest(user_id: str) -> str:
        with db.reading() as session:
            links = select(OneTimeLink.id).where(OneTimeLink.user_id == user_id)
            return derived_code(settings, "link", session.scalars(links.order_by(OneTimeLink.id.desc())).first() or "")

    return newest


@pytest.fixture
def entries(db: Database) -> Callable[..., list[HistoryEntry]]:
    """Return the history of a kind, oldest first."""

    def found(kind: str, **where: Any) -> list[HistoryEntry]:
        with db.reading() as session:
            rows = session.scalars(select(HistoryEntry).filter_by(kind=kind, **where).order_by(HistoryEntry.id)).all()
            session.expunge_all()
            return list(rows)

    return found
