"""Web Push through the real library against a push service on loopback that decrypts as a browser does."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.core.clock import Clock
from app.core.db import Database
from app.core.settings import Settings, keep_secret, new_vapid_key, read_settings
from app.users.secrets import vapid_public_key
from push.channels import Accepted, Address, DeadAddress, Failed, Outcome, Retry
from push.channels.web_push import WebPushChannel, topic_of
from push.delivery import drain, make_channels
from push.endpoints import is_allowed
from push.messages import Message
from tests.people import Http

KEY = new_vapid_key()
HELLO = Message("Hello 你好", "It works.", {"kind": "test"}, collapse="alarm:1", urgency="high", keep_s=600)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """One subscription: its keys, and what its service received for it."""

    def __init__(self, origin: str, name: str) -> None:
        self.path = f"/push/{name}"
        self._private, self._secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.subscription = {"endpoint": origin + self.path, "keys": {"p256dh": b64(point), "auth": b64(self._secret)}}
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.answer = Response(status=201)

    @property
    def address(self) -> Address:
        return Address("subscription", json.dumps(self.subscription))

    @property
    def shown(self) -> list[dict[str, Any]]:
        return [
            json.loads(http_ece.decrypt(body, private_key=self._private, auth_secret=self._secret, version="aes128gcm"))
            for body in self.bodies
        ]

    def take(self, request: Request) -> Response:
        self.requests.append(request)
        self.bodies.append(request.get_data())
        return self.answer


@pytest.fixture
def origin(httpserver: HTTPServer) -> str:
    return httpserver.url_for("").rstrip("/")


@pytest.fixture
def browser(httpserver: HTTPServer, origin: str) -> Callable[[str], Browser]:
    def open_browser(name: str) -> Browser:
        made = Browser(origin, name)
        httpserver.expect_request(made.path, method="POST").respond_with_handler(made.take)
        return made

    return open_browser


@pytest.fixture
def settings(database_url: str, tmp_path: Any, origin: str) -> Settings:
    return read_settings(
        database_url=database_url,
        var_dir=tmp_path,
        secret_key="a secret of the tests, long enough for anything",
        argon2_profile="test",
        default_locale="en",
        vapid_private_key=KEY,
        web_push_services=(origin,),
    )


class Noon(Clock):
    def now(self) -> datetime:
        return datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def channel(origin: str, with_settings: Callable[..., Settings]) -> WebPushChannel:
    return WebPushChannel(with_settings(vapid_private_key=KEY, web_push_services=(origin,)), Noon())


def test_only_the_browser_reads_the_words_and_its_service_knows_who_sends(
    channel: WebPushChannel, browser: Any, origin: str
) -> None:
    ann = browser("ann")

    assert channel.send(ann.address, HELLO, "dedupe-1") == Accepted()

    assert ann.shown == [
        {
            "title": "Hello 你好",
            "body": "It works.",
            "data": {"kind": "test", "dedupe_id": "dedupe-1"},
            "tag": "alarm:1",
        }
    ]
    (request,) = ann.requests
    assert b"Hello" not in ann.bodies[0]
    headers = {name: request.headers[name] for name in ("TTL", "Urgency", "Topic", "Content-Encoding")}
    assert headers == {"TTL": "600", "Urgency": "high", "Topic": topic_of("alarm:1"), "Content-Encoding": "aes128gcm"}
    assert len(headers["Topic"]) == 32
    assert Vapid02.verify(request.headers["Authorization"])
    claims, key = (part.split("=", 1)[1] for part in request.headers["Authorization"].removeprefix("vapid ").split(","))
    assert key == vapid_public_key(KEY)
    middle = claims.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["aud"] == origin


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Response(status=404), DeadAddress("web push 404")),
        (Response(status=410), DeadAddress("web push 410")),
        (Response(status=429, headers={"Retry-After": "120"}), Retry("web push 429", 120.0)),
        (Response(status=503, headers={"Retry-After": "Mon, 01 Jun 2026 12:01:30 GMT"}), Retry("web push 503", 90.0)),
        (Response(status=500, headers={"Retry-After": "soon"}), Retry("web push 500")),
        (Response(status=403), Failed("web push 403")),
        (Response(status=413), Failed("web push 413")),
    ],
    ids=lambda value: str(getattr(value, "status_code", "")),
)
def test_every_answer_of_a_service_is_judged(channel: WebPushChannel, browser: Any, answer: Response, outcome: Outcome) -> None:
    ann = browser("ann")
    ann.answer = answer

    assert channel.send(ann.address, HELLO, "dedupe-1") == outcome
    assert len(ann.requests) == 1


def test_a_redirect_is_not_followed(channel: WebPushChannel, browser: Any, origin: str) -> None:
    ann, inside = browser("ann"), browser("inside")
    ann.answer = Response(status=307, headers={"Location": origin + inside.path})

    assert channel.send(ann.address, HELLO, "dedupe-1") == Failed("web push 307")
    assert inside.requests == []


def test_a_service_that_does_not_answer_is_tried_again(with_settings: Callable[..., Settings]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    channel = WebPushChannel(with_settings(vapid_private_key=KEY, web_push_services=(nowhere,)))

    assert channel.send(Browser(nowhere, "ann").address, HELLO, "d") == Retry("ConnectionError")


def test_a_service_the_operator_forbids_since_is_not_called(with_settings: Callable[..., Settings], browser: Any) -> None:
    ann = browser("ann")
    channel = WebPushChannel(with_settings(vapid_private_key=KEY))

    assert channel.send(ann.address, HELLO, "dedupe-1") == Failed("service_not_allowed")
    assert ann.requests == []


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/abc", True),
        ("https://web.push.apple.com/abc", True),
        ("https://wns2-par02p.notify.windows.com/w/?token=abc", True),
        ("https://push.own.example:8443/abc", True),
        ("http://fcm.googleapis.com/fcm/send/abc", False),
        ("https://fcm.googleapis.com:22/abc", False),
        ("https://fcm.googleapis.com.evil.example/abc", False),
        ("https://evil.example/fcm.googleapis.com", False),
        ("https://fcm.googleapis.com@evil.example/abc", False),
        ("https://evil.example\\@fcm.googleapis.com/abc", False),
        ("https://evilnotify.windows.com/abc", False),
        ("https://127.0.0.1/abc", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://[::1", False),
        ("https://push.own.example:99999/abc", False),
        ("file:///etc/passwd", False),
        ("https://fcm。googleapis.com/abc", False),
    ],
)
def test_only_known_services_and_the_operators_own_may_be_called(
    with_settings: Callable[..., Settings], endpoint: str, allowed: bool
) -> None:
    assert is_allowed(endpoint, with_settings(web_push_services=("https://push.own.example:8443",))) is allowed


def test_a_browser_subscribes_gets_messages_and_is_deleted_alone_when_its_service_forgot_it(
    db: Database, settings: Settings, outbox: Any, browser: Any, http: Http
) -> None:
    ann, first, second = outbox.person(), browser("first"), browser("second")
    door, channels = http.as_(ann.id), make_channels(settings)
    assert door.get("/me/web-push-key") == {"public_key": vapid_public_key(KEY)}
    for each in (first, second):
        made = door.post("/me/browser-subscriptions", each.subscription | {"expirationTime": None}, expect=201)
        assert each.subscription["endpoint"] not in str(made)
    (way,) = [way for way in door.get("/me/channels")["channels"] if way["channel"] == "web_push"]
    assert way == {"channel": "web_push", "enabled": True, "configured": True, "reachable": True, "verified": False}
    first.answer = Response(status=410)

    outbox.queue(ann)
    drain(db, settings, channels)
    outbox.queue(ann)
    drain(db, settings, channels)

    assert (len(first.requests), len(second.requests)) == (1, 2)
    assert second.shown[0]["title"] == "Your offer has ended"
    assert second.requests[0].headers["TTL"] == "259200"
    assert sorted((row.state, row.last_error) for row in outbox.rows(state="failed")) == [("failed", "web push 410")]


def test_what_a_service_refuses_for_now_waits_as_long_as_it_wishes(
    db: Database, settings: Settings, outbox: Any, browser: Any, http: Http
) -> None:
    ann, chrome = outbox.person(), browser("chrome")
    http.as_(ann.id).post("/me/browser-subscriptions", chrome.subscription, expect=201)
    chrome.answer = Response(status=429, headers={"Retry-After": "300"})
    outbox.queue(ann)

    drain(db, settings, make_channels(settings))

    row = outbox.row()
    assert (row.state, row.attempts, row.last_error) == ("queued", 1, "web push 429")
    assert 300 <= (row.next_at - outbox.clock.now()).total_seconds() <= 330


def test_a_browser_moves_to_who_signs_in_next_and_is_forgotten_at_sign_out(
    db: Database, settings: Settings, outbox: Any, browser: Any, http: Http
) -> None:
    ann, bo, chrome = outbox.person(), outbox.person(), browser("chrome")
    http.as_(ann.id).post("/me/browser-subscriptions", chrome.subscription, expect=201)
    outbox.queue(ann)
    http.as_(bo.id).post("/me/browser-subscriptions", chrome.subscription, expect=201)
    outbox.queue(bo)
    endpoint = {"endpoint": chrome.subscription["endpoint"]}
    assert http.as_(ann.id).call("POST", "/me/browser-subscriptions/forget", endpoint).status_code == 204

    drain(db, settings, make_channels(settings))
    assert len(chrome.requests) == 1
    assert [row.last_error for row in outbox.rows(state="failed")] == ["address_gone"]
    for _ in range(2):
        http.as_(bo.id).call("POST", "/me/browser-subscriptions/forget", endpoint)
    outbox.queue(bo)
    drain(db, settings, make_channels(settings))

    assert len(chrome.requests) == 1
    assert len(outbox.history("user.browser_forgotten")) == 1


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"endpoint": "https://10.0.0.7/admin"}, "endpoint", "service_not_allowed"),
        ({"keys": {"p256dh": b64(b"\x04" + b"\x01" * 64), "auth": b64(b"a" * 16)}}, "keys.p256dh", "key_invalid"),
        ({"keys": {"p256dh": "?", "auth": b64(b"a" * 16)}}, "keys.p256dh", "key_invalid"),
    ],
)
def test_a_subscription_is_checked(outbox: Any, browser: Any, http: Http, change: Any, field: str, code: str) -> None:
    body = browser("ann").subscription | change

    refusal = http.as_(outbox.person().id).refused("POST", "/me/browser-subscriptions", 422, "validation_failed", body)

    assert [(each["field"], each["code"]) for each in refusal["errors"]] == [(field, code)]


def test_a_secret_that_is_too_short_is_refused(outbox: Any, browser: Any, http: Http) -> None:
    body = browser("ann").subscription
    body["keys"]["auth"] = b64(b"short")

    refusal = http.as_(outbox.person().id).refused("POST", "/me/browser-subscriptions", 422, "validation_failed", body)

    assert refusal["errors"][0]["field"] == "keys.auth"


def test_a_deployment_without_secrets_makes_its_own_key_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDLOOP_VAR_DIR", str(tmp_path))
    assert read_settings().vapid_private_key == ""
    keep_secret(tmp_path)
    first = read_settings().vapid_private_key
    keep_secret(tmp_path)

    assert read_settings().vapid_private_key == first != ""
    assert (tmp_path / "vapid.key").stat().st_mode & 0o777 == 0o600
    assert len(base64.urlsafe_b64decode(vapid_public_key(first) + "=")) == 65


def test_a_key_that_is_none_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDLOOP_VAPID_PRIVATE_KEY", b64(b"\xff" * 32))

    with pytest.raises(ValueError, match="FIELDLOOP_VAPID_PRIVATE_KEY"):
        read_settings()


def test_plain_http_is_allowed_for_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDLOOP_WEB_PUSH_SERVICES", "http://push.example.com")

    with pytest.raises(ValueError, match="FIELDLOOP_WEB_PUSH_SERVICES"):
        read_settings()
