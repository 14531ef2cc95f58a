"""A connection to the broker that takes many messages at once: PUBLISH frames go past paho, all others to it.

Paho reads a frame byte by byte, and at most one each time it waits for the socket. Here whatever has arrived is read at once
and split along the frames of MQTT 3.1.1 (sections 2.2 and 3.3); paho keeps the connection, its keepalive and all other
packets. The order in which frames came is kept: what stands behind a frame of paho's waits until paho has taken that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from typing_extensions import override

_CHUNK = 256 * 1024
_PUBLISH, _PUBACK = 3, b"\x40\x02"
_LONGEST_LENGTH = 4


class Published(NamedTuple):
    """One PUBLISH of QoS 0 or 1 as it stood in its frame. ``packet_id``: 0 with QoS 0."""

    topic: bytes
    payload: bytes
    qos: int
    retained: bool
    packet_id: int


class FrameSocket:
    """Stands between paho and its socket. All but ``acknowledge`` is called by paho's own thread."""

    def __init__(self, socket: Any, take: Callable[[list[Published]], None]) -> None:
        """Wrap a connected socket; ``take`` gets what was published, in order, and may wait to hold the broker back."""
        self._socket, self._take = socket, take
        self._read = bytearray()
        self._for_paho = b""
        self._acks = bytearray()
        self._lock = threading.Lock()
        self._inside = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def fileno(self) -> int:
        """Return the socket's own number."""
        return int(self._socket.fileno())

    def pending(self) -> int:
        """Return how many bytes are here already, so that paho need not wait for the socket."""
        of_tls = getattr(self._socket, "pending", None)
        return len(self._for_paho) + (len(self._read) if self._has_frame() else 0) + (of_tls() if of_tls is not None else 0)

    def recv(self, most: int) -> bytes:
        """Return bytes of the next frame that is paho's; b"" when the broker has closed.

        Raises:
            BlockingIOError: there is none yet.
        """
        if not self._for_paho:
            self._split()
        if not self._for_paho:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                return b""
            self._read += chunk
            self._split()
        if not self._for_paho:
            raise BlockingIOError
        taken, self._for_paho = self._for_paho[:most], self._for_paho[most:]
        return taken

    def send(self, packet: bytes) -> int:
        """Send, the acknowledgements that wait first; never in the middle of a packet of paho's.

        Raises:
            BlockingIOError: the socket takes no more now.
        """
        with self._lock:
            if self._acks and not self._inside:
                del self._acks[: self._socket.send(bytes(self._acks))]
                if self._acks:
                    raise BlockingIOError
            sent = int(self._socket.send(packet))
            self._inside = sent < len(packet)
            return sent

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Have PUBACKs sent in this order, before the next packet paho sends."""
        acks = b"".join([_PUBACK + packet_id.to_bytes(2, "big") for packet_id in packet_ids])
        with self._lock:
            self._acks += acks

    def _has_frame(self) -> bool:
        found = _frame(self._read, 0)
        return found is not None and found[1] <= len(self._read)

    def _split(self) -> None:
        """Hand over the messages up to the next frame that is paho's, and keep that for it."""
        read, at, found = self._read, 0, []
        while (frame := _frame(read, at)) is not None and frame[1] <= len(read):
            begin, end = frame
            message = _published(read, at, begin, end)
            if message is None:
                self._for_paho = bytes(read[at:end])
                at = end
                break
            found.append(message)
            at = end
        del read[:at]
        if found:
            self._take(found)


def _frame(read: bytearray, at: int) -> tuple[int, int] | None:
    """Return where the body of the frame at ``at`` begins and ends; None: its length is not here yet.

    A length that goes on beyond four bytes is no MQTT: what there is goes to paho, which ends the connection.
    """
    length = 0
    for i in range(_LONGEST_LENGTH):
        if at + 1 + i >= len(read):
            return None
        byte = read[at + 1 + i]
        length |= (byte & 127) << (7 * i)
        if byte < 128:
            return at + 2 + i, at + 2 + i + length
    return len(read), len(read)


def _published(read: bytearray, at: int, begin: int, end: int) -> Published | None:
    """Return what a frame publishes; None where it is paho's: no PUBLISH, of the broker's own topics, or malformed."""
    head = read[at]
    qos = (head >> 1) & 3
    if head >> 4 != _PUBLISH or qos > 1 or end - begin < 2:
        return None
    topic_end = begin + 2 + (read[begin] << 8) + read[begin + 1]
    body = topic_end + 2 * qos
    if body > end or read[begin + 2 : begin + 3] == b"$":
        return None
    packet_id = (read[topic_end] << 8) + read[topic_end + 1] if qos else 0
    return Published(bytes(read[begin + 2 : topic_end]), bytes(read[body:end]), qos, bool(head & 1), packet_id)


class FrameClient(mqtt.Client):
    """Paho's client over a ``FrameSocket``: ``link`` is that of the present connection."""

    def __init__(self, *args: Any, take: Callable[[list[Published]], None], **more: Any) -> None:
        """As paho's, and what takes the messages."""
        super().__init__(*args, **more)
        self._take_published = take
        self.link: FrameSocket | None = None

    @override
    def _create_socket(self) -> Any:
        self.link = FrameSocket(super()._create_socket(), self._take_published)
        return self.link
