"""FCM through the real library against a server on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.core.clock import Clock
from app.core.db import Database
from app.core.settings import Settings
from push.channels import Accepted, Address, DeadAddress, Failed, Retry, fcm
from push.delivery import drain
from push.messages import Message

HELLO = Message("Hello 你好", "It works.", {"kind": "test", "notification_id": "n-0000001"})
PHONE = Address("token", "phone-a")
PATH = "/v1/projects/fieldloop/messages:send"


def refusal(status: int, code: str, fcm_code: str | None = None, **headers: str) -> Response:
    """Answer as FCM does, by its own reference of errors."""
    error: dict[str, Any] = {"code": status, "message": f"{code} for phone-a", "status": code}
    if fcm_code:
        error["details"] = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": fcm_code}]
    return Response(json.dumps({"error": error}), status, headers, content_type="application/json")


class FakeFcm:
    """Keeps every request; answers by the phone's address, else accepts."""

    def __init__(self, server: HTTPServer) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.answers: dict[str, Response] = {}
        server.expect_request(PATH, method="POST").respond_with_handler(self.answer)
        self.url = server.url_for("/v1/projects/{0}/messages:send")

    def answer(self, request: Request) -> Response:
        message = request.get_json()["message"]
        self.requests.append(message)
        self.headers.append(request.headers)
        address = message.get("token") or message.get("fid")
        accepted = Response(json.dumps({"name": "projects/fieldloop/messages/1"}), content_type="application/json")
        return self.answers.get(address, accepted)


@pytest.fixture
def far_end(httpserver: HTTPServer) -> FakeFcm:
    return FakeFcm(httpserver)


class Noon(Clock):
    def now(self) -> datetime:
        return datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def channel(far_end: FakeFcm, with_settings: Callable[..., Settings]) -> Iterator[fcm.FcmChannel]:
    made = fcm.FcmChannel(with_settings(fcm_url=far_end.url, fcm_credentials_file="", fcm_project=""), Noon())
    yield made
    made.close()


def test_words_data_and_ids_arrive(channel: fcm.FcmChannel, far_end: FakeFcm) -> None:
    assert channel.send(PHONE, HELLO, "dedupe-1") == Accepted()

    (request,) = far_end.requests
    assert request["token"] == "phone-a"
    assert request["notification"] == {"title": "Hello 你好", "body": "It works."}
    assert request["data"] == {"kind": "test", "notification_id": "n-0000001", "dedupe_id": "dedupe-1"}
    assert request["android"]["notification"] == {"tag": "dedupe-1"}
    assert request["apns"]["headers"]["apns-collapse-id"] == "dedupe-1"
    assert request["webpush"]["notification"] == {"tag": "dedupe-1"}
    assert "collapse_key" not in request["android"], "FCM keeps only four of them per offline phone"


def test_an_installation_id_travels_as_one(channel: fcm.FcmChannel, far_end: FakeFcm) -> None:
    channel.send(Address("fid", "installation-a"), HELLO, "dedupe-1")

    assert far_end.requests[0]["fid"] == "installation-a"
    assert "token" not in far_end.requests[0]


def test_a_long_id_is_shortened_to_what_apple_takes_and_stays_the_same(channel: fcm.FcmChannel, far_end: FakeFcm) -> None:
    for _ in range(2):
        channel.send(PHONE, HELLO, "d" * 80)

    first, second = far_end.requests
    assert first == second
    assert len(first["apns"]["headers"]["apns-collapse-id"]) == 64
    assert first["data"]["dedupe_id"] == "d" * 80


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refusal(404, "NOT_FOUND", "UNREGISTERED"), DeadAddress("unregistered")),
        (refusal(404, "NOT_FOUND"), Retry("NOT_FOUND 404", channel_down=True)),
        (refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), Failed("INVALID_ARGUMENT 400")),
        (refusal(400, "INVALID_ARGUMENT"), Failed("INVALID_ARGUMENT 400")),
        (refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Failed("PERMISSION_DENIED 403")),
        (refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), Failed("UNAUTHENTICATED 401")),
        (refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Retry("RESOURCE_EXHAUSTED 429", 60.0)),
        (refusal(503, "UNAVAILABLE", "UNAVAILABLE"), Retry("UNAVAILABLE 503", channel_down=True)),
        (refusal(500, "INTERNAL", "INTERNAL"), Retry("INTERNAL 500", channel_down=True)),
        (Response("<h1>Bad gateway</h1>", 502), Retry("UNKNOWN 502", channel_down=True)),
        (Response("not JSON", 200), Retry("UNKNOWN", channel_down=True)),
    ],
    ids=lambda value: f"{value.status_code}" if isinstance(value, Response) else type(value).__name__,
)
def test_every_answer_is_judged(channel: fcm.FcmChannel, far_end: FakeFcm, answer: Response, outcome: Any) -> None:
    far_end.answers["phone-a"] = answer

    assert channel.send(PHONE, HELLO, "dedupe-1") == outcome


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
def test_one_send_is_one_request(channel: fcm.FcmChannel, far_end: FakeFcm, status: int, headers: dict[str, str]) -> None:
    far_end.answers["phone-a"] = refusal(status, "UNAVAILABLE", **headers)

    channel.send(PHONE, HELLO, "dedupe-1")

    assert len(far_end.requests) == 1


def test_the_librarys_private_names_are_where_we_need_them(channel: fcm.FcmChannel) -> None:
    from firebase_admin import messaging

    session = messaging._get_messaging_service(channel._connected())._client.session

    assert session.get_adapter("https://fcm.googleapis.com/v1/x").max_retries.total == 0
    assert {adapter.max_retries.total for adapter in session.adapters.values()} == {0}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("given", "after_s"),
    [("120", 120.0), ("Mon, 01 Jun 2026 12:05:00 GMT", 300.0), ("Mon, 01 Jun 2026 11:00:00 GMT", 0.0), ("99999999", 86_400.0)],
)
def test_retry_after_is_understood(channel: fcm.FcmChannel, far_end: FakeFcm, status: int, given: str, after_s: float) -> None:
    far_end.answers["phone-a"] = refusal(
        status, "RESOURCE_EXHAUSTED" if status == 429 else "UNAVAILABLE", **{"Retry-After": given}
    )

    outcome = channel.send(PHONE, HELLO, "dedupe-1")

    assert isinstance(outcome, Retry)
    assert outcome.after_s == after_s


@pytest.mark.parametrize("given", ["soon", "-5", "1e400", "²", ""])
def test_a_retry_after_that_makes_no_sense_is_passed_over(channel: fcm.FcmChannel, far_end: FakeFcm, given: str) -> None:
    far_end.answers["phone-a"] = refusal(503, "UNAVAILABLE")
    far_end.answers["phone-a"].headers.set("Retry-After", given.encode().decode("latin-1"))

    assert channel.send(PHONE, HELLO, "dedupe-1") == Retry("UNAVAILABLE 503", channel_down=True)


def test_nobody_listening_is_a_retry(with_settings: Callable[..., Settings]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/send"
        channel = fcm.FcmChannel(with_settings(fcm_url=url, fcm_credentials_file=""))

        outcome = channel.send(PHONE, HELLO, "dedupe-1")

    channel.close()
    assert outcome == Retry("UNAVAILABLE", channel_down=True)


def test_a_silent_server_is_a_retry(with_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcm, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/send"
        channel = fcm.FcmChannel(with_settings(fcm_url=url, fcm_credentials_file=""))

        outcome = channel.send(PHONE, HELLO, "dedupe-1")

    channel.close()
    assert outcome == Retry("DEADLINE_EXCEEDED", channel_down=True)


def test_what_the_library_refuses_is_failed_without_a_request(channel: fcm.FcmChannel, far_end: FakeFcm) -> None:
    assert channel.send(Address("token", ""), HELLO, "dedupe-1") == Failed("invalid_message")
    assert far_end.requests == []


def test_missing_credentials_are_a_retry_so_that_an_operator_can_put_them_there(
    with_settings: Callable[..., Settings], tmp_path: Any
) -> None:
    channel = fcm.FcmChannel(with_settings(fcm_url="", fcm_credentials_file=str(tmp_path / "missing.json")))

    assert channel.send(PHONE, HELLO, "dedupe-1") == Retry("fcm_not_set_up", channel_down=True)


def service_account(token_url: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    return {
        "type": "service_account",
        "project_id": "fieldloop",
        "private_key_id": "1",
        "private_key": pem,
        "client_email": "push@fieldloop.example",
        "token_uri": token_url,
    }


@pytest.mark.parametrize("token_status", [200, 400])
def test_a_service_account_signs_in_first(
    far_end: FakeFcm, httpserver: HTTPServer, with_settings: Callable[..., Settings], tmp_path: Any, token_status: int
) -> None:
    answer = {"access_token": "from-google", "expires_in": 3600, "token_type": "Bearer"} if token_status == 200 else {}
    httpserver.expect_request("/token").respond_with_json(answer, status=token_status)
    file = tmp_path / "account.json"
    file.write_text(json.dumps(service_account(httpserver.url_for("/token"))))
    channel = fcm.FcmChannel(with_settings(fcm_url=far_end.url, fcm_credentials_file=str(file), fcm_project=""))

    outcome = channel.send(PHONE, HELLO, "dedupe-1")

    channel.close()
    if token_status == 200:
        assert outcome == Accepted()
        assert far_end.headers[0]["Authorization"] == "Bearer from-google"
    else:
        assert outcome == Retry("credentials: RefreshError", channel_down=True)
        assert far_end.requests == []


def test_through_the_outbox_only_the_unregistered_phone_goes(
    db: Database, settings: Settings, outbox: Any, channel: fcm.FcmChannel, far_end: FakeFcm
) -> None:
    outbox.queue(outbox.person("good", "unregistered", "invalid", "elsewhere", "busy"))
    far_end.answers |= {
        "unregistered": refusal(404, "NOT_FOUND", "UNREGISTERED"),
        "invalid": refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        "elsewhere": refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        "busy": refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", **{"Retry-After": "600"}),
    }

    drain(db, settings, {"fcm": channel})

    assert outbox.phones() == {"good", "invalid", "elsewhere", "busy"}
    assert sorted(row.state for row in outbox.rows()) == ["accepted", "failed", "failed", "failed", "queued"]
    assert len(far_end.requests) == 5
    waiting = outbox.row(state="queued")
    assert 600 <= (waiting.next_at - outbox.clock.now()).total_seconds() <= 660
    assert not [row.last_error for row in outbox.rows() if "phone" in (row.last_error or "")]


def test_the_library_is_not_loaded_before_a_message_leaves() -> None:
    code = "import sys, push.routes, push.delivery, push.channels.fcm; sys.exit('firebase_admin' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)

    assert done.returncode == 0
