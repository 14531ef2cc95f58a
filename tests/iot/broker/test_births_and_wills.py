"""What depends on the broker: births asked for and given, wills it publishes, values it keeps, QoS 0 while nobody listens."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from evaluation.makers import Convention, Ovms, Sparkplug, TeslaMate
from iot.adapters import sparkplug
from iot.models import DeviceCommand, SparkplugNode, Telemetry
from iot.silence import notice_silence
from tests.conftest import SetClock
from tests.iot.broker.brokers import Client, becomes, wait_until
from tests.iot.broker.makers import Maker
from tests.iot.broker.plants import Plant
from tests.iot.vehicles import counted, dead_letters, first_vehicle, heard
from tests.people import Http


@pytest.fixture
def node(plant: Plant) -> Maker:
    return Maker(plant, first_vehicle(plant.world), Sparkplug)


@pytest.fixture
def car(plant: Plant) -> Maker:
    return Maker(plant, first_vehicle(plant.world), Ovms)


def values(maker: Maker, metric: str = "soh_pct") -> list[tuple[float, int]]:
    with maker.plant.db.reading() as session:
        query = select(Telemetry.value, Telemetry.at_ms).where(Telemetry.device_id == maker.device, Telemetry.metric == metric)
        return [(value, at) for value, at in session.execute(query.order_by(Telemetry.at_ms, Telemetry.message_key))]


def known(node: Maker) -> SparkplugNode:
    with node.plant.db.reading() as session:
        return session.get_one(SparkplugNode, node.account)


def asks(listener: Client) -> list[tuple[str, str, float | int | None]]:
    """Return topic, metric and value of what a node was asked."""
    told = []
    for message in listener.messages:
        [asked] = [value for field, value in sparkplug._fields(message.payload) if field == 2]
        found = sparkplug._metric(asked)
        told.append((message.topic, found.name, found.value))
    return told


def test_a_node_asked_over_mqtt_is_born_again_and_what_had_no_name_is_mended_by_a_replay(
    node: Maker, http: Http, clock: SetClock
) -> None:
    plant = node.plant
    other = plant.add_device(node.profile, plant.world.asset, address="org/703")
    with plant.running(), plant.ingesting():
        asked = node.sign_in().subscribe("spBv1.0/org/NCMD/702", 0)
        stranger = plant.client(other).subscribe("spBv1.0/#", 0)

        # The host has never heard a birth of this node, as after its installation.
        def unnamed_arrived() -> bool:
            node.tell(79.0)
            return becomes(lambda: dead_letters(plant.db), 0.5)

        wait_until(unnamed_arrived, "a value without a name")
        asked.wait(lambda: asks(asked), "the question")
        assert asks(asked) == [("spBv1.0/org/NCMD/702", "Node Control/Rebirth", 1)]
        clock.advance(seconds=1)
        node.be_born()
        wait_until(lambda: known(node).births.keys() == {"", "pack"}, "both births")
        for letter in dead_letters(plant.db):
            assert letter.reason == "alias_unknown"
            http.as_(plant.world.admin).post(f"/dead-letters/{letter.id}/replay")
        assert {value for value, _ in values(node)} == {79.0}
        assert {letter.state for letter in dead_letters(plant.db)} == {"replayed"}

        node.told.seq += 1  # type: ignore[attr-defined] # one that was lost on its way
        clock.advance(minutes=1)
        node.tell(78.0)
        asked.wait(lambda: len(asks(asked)) == 2, "the question after a gap")
        assert (known(node).gaps, counted(plant.db)["sequence_gap"]) == (1, 1)
        # Born with another alias: the old one means nothing any more.
        node.be_born(alias=9)
        node.tell(77.0, later_ms=1, alias=9)
        wait_until(lambda: node.soh == 77.0, "the value under its new alias")
        assert stranger.messages == []
    with plant.db.reading() as session:
        assert [one.state for one in session.scalars(select(DeviceCommand))] == ["answered", "answered"]


def test_the_will_of_a_node_ends_its_birth_and_is_no_sign_of_life(node: Maker, clock: SetClock) -> None:
    plant = node.plant
    with plant.running(), plant.ingesting():
        client = node.sign_in()
        node.be_listened_to()
        last = heard(plant.db, node.account)
        clock.advance(hours=1)
        client.drop()
        wait_until(lambda: not known(node).born, "the death of the node")
        assert known(node).births == {}
        assert heard(plant.db, node.account) == last

        node.sign_in()
        node.be_born()
        wait_until(lambda: known(node).born, "the next birth")
        assert heard(plant.db, node.account) == clock.now()
    assert dead_letters(plant.db) == []


CONNECTED = "ovms/anna/CAR1/metric/s/v3/connected"


def test_the_will_of_a_car_tells_that_it_is_gone_and_is_no_sign_of_life(car: Maker, clock: SetClock) -> None:
    plant = car.plant

    def silent() -> list[str]:
        with plant.db.transaction() as session:
            notice_silence(session)
        found = plant.office.get(f"/alarms?asset_id={car.vehicle.asset}")["items"]
        return [one["state"] for one in found if one["subject_id"] == car.device]

    with plant.running(), plant.ingesting():
        car.client = plant.client(car.account, will=(CONNECTED, "no", 0, True))
        car.be_listened_to()
        car.client.publish(CONNECTED, "yes", qos=0, retain=True)
        wait_until(lambda: values(car, "s/v3/connected"), "its yes")
        last = clock.now()
        clock.advance(hours=25)
        assert silent() == ["raised"]
        car.client.drop()
        wait_until(lambda: len(values(car, "s/v3/connected")) == 2, "its will")

        assert [value for value, _ in values(car, "s/v3/connected")] == [1.0, 0.0]
        assert heard(plant.db, car.device) == last
        assert silent() == ["raised"]
        clock.advance(minutes=1)
        car.client = plant.client(car.account)
        car.client.publish(CONNECTED, "yes", qos=0, retain=True)
        wait_until(lambda: silent() == ["cleared"], "the end of the silence")
        assert heard(plant.db, car.device) == clock.now()


@pytest.mark.parametrize("convention", [Ovms, TeslaMate])
def test_values_the_broker_kept_are_neither_readings_nor_signs_of_life(
    convention: type[Convention], plant: Plant, clock: SetClock
) -> None:
    maker = Maker(plant, first_vehicle(plant.world), convention)
    told = len(maker.told.value(60.0, 0))
    with plant.running(watched=True):
        watcher = plant.watcher()
        maker.sign_in()
        maker.tell(60.0)
        watcher.expect(told)  # the broker has them, and nobody else was listening
        with plant.ingesting():
            wait_until(lambda: counted(plant.db).get("ignored_retained", 0) == told, "what the broker kept")
            assert (values(maker), heard(plant.db, maker.device)) == ([], None)
            maker.tell(79.0)
            wait_until(lambda: maker.soh == 79.0, "a new value, which the broker keeps as well")
        last = clock.now()
        clock.advance(hours=1)
        with plant.ingesting():  # it subscribes again, and is told again what is kept
            wait_until(lambda: counted(plant.db)["ignored_retained"] == 2 * told, "what it kept since")
        assert (values(maker), heard(plant.db, maker.device)) == ([(79.0, int(last.timestamp() * 1000))], last)
    assert dead_letters(plant.db) == []


def test_what_is_sent_at_qos_0_while_the_ingest_is_away_waits_for_it(node: Maker) -> None:
    plant = node.plant
    with plant.running():
        with plant.ingesting():
            client = node.sign_in()
            node.be_listened_to()
        for i in range(30):
            node.tell(79.0 - i, later_ms=i)
        client.publish("spBv1.0/org/NDEATH/702", b"", qos=1)  # its PUBACK: all were routed
        with plant.ingesting():
            wait_until(lambda: not known(node).born, "what came last")
        assert sorted(value for value, _ in values(node)) == [50.0 + i for i in range(31)]
        assert known(node).gaps == 0
