"""Rights in Mosquitto's dynamic security plugin, on a real Mosquitto: what a device may changes while it is connected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.assets.models import Device
from iot import dynsec, mosquitto
from iot.access import Right
from iot.mosquitto import Keeper, reload
from tests.iot.broker.brokers import Client, RunningBroker, Site, wait_until
from tests.iot.broker.test_mosquitto import telemetry


@pytest.fixture
def site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(mosquitto, "REPAIR_S", 0.0)  # compare at each look
    site.write(mqtt_access="dynsec")
    return site


def keeper_of(site: Site, broker: RunningBroker) -> Keeper:
    """Begin to keep the broker current, and wait until it lets the keeper in."""
    keeper = Keeper(site.settings, site.folder, lambda: reload(broker.pid))
    wait_until(lambda: _compared(site, keeper), "the broker to take the keeper in")
    return keeper


def _compared(site: Site, keeper: Keeper) -> bool:
    keeper.refresh(site.session)
    return not differing(site, keeper)


def differing(site: Site, keeper: Keeper) -> list[Any]:
    try:
        with dynsec.control(site.settings, keeper._password) as broker:
            return dynsec.differences(broker.held(), mosquitto.wanted_rights(site.settings, site.session))
    except OSError:
        return ["no answer"]


def say(sender: Client, *topics: str) -> None:
    for topic in topics:
        sender.publish(topic, topic)


def test_devices_say_and_hear_what_they_may_and_nothing_else(site: Site) -> None:
    device, victim, car = site.add_device(), site.add_device(), site.add_device("ovms", "anna/CAR-1")

    with site.running() as broker:
        keeper_of(site, broker)
        ingest = site.ingest().subscribe("devices/#").subscribe("ovms/#")
        mine, theirs = site.client(device), site.client(car)
        own = [telemetry(device), f"devices/0/{device.id}/responses/1"]
        say(mine, telemetry(victim), f"devices/0/{victim.id}/commands/1", "ovms/anna/CAR-1/metric/v/b/soh", dynsec.CONTROL, *own)
        say(theirs, "ovms/anna/CAR-2/metric/v/b/soh", telemetry(device), "ovms/anna/CAR-1/metric/v/b/soh")
        assert ingest.expect(3) == [*own, "ovms/anna/CAR-1/metric/v/b/soh"]

        spying = site.client(victim).subscribe("devices/#").subscribe("$CONTROL/#")
        spying.subscribe(f"devices/0/{victim.id}/commands/#")
        ingest.publish(f"devices/0/{device.id}/commands/1", "not for you").publish(f"devices/0/{victim.id}/commands/1", "for you")
        assert spying.expect(1)[:1] == ["for you"]
        assert site.client(device, name="x", password="wrong").refused == "Not authorized"


def test_a_right_that_is_given_and_taken_counts_at_once_for_an_open_connection(site: Site) -> None:
    car: Device = site.add_device("ovms", "anna/CAR-1")

    with site.running() as broker:
        keeper = keeper_of(site, broker)
        ingest = site.ingest().subscribe("ovms/#")
        sender = site.client(car)
        say(sender, "ovms/anna/CAR-2/event")
        car.address, car.change_no = "anna/CAR-2", 7
        site.session.flush()
        keeper.refresh(site.session)
        say(sender, "ovms/anna/CAR-2/metric", "ovms/anna/CAR-1/metric")
        say(site.client(car, name="again"), "ovms/anna/CAR-2/last")

        assert ingest.expect(2) == ["ovms/anna/CAR-2/metric", "ovms/anna/CAR-2/last"]
        assert not sender.closed


def test_what_the_broker_lost_or_was_told_by_somebody_else_is_repaired(site: Site) -> None:
    device, gone = site.add_device(), site.add_device()

    with site.running() as broker:
        keeper = keeper_of(site, broker)
        stranger = {"command": "createClient", "username": "operator", "password": "x", "roles": []}
        more = [{"acltype": "publishClientSend", "topic": "#", "priority": 0, "allow": True}]
        with dynsec.control(site.settings, keeper._password) as told:
            answers = told.run(
                [
                    {"command": "deleteClient", "username": gone.id},
                    {"command": "modifyRole", "rolename": f"fieldloop:{device.id}", "acls": more},
                    stranger,
                ]
            )
            assert [answer.get("error") for answer in answers] == [None, None, None]
        keeper.refresh(site.session)

        assert differing(site, keeper) == []
        ingest = site.ingest().subscribe("devices/#")
        say(site.client(device), telemetry(gone), telemetry(device))
        say(site.client(gone), telemetry(gone))
        assert ingest.expect(2) == [telemetry(device), telemetry(gone)]
        with dynsec.control(site.settings, keeper._password) as told:  # the operator's own users stay
            [answer] = told.run([{"command": "getClient", "username": "operator"}])
        assert "error" not in answer


def test_a_broker_that_is_away_is_told_when_it_is_back(site: Site) -> None:
    device = site.add_device()

    with site.running() as broker:
        keeper = keeper_of(site, broker)
        broker.end()
        device.state, device.change_no = "revoked", 7
        site.session.flush()
        keeper.ask = lambda: None
        keeper.refresh(site.session)
        broker.start()
        assert site.client(device).refused == "Not authorized"
        keeper.refresh(site.session)
        assert differing(site, keeper) == []


def test_the_rights_begin_as_they_are_and_are_then_the_brokers_own(site: Site) -> None:
    state: Path = site.folder / "data" / "dynamic-security.json"
    before = state.read_bytes()
    site.add_device()

    assert site.write()[2] == state
    assert state.read_bytes() == before
    assert "acl_file" not in (site.folder / "mosquitto.conf").read_text()


def test_who_may_less_is_told_first_and_nothing_is_told_twice() -> None:
    one, other = Right("write", "a"), Right("read", "b")
    held = {"stays": frozenset({one}), "goes": frozenset({one}), "changes": frozenset({one, other})}
    wanted = {"stays": frozenset({one}), "comes": frozenset({one}), "changes": frozenset({one})}

    told = [
        (command["command"], command.get("username", command.get("rolename"))) for command in dynsec.differences(held, wanted)
    ]

    assert told == [
        ("deleteClient", "goes"), ("deleteRole", "fieldloop:goes"), ("modifyRole", "fieldloop:changes"),
        ("createRole", "fieldloop:comes"), ("createClient", "comes"),
    ]  # fmt: skip
    assert dynsec.differences(wanted, wanted) == []
