"""Deleting a customer: by whom, and not while somebody waits at it."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_user, make_world
from tests.people import Http

WINDOW = {"planned_from": "2026-03-03T01:00:00Z", "planned_until": "2026-03-03T02:00:00Z"}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def shop(rep: Http, world: World) -> dict[str, Any]:
    """A customer of the rep's with a site."""
    made = rep.post("/customers", {"name": "Shop", "territory_id": world.territory, "owner_id": world.rep}, expect=201)
    site = rep.post(f"/customers/{made['id']}/sites", {"name": "Shop", "lat": 22.5, "lon": 114.0}, expect=201)
    return {"id": made["id"], "site": site["id"]}


def test_a_colleague_deletes_no_customer_that_somebody_else_is_in_charge_of(
    db: Database, settings: Settings, http: Http, world: World, rep: Http, shop: dict[str, Any]
) -> None:
    with db.transaction() as session:
        colleague = make_user(session, settings, "rep", "colleague", territory_ids=[world.territory]).id

    http.as_(colleague).refused("DELETE", f"/customers/{shop['id']}", 403, "forbidden", If_Match="*")

    assert rep.call("DELETE", f"/customers/{shop['id']}", If_Match="*").status_code == 200


def test_a_customer_with_a_visit_ahead_or_an_open_next_step_is_not_deleted(rep: Http, shop: dict[str, Any]) -> None:
    visit = rep.post("/visits", {"site_id": shop["site"], **WINDOW}, expect=201)["id"]
    rep.refused("DELETE", f"/customers/{shop['id']}", 409, "in_use", If_Match="*")
    rep.post(f"/visits/{visit}/cancel", {"reason": "closed"})
    asked = {"kind": "call", "customer_id": shop["id"], "next_step": "ring again", "next_due": "2026-03-05"}
    step = rep.post("/follow-ups", asked, expect=201)["id"]
    rep.refused("DELETE", f"/customers/{shop['id']}", 409, "in_use", If_Match="*")
    rep.post(f"/follow-ups/{step}/done", {})

    assert rep.call("DELETE", f"/customers/{shop['id']}", If_Match="*").status_code == 200
