"""The smallest MQTT 3.1.1 writer that can keep a broker busy: frames made before, PUBACKs counted, no library.

Source of the frames: MQTT 3.1.1 (OASIS, 2014), sections 2.2, 3.1 to 3.4.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

CONNECT, CONNACK, PUBLISH_QOS1, PUBACK, DISCONNECT = 0x10, 0x20, 0x32, 0x40, b"\xe0\x00"
_CLEAN_SESSION = 0x02
_WINDOW = 2000
_CHUNK = 100


class BrokerFault(RuntimeError):
    """The broker refused us, closed the connection or fell silent."""


def remaining_length(size: int) -> bytes:
    """Return a length as MQTT writes it: 7 bits a byte, the lowest first, the top bit says that more follow."""
    if not 0 <= size < 128**4:
        raise ValueError("a packet has at most 268,435,455 bytes")
    found = bytearray()
    while True:
        size, low = divmod(size, 128)
        found.append(low | (0x80 if size else 0))
        if not size:
            return bytes(found)


def _text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def connect_frame(client_id: str, keep_alive_s: int = 60) -> bytes:
    """Return a CONNECT with a clean session."""
    body = _text("MQTT") + bytes([4, _CLEAN_SESSION]) + keep_alive_s.to_bytes(2, "big") + _text(client_id)
    return bytes([CONNECT]) + remaining_length(len(body)) + body


def publish_frame(topic: str, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH at QoS 1, not retained. ``packet_id``: 1 to 65,535."""
    if not 1 <= packet_id <= 0xFFFF:
        raise ValueError("a packet id is 1 to 65,535")
    body = _text(topic) + packet_id.to_bytes(2, "big") + payload
    return bytes([PUBLISH_QOS1]) + remaining_length(len(body)) + body


def publish_frames(messages: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """Return the frames of messages in order, under packet ids that go round."""
    return [publish_frame(topic, payload, i % 0xFFFF + 1) for i, (topic, payload) in enumerate(messages)]


def count_acks(received: bytes) -> tuple[int, bytes]:
    """Count the whole PUBACKs in what was received, and return what is left of the next one.

    Raises:
        BrokerFault: for anything but a PUBACK.
    """
    whole = len(received) // 4
    types, lengths = received[0 : whole * 4 : 4], received[1 : whole * 4 : 4]
    if types.count(PUBACK) != whole or lengths.count(2) != whole:
        raise BrokerFault("the broker sent something else than PUBACKs")
    return whole, received[whole * 4 :]


class Writer:
    """One connection that publishes at QoS 1, with at most 2,000 messages on their way."""

    def __init__(self, port: int, client_id: str, timeout_s: float = 20.0) -> None:
        """Connect to 127.0.0.1.

        Raises:
            BrokerFault: when the broker refuses.
        """
        self._timeout_s = timeout_s
        self._link = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending, self._rest = bytearray(), b""
        self.offered = self.acked = 0
        self._link.sendall(connect_frame(client_id))
        answer = b""
        while len(answer) < 4:
            answer += (more := self._link.recv(4 - len(answer)))
            if not more:
                raise BrokerFault("the broker closed the connection")
        if answer[0] != CONNACK or answer[3] != 0:
            raise BrokerFault(f"the broker refused us: {answer.hex()}")
        self._link.setblocking(False)

    def offer(self, frames: Sequence[bytes]) -> None:
        """Hand frames over; ``pump`` sends them."""
        self._pending += b"".join(frames)
        self.offered += len(frames)

    def pump(self, wait_s: float) -> None:
        """Send and receive what can be without waiting longer than ``wait_s`` for the first chance."""
        readable, writable, _ = select.select([self._link], [self._link] if self._pending else [], [], wait_s)
        if writable:
            del self._pending[: self._link.send(self._pending)]
        if readable:
            got = self._link.recv(1 << 18)
            if not got:
                raise BrokerFault("the broker closed the connection")
            acked, self._rest = count_acks(self._rest + got)
            self.acked += acked

    def publish(self, frames: Sequence[bytes]) -> None:
        """Send frames as fast as the broker acknowledges them; return after the last PUBACK."""
        for start in range(0, len(frames), _CHUNK):
            self.wait(_WINDOW - _CHUNK)
            self.offer(frames[start : start + _CHUNK])
        self.wait(0)

    def wait(self, most_open: int) -> None:
        """Wait until at most so many messages are not acknowledged.

        Raises:
            BrokerFault: when the broker acknowledges nothing for as long as the time-out.
        """
        before, deadline = self.acked, time.monotonic() + self._timeout_s
        while self.offered - self.acked > most_open or self._pending:
            self.pump(0.5)
            if self.acked != before:
                before, deadline = self.acked, time.monotonic() + self._timeout_s
            elif time.monotonic() > deadline:
                raise BrokerFault(f"no PUBACK for {self._timeout_s:.0f} s, {self.offered - self.acked} are missing")

    def close(self) -> None:
        """Disconnect."""
        self._link.setblocking(True)
        try:
            self._link.sendall(DISCONNECT)
        finally:
            self._link.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
