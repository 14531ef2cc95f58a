"""One persistent MQTT session per shard; messages wait here until they are acknowledged. Its socket is in ``frames``.

MQTT 3.1.1, QoS 1, clean session off, stable client id, acknowledgement by hand after the commit
[MQTT-4.4.0-1]: what was not acknowledged comes again when the session is resumed, and only then.
"""

from __future__ import annotations

import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from app.core.logs import get_log
from app.core.settings import Settings
from iot.frames import FrameClient, Published
from iot.ingest import Message

log = get_log(__name__)

# So many windows of messages may wait here; then nothing more is read from the connection until some are taken. Should that take
# longer than one and a half keepalives, the broker ends the connection and hands over again what was not acknowledged.
_WINDOWS = 2
_UNREADABLE = "\ufffd"
_MOST_TOPICS = 10_000
_CATCHING_UP_MS = 60_000
_OWN_TIME = ("devices/", "spBv1.0/")
_DROPPED = "$SYS/broker/publish/messages/dropped"


class Delivery(NamedTuple):
    """A message and what is needed to acknowledge it: its packet id, and the connection that id belongs to."""

    message: Message
    packet_id: int
    qos: int
    connection: int


def topics_of(shard: int) -> list[str]:
    """Return the topic filters of a shard. Conventions without a shard in their topic belong to shard 0."""
    own = f"devices/{shard}/#"  # what nobody expects below it, too: it becomes a dead letter
    return [own, "ovms/#"] if shard == 0 else [own]


def former_topics_of(shard: int) -> list[str]:
    """Return the filters an ingest of an earlier version left in the broker's session; all lie within today's."""
    return [f"devices/{shard}/+/{kind}" for kind in ("telemetry", "events", "responses/+")]


class Subscriber:
    """The MQTT side of one ingest process."""

    def __init__(self, settings: Settings, shard: int, now_ms: Callable[[], int]) -> None:
        """Prepare a client; ``start`` connects. ``now_ms``: our clock, Unix ms, for the arrival of messages."""
        self._settings, self._shard, self._now_ms = settings, shard, now_ms
        self._waiting: deque[Delivery] = deque()
        self._arrived = threading.Condition()
        self._stopping = False
        self.most_waiting = _WINDOWS * max(settings.ingest_window, 20)
        self._connection, self._is_up = 0, False
        self._connected = threading.Event()
        self._following: set[str] = set()
        self._subscribed: set[str] = set()
        self._leaving: dict[int, set[str]] = {}
        self._left: set[str] = set()
        self._topics: dict[bytes, str] = {}
        # By topic: when the last message came, which time it was given, and a hash of what it said.
        self._heard: dict[str, tuple[int, int, int]] = {}
        self._published: dict[int, Any] = {}
        self._confirmed: deque[int] = deque()
        options: dict[str, Any] = {
            "client_id": f"fieldloop-ingest-{shard}",
            "clean_session": False,
            "protocol": mqtt.MQTTv311,
            "manual_ack": True,
        }
        self._frames: FrameClient | None = None
        if settings.mqtt_socket == "fast":
            self._frames = FrameClient(CallbackAPIVersion.VERSION2, take=self._on_published, **options)
        self._client = self._frames or mqtt.Client(CallbackAPIVersion.VERSION2, **options)
        if settings.mqtt_password:
            self._client.username_pw_set(settings.mqtt_username, settings.mqtt_password)
        if settings.mqtt_tls:
            self._client.tls_set_context(ssl.create_default_context(cafile=settings.mqtt_ca_file or None))
        self._client.reconnect_delay_set(1, 30)
        self._client.max_inflight_messages_set(max(settings.ingest_window, 20))
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe
        self._client.on_message = self._on_message
        # Called with paho's own lock held: it may wait for none of ours.
        self._client.on_publish = lambda _client, _data, packet_id, *_: self._confirmed.append(packet_id)
        self._client.message_callback_add(_DROPPED, self._on_dropped)
        self.broker_dropped: int | None = None

    def start(self) -> None:
        """Connect in the background and keep trying until the broker answers."""
        self._client.connect_async(self._settings.mqtt_host, self._settings.mqtt_port, keepalive=30)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and everything not acknowledged."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify_all()
        self._client.disconnect()
        self._client.loop_stop()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has taken us in; tell whether it did."""
        return self._connected.wait(timeout_s)

    @property
    def is_connected(self) -> bool:
        """Whether the session is up."""
        return self._connected.is_set()

    @property
    def waiting(self) -> int:
        """How many deliveries wait to be taken; at most ``most_waiting``."""
        return len(self._waiting)

    def take(self, most: int, linger_s: float, patience_s: float) -> list[Delivery]:
        """Return the next deliveries, in order of arrival.

        Args:
            most: at most so many.
            linger_s: how long to wait for more once there is one.
            patience_s: how long to wait for the first; then the list is empty.
        """
        with self._arrived:
            if not self._waiting:
                self._arrived.wait(patience_s)
            if not self._waiting:
                return []
        deadline = time.monotonic() + linger_s
        while len(self._waiting) < most and (left := deadline - time.monotonic()) > 0:
            with self._arrived:
                self._arrived.wait(left)
        with self._arrived:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._arrived.notify_all()
            return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge in order of arrival. Packet ids of an earlier connection mean nothing on this one and are left out."""
        with self._arrived:  # a connection ends under this lock, and only then can another one begin
            own = [one.packet_id for one in deliveries if one.qos and one.connection == self._connection]
            if not own or not self._is_up:
                return
            if self._frames is not None and self._frames.link is not None:
                self._frames.link.acknowledge(own[:-1])
                own = own[-1:]
            for packet_id in own:
                self._client.ack(packet_id, 1)

    def follow(self, wanted: Collection[str], unwanted: Collection[str]) -> None:
        """Subscribe to what is new among further topic filters, then leave those nobody wants; ``left`` tells which went.

        The new ones first: a profile whose topic changes goes on without a gap. Both lists are repeated after a reconnect,
        and leaving may be asked for again.
        """
        with self._arrived:
            self._following = set(wanted)
            if not self._connected.is_set():
                return
            if new := sorted(self._following - self._subscribed):
                self._client.subscribe([(topic, 1) for topic in new])
            self._subscribed = set(wanted)
            asked = set().union(*self._leaving.values())
            if leaving := sorted(set(unwanted) - asked - self._left):
                _, packet_id = self._client.unsubscribe(leaving)
                if packet_id is not None:
                    self._leaving[packet_id] = set(leaving)

    def left(self) -> set[str]:
        """Return the filters the broker has confirmed to be gone since the last call."""
        with self._arrived:
            left, self._left = self._left, set()
            return left

    def publish(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, note: Any = None) -> None:
        """Publish one message.

        Args:
            retain: the broker keeps it for whoever subscribes later.
            note: what ``confirmed`` returns once the broker has acknowledged it.
        """
        told = self._client.publish(topic, payload, qos=qos, retain=retain)
        self._published.pop(told.mid, None)  # of a message that was never acknowledged, 65,535 messages ago
        if note is not None:
            self._published[told.mid] = note

    def confirmed(self) -> list[Any]:
        """Return the notes of what the broker has acknowledged since the last call."""
        packet_ids = [self._confirmed.popleft() for _ in range(len(self._confirmed))]
        return [self._published.pop(packet_id) for packet_id in packet_ids if packet_id in self._published]

    @property
    def connection(self) -> int:
        """The number of the present connection, or of the last one; 0 before the first."""
        return self._connection

    def _on_connect(self, client: mqtt.Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.error("broker refused us", reason=str(reason), shard=self._shard)
            return
        with self._arrived:
            self._connection, self._is_up = self._connection + 1, True
            self._waiting.clear()
            self._leaving.clear()
            self._subscribed = set(self._following)
            wanted = [*topics_of(self._shard), *sorted(self._following)]
            client.subscribe([(topic, 1) for topic in wanted])
        if self._settings.mqtt_broker == "external":  # the embedded one closes the connection of who asks
            client.subscribe(_DROPPED, 0)
        if flags.session_present:
            client.unsubscribe(former_topics_of(self._shard))
        log.info("connected to broker", shard=self._shard, session_present=flags.session_present)

    def _on_subscribe(self, *_: Any) -> None:
        self._connected.set()
        log.info("subscribed", shard=self._shard)

    def _on_unsubscribe(self, _client: mqtt.Client, _data: Any, packet_id: int, *_: Any) -> None:
        with self._arrived:
            # Wanted again meanwhile: then it was subscribed anew, after this.
            self._left |= self._leaving.pop(packet_id, set()) - self._following

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._arrived:
            self._is_up = False
        self._connected.clear()
        log.warning("lost the broker", reason=str(reason), shard=self._shard)

    def _on_connect_fail(self, _client: mqtt.Client, _data: Any) -> None:
        # Each try, at most 30 s apart. Paho keeps the fault to itself: the exception that made it call this.
        settings, fault = self._settings, sys.exc_info()[1]
        log.error(
            "broker not reached", host=settings.mqtt_host, port=settings.mqtt_port, problem=str(fault or ""), shard=self._shard
        )

    def _on_dropped(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        """Note how many messages the broker says it dropped since its start. It is no delivery, and needs no acknowledgement."""
        if message.payload[:20].isdigit():
            self.broker_dropped = int(message.payload[:20])

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = _UNREADABLE
        payload = bytes(message.payload)
        received_ms = self._arrival(topic, payload, self._now_ms(), bool(message.retain))
        received = Message(topic, payload, bool(message.retain), received_ms)
        self._add([(received, message.mid, message.qos)])

    def _on_published(self, published: list[Published]) -> None:
        now_ms, topics = self._now_ms(), self._topics
        taken = []
        for topic, payload, qos, retained, packet_id in published:
            told = topics.get(topic)
            if told is None:
                if len(topics) >= _MOST_TOPICS:
                    topics.clear()
                told = topics[topic] = _read_topic(topic)
            taken.append((Message(told, payload, retained, self._arrival(told, payload, now_ms, retained)), packet_id, qos))
        self._add(taken)

    def _arrival(self, topic: str, payload: bytes, now_ms: int, retained: bool) -> int:
        """Return when a message came, each of a topic later than the one before where messages may have no other time.

        Of two values that are handed over at once, the first would stand for both. The same one twice is one.
        """
        if retained or topic.startswith(_OWN_TIME):
            return now_ms
        came_ms, last_ms, said = self._heard.get(topic, (0, 0, 0))
        says, given_ms = hash(payload), now_ms
        if came_ms == now_ms and said == says:
            return last_ms
        if last_ms >= now_ms > last_ms - _CATCHING_UP_MS:
            given_ms = last_ms + 1
        if len(self._heard) >= _MOST_TOPICS:
            self._heard.clear()
        self._heard[topic] = now_ms, given_ms, says
        return given_ms

    def _add(self, received: Sequence[tuple[Message, int, int]]) -> None:
        with self._arrived:
            for one in received:
                if len(self._waiting) >= self.most_waiting:
                    # Not reading on makes the broker wait: Mosquitto 2.0.11 sends up to a window for every acknowledgement.
                    self._arrived.notify_all()
                    self._arrived.wait_for(lambda: len(self._waiting) < self.most_waiting or self._stopping)
                self._waiting.append(Delivery(*one, self._connection))
            self._arrived.notify_all()


def _read_topic(topic: bytes) -> str:
    try:
        return topic.decode()
    except UnicodeDecodeError:
        return _UNREADABLE
