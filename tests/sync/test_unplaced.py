"""Sites whose position nobody knows yet: made offline with their address alone, edited, placed by the server."""

from __future__ import annotations

from collections.abc import Callable

from app.core.db import Database
from app.core.settings import Settings
from app.customers.look_ups import place_sites
from app.customers.models import Site
from tests.factories import World
from tests.sync.phones import Phone


def test_a_site_made_offline_with_its_address_alone_is_placed_and_comes_back_with_its_position(
    world: World, phone: Callable[..., Phone], db: Database, settings: Settings
) -> None:
    rep = phone(world.rep)
    rep.pull()
    row = {
        "id": "site-from-phone",
        "customer_id": world.customer,
        "name": "Yard",
        "address": "深圳市南山区科技园",
        "lat": None,
        "lon": None,
    }
    rep.create("sites", row)
    rep.sync()
    with db.reading() as session:
        made = session.get_one(Site, "site-from-phone")
    assert (made.lat, made.position_source) == (None, None)

    rep.update("sites", "site-from-phone", name="Yard 2")
    rep.sync()
    assert place_sites(db, settings) == 1
    rep.sync()
    held = rep.rows["sites"]["site-from-phone"]
    assert held["name"] == "Yard 2"
    assert held["lat"] is not None


def test_a_site_with_neither_is_a_problem_the_phone_hears_of(world: World, phone: Callable[..., Phone], db: Database) -> None:
    rep = phone(world.rep)
    rep.pull()
    row = {"id": "site-from-phone", "customer_id": world.customer, "name": "Yard", "address": "", "lat": None, "lon": None}
    rep.create("sites", row)
    rep.sync()
    with db.reading() as session:
        assert session.get(Site, "site-from-phone") is None
    [problem] = rep.rows["sync_problems"].values()
    assert "address" in problem["reasons"]
