"""E-mail through a real SMTP server on loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.core.clock import Clock
from app.core.db import Database
from app.core.settings import Settings
from push.channels import Accepted, Address, Failed, Retry
from push.channels import email as email_channel
from push.channels.email import EmailChannel
from push.delivery import drain
from push.messages import Message

HELLO = Message("Your offer 您的优惠", "Good morning 早上好\n.\nA line that begins with a dot", {"kind": "test"})
ANN = Address("email", "ann@site.example")


class Noon(Clock):
    def now(self) -> datetime:
        return datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Relay:
    """Keeps what it accepts; answers commands as told."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.sessions = 0
        self.answers: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        self.sessions += 1
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        return self.answers.get("QUIT", "221 Bye")


@pytest.fixture
def relay() -> Relay:
    return Relay()


def port_of(controller: Any) -> int:
    return int(controller.server.sockets[0].getsockname()[1])


def running(relay: Relay, **options: Any) -> Controller:
    class Listening(Controller):
        def factory(self) -> SMTP:
            return SMTP(relay, enable_SMTPUTF8=False, **options)

        def _trigger_server(self) -> None:
            # It knocks at the port it was given, which was "any".
            self.port = port_of(self)
            super()._trigger_server()  # type: ignore[no-untyped-call]

    controller = Listening(relay, hostname="127.0.0.1", port=0)
    controller.start()
    return controller


@pytest.fixture
def port(relay: Relay) -> Iterator[int]:
    controller = running(relay)
    yield port_of(controller)
    controller.stop()


@pytest.fixture
def make(port: int, with_settings: Callable[..., Settings]) -> Callable[..., EmailChannel]:
    given = {"smtp_host": "127.0.0.1", "smtp_port": port, "mail_from": "no-reply@fieldloop.example"}
    return lambda **changes: EmailChannel(with_settings(**(given | changes)), Noon())


def test_a_mail_arrives_as_it_was_written(relay: Relay, make: Callable[..., EmailChannel]) -> None:
    channel = make(organisation_name="Fieldloop 华东", public_url="https://fieldloop.example")

    assert channel.send(ANN, HELLO, "dedupe-1") == Accepted()

    (mail,) = relay.mails
    assert mail["Subject"] == "Your offer 您的优惠"
    assert mail["From"].addresses[0].display_name == "Fieldloop 华东"
    assert mail["From"].addresses[0].addr_spec == "no-reply@fieldloop.example"
    assert mail["To"] == "ann@site.example"
    assert mail["Date"].datetime == datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    assert mail["Auto-Submitted"] == "auto-generated"
    body = mail.get_content().replace("\r\n", "\n")
    assert body.startswith("Good morning 早上好\n.\nA line that begins with a dot\n")
    assert body.endswith("\n-- \nFieldloop 华东\nhttps://fieldloop.example\n")
    assert relay.recipients == [["ann@site.example"]]


def test_a_repetition_has_the_same_message_id_and_another_message_has_not(
    relay: Relay, make: Callable[..., EmailChannel]
) -> None:
    for dedupe_id in ("dedupe-1", "dedupe-1", "dedupe-2\r\nBcc: x@y.example"):
        make().send(ANN, HELLO, dedupe_id)

    first, again, other = [mail["Message-ID"] for mail in relay.mails]
    assert first == again != other
    assert first.endswith("@fieldloop.example>")


def test_no_title_and_no_name_can_add_a_header(relay: Relay, make: Callable[..., EmailChannel]) -> None:
    evil = "Hello\r\nBcc: evil@site.example\n\n<script>\x00\u2028X: y"

    make(organisation_name=evil).send(ANN, Message(evil, "Body", {}), "dedupe-1")

    (mail,) = relay.mails
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        *(name for name in mail if name == "X-Peer"),
    }
    assert mail["Subject"] == "Hello Bcc: evil@site.example <script> X: y"
    assert relay.recipients == [["ann@site.example"]]


@pytest.mark.parametrize(
    "address",
    [
        "ann@site.example\r\nBcc: evil@site.example",
        "ann@site.example, evil@site.example",
        "ann,evil@site.example",
        "<ann@site.example>",
        "ann@site.example>",
        "ann@site.example RCPT TO:<evil@site.example>",
        "安@site.example",
        "ann",
        "@",
        "",
        "\x00@site.example",
    ],
)
def test_what_is_not_one_address_is_refused(relay: Relay, make: Callable[..., EmailChannel], address: str) -> None:
    assert make().send(Address("email", address), HELLO, "dedupe-1") == Failed("address_invalid")
    assert relay.sessions == 0


def test_a_chinese_domain_is_written_as_the_mail_system_knows_it(relay: Relay, make: Callable[..., EmailChannel]) -> None:
    assert make().send(Address("email", "ann@公司.example"), HELLO, "dedupe-1") == Accepted()
    assert relay.recipients == [["ann@xn--55qx5d.example"]]


@pytest.mark.parametrize("sender", ["", "nobody"])
def test_a_sender_that_is_no_address_stops_the_start(make: Callable[..., EmailChannel], sender: str) -> None:
    with pytest.raises(ValueError, match="not one e-mail address"):
        make(mail_from=sender)


@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        ("RCPT", "550 5.1.1 <ann@site.example> unknown", Failed("smtp 550 5.1.1")),
        ("RCPT", "553 no such ann@site.example", Failed("smtp 553")),
        ("RCPT", "450 4.2.0 greylisted, ann@site.example", Retry("smtp 450 4.2.0")),
        ("RCPT", "421 4.3.2 closing", Retry("smtp 421 4.3.2")),
        ("DATA", "554 5.7.1 looks like spam", Failed("smtp 554 5.7.1")),
        ("DATA", "451 4.3.0 later", Retry("smtp 451 4.3.0")),
        ("MAIL", "550 5.7.1 who are you", Retry("smtp 550 5.7.1")),
        ("MAIL", "452 4.3.1 disk full", Retry("smtp 452 4.3.1")),
        ("QUIT", "500 confused", Accepted()),
    ],
)
def test_every_answer_is_judged(relay: Relay, make: Callable[..., EmailChannel], command: str, answer: str, outcome: Any) -> None:
    relay.answers[command] = answer

    assert make().send(ANN, HELLO, "dedupe-1") == outcome
    assert relay.sessions == 1


def test_nobody_listening_is_a_retry(make: Callable[..., EmailChannel]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        outcome = make(smtp_port=taken.getsockname()[1]).send(ANN, HELLO, "dedupe-1")

    assert outcome == Retry("ConnectionRefusedError", channel_down=True)


def test_a_silent_relay_is_a_retry(make: Callable[..., EmailChannel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email_channel, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = make(smtp_port=silent.getsockname()[1]).send(ANN, HELLO, "dedupe-1")

    assert outcome == Retry("SMTPServerDisconnected", channel_down=True)


def test_without_the_encryption_that_was_asked_for_nothing_is_sent(relay: Relay, make: Callable[..., EmailChannel]) -> None:
    assert make(smtp_starttls=True).send(ANN, HELLO, "dedupe-1") == Retry("SMTPNotSupportedError", channel_down=True)
    assert relay.sessions == 0


@pytest.fixture
def certificate(tmp_path: Any) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "relay.pem"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize("trusted", [True, False])
def test_encryption_and_sign_in_are_used_and_a_strange_certificate_is_refused(
    relay: Relay, make: Callable[..., EmailChannel], certificate: Any, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    seen: list[tuple[bytes, bytes]] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=True)

    controller = running(relay, tls_context=context, require_starttls=True, auth_required=True, authenticator=check)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    channel = make(smtp_port=port_of(controller), smtp_starttls=True, smtp_username="me", smtp_password="pw")

    outcome = channel.send(ANN, HELLO, "dedupe-1")

    controller.stop()
    assert outcome == (Accepted() if trusted else Retry("SSLCertVerificationError", channel_down=True))
    assert seen == ([(b"me", b"pw")] if trusted else [])


def test_through_the_outbox_a_refusal_for_now_is_repeated_under_the_same_id(
    db: Database, settings: Settings, outbox: Any, relay: Relay, make: Callable[..., EmailChannel]
) -> None:
    outbox.queue(outbox.person(email="ann@site.example", locale="zh-CN"))
    relay.answers["RCPT"] = "450 4.2.0 greylisted"

    drain(db, settings, {"email": make()})
    assert (outbox.row().state, outbox.row().last_error) == ("queued", "smtp 450 4.2.0")
    relay.answers.clear()
    outbox.clock.advance(seconds=21)
    drain(db, settings, {"email": make()})

    assert (outbox.row().state, outbox.row().attempts) == ("accepted", 2)
    assert relay.mails[0]["Subject"] == "您的优惠已到期"
