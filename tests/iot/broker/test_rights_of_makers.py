"""What the accounts of other makers' devices may say and hear on a real Mosquitto: their own topics, and nothing of another's."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any, NamedTuple

import pytest

from app.assets.mappings import overlap
from tests.iot.broker.plants import Plant

NATIVE = "devices/0/native-device-1/telemetry"
_KINDS = ("BIRTH", "DATA", "DEATH")


class Account(NamedTuple):
    """A device's account, and the topics it may publish on."""

    device: str
    address: str
    own: tuple[str, ...]


@pytest.fixture
def accounts(plant: Plant) -> list[Account]:
    """One of each maker, a second one beside it where it could be mistaken for the first, and the gateways."""
    mapping: dict[str, Any] = {"topic": "hall/+/{address}/status", "payload": "json"}
    reading = {"soh_pct": {"source": "$.soh"}}
    profiles = {name: plant.add_profile(code=name, adapter=name, metrics={}) for name in ("ovms", "teslamate", "sparkplug")}
    profiles["native"] = plant.world.profile
    profiles["boards"] = plant.add_profile(code="boards", adapter="thingsboard", metrics={})
    profiles["hall"] = plant.add_profile(code="hall", adapter="mapped", mapping=mapping, metrics=reading)
    profiles["yard"] = plant.add_profile(
        code="yard", adapter="mapped", mapping={"topic": "yard/{address}/{metric}", "payload": "text"}, metrics={"soh_pct": {}}
    )

    def account(profile: str, address: str, *own: str, **asked: Any) -> Account:
        return Account(plant.add_device(profiles[profile], plant.world.asset, address=address, **asked), address, own)

    def node(group: str, name: str) -> list[str]:
        own = [f"spBv1.0/{group}/N{kind}/{name}" for kind in _KINDS]
        return own + [f"spBv1.0/{group}/D{kind}/{name}/pack" for kind in _KINDS]

    made = [
        account("native", "native-device-1", NATIVE, id="native-device-1"),
        account("ovms", "anna/CAR1", "ovms/anna/CAR1/metric/v/b/soh", "ovms/anna/CAR1/notify/alert/x"),
        account("ovms", "anna/CAR2", "ovms/anna/CAR2/metric/v/b/soh"),
        account("teslamate", "1", "teslamate/cars/1/speed"),
        account("teslamate", "cars", "teslamate/cars/cars/speed"),
        account("teslamate", "home/1", "teslamate/home/cars/1/speed"),
        account("teslamate", "cars/1", "teslamate/cars/cars/1/speed"),
        account("sparkplug", "org/702", *node("org", "702")),
        account("sparkplug", "org/703", *node("org", "703")),
        account("sparkplug", "other/702", *node("other", "702")),
        account("sparkplug", "org/702/pack"),  # its node speaks for it
        account("boards", "Van 1"),  # its gateway speaks for it
        account("hall", "7", "hall/north/7/status", "hall/south/7/status"),
        account("hall", "8", "hall/north/8/status"),
        account("yard", "7", "yard/7/soh_pct"),
    ]
    topics = [topic for one in made for topic in one.own] + FOREIGN
    gateways = {
        "boards": [f"v1/gateway/{kind}" for kind in ("telemetry", "attributes", "connect", "disconnect", "rpc")],
        "teslamate": [topic for topic in topics if topic.startswith("teslamate/")],
        "sparkplug": [topic for one in made if one.own and one.own[0].startswith("spBv1.0/") for topic in one.own],
        "hall": [topic for topic in topics if fnmatch(topic, "hall/*/?/status")],
    }
    for name, own in gateways.items():
        made.append(account(name, "bridge/1" if name == "sparkplug" else "bridge", *own, gateway=True))
    return made


# Nobody but the product publishes these, or nobody at all; a gateway those of devices that are not registered.
FOREIGN = [
    "devices/0/native-device-2/telemetry", "ovms/anna", "ovms/anna/CAR3/metric/v/b/soh", "teslamate/cars/1/a/b",
    "teslamate/cars/2/speed", "spBv1.0/org/NCMD/702", "spBv1.0/org/DCMD/702/pack", "spBv1.0/STATE/host",
    "spBv1.0/org/NDATA/702/x", "spBv1.0/org/DDATA/702/pack/x", "v1/gateway/claim", "v1/devices/me/telemetry",
    "hall/north/9/status", "hall/north/7/other", "hall/7/status", "hall/north/7/status/x", "yard/8/soh_pct", "yard/7", "anything",
]  # fmt: skip


def test_every_account_publishes_exactly_its_own_topics(plant: Plant, accounts: list[Account]) -> None:
    topics = sorted({topic for one in accounts for topic in one.own} | set(FOREIGN))
    with plant.running(watched=True):
        watcher = plant.watcher()
        for account in accounts:
            sender = plant.client(account.device)
            for topic in topics:
                sender.paho.publish(topic, account.device, 1)
            sender.wait(lambda: sender.published == len(topics), "every PUBACK")  # noqa: B023 - called before it changes
            # A PUBACK comes when the message was routed: what was let through arrives before this one.
            watcher.publish("the/end", account.device)
            watcher.wait(lambda: watcher.messages and watcher.messages[-1].topic == "the/end", "the last message")
            told = [message.topic for message in watcher.messages[:-1]]
            watcher.messages.clear()
            assert told == sorted(account.own), account.device


def test_the_answer_to_a_registration_names_topics_of_the_device(plant: Plant, accounts: list[Account]) -> None:
    told = {}
    for one in accounts:
        told[one.address] = plant.topics[one.device]
        if one.own and not one.address.startswith("bridge"):
            assert any(overlap(told[one.address], topic) for topic in one.own), one.address
    assert told["cars/1"] == "teslamate/cars/cars/1/+"
    assert told["org/702/pack"] == "spBv1.0/org/DDATA/702/pack"
    assert told["Van 1"] == "v1/gateway/telemetry"


def test_a_node_hears_what_it_is_asked_and_a_gateway_what_all_nodes_are_asked(plant: Plant, accounts: list[Account]) -> None:
    asked = ["spBv1.0/org/NCMD/702", "spBv1.0/org/DCMD/702/pack", "spBv1.0/other/NCMD/702", "spBv1.0/STATE/host"]
    hears = {
        "org/702": [asked[0], asked[1], asked[3]],
        "org/703": [asked[3]],
        "other/702": [asked[2], asked[3]],
        "bridge/1": asked,
        "org/702/pack": [],
        "Van 1": [],
        "bridge": ["v1/gateway/rpc", "v1/gateway/attributes"],
    }
    devices = {one.address: one.device for one in reversed(accounts)}
    with plant.running(watched=True):
        listeners = {address: plant.client(devices[address]).subscribe("#") for address in hears}
        host = plant.watcher()
        for topic in (*asked, *hears["bridge"], "spBv1.0/org/NDATA/702", "v1/gateway/telemetry", "v1/gateway/connect"):
            host.publish(topic, "x")
        for address, listener in listeners.items():
            # Its own command comes behind everything the broker had for it.
            host.publish(f"devices/0/{devices[address]}/commands/end", "x")
            listener.wait(lambda: listener.messages and listener.messages[-1].topic.endswith("/end"), "the end")  # noqa: B023 - as above
            assert [message.topic for message in listener.messages[:-1]] == hears[address], address
