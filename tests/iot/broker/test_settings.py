"""Settings on real brokers: the newest is retained for its device alone, whatever dies in between, and the device answers."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from tests.factories import make_world
from tests.iot.broker.brokers import Client, RunningBroker, wait_until
from tests.iot.broker.plants import Plant, ingesting
from tests.iot.vehicles import make_vehicle
from tests.people import Http


def set_device(office: Http, device: str, **values: Any) -> None:
    path = f"/devices/{device}/settings"
    office.edit(path, {"settings": values}, office.get(path)["version"], method="PUT")


def published(office: Http, device: str) -> bool:
    return bool(office.get(f"/devices/{device}/settings")["published"])


def newest(client: Client) -> Any:
    """Return the last of what a client was told."""
    return json.loads(client.messages[-1].payload) if client.messages else None


def test_mosquitto_keeps_the_newest_settings_for_the_device_and_shows_them_to_nobody_else(plant: Plant) -> None:
    office, asset = plant.office, plant.world.asset
    device, other = (plant.add_device(plant.world.profile, asset, id=f"van-{i:05}") for i in (1, 2))
    topic = f"devices/0/{device}/settings"
    with plant.running(watched=True):
        spy = plant.client(other).subscribe("#").subscribe(topic).subscribe(f"devices/+/{device}/#")
        with plant.ingesting():
            set_device(office, device, report_s=60)
            wait_until(lambda: published(office, device), "the broker to confirm")
            set_device(office, device, report_s=5)
            wait_until(lambda: published(office, device), "the broker to confirm again")

            van = plant.client(device).subscribe("devices/+/+/settings")
            van.expect(1)
            assert [(one.topic, bool(one.retain), newest(van)) for one in van.messages] == [
                (topic, True, {"no": 2, "settings": {"report_s": 5}})
            ]
            set_device(office, device, report_s=7)
            van.expect(2)
            assert newest(van) == {"no": 3, "settings": {"report_s": 7}}

            told = {"ts": to_ms(plant.db.clock.now()), "no": 3, "settings": {"report_s": 7}}
            van.publish(f"{topic}/applied", json.dumps(told))
            wait_until(lambda: office.get(f"/devices/{device}/settings")["in_step"], "the report to arrive")

            # What the broker would have shown the spy came before this.
            set_device(office, other, mine=True)
            spy.expect(1)
            assert spy.payloads() == ['{"no":1,"settings":{"mine":true}}']

            assert office.call("DELETE", f"/devices/{device}", If_Match="*").status_code == 200
            wait_until(lambda: not published(office, device), "what is retained to be taken away")
            watcher = plant.watcher()
            watcher.publish("the/end", "")
            watcher.wait(lambda: watcher.messages and watcher.messages[-1].topic == "the/end", "the last message")
            assert [one.topic for one in watcher.messages if one.retain] == [f"devices/0/{other}/settings"]


def test_a_broker_that_was_killed_gets_everything_anew_and_never_the_older(plant: Plant) -> None:
    """Mosquitto's snapshot is up to a minute old: what it confirmed since is gone."""
    office, device = plant.office, plant.add_device(plant.world.profile, plant.world.asset, id="van-00001")
    with plant.running() as broker, plant.ingesting():
        for value in (1, 2, 3):
            set_device(office, device, report_s=value)
            wait_until(lambda: published(office, device), "the broker to confirm")
        broker.restart(signal.SIGKILL)
        van = plant.client(device).subscribe(f"devices/0/{device}/settings")
        van.expect(1)
        assert newest(van) == {"no": 3, "settings": {"report_s": 3}}
        wait_until(lambda: published(office, device), "the broker to confirm anew")


def test_settings_that_change_while_no_ingest_runs_are_published_by_the_next(plant: Plant) -> None:
    office, device = plant.office, plant.add_device(plant.world.profile, plant.world.asset, id="van-00001")
    with plant.running():
        with plant.ingesting():
            set_device(office, device, report_s=1)
            wait_until(lambda: published(office, device), "the broker to confirm")
        set_device(office, device, report_s=2)
        van = plant.client(device).subscribe(f"devices/0/{device}/settings")
        van.expect(1)
        assert newest(van)["no"] == 1
        with plant.ingesting():
            wait_until(lambda: newest(van) == {"no": 2, "settings": {"report_s": 2}}, "the newer ones")
            wait_until(lambda: published(office, device), "the broker to confirm")
        assert [json.loads(one)["no"] for one in van.payloads()] == [1, 2]


def test_the_embedded_broker_that_forgets_at_a_restart_is_told_again(
    db: Database, settings: Settings, http: Http, rumqttd: Callable[..., RunningBroker], connect: Callable[..., Client]
) -> None:
    world, broker = make_world(db, settings), rumqttd()
    office, devices = http.as_(world.manager), (world.device, make_vehicle(world, "0002").device)
    with ingesting(db, replace(settings, mqtt_port=broker.port)):
        for device in devices:
            set_device(office, device, report_s=9)
        wait_until(lambda: all(published(office, device) for device in devices), "the broker to confirm")
        first = connect(broker.port, "a device").subscribe(f"devices/0/{devices[0]}/settings")
        first.expect(1)

        broker.restart(signal.SIGKILL)
        again = connect(broker.port, "the device again").subscribe(f"devices/0/{devices[0]}/settings")
        again.expect(1)
        assert newest(again) == newest(first) == {"no": 1, "settings": {"report_s": 9}}
        wait_until(lambda: all(published(office, device) for device in devices), "the broker to confirm anew")


def test_a_gateway_on_mosquitto_is_asked_and_told_and_answers_for_its_devices(plant: Plant) -> None:
    office, asset = plant.office, plant.world.asset
    profile = plant.add_profile(code="boards", adapter="thingsboard", metrics={})
    van = plant.add_device(profile, asset, address="Van 1")
    gateway_id = plant.add_device(profile, asset, address="bridge", gateway=True)
    stranger = plant.add_device(plant.world.profile, asset, id="van-00009")
    with plant.running(), plant.ingesting():
        wait_until(lambda: "v1/gateway/rpc" in plant.filters(), "the ingest to follow the gateway's topics")
        spy = plant.client(stranger).subscribe("v1/gateway/#")
        gateway = plant.client(gateway_id).subscribe("v1/gateway/rpc").subscribe("v1/gateway/attributes")

        asked = office.post(f"/devices/{van}/commands", {"body": {"method": "toggle", "params": {"pin": 1}}}, expect=201)
        gateway.expect(1)
        told = newest(gateway)
        assert told == {"device": "Van 1", "data": {"id": told["data"]["id"], "method": "toggle", "params": {"pin": 1}}}
        gateway.publish("v1/gateway/rpc", json.dumps({"device": "Van 1", "id": told["data"]["id"], "data": {"ok": True}}))
        wait_until(lambda: office.get(f"/device-commands/{asked['id']}")["state"] == "answered", "the answer")
        assert office.get(f"/device-commands/{asked['id']}")["answer"] == {"ok": True}

        set_device(office, van, report_s=5)
        wait_until(lambda: published(office, van), "the broker to confirm")
        gateway.wait(lambda: newest(gateway) == {"device": "Van 1", "data": {"report_s": 5, "settings_no": 1}}, "the settings")
        gateway.publish("v1/gateway/attributes", json.dumps({"Van 1": {"report_s": 5, "settings_no": 1}}))
        wait_until(lambda: office.get(f"/devices/{van}/settings")["in_step"], "the report")
        assert spy.payloads() == []
        assert office.get("/dead-letters")["items"] == []
