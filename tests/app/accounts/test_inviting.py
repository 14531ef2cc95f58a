"""Inviting people, editing them, and the boundary around a partner."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.core.idempotency import StoredAnswer
from app.core.tracked import add
from app.stations.models import Station
from app.users.models import OneTimeLink, Partner, User, UserTerritory
from app.users.secrets import token_hash
from push.models import Notification, OutboxMessage
from tests.factories import World, make_user
from tests.people import Http

NEW = {"login": "ann@example.test", "name": "Ann", "role": "rep", "locale": "en"}
PASSWORD = "a new long passphrase"


def accept(http: Http, body: dict[str, str]) -> int:
    return http.call("POST", "/accounts/link", body).status_code


def partner(world: World, name: str = "Dealer") -> tuple[str, str, str]:
    """Add a partner with an administrator and a station; return the three ids."""
    with world.db.transaction() as session:
        other = add(session, Partner(name=name))
        admin = make_user(session, world.settings, "admin", f"{name}-admin", partner_id=other.id)
        station = session.get_one(Station, world.stations[1]) if name == "Dealer" else session.get_one(Station, world.stations[0])
        station.partner_id = other.id
        return other.id, admin.id, station.id


def count(db: Database, model: Any, **where: Any) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(model).filter_by(**where)) or 0


def test_an_invited_person_without_address_gets_a_code_to_be_handed_over(http: Http, world: World) -> None:
    made = http.as_(world.admin).post("/users", NEW, expect=201)

    assert (made["state"], made["role"], made["email"]) == ("invited", "rep", None)
    http.post("/auth/sign-in", {"login": NEW["login"], "password": PASSWORD}, expect=401)
    assert accept(http, {"code": made["link_code"].lower(), "password": PASSWORD}) == 204
    assert http.post("/auth/sign-in", {"login": NEW["login"], "password": PASSWORD})["user"]["state"] == "active"


def test_an_invited_person_with_an_address_gets_a_mail_and_the_answer_shows_no_code(
    http: Http, world: World, db: Database, code_of: Any
) -> None:
    made = http.as_(world.admin).post("/users", NEW | {"email": "Ann@Example.test", "phone": "138 0013 8000"}, expect=201)

    assert made["link_code"] is None
    assert (made["email"], made["phone"]) == ("ann@example.test", "+8613800138000")
    with db.reading() as session:
        message = session.scalars(select(Notification).where(Notification.user_id == made["id"])).one()
        row = session.scalars(select(OutboxMessage).where(OutboxMessage.notification_id == message.id)).one()
        link = session.scalars(select(OneTimeLink).where(OneTimeLink.user_id == made["id"])).one()
    assert (message.kind, message.data, row.channel) == ("invitation", {"link_id": link.id}, "email")
    assert link.secret_hash == token_hash(code_of(made["id"]))
    assert accept(http, {"code": code_of(made["id"]), "password": PASSWORD}) == 204


def test_no_answer_with_a_code_is_stored(http: Http, world: World, db: Database) -> None:
    http.as_(world.admin).post("/users", NEW, expect=201, Idempotency_Key="invite-ann-1")

    assert count(db, StoredAnswer) == 0


def test_a_second_invitation_ends_the_first(http: Http, world: World) -> None:
    admin = http.as_(world.admin)
    first = admin.post("/users", NEW, expect=201)
    second = admin.post(f"/users/{first['id']}/invitation")

    http.refused("POST", "/accounts/link", 422, "link_invalid", {"code": first["link_code"], "password": PASSWORD})
    assert accept(http, {"code": second["link_code"], "password": PASSWORD}) == 204
    admin.refused("POST", f"/users/{first['id']}/invitation", 409, "state_conflict")


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"login": "rep@example.test"}, {"login": "already_exists"}),
        ({"role": "station_staff"}, {"station_id": "required"}),
        ({"role": "customer"}, {"customer_id": "required"}),
        ({"role": "station_staff", "station_id": "no-such-station"}, {"station_id": "unknown_reference"}),
        ({"role": "customer", "customer_id": "no-such-customer"}, {"customer_id": "unknown_reference"}),
        ({"station_id": "no-such-station"}, {"station_id": "unknown"}),
        ({"partner_id": "no-such-partner"}, {"partner_id": "unknown_reference"}),
        ({"territory_ids": ["no-such-territory"]}, {"territory_ids": "unknown_reference"}),
        ({"role": "king"}, {"role": "not_one_of"}),
        ({"password": "secret"}, {"password": "unknown"}),
        ({"email": "nowhere"}, {"email": "email_invalid"}),
    ],
)
def test_what_does_not_fit_is_named(
    http: Http, world: World, db: Database, changes: dict[str, Any], faults: dict[str, str]
) -> None:
    before = count(db, User)
    refusal = http.as_(world.admin).refused("POST", "/users", 422, "validation_failed", NEW | changes)

    assert {fault["field"]: fault["code"] for fault in refusal["errors"]} == faults
    assert count(db, User) == before


def test_everything_a_person_is_linked_to_is_kept(http: Http, world: World, db: Database) -> None:
    admin = http.as_(world.admin)
    rep = admin.post("/users", NEW | {"territory_ids": [world.territory]}, expect=201)
    staff = admin.post("/users", NEW | {"login": "s", "role": "station_staff", "station_id": world.stations[0]}, expect=201)
    owner = admin.post("/users", NEW | {"login": "c", "role": "customer", "customer_id": world.customer}, expect=201)

    assert count(db, UserTerritory, user_id=rep["id"], territory_id=world.territory) == 1
    assert (staff["station_id"], owner["customer_id"]) == (world.stations[0], world.customer)


@pytest.mark.parametrize("role", ["manager", "rep", "staff", "owner"])
def test_only_administrators_manage_people(http: Http, world: World, role: str) -> None:
    somebody = world.staff[0] if role == "staff" else getattr(world, role)
    http.as_(somebody).refused("POST", "/users", 403, "forbidden", NEW)
    http.as_(somebody).refused("POST", f"/users/{world.rep}/deactivate", 403, "forbidden", {})
    http.refused("POST", "/users", 401, "unauthenticated", NEW)


def test_a_partners_administrator_stays_inside_the_partner(http: Http, world: World) -> None:
    partner_id, partner_admin, station_id = partner(world)
    other_id, _, _ = partner(world, "Rival")
    theirs = http.as_(partner_admin)

    made = theirs.post("/users", NEW | {"role": "manager"}, expect=201)
    staff = theirs.post("/users", NEW | {"login": "s", "role": "station_staff", "station_id": station_id}, expect=201)
    assert (made["partner_id"], staff["partner_id"]) == (partner_id, partner_id)

    for changes, field in (
        ({"partner_id": other_id}, "partner_id"),
        ({"role": "station_staff", "station_id": world.stations[0]}, "station_id"),
        ({"role": "customer", "customer_id": world.customer}, "customer_id"),
        ({"territory_ids": [world.territory]}, "territory_ids"),
    ):
        refusal = theirs.refused("POST", "/users", 422, "validation_failed", NEW | {"login": "x"} | changes)
        assert field in {fault["field"] for fault in refusal["errors"]}
    for path in ("deactivate", "reactivate", "invitation"):
        theirs.refused("POST", f"/users/{world.rep}/{path}", 404, "not_found", {})


def test_a_partner_gives_nobody_a_customers_account(http: Http, world: World) -> None:
    """Even of a customer they see through a task: the account would outlive the task."""
    _, partner_admin, station_id = partner(world)
    with world.db.transaction() as session:
        from app.customers.models import StationGrant

        add(session, StationGrant(station_id=station_id, customer_id=world.customer, asset_id=world.asset, task_id="task-0001"))
    theirs = http.as_(partner_admin)

    assert [found["id"] for found in theirs.get("/customers")["items"]] == [world.customer]
    refusal = theirs.refused(
        "POST", "/users", 422, "validation_failed", NEW | {"role": "customer", "customer_id": world.customer}
    )
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("role", "not_one_of")]


def test_staff_belong_to_their_stations_organisation(http: Http, world: World) -> None:
    partner_id, _, station_id = partner(world)
    other_id, _, _ = partner(world, "Rival")
    admin = http.as_(world.admin)
    staff = {"role": "station_staff", "station_id": station_id}

    assert admin.post("/users", NEW | staff, expect=201)["partner_id"] == partner_id
    refusal = admin.refused("POST", "/users", 422, "validation_failed", NEW | staff | {"login": "x", "partner_id": other_id})
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("partner_id", "invalid")]


def test_an_edit_needs_the_present_version_and_changes_what_it_names(http: Http, world: World, db: Database) -> None:
    admin = http.as_(world.admin)
    before = admin.get(f"/users/{world.rep}")
    admin.refused("PATCH", f"/users/{world.rep}", 428, "version_required", {"name": "Wei"})
    admin.refused("PATCH", f"/users/{world.rep}", 412, "version_stale", {"name": "Wei"}, If_Match='"99"')

    after = admin.edit(
        f"/users/{world.rep}", {"name": "Wei", "territory_ids": [], "email": "wei@example.test"}, before["version"]
    )

    assert (after["name"], after["email"], after["version"]) == ("Wei", "wei@example.test", before["version"] + 1)
    assert count(db, UserTerritory, user_id=world.rep) == 0


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"role": "admin"}, "role", "unknown"),
        ({"partner_id": "whatever"}, "partner_id", "unknown"),
        ({"station_id": "no-such-station"}, "station_id", "unknown"),
        ({"customer_id": None}, "customer_id", "null"),
        ({"territory_ids": ["no-such-territory"]}, "territory_ids", "unknown_reference"),
    ],
)
def test_an_edit_may_not_change_role_or_organisation(http: Http, world: World, changes: Any, field: str, code: str) -> None:
    refusal = http.as_(world.admin).refused("PATCH", f"/users/{world.rep}", 422, "validation_failed", changes, If_Match="*")
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [(field, code)]


def test_staff_moved_to_a_partners_station_move_to_the_partner(http: Http, world: World) -> None:
    partner_id, _, station_id = partner(world)
    moved = http.as_(world.admin).edit(f"/users/{world.staff[0]}", {"station_id": station_id}, 1)
    assert (moved["station_id"], moved["partner_id"]) == (station_id, partner_id)


def test_a_link_ends_with_the_address_it_was_mailed_to(http: Http, world: World, code_of: Any) -> None:
    admin = http.as_(world.admin)
    made = admin.post("/users", NEW | {"email": "wrong@example.test"}, expect=201)
    mistaken = code_of(made["id"])
    admin.edit(f"/users/{made['id']}", {"email": "right@example.test"}, made["version"])

    http.refused("POST", "/accounts/link", 422, "link_invalid", {"code": mistaken, "password": PASSWORD})
    admin.post(f"/users/{made['id']}/invitation")
    assert accept(http, {"code": code_of(made["id"]), "password": PASSWORD}) == 204
