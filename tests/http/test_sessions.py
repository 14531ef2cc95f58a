"""Signing in and staying signed in: guesses, locks, rotation, forged tokens, and no secret in any log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from app.core.db import Database
from app.core.errors import Unauthenticated
from app.core.history import HistoryEntry
from app.core.logs import set_up_logs
from app.core.settings import Settings
from app.factory import create_app
from app.users import auth, secrets, tries
from app.users.models import FailedTry, RefreshToken, SignInSession, User
from tests.conftest import SetClock
from tests.factories import PASSWORD, World
from tests.people import Http

SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REP = "rep@example.test"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Collect the hash of every password that is checked; None stands for the dummy."""
    seen: list[str | None] = []
    real = secrets.password_fits

    def counted(password_hash: str | None, password: str, profile: str) -> bool:
        seen.append(password_hash)
        return real(password_hash, password, profile)

    monkeypatch.setattr(secrets, "password_fits", counted)
    return seen


def sign_in(http: Http, login: str = REP, password: str = PASSWORD, expect: int = 200) -> Any:
    return http.post("/auth/sign-in", {"login": login, "password": password}, expect=expect)


def refresh(http: Http, token: str) -> Any:
    return http.call("POST", "/auth/refresh", {"refresh_token": token})


def bearer(http: Http, token: str, path: str = "/me") -> Any:
    return http.call("GET", path, Authorization=f"Bearer {token}")


def hash_of(world: World, user_id: str) -> str:
    with world.db.reading() as session:
        return session.get_one(User, user_id).password_hash or ""


# Guessing


@SQLITE_ONLY
def test_of_all_guesses_within_an_hour_at_most_fifty_are_tried(world: World, clock: SetClock, checks: list[str | None]) -> None:
    """Each guess comes from another address, so only the account's own lock can stop it. SOAK=1: ten thousand of them."""
    guesses = 10_000 if os.environ.get("SOAK") else 1_000
    event.listen(world.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    world.db.engine.dispose()
    real, history = hash_of(world, world.rep), 0

    for i in range(guesses):
        clock.advance(seconds=3600 / guesses)
        with pytest.raises(Unauthenticated) as refusal:
            auth.sign_in(world.db, world.settings, REP, f"guess {i}", f"10.0.{i // 250}.{i % 250}", "")
        # The trace is written as the door writes it, except for what no guess depends on.
        if len(checks) > history:
            history = len(checks)
            with world.db.transaction() as session:
                assert refusal.value.trace is not None
                refusal.value.trace(session)

    assert 5 <= len(checks) <= 50
    assert set(checks) == {real}, "while an account is locked, no hash is spent on it"
    with pytest.raises(Unauthenticated):
        auth.sign_in(world.db, world.settings, REP, PASSWORD, "10.9.9.9", "")


def test_the_lock_is_in_the_database_and_holds_at_every_worker(
    world: World, app: Flask, settings: Settings, db: Database, checks: list[str | None]
) -> None:
    other = Http(create_app(settings, db), db, settings)
    http = Http(app, db, settings)

    for i in range(5):
        (http if i % 2 else other).refused("POST", "/auth/sign-in", 401, "bad_credentials", {"login": REP, "password": "wrong"})

    assert checks == [hash_of(world, world.rep)] * 5
    http.refused("POST", "/auth/sign-in", 401, "bad_credentials", {"login": REP, "password": PASSWORD})
    other.refused("POST", "/auth/sign-in", 401, "bad_credentials", {"login": REP, "password": PASSWORD})
    assert checks[5:] == []


def test_the_lock_ends_by_itself_and_a_success_forgets_the_failures(world: World, http: Http, clock: SetClock) -> None:
    for _ in range(5):
        sign_in(http, password="wrong", expect=401)
    clock.advance(seconds=59)
    sign_in(http, expect=401)

    clock.advance(seconds=2)
    sign_in(http)

    for _ in range(4):
        sign_in(http, password="wrong", expect=401)
    sign_in(http)


def test_a_lock_never_lasts_longer_than_a_quarter_of_an_hour(world: World, http: Http, clock: SetClock) -> None:
    for _ in range(30):
        sign_in(http, password="wrong", expect=401)
        clock.advance(minutes=15)

    sign_in(http)


def address_failures(world: World) -> int:
    with world.db.reading() as session:
        return session.get_one(FailedTry, tries.subject_of("sign-in-address", "127.0.0.1")).failures


def test_an_address_that_guesses_at_many_accounts_shuts_nobody_out(world: World, http: Http) -> None:
    """Everybody of an office may sit behind one address."""
    for i in range(40):
        sign_in(http, login=f"nobody{i}@example.test", password="wrong", expect=401)

    sign_in(http)
    assert address_failures(world) == 40


def test_an_address_that_failed_often_has_one_guess_at_an_account(
    world: World, http: Http, clock: SetClock, checks: list[str | None]
) -> None:
    for i in range(30):
        sign_in(http, login=f"nobody{i}@example.test", password="wrong", expect=401)
    checks.clear()

    for _ in range(20):
        sign_in(http, password="wrong", expect=401)
    sign_in(http, expect=401)

    assert checks == [hash_of(world, world.rep)]
    sign_in(http, login="manager@example.test")
    clock.advance(minutes=1, seconds=1)
    sign_in(http)


def test_a_refused_sign_in_is_logged_with_who_and_from_where(world: World, http: Http, logs: io.StringIO) -> None:
    for login in (REP, "canary@example.test"):
        for _ in range(6):
            sign_in(http, login=login, password="canary of a password", expect=401)

    told = [entry for line in logs.getvalue().splitlines() if (entry := json.loads(line))["event"] == "sign-in refused"]
    account = tries.subject_of("sign-in", "canary@example.test")[:16]
    assert [(entry["account"], entry["known"], entry["locked"]) for entry in told] == [
        *[(world.rep, True, False)] * 5,
        (world.rep, True, True),
        *[(account, False, False)] * 5,
        (account, False, True),
    ]
    assert {(entry["address"], entry["level"]) for entry in told} == {("127.0.0.1", "warning")}
    assert "canary" not in logs.getvalue()


def test_a_caller_cannot_choose_the_address_it_is_counted_under(world: World, http: Http) -> None:
    for i in range(30):
        body = {"login": f"nobody{i}@example.test", "password": "wrong"}
        forwarded = {"X_Forwarded_For": f"10.0.0.{i}", "X_Real_Ip": f"10.0.0.{i}", "Forwarded": f"for=10.0.0.{i}"}
        http.refused("POST", "/auth/sign-in", 401, "bad_credentials", body, **forwarded)

    assert address_failures(world) == 30


def test_unknown_wrong_locked_and_deactivated_get_the_same_answer_and_all_but_the_locked_cost_the_same_work(
    world: World, http: Http, checks: list[str | None]
) -> None:
    with world.db.transaction() as session:
        session.get_one(User, world.owner).state = "deactivated"
        session.get_one(User, world.staff[0]).state = "invited"
        session.get_one(User, world.staff[0]).password_hash = None
    for _ in range(5):
        sign_in(http, login="manager@example.test", password="wrong", expect=401)
    checks.clear()

    answers = []
    for login, password in (
        ("nobody@example.test", PASSWORD),
        (REP, "wrong"),
        ("manager@example.test", PASSWORD),
        ("owner@example.test", PASSWORD),
        ("staff0@example.test", PASSWORD),
        ("x" * 200, "x" * 200),
    ):
        answer = http.call("POST", "/auth/sign-in", {"login": login, "password": password})
        body = {name: value for name, value in answer.get_json().items() if name != "request_id"}
        headers = {name: value for name, value in answer.headers.items() if name not in {"X-Request-Id", "Date"}}
        answers.append((answer.status_code, body, headers))

    assert [answer for answer in answers if answer != answers[0]] == []
    assert answers[0][0] == 401
    assert len(checks) == len(answers) - 1


def test_first_failures_at_the_same_instant_are_all_refused_and_all_counted(world: World, app: Flask, http: Http) -> None:
    start = Barrier(6)

    def guess(i: int) -> int:
        start.wait(10)
        return http.call("POST", "/auth/sign-in", {"login": f"new{i // 3}@example.test", "password": "wrong"}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(guess, range(6))) == [401] * 6
    with world.db.reading() as session:
        assert sorted(session.scalars(select(FailedTry.failures))) == [3, 3, 6]


def test_a_failed_sign_in_leaves_its_trace_and_names_no_password(world: World, http: Http) -> None:
    sign_in(http, password="a guess that must not be kept", expect=401)

    [entry] = http.as_(world.admin).get(f"/history/user/{world.rep}")["about"]
    assert (entry["kind"], entry["facts"]) == ("user.sign_in_failed", {"address": "127.0.0.1", "locked": False})


def test_guesses_at_the_old_password_are_counted_with_those_at_the_door(world: World, http: Http) -> None:
    signed_in = http.as_(world.rep)
    for _ in range(5):
        body = {"old_password": "wrong", "new_password": "a brand new passphrase"}
        signed_in.refused("POST", "/me/password", 401, "bad_credentials", body)

    body = {"old_password": PASSWORD, "new_password": "a brand new passphrase"}
    signed_in.refused("POST", "/me/password", 401, "bad_credentials", body)
    sign_in(http, expect=401)


@pytest.mark.parametrize("change", ["password", "state"])
def test_a_sign_in_that_began_before_the_password_or_the_account_changed_is_refused(
    world: World, http: Http, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    real = secrets.password_fits

    def slow(*given: Any) -> bool:
        fits = real(*given)
        with world.db.transaction() as session:
            user = session.get_one(User, world.rep)
            if change == "password":
                user.password_hash = secrets.hash_password("another passphrase", "test")
            else:
                user.state = "deactivated"
            auth.end_all_sessions(session, user, "changed")
        return fits

    monkeypatch.setattr(secrets, "password_fits", slow)

    sign_in(http, expect=401)
    with world.db.reading() as session:
        assert session.scalars(select(SignInSession).where(SignInSession.user_id == world.rep)).all() == []


# Refreshing


def test_a_refresh_token_works_once_and_gives_the_next(world: World, http: Http, clock: SetClock) -> None:
    first = sign_in(http)
    clock.advance(minutes=10)

    second = refresh(http, first["refresh_token"]).json
    third = refresh(http, second["refresh_token"]).json

    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert bearer(http, third["access_token"]).get_json()["id"] == world.rep
    with world.db.reading() as session:
        stored = session.scalars(select(RefreshToken.token_hash)).all()
        assert sorted(stored) == sorted(hashlib.sha256(t["refresh_token"].encode()).hexdigest() for t in (first, second, third))


def test_a_token_that_was_used_up_ends_the_whole_session_but_no_other(world: World, http: Http) -> None:
    stolen, other = sign_in(http), sign_in(http)
    thief = refresh(http, stolen["refresh_token"]).json
    further = refresh(http, thief["refresh_token"]).json

    again = refresh(http, stolen["refresh_token"])

    assert (again.status_code, again.get_json()["code"]) == (401, "refresh_refused")
    for token in (stolen, thief, further):
        assert bearer(http, token["access_token"]).status_code == 401
        assert refresh(http, token["refresh_token"]).status_code == 401
    assert bearer(http, other["access_token"]).status_code == 200
    assert refresh(http, other["refresh_token"]).status_code == 200
    assert _reuses(world) == 1


def test_whose_answers_were_lost_refreshes_again_and_stays_signed_in(world: World, http: Http) -> None:
    token = sign_in(http)["refresh_token"]
    for _ in range(3):
        refresh(http, token)  # the answer is lost
    got = refresh(http, token).json

    for _ in range(3):
        got = refresh(http, got["refresh_token"]).json
    assert bearer(http, got["access_token"]).status_code == 200
    assert _reuses(world) == 0


@pytest.mark.parametrize("thief_is_first", [True, False])
def test_who_repeats_a_stolen_token_is_found_out_when_both_go_on(world: World, http: Http, thief_is_first: bool) -> None:
    token = sign_in(http)["refresh_token"]
    first, second = refresh(http, token).json, refresh(http, token).json
    if thief_is_first:
        first, second = second, first

    assert refresh(http, first["refresh_token"]).status_code == 200
    assert refresh(http, second["refresh_token"]).status_code == 401
    assert bearer(http, first["access_token"]).status_code == 401
    assert _reuses(world) == 1


def test_a_token_is_exchanged_only_so_often(world: World, http: Http) -> None:
    token = sign_in(http)["refresh_token"]

    answers = [refresh(http, token) for _ in range(25)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [401] * 5
    assert refresh(http, answers[19].json["refresh_token"]).status_code == 200
    assert _reuses(world) == 0


def test_of_racing_refreshes_one_line_goes_on(world: World, http: Http) -> None:
    tokens = [sign_in(http)["refresh_token"]]
    start = Barrier(8)

    def race(n: int) -> Any:
        start.wait(10)
        return refresh(http, tokens[n % len(tokens)])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(race, range(8)))
        assert {answer.status_code for answer in answers} == {200}, "one of them may be the only one that arrives"
        tokens = [answer.json["refresh_token"] for answer in answers]
        assert len(set(tokens)) == 8
        answers = list(pool.map(race, range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    [winner] = [answer.json for answer in answers if answer.status_code == 200]
    assert bearer(http, winner["access_token"]).status_code == 401, "two lines of one token end the session for both"
    assert _reuses(world) == 1


def _reuses(world: World) -> int:
    with world.db.reading() as session:
        return len(session.scalars(select(HistoryEntry).where(HistoryEntry.kind == "user.refresh_token_reused")).all())


def test_a_refresh_token_ends_with_its_time_and_with_its_person(world: World, http: Http, clock: SetClock) -> None:
    late, gone = sign_in(http), sign_in(http, login="manager@example.test")
    with world.db.transaction() as session:
        session.get_one(User, world.manager).state = "deactivated"

    clock.advance(days=30, seconds=1)

    for token in (late, gone, {"refresh_token": "no such token"}):
        assert refresh(http, token["refresh_token"]).get_json()["code"] == "refresh_refused"


# Ending


def test_signing_out_ends_this_session_at_once_and_no_other(world: World, http: Http) -> None:
    leaving, staying = sign_in(http), sign_in(http)

    answer = http.call("POST", "/auth/sign-out", Authorization=f"Bearer {leaving['access_token']}")

    assert (answer.status_code, answer.data) == (204, b"")
    assert bearer(http, leaving["access_token"]).status_code == 401
    assert refresh(http, leaving["refresh_token"]).status_code == 401
    assert bearer(http, staying["access_token"]).status_code == 200


def test_a_new_password_ends_every_session(world: World, http: Http, clock: SetClock) -> None:
    sessions = [sign_in(http) for _ in range(3)]
    clock.advance(seconds=1)
    body = {"old_password": PASSWORD, "new_password": "a brand new passphrase"}

    answer = http.call("POST", "/me/password", body, Authorization=f"Bearer {sessions[0]['access_token']}")

    assert answer.status_code == 204
    for opened in sessions:
        assert bearer(http, opened["access_token"]).status_code == 401
        assert refresh(http, opened["refresh_token"]).status_code == 401
    sign_in(http, expect=401)
    fresh = sign_in(http, password="a brand new passphrase")
    assert bearer(http, fresh["access_token"]).status_code == 200


def test_an_access_token_is_refused_after_fifteen_minutes(world: World, http: Http, clock: SetClock) -> None:
    opened = sign_in(http)
    assert opened["expires_in_s"] == 900
    clock.advance(minutes=14, seconds=58)
    assert bearer(http, opened["access_token"]).status_code == 200

    clock.advance(seconds=2)

    assert bearer(http, opened["access_token"]).status_code == 401
    assert refresh(http, opened["refresh_token"]).status_code == 200


def test_a_deactivated_person_is_refused_at_the_next_request(world: World, http: Http) -> None:
    opened = sign_in(http)
    with world.db.transaction() as session:
        session.get_one(User, world.rep).state = "deactivated"

    assert bearer(http, opened["access_token"]).status_code == 401


# Forging


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    head, body = (base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64url(signature)}"


@pytest.fixture
def genuine(world: World, http: Http, settings: Settings) -> dict[str, Any]:
    """The parts of a genuine token, and the key that signs it, so that a forgery differs in one thing."""
    token = sign_in(http)["access_token"]
    head, body, signature = token.split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body))
    key = hashlib.sha256(b"access-token:" + settings.secret_key.encode()).digest()
    return {"header": header, "claims": claims, "key": key, "token": token, "parts": (head, body, signature)}


Forgery = Callable[[dict[str, Any], Any], str]
SELF_MADE: dict[str, Forgery] = {
    "header without typ": lambda g, _: forged({k: v for k, v in g["header"].items() if k != "typ"}, g["claims"], g["key"]),
    "another typ": lambda g, _: forged(g["header"] | {"typ": "JWT"}, g["claims"], g["key"]),
    "a coupon's typ": lambda g, _: forged(g["header"] | {"typ": "coupon"}, g["claims"], g["key"]),
    "another kid": lambda g, _: forged(g["header"] | {"kid": "2"}, g["claims"], g["key"]),
    "a path as kid": lambda g, _: forged(g["header"] | {"kid": "../../dev/null"}, g["claims"], g["key"]),
    "no kid": lambda g, _: forged({k: v for k, v in g["header"].items() if k != "kid"}, g["claims"], g["key"]),
    "another issuer": lambda g, _: forged(g["header"], g["claims"] | {"iss": "other"}, g["key"]),
    "another audience": lambda g, _: forged(g["header"], g["claims"] | {"aud": "other"}, g["key"]),
    "a list of audiences": lambda g, _: forged(g["header"], g["claims"] | {"aud": ["fieldloop-api"]}, g["key"]),
    "expired": lambda g, _: forged(g["header"], g["claims"] | {"exp": int(g["claims"]["iat"]) - 1}, g["key"]),
    "no exp": lambda g, _: forged(g["header"], {k: v for k, v in g["claims"].items() if k != "exp"}, g["key"]),
    "exp as text": lambda g, _: forged(g["header"], g["claims"] | {"exp": "9999999999"}, g["key"]),
    "not a number as iat": lambda g, _: forged(g["header"], g["claims"] | {"iat": float("nan")}, g["key"]),
    "from the future": lambda g, _: forged(g["header"], g["claims"] | {"iat": g["claims"]["iat"] + 3600}, g["key"]),
    "issued before everything": lambda g, _: forged(g["header"], g["claims"] | {"iat": 0}, g["key"]),
    "no session": lambda g, _: forged(g["header"], {k: v for k, v in g["claims"].items() if k != "sid"}, g["key"]),
    "another person's session": lambda g, w: forged(g["header"], g["claims"] | {"sub": w.admin}, g["key"]),
    "a number as sub": lambda g, _: forged(g["header"], g["claims"] | {"sub": 1}, g["key"]),
    "an object as sub": lambda g, _: forged(g["header"], g["claims"] | {"sub": {"$ne": ""}}, g["key"]),
    "critical extension": lambda g, _: forged(g["header"] | {"crit": ["b64"], "b64": False}, g["claims"], g["key"]),
}
WRONG_KEY: dict[str, Forgery] = {
    "alg none": lambda g, _: f"{base64url(json.dumps(g['header'] | {'alg': 'none'}).encode())}.{g['parts'][1]}.",
    "alg NONE with the old signature": lambda g, _: ".".join(
        [base64url(json.dumps(g["header"] | {"alg": "NONE"}).encode()), *g["parts"][1:]]
    ),
    "no signature": lambda g, _: ".".join(g["parts"][:2]) + ".",
    "an empty key": lambda g, _: forged(g["header"], g["claims"], b""),
    "another secret": lambda g, _: forged(g["header"], g["claims"], b"x" * 32),
    "another sub, same signature": lambda g, w: ".".join(
        [g["parts"][0], base64url(json.dumps(g["claims"] | {"sub": w.admin}).encode()), g["parts"][2]]
    ),
    "HS512 as alg": lambda g, _: forged(g["header"] | {"alg": "HS512"}, g["claims"], g["key"]),
    "EdDSA as alg": lambda g, _: forged(g["header"] | {"alg": "EdDSA"}, g["claims"], g["key"]),
    "an embedded key": lambda g, _: forged(
        g["header"] | {"jwk": {"kty": "oct", "k": base64url(b"x" * 32)}}, g["claims"], b"x" * 32
    ),
    "nested brackets as header": lambda g, _: ".".join([base64url(b"[" * 2500), *g["parts"][1:]]),
    "a list as header": lambda g, _: ".".join([base64url(b"[]"), *g["parts"][1:]]),
    "not base64": lambda g, _: "ü.ü.ü",
    "a very long one": lambda g, _: g["token"] + "A" * 10_000,
    "a refresh token": lambda g, _: "x" * 43,
    "nothing": lambda g, _: "",
}


def test_every_forged_token_is_refused(world: World, http: Http, genuine: dict[str, Any], settings: Settings) -> None:
    assert bearer(http, forged(genuine["header"], genuine["claims"], genuine["key"])).status_code == 200
    public = secrets.coupon_public_key(settings)
    public_forms = (public["x"].encode(), base64.urlsafe_b64decode(public["x"] + "=="), json.dumps(public).encode())
    tokens = {name: make(genuine, world) for name, make in (SELF_MADE | WRONG_KEY).items()}
    tokens |= {f"the public coupon key {i}": forged(genuine["header"], genuine["claims"], k) for i, k in enumerate(public_forms)}
    tokens["a coupon token"] = secrets.sign_coupon(settings, json.dumps(genuine["claims"]).encode())

    for name, token in tokens.items():
        answer = http.call("GET", "/me", Authorization=f"Bearer {token}".encode().decode("latin-1"))
        assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthenticated"), name
    for scheme in ("Basic", "", "Bearer Bearer", "Token"):
        assert http.call("GET", "/me", Authorization=f"{scheme} {genuine['token']}").status_code == 401, scheme
    assert http.call("GET", f"/me?access_token={genuine['token']}").status_code == 401


# Logs


@pytest.fixture
def logs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything the product's own logging writes, at its most talkative."""
    from dataclasses import replace

    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    set_up_logs(replace(settings, log_format="json", log_level="DEBUG"), "web")
    yield written
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = before
    root.setLevel(level)


@SQLITE_ONLY
def test_no_secret_reaches_the_log_whatever_happens(
    world: World, http: Http, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Passwords, tokens, coupon codes and broker secrets as canaries through success, refusal and fault."""
    canaries = {"password": PASSWORD, "guess": "canary-guess-1", "new": "canary-passphrase-2", "bad refresh": "canary-refresh-3"}
    opened = sign_in(http)
    canaries |= {"access": opened["access_token"], "refresh": opened["refresh_token"]}
    sign_in(http, password=canaries["guess"], expect=401)
    refresh(http, canaries["bad refresh"])
    body = {"old_password": PASSWORD, "new_password": canaries["new"], "extra": "canary-field-4"}
    http.as_(world.rep).call("POST", "/me/password", body)
    world.report(74.9, 74.5, 74.1)
    owner, staff, admin = http.as_(world.owner), http.as_(world.staff[0]), http.as_(world.admin)
    [offer] = owner.get("/service-offers")["items"]
    coupon = owner.get(f"/service-offers/{offer['id']}/coupon")
    staff.call("POST", "/coupons/redeem", {"code": coupon["qr"]})
    staff.call("POST", "/coupons/redeem", {"code": "canary-coupon-5"})
    device = admin.post(f"/devices/{world.device}/secret")
    owner.post("/me/registration-tokens", {"address_kind": "token", "address": "canary-phone-6"}, expect=201)
    http.call("GET", "/me?access_token=canary-query-7", Authorization="Bearer canary-bearer-8", Cookie="s=canary-cookie-9")
    canaries |= {"coupon": coupon["code"], "device": device["secret"], "rep": http.as_(world.rep).token or ""}

    def broken(*_given: Any, **_named: Any) -> None:
        secret = canaries["guess"]
        raise OperationalError(
            "INSERT INTO users VALUES (?)", {"password": secret, "code": coupon["code"]}, Exception(secret[:0])
        )

    def bug(*given: Any, **_named: Any) -> None:
        raise RuntimeError("a bug")

    for fault in (broken, bug):
        monkeypatch.setattr(auth, "refresh", fault)
        assert refresh(http, opened["refresh_token"]).status_code in {500, 503}

    written = logs.getvalue() + "".join(capsys.readouterr())
    assert written.count('"event": "request"') > 10
    assert "a bug" in written
    found = [name for name, canary in canaries.items() if canary in written]
    assert found == []
    assert "canary" not in written


def test_a_database_fault_is_logged_without_the_values_of_its_statement(
    world: World, http: Http, logs: io.StringIO, db: Database
) -> None:
    """A fault nobody foresaw logs its whole traceback; the values it was bound to are people's data."""

    def rename(old: str, new: str) -> None:
        with db.engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE registration_tokens RENAME COLUMN {old} TO {new}")

    body = {"address_kind": "token", "address": "canary-phone"}
    rename("seen_at", "gone_at")
    try:
        answer = http.as_(world.owner).call("POST", "/me/registration-tokens", body)
    finally:
        rename("gone_at", "seen_at")

    assert answer.status_code >= 500
    assert "canary" not in answer.get_data(as_text=True)
    assert "seen_at" in logs.getvalue()
    assert "canary" not in logs.getvalue()


def test_the_history_and_the_stored_answers_hold_no_secret(world: World, http: Http, clock: SetClock) -> None:
    """What is kept is read by more people than what was said."""
    opened = sign_in(http)
    world.report(74.9, 74.5, 74.1)
    owner, staff, admin = http.as_(world.owner), http.as_(world.staff[0]), http.as_(world.admin)
    [offer] = owner.get("/service-offers")["items"]
    coupon = owner.get(f"/service-offers/{offer['id']}/coupon")
    key = "a-key-of-mine-1"
    staff.call("POST", "/coupons/redeem", {"code": coupon["code"]}, Idempotency_Key=key)
    device = admin.post(f"/devices/{world.device}/secret", Idempotency_Key=key)
    body = {"old_password": PASSWORD, "new_password": "canary-passphrase"}
    http.as_(world.rep).call("POST", "/me/password", body, Idempotency_Key=key)
    hidden = [PASSWORD, "canary", coupon["code"], device["secret"], opened["access_token"], opened["refresh_token"]]

    with world.db.engine.connect() as connection:
        for table in ("history", "stored_answers", "notifications", "outbox", "failed_tries", "sign_in_sessions"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            text = "\n".join(map(str, rows))
            assert [secret for secret in hidden if secret in text] == [], table
