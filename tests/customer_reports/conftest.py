"""An owner, their rep, the office, and the form that the office asks owners by."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.territories import operations as territories
from app.users import operations as users
from app.users.rights import Actor
from tests.factories import World, make_user, make_world
from tests.people import Http

LABELS = {"label_zh": "步骤", "label_en": "Step"}
SHELF = {"code": "shelf", "kind": "photo", "required": False, "least": 1, **LABELS}
COUNT = {"code": "stock", "kind": "stock", "required": False, **LABELS}
CABINETS = {
    "code": "cabinets",
    "kind": "number",
    "required": True,
    "label_zh": "冷柜数量",
    "label_en": "Cold cabinets",
    "field": "custom.cold_cabinets",
    "suggests_zh": "冷链产品",
    "suggests_en": "cold-chain goods",
}
PROMOTION = {"code": "promotion", "kind": "choice", "choices": ["good", "bad"], "label_zh": "促销评价", "label_en": "Promotion"}
ASKED = {"code": "asked", "kind": "form", "required": True, **LABELS, "questions": [CABINETS, PROMOTION]}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def owner(http: Http, world: World) -> Http:
    return http.as_(world.owner)


@pytest.fixture
def form(office: Http) -> dict[str, Any]:
    """The form, whose number of cold cabinets is a field of the customer."""
    names = {"label_zh": "冷柜数量", "label_en": "Cold cabinets"}
    office.post("/custom-fields", {"key": "cold_cabinets", "kind": "number", **names}, expect=201)
    return make_form(office, SHELF, COUNT, ASKED)


def make_form(office: Http, *steps: dict[str, Any], code: str = "shop") -> dict[str, Any]:
    body = {"code": code, "name_zh": "门店情况", "name_en": "My shop", "steps": list(steps)}
    made: dict[str, Any] = office.post("/report-forms", body, expect=201)
    return made


def body_of(form: dict[str, Any], cabinets: Any = 1, report_id: str = "report-0001", **steps: Any) -> dict[str, Any]:
    told = {"asked": {"answers": {"cabinets": cabinets}}} | steps
    return {"id": report_id, "version_id": form["version_id"], "steps": told}


def send(owner: Http, form: dict[str, Any], cabinets: Any = 1, report_id: str = "report-0001", **steps: Any) -> dict[str, Any]:
    made: dict[str, Any] = owner.post("/customer-reports", body_of(form, cabinets, report_id, **steps), expect=201)
    return made


def faults(owner: Http, body: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with a report, by field."""
    refusal = owner.refused("POST", "/customer-reports", 422, "validation_failed", body)
    return {fault["field"]: fault["code"] for fault in refusal["errors"]}


def other_side(world: World, http: Http) -> dict[str, Http]:
    """Return an owner and a rep of another territory, and people of a partner."""
    boss = Actor("system-user", "admin", "system", "en")
    with world.db.transaction() as session:
        area = territories.create_territory(session, boss, "BJ", "Beijing")
        stranger = make_user(session, world.settings, "rep", "stranger", territory_ids=[area.id])
        values = {"code": "C-2", "name": "Other shop", "territory_id": area.id, "owner_id": stranger.id}
        customer = customers.create_customer(session, boss, values)
        neighbour = make_user(session, world.settings, "customer", "neighbour", customer_id=customer.id)
        partner = users.create_partner(session, boss, "Dealer")
        dealer = make_user(session, world.settings, "manager", "dealer", partner_id=partner.id)
        dealers_rep = make_user(
            session, world.settings, "rep", "dealers-rep", partner_id=partner.id, territory_ids=[world.territory]
        )
        ids = {"rep": stranger.id, "owner": neighbour.id, "dealer": dealer.id, "dealers_rep": dealers_rep.id}
    return {name: http.as_(user_id) for name, user_id in ids.items()}
