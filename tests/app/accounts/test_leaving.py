"""Leaving and coming back: sessions end at once, customers are handed over, one administrator stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import select

from app.core.db import Database, last_change
from app.core.history import HistoryCause
from app.customers.models import Customer
from app.users.models import SignInSession, User
from tests.factories import PASSWORD, World, make_user
from tests.people import Http


def accept(http: Http, body: dict[str, str]) -> int:
    return http.call("POST", "/accounts/link", body).status_code


def person(world: World, role: str, name: str, **links: Any) -> str:
    with world.db.transaction() as session:
        return make_user(session, world.settings, role, name, **links).id


def customers_of(db: Database, owner_id: str) -> list[Customer]:
    with db.reading() as session:
        found = list(session.scalars(select(Customer).where(Customer.owner_id == owner_id).order_by(Customer.id)))
        session.expunge_all()
        return found


def more_customers(world: World, count: int) -> None:
    with world.db.transaction() as session:
        from app.customers.operations import create_customer
        from app.users.rights import Actor

        boss = Actor("system-user", "admin", "system", "en")
        for i in range(count):
            create_customer(
                session, boss, {"code": f"X-{i}", "name": f"X {i}", "territory_id": world.territory, "owner_id": world.rep}
            )


def test_somebody_deactivated_is_refused_at_the_next_request(http: Http, world: World, db: Database) -> None:
    theirs = http.as_(world.manager)
    tokens = http.post("/auth/sign-in", {"login": "manager@example.test", "password": PASSWORD})
    assert theirs.get("/me")["state"] == "active"

    left = http.as_(world.admin).post(f"/users/{world.manager}/deactivate", {})

    assert left["state"] == "deactivated"
    theirs.refused("GET", "/me", 401, "unauthenticated")
    http.refused("POST", "/auth/refresh", 401, "refresh_refused", {"refresh_token": tokens["refresh_token"]})
    http.refused("POST", "/auth/sign-in", 401, "bad_credentials", {"login": "manager@example.test", "password": PASSWORD})
    with db.reading() as session:
        ends = session.execute(
            select(SignInSession.ended_at, SignInSession.end_reason).where(SignInSession.user_id == world.manager)
        ).all()
    assert len(ends) == 2
    assert all(ended is not None and reason == "deactivated" for ended, reason in ends)
    http.as_(world.admin).refused("POST", f"/users/{world.manager}/deactivate", 409, "state_conflict", {})


def test_a_rep_with_customers_does_not_leave_without_a_successor(http: Http, world: World, db: Database) -> None:
    more_customers(world, 2)
    refusal = http.as_(world.admin).refused("POST", f"/users/{world.rep}/deactivate", 409, "hand_over_needed", {})

    assert "3 customers" in refusal["detail"]
    assert len(customers_of(db, world.rep)) == 3
    http.as_(world.rep).get("/me")


def test_customers_are_handed_over_with_history_and_a_change_number(http: Http, world: World, db: Database, entries: Any) -> None:
    more_customers(world, 4)
    successor = person(world, "rep", "sun")
    before = {customer.id: customer for customer in customers_of(db, world.rep)}

    http.as_(world.admin).post(f"/users/{world.rep}/deactivate", {"successor_id": successor})

    after = customers_of(db, successor)
    assert {customer.id for customer in after} == set(before)
    assert customers_of(db, world.rep) == []
    with db.reading() as session:
        number = last_change(session)
        arrows = {(effect, cause) for effect, cause in session.execute(select(HistoryCause.effect_id, HistoryCause.cause_id))}
        rep_number = session.get_one(User, world.rep).change_no
    assert {customer.change_no for customer in after} == {rep_number} == {number}
    assert all(customer.version == before[customer.id].version + 1 for customer in after)
    (left,) = entries("user.deactivated")
    assert (left.subject_id, left.facts) == (world.rep, {"customers": 5, "successor_id": successor})
    handed = entries("customer.handed_over")
    assert {entry.subject_id for entry in handed} == set(before)
    assert all((entry.id, left.id) in arrows and entry.facts == {"from_id": world.rep, "to_id": successor} for entry in handed)


def test_the_successor_must_be_an_active_rep_of_the_same_organisation(http: Http, world: World, db: Database) -> None:
    from app.core.tracked import add
    from app.users.models import Partner

    with db.transaction() as session:
        partner_id = add(session, Partner(name="Dealer")).id
    away, gone = person(world, "rep", "away", partner_id=partner_id), person(world, "rep", "gone")
    admin = http.as_(world.admin)
    admin.post(f"/users/{gone}/deactivate", {})

    for unfit in (world.manager, world.rep, world.owner, away, gone, "no-such-person"):
        refusal = admin.refused("POST", f"/users/{world.rep}/deactivate", 422, "validation_failed", {"successor_id": unfit})
        assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("successor_id", "unknown_reference")]
    assert len(customers_of(db, world.rep)) == 1


def test_two_reps_who_take_over_from_each_other_do_not_both_leave(http: Http, world: World, db: Database) -> None:
    other = person(world, "rep", "sun")
    admin = http.as_(world.admin)
    pairs = [(world.rep, other), (other, world.rep)]
    with ThreadPoolExecutor(2) as pool:
        leave = lambda pair: admin.call("POST", f"/users/{pair[0]}/deactivate", {"successor_id": pair[1]}).status_code  # noqa: E731
        assert sorted(pool.map(leave, pairs)) == [200, 422]
    with db.reading() as session:
        owner_id = session.get_one(Customer, world.customer).owner_id
        assert owner_id is not None
        assert session.get_one(User, owner_id).state == "active"


def test_the_last_administrator_stays(http: Http, world: World) -> None:
    admin = http.as_(world.admin)
    admin.refused("POST", f"/users/{world.admin}/deactivate", 409, "last_admin", {})
    second = person(world, "admin", "second")
    admin.post(f"/users/{world.admin}/deactivate", {})
    http.as_(second).refused("POST", f"/users/{second}/deactivate", 409, "last_admin", {})


def test_a_partners_administrator_does_not_count(http: Http, world: World, db: Database) -> None:
    from app.core.tracked import add
    from app.users.models import Partner

    with db.transaction() as session:
        partner_id = add(session, Partner(name="Dealer")).id
    theirs = person(world, "admin", "theirs", partner_id=partner_id)
    http.as_(world.admin).refused("POST", f"/users/{world.admin}/deactivate", 409, "last_admin", {})
    http.as_(theirs).post(f"/users/{theirs}/deactivate", {})


def test_of_two_administrators_who_deactivate_each_other_one_stays(http: Http, world: World, db: Database) -> None:
    second = person(world, "admin", "second")
    pairs = [(http.as_(world.admin), second), (http.as_(second), world.admin)]
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(lambda pair: pair[0].call("POST", f"/users/{pair[1]}/deactivate", {}).status_code, pairs))
    # The later one is refused as the last administrator's, or as no longer signed in.
    assert answers in ([200, 409], [200, 401])
    with db.reading() as session:
        assert len(session.scalars(select(User).where(User.role == "admin", User.state == "active")).all()) == 1


def test_an_open_link_ends_with_the_account(http: Http, world: World) -> None:
    admin = http.as_(world.admin)
    made = admin.post("/users", {"login": "ann", "name": "Ann", "role": "rep"}, expect=201)
    admin.post(f"/users/{made['id']}/deactivate", {})
    body = {"code": made["link_code"], "password": "a new long passphrase"}
    http.refused("POST", "/accounts/link", 422, "link_invalid", body)

    admin.refused("POST", f"/users/{made['id']}/invitation", 409, "state_conflict")
    admin.post(f"/users/{made['id']}/reactivate")
    http.refused("POST", "/accounts/link", 422, "link_invalid", body)
    again = admin.post(f"/users/{made['id']}/invitation")
    assert accept(http, {"code": again["link_code"], "password": "a new long passphrase"}) == 204


def test_coming_back(http: Http, world: World, entries: Any) -> None:
    admin = http.as_(world.admin)
    signed_in = http.as_(world.staff[0])
    admin.post(f"/users/{world.staff[0]}/deactivate", {})
    admin.post(f"/users/{world.staff[0]}/reactivate")

    signed_in.refused("GET", "/me", 401, "unauthenticated")
    http.post("/auth/sign-in", {"login": "staff0@example.test", "password": PASSWORD})
    assert entries("user.reactivated")[0].subject_id == world.staff[0]
    admin.refused("POST", f"/users/{world.staff[0]}/reactivate", 409, "state_conflict")
