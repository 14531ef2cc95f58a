"""What the tests of leads share: a small organisation with two reps, and what they say over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.core.settings import Settings
from app.jobs import remind_of_leads, rescore_leads
from app.territories import operations as territories
from push.models import Notification
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.iot.vehicles import BOSS
from tests.people import Http

PHONE = "138 0013 8000"


@dataclass
class Desk:
    """A manager and two reps of one territory, signed in."""

    world: World
    clock: SetClock
    boss: Http
    rep: Http
    other: Http
    other_id: str

    @property
    def rep_id(self) -> str:
        return self.world.rep

    def lead(self, who: Http | None = None, **more: Any) -> dict[str, Any]:
        """Add a lead, by default as the office, in the territory."""
        body = {"name": "Chen Wei", "phone": PHONE, "interest": "two forklifts", "territory_id": self.world.territory} | more
        made: dict[str, Any] = (who or self.boss).post("/leads", {n: v for n, v in body.items() if v is not ...}, expect=201)
        return made

    def pool(self, **more: Any) -> dict[str, Any]:
        """Add a lead that is in the pool."""
        self.boss.post("/lead-routings", {"document": {"rules": []}}, expect=201)
        return self.lead(**more)

    def elsewhere(self) -> str:
        """Add a territory in which neither rep works."""
        with self.world.db.transaction() as session:
            return territories.create_territory(session, BOSS, "N", "North").id

    def read(self, lead: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.boss.get(f"/leads/{lead['id']}")
        return found

    def log(self, who: Http, expect: int = 201, **body: Any) -> dict[str, Any]:
        made: dict[str, Any] = who.post("/follow-ups", {"kind": "call"} | body, expect=expect)
        return made

    def tick(self, **span: float) -> int:
        """Let time pass, then let the clock's job run until it has nothing to do."""
        self.clock.advance(**span)
        done = 0
        while found := remind_of_leads(self.world.db, self.world.settings):
            done += found
        return done

    def rescore(self) -> int:
        return rescore_leads(self.world.db, self.world.settings)

    def told(self, user_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the facts of the messages of a kind that somebody got."""
        with self.world.db.reading() as session:
            rows = session.scalars(select(Notification).where(Notification.user_id == user_id, Notification.kind == kind))
            return [row.data for row in rows.all()]

    def story(self, lead: dict[str, Any]) -> list[str]:
        return [entry["kind"] for entry in self.boss.get(f"/history/lead/{lead['id']}")["about"]]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def desk(world: World, db: Database, settings: Settings, http: Http, clock: SetClock) -> Desk:
    with db.transaction() as session:
        other = make_user(session, settings, "rep", "rep2", territory_ids=[world.territory])
    return Desk(world, clock, http.as_(world.manager), http.as_(world.rep), http.as_(other.id), other.id)


Make = Callable[..., dict[str, Any]]
