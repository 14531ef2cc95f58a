"""Both ways of reading from the connection, paho's own and whole frames at once, take the same messages in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot.adapters import Sample, decode
from iot.frames import FrameSocket, Published
from iot.ingest import Message
from iot.subscriber import Subscriber
from tests.iot.broker.brokers import Site, make_certificate, wait_until

WAYS = ("fast", "plain")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(site: Site, way: str) -> None:
    """A window of 50 that is acknowledged up to its 30th: the next connection gets all from the 31st on."""
    device = site.add_device()
    site.write(mqtt_socket=way, ingest_window=50)
    topic = f"devices/0/{device.id}/telemetry"
    with site.running():
        first = Subscriber(site.settings, 0, lambda: 0)
        first.start()
        assert first.wait_connected(10)
        site.client(device).publish(topic, *[str(i) for i in range(50)])
        taken = _take(first, 50)
        first.acknowledge(taken[:30])
        wait_until(lambda: _sent_all(first), "the acknowledgements to be sent")
        first.stop()

        second = Subscriber(site.settings, 0, lambda: 0)
        second.start()
        try:
            again = [int(delivery.message.payload) for delivery in _take(second, 20)]
            assert again == list(range(30, 50))
        finally:
            second.stop()


def test_both_ways_take_the_same_messages_in(site: Site) -> None:
    """QoS 0 and 1, retained, empty, large, with words of other scripts: the same topics, payloads and flags in the same order."""
    device = site.add_device()
    site.add_device("ovms", address="u1/car1", shard=0)
    site.write()
    seen = {}
    for way in WAYS:
        with site.running():
            sender = site.client(device)
            sender.publish(f"devices/0/{device.id}/status", "kept by the broker", retain=True)
            subscriber = Subscriber(replace(site.settings, mqtt_socket=way), 0, lambda: 0)
            subscriber.start()
            try:
                assert subscriber.wait_connected(10)
                for topic, payload, qos in _mixture(device.id):
                    sender.publish(topic, payload, qos=qos)
                seen[way] = sorted(tuple(message) for message in _messages(subscriber, 1 + len(_mixture(device.id))))
            finally:
                subscriber.stop()
                sender.publish(f"devices/0/{device.id}/status", b"", retain=True)
    assert seen["fast"] == seen["plain"]
    assert any(retained for _, _, retained, _ in seen["fast"])


def test_frames_are_read_whole_over_tls(site: Site) -> None:
    context = make_certificate(site.folder / "certs")
    device = site.add_device()
    site.write(mqtt_tls=True)
    with site.running():
        settings = replace(site.settings, mqtt_host="localhost", mqtt_ca_file=str(site.folder / "certs" / "server.crt"))
        subscriber = Subscriber(settings, 0, lambda: 0)
        subscriber.start()
        try:
            assert subscriber.wait_connected(10)
            sent = [f"{i}:{'x' * i}" for i in range(2_000)]
            site.client(device, tls=context).publish(f"devices/0/{device.id}/telemetry", *sent)
            assert [delivery.message.payload.decode() for delivery in _take(subscriber, 2_000)] == sent
        finally:
            subscriber.stop()


@pytest.mark.parametrize("way", WAYS)
def test_values_of_one_topic_that_are_handed_over_at_once_are_told_apart(site: Site, way: str) -> None:
    """OVMS has no time of its own: what waited at the broker comes in one go, and no value may stand for another;
    a copy of the one before says nothing more."""
    car = site.add_device("ovms", address="u1/car1")
    site.write(mqtt_socket=way)
    with site.running():
        subscriber = Subscriber(site.settings, 0, lambda: 1_772_000_000_000)
        subscriber.start()
        try:
            assert subscriber.wait_connected(10)
            site.client(car).publish("ovms/u1/car1/metric/v/b/soh", "80", "79", "79", "80", "78", "78")
            messages = _messages(subscriber, 6)
        finally:
            subscriber.stop()
    samples = [one for message in messages for one in decode(*message[:2], retained=False, received_ms=message.received_ms)]
    assert len({one.key for one in samples if isinstance(one, Sample)}) == 4
    assert max(samples, key=lambda one: one.at_ms).values == {"v/b/soh": 78.0}  # type: ignore[union-attr]


def test_a_clock_that_is_put_back_is_followed(site: Site) -> None:
    times = iter([1_772_000_000_000, 1_772_000_000_000, 1_771_000_000_000])
    subscriber = Subscriber(site.settings, 0, lambda: next(times))
    for i in range(3):
        subscriber._on_published([Published(b"ovms/a/b/metric/c", b"%d" % i, 1, False, i + 1)])

    found = [delivery.message.received_ms for delivery in subscriber.take(3, 0, 0)]
    assert found == [1_772_000_000_000, 1_772_000_000_001, 1_771_000_000_000]


def _mixture(device_id: str) -> list[tuple[str, bytes, int]]:
    about = f"devices/0/{device_id}"
    return [
        (f"{about}/telemetry", b'{"ts":1}', 1),
        (f"{about}/telemetry", b"", 1),
        (f"{about}/telemetry", bytes(range(256)) * 600, 1),
        (f"{about}/\u7535\u6c60", "\u5065\u5eb7\u5ea6".encode(), 1),
        (f"{about}/telemetry", b"at most once", 0),
        *[(f"{about}/telemetry", str(i).encode(), i % 2) for i in range(300)],
    ]


def _take(subscriber: Subscriber, count: int) -> list[Any]:
    found: list[Any] = []

    def took() -> bool:
        found.extend(subscriber.take(count, 0.05, 0.05))
        return len(found) >= count

    wait_until(took, f"{count} messages")
    return found


def _messages(subscriber: Subscriber, count: int) -> list[Message]:
    taken: list[Any] = []

    def took() -> bool:
        some = subscriber.take(count, 0.05, 0.05)
        subscriber.acknowledge(some)
        taken.extend(some)
        return len(taken) >= count

    wait_until(took, f"{count} messages")
    return [delivery.message for delivery in taken]


def _sent_all(subscriber: Subscriber) -> bool:
    client: Any = subscriber._client
    return not client.want_write()


class _Wire:
    """A socket whose arrivals come in the pieces the test cuts, and which takes only so many bytes at a time."""

    def __init__(self, pieces: list[bytes], room: Iterator[int]) -> None:
        self.pieces, self.room, self.sent = pieces, room, b""

    def recv(self, most: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        return self.pieces.pop(0)

    def send(self, packet: bytes) -> int:
        some = packet[: next(self.room)]
        if not some:
            raise BlockingIOError
        self.sent += some
        return len(some)


def _frame(head: int, body: bytes) -> bytes:
    left, length = len(body), b""
    while True:
        left, digit = divmod(left, 128)
        length += bytes([digit | 128 if left else digit])
        if not left:
            return bytes([head]) + length + body


FRAMES = st.one_of(
    st.tuples(st.just("paho"), st.sampled_from([0x20, 0x40, 0x90, 0xD0]), st.binary(max_size=300)),
    st.tuples(st.just("message"), st.integers(0, 65_535), st.binary(max_size=300)),
)


@given(frames=st.lists(FRAMES, max_size=30), seed=st.integers(0, 2**32))
def test_however_the_stream_is_cut_every_frame_arrives_in_order(frames: list[tuple[str, int, bytes]], seed: int) -> None:
    """Messages come past paho, all else to it, and none overtakes another."""
    stream = b"".join(
        _frame(head, body) if kind == "paho" else _frame(0x32, b"\x00\x01t" + head.to_bytes(2, "big") + body)
        for kind, head, body in frames
    )
    rng, pieces, at = random.Random(seed), [], 0
    while at < len(stream):
        n = rng.choice([1, 2, 7, 400, 5_000])
        pieces.append(stream[at : at + n])
        at += n
    heard: list[tuple[str, int, bytes]] = []
    reading = FrameSocket(
        _Wire(pieces, iter([])), lambda some: heard.extend(("message", one.packet_id, one.payload) for one in some)
    )
    unread = b""
    while pieces or reading.pending():
        try:
            unread += reading.recv(rng.choice([1, 3, 1_000]))
        except BlockingIOError:
            continue
        if (body := _whole(unread)) is not None:
            heard.append(("paho", unread[0], body))
            unread = b""
    assert unread == b""
    assert heard == frames


def _whole(frame: bytes) -> bytes | None:
    """Return the body of a frame; None while it is not whole."""
    length = shift = 0
    for at, byte in enumerate(frame[1:5], 1):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return frame[at + 1 :] if len(frame) == at + 1 + length else None
    return None


@given(rooms=st.lists(st.integers(0, 9), min_size=1), seed=st.integers(0, 2**32))
def test_acknowledgements_stand_between_packets_and_never_inside_one(rooms: list[int], seed: int) -> None:
    """The socket takes as many bytes as it likes, or none; acknowledgements come up at any moment."""
    rng = random.Random(seed)
    wire = _Wire([], (rng.choice([*rooms, 5]) for _ in iter(int, 1)))
    sending = FrameSocket(wire, lambda some: None)
    ids = iter(range(1, 1_000))
    acks: list[int] = []
    packets = [_frame(0x30, bytes([i]) * (i * 7)) for i in range(1, 8)]
    for packet in packets:
        left = packet
        while left:
            if len(acks) < 300 and rng.random() < 0.3:
                some = [next(ids) for _ in range(rng.randrange(1, 4))]
                sending.acknowledge(some)
                acks += some
            try:
                left = left[sending.send(left) :]
            except BlockingIOError:
                continue
    last = _frame(0xC0, b"")
    while last:
        try:
            last = last[sending.send(last) :]
        except BlockingIOError:
            continue

    sent = list(_frames(wire.sent))
    assert [frame for frame in sent if frame[0] == 0x30] == packets
    assert [int.from_bytes(frame[2:], "big") for frame in sent if frame[0] == 0x40] == acks
    assert sent[-1] == b"\xc0\x00"


def _frames(stream: bytes) -> Iterator[bytes]:
    """Yield the frames of a stream; all are shorter than 128 bytes."""
    while stream:
        end = 2 + stream[1]
        assert len(stream) >= end, "a frame is cut off"
        yield stream[:end]
        stream = stream[end:]


def test_messages_without_room_for_their_topic_go_to_paho() -> None:
    """It knows what to do with a frame that is not MQTT: end the connection."""
    heard: list[Published] = []
    reading = FrameSocket(_Wire([_frame(0x32, b"\x00\x09t")], iter([])), heard.extend)

    assert reading.recv(100) == _frame(0x32, b"\x00\x09t")
    assert heard == []
