"""What the ingest takes from the broker: everything below its shard, each once, also after an earlier version of it."""

from __future__ import annotations

from collections.abc import Callable

from app.core.settings import Settings, read_settings
from iot.subscriber import Subscriber, former_topics_of
from tests.iot.broker.brokers import Client, RunningBroker, Site, wait_until

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
