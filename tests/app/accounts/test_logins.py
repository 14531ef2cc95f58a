"""A name to sign in with is the same in capitals, in small letters and in full width, at every door."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.core.settings import Settings
from app.core.wire import fold
from app.customers.models import Customer
from app.users.models import FailedTry, OneTimeLink
from app.users.operations import create_first_admin
from tests.factories import PASSWORD, World
from tests.people import Http

WRITTEN = ["rep@example.test", "REP@Example.Test", "ｒｅｐ＠example．test", "Rep@EXAMPLE.test"]


@pytest.mark.parametrize("login", WRITTEN)
def test_a_person_signs_in_however_the_name_is_written(http: Http, world: World, login: str) -> None:
    assert http.post("/auth/sign-in", {"login": login, "password": PASSWORD})["user"]["login"] == "rep@example.test"


def test_every_spelling_counts_on_the_same_lock(http: Http, world: World, db: Database) -> None:
    for i in range(5):
        http.post("/auth/sign-in", {"login": WRITTEN[i % 4], "password": "wrong"}, expect=401)

    http.post("/auth/sign-in", {"login": "rep@example.test", "password": PASSWORD}, expect=401)
    with db.reading() as session:
        assert sorted(session.scalars(select(FailedTry.failures))) == [5, 5]


@pytest.mark.parametrize("login", [*WRITTEN, "ﬁ" * 150])
def test_nobody_is_invited_under_another_spelling_of_a_name_that_is_taken(http: Http, world: World, login: str) -> None:
    person = {"login": login, "name": "Twin", "role": "rep"}
    refusal = http.as_(world.admin).refused("POST", "/users", 422, "validation_failed", person)
    wanted = "too_long" if login.startswith("ﬁ") else "already_exists"
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("login", wanted)]


def test_a_login_is_shown_as_it_was_written(http: Http, world: World) -> None:
    person = http.as_(world.admin).post("/users", {"login": "Lin.Wei", "name": "Lin", "role": "rep"}, expect=201)

    assert person["login"] == "Lin.Wei"


def test_a_reset_finds_the_account_however_the_name_is_written(http: Http, world: World, db: Database) -> None:
    me = http.as_(world.rep)
    me.edit("/me", {"email": "rep@example.test"}, me.get("/me")["version"])

    http.post("/accounts/password-reset", {"login": WRITTEN[2]}, expect=202)

    with db.reading() as session:
        assert session.scalars(select(OneTimeLink.user_id)).all() == [world.rep]


def test_the_owner_in_a_file_is_found_however_the_name_is_written(
    http: Http, world: World, db: Database, settings: Settings
) -> None:
    text = "code,name,phone,email,territory_code,owner_login\nC-9,Nine,,,SZ,REP@example.test\n"
    assert http.as_(world.admin).post("/imports/customers", {"csv": text, "dry_run": False})["created"] == 1
    with db.reading() as session:
        assert session.scalars(select(Customer.owner_id).where(Customer.code == "C-9")).one() == world.rep


def test_the_first_administrator_signs_in_in_any_case(http: Http, db: Database, settings: Settings) -> None:
    with db.transaction() as session:
        create_first_admin(session, settings, "Boss", PASSWORD)

    http.post("/auth/sign-in", {"login": "bOSS", "password": PASSWORD})


@pytest.mark.parametrize("name", ["ǰ", "ẞ", "Ω", "Å", "ﷺ", "İ", "ΐ", "ᾳ", "ͅ", "℀", "ꭰ"])
def test_folding_again_changes_nothing(name: str) -> None:
    assert fold(fold(name)) == fold(name)
