"""One-time links: one use, an end, no guessing, and nothing that tells who has an account."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.core.history import HistoryEntry
from app.users.models import OneTimeLink, User
from push.models import Notification, OutboxMessage
from tests.factories import PASSWORD as OLD_PASSWORD
from tests.factories import World, make_user
from tests.people import Http

NEW = {"login": "ann@example.test", "name": "Ann", "role": "rep"}
PASSWORD = "a new long passphrase"
ACCEPTED = {"status": "accepted"}


@pytest.fixture
def mailed(world: World) -> str:
    """The id of an active manager who can be reached by mail."""
    with world.db.transaction() as session:
        return make_user(session, world.settings, "manager", "mia", email="mia@example.test").id


def accept(http: Http, code: str, password: str = PASSWORD) -> int:
    return http.call("POST", "/accounts/link", {"code": code, "password": password}).status_code


def test_a_link_works_once(http: Http, world: World) -> None:
    code = http.as_(world.admin).post("/users", NEW, expect=201)["link_code"]

    assert accept(http, code) == 204
    http.refused("POST", "/accounts/link", 422, "link_invalid", {"code": code, "password": "yet another passphrase"})
    http.post("/auth/sign-in", {"login": NEW["login"], "password": PASSWORD})


def test_of_many_at_the_same_instant_one_uses_the_link(http: Http, world: World, entries: Any) -> None:
    code = http.as_(world.admin).post("/users", NEW, expect=201)["link_code"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: (i, accept(http, code, f"{PASSWORD} {i}")), range(8)))

    assert Counter(status for _, status in answers) == {204: 1, 422: 7}
    winner = next(i for i, status in answers if status == 204)
    http.post("/auth/sign-in", {"login": NEW["login"], "password": f"{PASSWORD} {winner}"})
    assert len(entries("user.joined")) == len(entries("user.password_set")) == 1


@pytest.mark.parametrize("days", [6.99, 7.0])
def test_an_invitation_ends_after_seven_days(http: Http, world: World, clock: Any, days: float) -> None:
    code = http.as_(world.admin).post("/users", NEW, expect=201)["link_code"]
    clock.advance(days=days)
    assert accept(http, code) == (204 if days < 7 else 422)


def test_a_weak_password_leaves_the_link_usable(http: Http, world: World) -> None:
    code = http.as_(world.admin).post("/users", NEW, expect=201)["link_code"]
    http.refused("POST", "/accounts/link", 422, "password_weak", {"code": code, "password": "short"})
    assert accept(http, code) == 204


def test_joining_follows_from_the_invitation(http: Http, world: World, entries: Any) -> None:
    admin = http.as_(world.admin)
    made = admin.post("/users", NEW, expect=201)
    accept(http, made["link_code"])

    (invited,) = entries("user.invited", subject_id=made["id"])
    chain = admin.get(f"/history/user/{made['id']}")
    (joined,) = [entry for entry in chain["about"] if entry["kind"] == "user.joined"]
    assert joined["because_of"] == [invited.id]
    assert (invited.actor_id, joined["actor_id"]) == (world.admin, made["id"])


def test_guessing_locks_the_address_for_a_while(http: Http, world: World, clock: Any) -> None:
    code = http.as_(world.admin).post("/users", NEW, expect=201)["link_code"]
    assert {accept(http, f"GUESS{i:011d}") for i in range(20)} == {422}

    answer = http.call("POST", "/accounts/link", {"code": code, "password": PASSWORD})
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (429, "too_many_requests", "60")
    clock.advance(seconds=61)
    assert accept(http, code) == 204


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "", "password": PASSWORD},
        {"code": "x" * 41, "password": PASSWORD},
        {"code": "\u0000" * 16, "password": PASSWORD},
        {"code": ["A"], "password": PASSWORD},
        {"code": "'; DROP TABLE users; --", "password": PASSWORD},
        {"code": "电池" * 8, "password": PASSWORD},
        {"code": "A" * 16, "password": "p" * 100_000},
    ],
)
def test_garbage_is_refused(http: Http, world: World, body: Any) -> None:
    assert http.call("POST", "/accounts/link", body).status_code in {400, 422}


def test_a_reset_by_mail_sets_the_password_and_ends_every_session(
    http: Http, world: World, mailed: str, db: Database, code_of: Any
) -> None:
    signed_in = http.as_(mailed)
    assert signed_in.get("/me")["login"] == "mia@example.test"
    assert http.post("/accounts/password-reset", {"login": "mia@example.test"}, expect=202) == ACCEPTED
    with db.reading() as session:
        rows = session.execute(
            select(Notification.kind, OutboxMessage.channel).join(OutboxMessage, OutboxMessage.notification_id == Notification.id)
        ).all()
    assert rows == [("password_reset", "email")]

    assert accept(http, code_of(mailed)) == 204
    signed_in.refused("GET", "/me", 401, "unauthenticated")
    login = {"login": "mia@example.test"}
    http.refused("POST", "/auth/sign-in", 401, "bad_credentials", login | {"password": OLD_PASSWORD})
    http.post("/auth/sign-in", login | {"password": PASSWORD})
    assert accept(http, code_of(mailed)) == 422


def test_a_reset_ends_after_an_hour_and_with_the_next_one(
    http: Http, world: World, mailed: str, clock: Any, code_of: Any
) -> None:
    http.post("/accounts/password-reset", {"login": "mia@example.test"}, expect=202)
    first = code_of(mailed)
    http.post("/accounts/password-reset", {"login": "mia@example.test"}, expect=202)
    second = code_of(mailed)
    assert accept(http, first) == 422
    clock.advance(hours=1)
    assert accept(http, second) == 422


def test_a_reset_opens_an_account_that_was_locked_by_guesses(http: Http, world: World, mailed: str, code_of: Any) -> None:
    login = {"login": "mia@example.test"}
    for _ in range(6):
        http.refused("POST", "/auth/sign-in", 401, "bad_credentials", login | {"password": "wrong"})
    http.post("/accounts/password-reset", login, expect=202)
    accept(http, code_of(mailed))
    http.post("/auth/sign-in", login | {"password": PASSWORD})


def test_the_answer_tells_nobody_which_accounts_exist(http: Http, world: World, mailed: str, db: Database) -> None:
    """Active with an address, active without one, invited, deactivated, unknown: one answer, and only the first gets a mail."""
    admin = http.as_(world.admin)
    admin.post("/users", NEW | {"email": "ann@example.test"}, expect=201)
    with db.transaction() as session:
        gone = make_user(session, world.settings, "manager", "gone", email="gone@example.test").id
    admin.post(f"/users/{gone}/deactivate", {})
    logins = ["mia@example.test", "manager@example.test", "ann@example.test", "gone@example.test", "nobody@example.test"]

    answers = [http.call("POST", "/accounts/password-reset", {"login": login}) for login in logins]

    assert {(answer.status_code, answer.get_data()) for answer in answers} == {(202, answers[0].get_data())}
    changing = {"X-Request-Id", "Date"}
    headers = [{name: value for name, value in answer.headers if name not in changing} for answer in answers]
    assert all(found == headers[0] for found in headers)
    with db.reading() as session:
        resets = session.scalars(select(OneTimeLink.user_id).where(OneTimeLink.kind == "password_reset")).all()
        mails = session.scalars(select(Notification.user_id).where(Notification.kind == "password_reset")).all()
    assert resets == mails == [mailed]


def test_a_request_for_nobody_does_the_same_work_and_leaves_nothing(http: Http, world: World, mailed: str, db: Database) -> None:
    from sqlalchemy import event

    def statements_of(login: str) -> list[str]:
        seen: list[str] = []
        listen = lambda _c, _cursor, statement, *_rest: seen.append(statement.split(" (")[0][:60])  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", listen)
        http.post("/accounts/password-reset", {"login": login}, expect=202)
        event.remove(db.engine, "before_cursor_execute", listen)
        return [statement for statement in seen if statement.startswith(("INSERT", "UPDATE"))]

    def counts() -> list[int | None]:
        with db.reading() as session:
            return [
                session.scalar(select(func.count()).select_from(model))
                for model in (User, OneTimeLink, Notification, HistoryEntry)
            ]

    before = counts()
    statements_of("the first request makes the address's row")
    for_nobody = statements_of("nobody@example.test")
    assert counts() == before
    for_mia = statements_of("mia@example.test")
    assert len(for_mia) > 5
    assert for_nobody == for_mia


def test_resets_are_bounded_per_account_and_say_so_to_nobody(
    http: Http, world: World, mailed: str, db: Database, clock: Any
) -> None:
    def sent() -> int | None:
        with db.reading() as session:
            return session.scalar(select(func.count()).select_from(Notification).where(Notification.kind == "password_reset"))

    for _ in range(12):
        assert http.post("/accounts/password-reset", {"login": "mia@example.test"}, expect=202) == ACCEPTED
    assert sent() == 5
    clock.advance(minutes=2)
    http.post("/accounts/password-reset", {"login": "mia@example.test"}, expect=202)
    assert sent() == 6


def test_resets_are_bounded_per_address(http: Http, world: World) -> None:
    for i in range(30):
        http.post("/accounts/password-reset", {"login": f"guess-{i}"}, expect=202)
    http.refused("POST", "/accounts/password-reset", 429, "too_many_requests", {"login": "mia@example.test"})


def test_first_requests_at_the_same_instant_are_all_answered(http: Http, world: World, mailed: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        ask = lambda _: http.call("POST", "/accounts/password-reset", {"login": "mia@example.test"}).status_code  # noqa: E731
        assert set(pool.map(ask, range(4))) == {202}


def test_links_of_long_ago_are_deleted(http: Http, world: World, mailed: str, db: Database, clock: Any) -> None:
    from app.accounts.links import purge_links

    http.post("/accounts/password-reset", {"login": "mia@example.test"}, expect=202)
    for days, left in ((29, 1), (3, 0)):
        clock.advance(days=days)
        with db.transaction() as session:
            purge_links(session)
        with db.reading() as session:
            assert session.scalar(select(func.count()).select_from(OneTimeLink)) == left
