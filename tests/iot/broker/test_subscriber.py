"""What the ingest takes from the broker: everything below its shard, each once, also after an earlier version of it."""

from __future__ import annotations

from collections.abc import Callable

import structlog.testing

from app.core.settings import Settings, read_settings
from iot.subscriber import Subscriber, former_topics_of
from tests.iot.broker.brokers import Client, RunningBroker, Site, free_port, wait_until

DEVICE = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000"
KINDS = ["telemetry", "events", "responses/command-1", "telemetry/battery", "status", "commands/command-1"]


def takes_each_once(settings: Settings, device: str, sender: Client) -> None:
    """Every kind of topic is taken in, once, and again once."""
    subscriber = Subscriber(settings, 0, lambda: 0)
    subscriber.start()
    try:
        assert subscriber.wait_connected(10)
        for name in ("before", "after"):
            topics = [f"devices/0/{device}/{kind}" for kind in KINDS]
            for topic in topics:
                sender.publish(topic, name)
            sender.publish(f"devices/0/{device}/last", name)
            found: list[str] = []

            def took() -> bool:
                taken = subscriber.take(100, 0.1, 0.1)
                subscriber.acknowledge(taken)
                found.extend(delivery.message.topic for delivery in taken)  # noqa: B023 - called in this turn only
                return f"devices/0/{device}/last" in found  # noqa: B023

            wait_until(took, "the last message")
            assert sorted(found[:-1]) == sorted(topics)
    finally:
        subscriber.stop()


def test_the_embedded_broker_hands_over_everything_of_the_shard_once(
    rumqttd: Callable[..., RunningBroker], connect: Callable[..., Client]
) -> None:
    """Its sessions end with it, so none is of an earlier version; the second time there is one of this version."""
    broker = rumqttd()

    takes_each_once(read_settings(mqtt_port=broker.port), DEVICE, connect(broker.port, "sender"))
    takes_each_once(read_settings(mqtt_port=broker.port), DEVICE, connect(broker.port, "sender2"))


def test_mosquitto_hands_over_everything_of_the_shard_once(site: Site) -> None:
    device = site.add_device()
    site.write()
    with site.running():
        earlier = site.ingest()
        for topic in former_topics_of(0):
            earlier.subscribe(topic)
        earlier.leave()

        takes_each_once(site.settings, device.id, site.client(device))


def waits_within_bounds(settings: Settings, device: str, sender: Client, window: int) -> None:
    """A backlog many times the window is taken in slowly: what lies here never passes the bound, and nothing is missed."""
    subscriber = Subscriber(settings, 0, lambda: 0)
    bound = subscriber.most_waiting
    subscriber.start()
    try:
        assert subscriber.wait_connected(10)
        sent = 20 * bound
        sender.publish(f"devices/0/{device}/telemetry", *[str(i) for i in range(sent)])
        first = subscriber.take(sent, 1.0, 10)
        assert [delivery.message.payload for delivery in first] == [str(i).encode() for i in range(window)]
        assert subscriber.take(sent, 0.2, 0.2) == []

        found, most = len(first), 0
        subscriber.acknowledge(first)
        while found < sent:
            wait_until(lambda: subscriber.waiting, "more of the backlog")
            most = max(most, subscriber.waiting)
            more = subscriber.take(10, 0, 10)
            subscriber.acknowledge(more)
            found += len(more)
        assert most <= bound
    finally:
        subscriber.stop()


def test_what_waits_for_the_ingest_is_bounded_however_much_mosquitto_sends(site: Site) -> None:
    device = site.add_device()
    site.write(ingest_window=25)
    with site.running():
        waits_within_bounds(site.settings, device.id, site.client(device), 25)


def test_what_waits_for_the_ingest_is_bounded_with_the_embedded_broker(
    rumqttd: Callable[..., RunningBroker], connect: Callable[..., Client]
) -> None:
    broker = rumqttd()

    waits_within_bounds(read_settings(mqtt_port=broker.port, ingest_window=100), DEVICE, connect(broker.port, "sender"), 100)


def test_the_ingest_hears_what_mosquitto_dropped(site: Site) -> None:
    site.add_device()
    site.write()
    with site.running():
        subscriber = Subscriber(site.settings, 0, lambda: 0)
        subscriber.start()
        try:
            wait_until(lambda: subscriber.broker_dropped is not None, "a count of dropped messages")
            assert subscriber.broker_dropped == 0
            assert subscriber.take(10, 0.1, 0.1) == []
        finally:
            subscriber.stop()


def test_a_broker_that_takes_no_connection_is_told_with_its_address_and_why() -> None:
    port = free_port()
    with structlog.testing.capture_logs() as told:
        subscriber = Subscriber(read_settings(mqtt_port=port), 0, lambda: 0)
        subscriber.start()
        try:
            wait_until(lambda: any(entry["log_level"] == "error" for entry in told), "a line about it")
        finally:
            subscriber.stop()

    entry = next(entry for entry in told if entry["log_level"] == "error")
    assert (entry["event"], entry["host"], entry["port"]) == ("broker not reached", "127.0.0.1", port)
    assert "refused" in entry["problem"]
