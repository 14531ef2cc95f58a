"""Real brokers on free loopback ports, a client that can be waited on, and a small table of devices.

Nothing here sleeps for a fixed time: what takes time is waited for, up to ``PATIENCE_S``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.orm import Session

from app.assets.credentials import broker_hash
from app.assets.models import Device
from app.core.ids import new_id
from app.core.settings import Settings
from iot import mosquitto
from iot.broker import HOST

PATIENCE_S = 20.0
ROOT = Path(__file__).resolve().parents[3]
LOOK_S = 0.02


def becomes(true: Callable[[], object], patience_s: float) -> bool:
    """Look again and again until ``true()``; tell whether it was, before patience ran out."""
    pause = threading.Event()
    for _ in range(int(patience_s / LOOK_S)):
        if true():
            return True
        pause.wait(LOOK_S)
    return False


def wait_until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look again and again until ``true()``; fail with ``what`` when patience runs out."""
    if not becomes(true, patience_s):
        pytest.fail(f"waited {patience_s} s for: {what}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def accepts(port: int, host: str = HOST) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


class Client:
    """A paho client with a network thread, whose arrivals and acknowledgements can be waited on."""

    def __init__(self, port: int, name: str, *, clean: bool = True, manual_ack: bool = False, **sign_in: Any) -> None:
        """``sign_in``: ``user`` and ``password``, ``tls``, an SSL context, ``keepalive`` in seconds, ``will`` of ``will_set``."""
        self.port, self.name, self.keepalive = port, name, sign_in.get("keepalive", 60)
        self.messages: list[mqtt.MQTTMessage] = []
        self.published = self.subscribed = 0
        self.refused: str | None = None
        self.connected = self.closed = self.session_present = False
        self._changed = threading.Condition()
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=clean,
            protocol=mqtt.MQTTv311,
            manual_ack=manual_ack,
            reconnect_on_failure=False,
        )
        if sign_in.get("user") is not None:
            self.paho.username_pw_set(sign_in["user"], sign_in["password"])
        if sign_in.get("tls") is not None:
            self.paho.tls_set_context(sign_in["tls"])
        if sign_in.get("will") is not None:
            self.paho.will_set(*sign_in["will"])
        self.paho.max_inflight_messages_set(40)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = self._on_message
        self.paho.on_publish = self._on_publish
        self.paho.on_subscribe = self._on_subscribe

    def _note(self, **values: object) -> None:
        with self._changed:
            vars(self).update(values)
            self._changed.notify_all()

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._note(refused=str(reason))
        else:
            self._note(connected=True, session_present=flags.session_present)

    def _on_disconnect(self, *_: Any) -> None:
        self._note(closed=True)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.messages.append(message)
        self._note()

    def _on_publish(self, *_: Any) -> None:
        self._note(published=self.published + 1)

    def _on_subscribe(self, *_: Any) -> None:
        self._note(subscribed=self.subscribed + 1)

    def wait(self, true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(true()), patience_s):
                pytest.fail(f"{self.name} waited {patience_s} s for: {what}; it has {len(self.messages)} messages")

    def sign_in(self) -> Client:
        """Connect and wait for the answer, which may be a refusal."""
        self.paho.connect(HOST, self.port, keepalive=self.keepalive)
        self.paho.loop_start()
        self.wait(lambda: self.connected or self.refused or self.closed, "an answer to CONNECT")
        return self

    def subscribe(self, topic: str, qos: int = 1) -> Client:
        """Subscribe and wait for the SUBACK, which comes behind everything that was already on its way here."""
        before = self.subscribed
        self.paho.subscribe(topic, qos)
        self.wait(lambda: self.subscribed > before, f"SUBACK of {topic}")
        return self

    def publish(self, topic: str, *payloads: str | bytes, qos: int = 1, retain: bool = False) -> Client:
        """Publish and, with QoS 1, wait for every PUBACK."""
        before = self.published
        for payload in payloads:
            self.paho.publish(topic, payload, qos, retain)
        self.wait(lambda: self.published - before >= len(payloads), f"{len(payloads)} PUBACKs")
        return self

    def expect(self, count: int) -> list[str]:
        """Wait until ``count`` messages have come and return their payloads, in order of arrival."""
        self.wait(lambda: len(self.messages) >= count, f"{count} messages")
        return self.payloads()

    def payloads(self) -> list[str]:
        return [message.payload.decode() for message in self.messages]

    def ack(self, *messages: mqtt.MQTTMessage) -> None:
        for message in messages:
            self.paho.ack(message.mid, message.qos)

    def drop(self) -> None:
        """Cut the connection without a DISCONNECT, as a killed process does."""
        link: Any = self.paho.socket()
        if link is not None:
            link.shutdown(socket.SHUT_RDWR)
        self.wait(lambda: self.closed, "the end of the connection")
        self.paho.loop_stop()

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


class RunningBroker:
    """A broker process that can be stopped, killed, started again and told to reload."""

    def __init__(
        self, command: list[str], port: int, log: Path, ready: Callable[[], bool], env: dict[str, str] | None = None
    ) -> None:
        self.command, self.port, self.log, self._ready = command, port, log, ready
        self.env = os.environ | (env or {})
        self.process: subprocess.Popen[bytes] | None = None
        self._begun = 0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> RunningBroker:
        with self.log.open("ab") as log:
            self._begun = log.tell()
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.env, cwd=ROOT)
        wait_until(lambda: self._ready() or self.ended(), "the broker to accept connections")
        assert not self.ended(), self.log.read_text(errors="replace")
        return self

    def says(self, word: bytes) -> bool:
        """Return whether the log has this word since the last start."""
        return word in self.log.read_bytes()[self._begun :]

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        if not self.ended():
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def restart(self, number: int = signal.SIGTERM) -> RunningBroker:
        self.end(number)
        return self.start()


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Write server.crt and server.key for 127.0.0.1, readable by the broker; return a client's trust in them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ssl.create_default_context(cafile=str(folder / "server.crt"))


@contextmanager
def running_mosquitto(folder: Path, port: int) -> Iterator[RunningBroker]:
    """Start the real Mosquitto with ``folder/mosquitto.conf``; end it afterwards."""
    broker = RunningBroker(
        [str(mosquitto_program()), "-c", str(folder / "mosquitto.conf")], port, folder / "log", lambda: accepts(port)
    )
    try:
        yield broker.start()
    finally:
        broker.end(signal.SIGKILL)


def mosquitto_program() -> str:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None and os.environ.get("CI") == "true":
        pytest.fail("mosquitto is not installed, and CI=true: the promises about the production broker are unproven")
    if program is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto): the promises about the production broker are unproven")
    return program


class Site:
    """A configuration folder, the devices it is generated from, and clients that sign in with the right secrets."""

    def __init__(self, settings: Settings, session: Session, folder: Path, connect: Callable[..., Client]) -> None:
        self.settings, self.session, self.folder = settings, session, folder
        self._connect = connect
        self.secrets: dict[str, str] = {}

    def add_device(self, adapter: str = "native", address: str = "", **values: Any) -> Device:
        now = datetime(2026, 6, 1, tzinfo=UTC)
        device_id = values.pop("id", None) or new_id()
        self.secrets[device_id] = secret = f"secret-of-{device_id}"
        fields = {"secret_hash": broker_hash(secret), "shard": 0, "state": "active"} | values
        device = Device(
            id=device_id, adapter=adapter, address=address or device_id, profile_id="p", asset_id="a", installed_at=now,
            created_at=now, updated_at=now, **fields,
        )  # fmt: skip
        self.session.add(device)
        self.session.flush()
        return device

    def write(self, **changed: Any) -> list[Path]:
        if changed:
            self.settings = replace(self.settings, **changed)
        return mosquitto.write_config(self.settings, self.session, self.folder)

    def client(self, device: Device, **options: Any) -> Client:
        """A device signing in with its secret."""
        signing = {"name": device.id, "user": device.id, "password": self.secrets[device.id]} | options
        return self._connect(self.settings.mqtt_port, **signing)

    def ingest(self, **options: Any) -> Client:
        """The ingest of shard 0 signing in: a session that lasts, acknowledgements by hand."""
        signing = {
            "name": "fieldloop-ingest-0", "user": self.settings.mqtt_username, "password": self.settings.mqtt_password,
            "clean": False, "manual_ack": True,
        }  # fmt: skip
        return self._connect(self.settings.mqtt_port, **(signing | options))

    def running(self) -> Any:
        return running_mosquitto(self.folder, self.settings.mqtt_port)
