"""Figures quoted in docs/adr/0009-brokers.md; they take a minute and depend on the machine, so they are asked for:

``MEASURE_BROKERS=1 python -m pytest tests/iot/broker/test_figures.py -s``
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Callable

import pytest

from iot.broker import HOST
from tests.iot.broker.brokers import Client, RunningBroker, Site, wait_until

pytestmark = pytest.mark.skipif(not os.environ.get("MEASURE_BROKERS"), reason="measures; set MEASURE_BROKERS=1")

TOPIC = "devices/0/{}/telemetry"
PAYLOAD_BYTES = 155
WINDOW = 200


def field(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(raw)) + raw


def packet(kind: int, body: bytes) -> bytes:
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (128 if rest else 0)])
        if not rest:
            return bytes([kind]) + length + body


def flood(port: int, topic: str, count: int, user: str = "sender", password: str = "") -> None:
    """Publish ``count`` numbered messages with QoS 1, each acknowledged; paho is too slow for this many."""
    with socket.create_connection((HOST, port)) as link:
        link.sendall(packet(0x10, field("MQTT") + b"\x04\xc2\x00\x3c" + field(user) + field(user) + field(password)))
        assert link.recv(4)[3] == 0
        sent = acked = 0
        while acked < 4 * count:
            burst = range(sent, min(count, acked // 4 + WINDOW))
            bodies = (field(topic) + struct.pack(">H", n % 65_535 + 1) + f"{n:08d}".encode().ljust(PAYLOAD_BYTES) for n in burst)
            link.sendall(b"".join(packet(0x32, body) for body in bodies))
            sent = max(sent, burst.stop)
            acked += len(link.recv(65_536))


def memory_mb(broker: RunningBroker) -> float:
    with open(f"/proc/{broker.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.timeout(600)
def test_figures_of_mosquitto(site: Site) -> None:
    device = site.add_device()
    site.write()
    snapshot = site.folder / "data" / "mosquitto.db"

    with site.running() as broker:
        site.ingest().subscribe("devices/0/#").leave()
        before = memory_mb(broker)
        for more, queued in ((100_000, 100_000), (400_000, 500_000)):
            flood(broker.port, TOPIC.format(device.id), more, device.id, site.secrets[device.id])
            each = (memory_mb(broker) - before) * 1e6 / queued
            snapshot.unlink(missing_ok=True)
            began = time.monotonic()
            os.kill(broker.pid, signal.SIGUSR1)
            wait_until(snapshot.exists, "the snapshot")
            print(f"\nMosquitto, {queued} queued: {each:.0f} bytes of memory each; snapshot {time.monotonic() - began:.2f} s")


@pytest.mark.timeout(600)
def test_figures_of_the_embedded_broker(rumqttd: Callable[..., RunningBroker], connect: Callable[..., Client]) -> None:
    broker = rumqttd()
    connect(broker.port, "absent", clean=False).subscribe("devices/0/#").leave()
    flood(broker.port, TOPIC.format("d" * 36), 1_000_000)
    reader = connect(broker.port, "absent", clean=False)
    reader.wait(lambda: reader.messages and reader.messages[-1].payload.startswith(b"00999999"), "the last message", 300)

    print(f"\nembedded: {len(reader.messages)} of 1000000 kept; {memory_mb(broker):.0f} MB")
