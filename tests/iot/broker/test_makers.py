"""Devices of other makers on a real Mosquitto, each with its own account: from what they publish to the alarm and its reasons."""

from __future__ import annotations

from sqlalchemy import select

from iot.models import Telemetry
from tests.conftest import SetClock
from tests.iot.broker.brokers import wait_until
from tests.iot.broker.makers import Maker, make_all
from tests.iot.broker.plants import Plant
from tests.iot.vehicles import dead_letters, stock_up
from tests.people import Http


def tell_low_values(makers: list[Maker], clock: SetClock) -> None:
    """Three days below 75 %. Who has no time of its own speaks once a day; the others send it all on the last day."""
    for i in range(3):
        clock.advance(days=1)
        for maker in makers:
            if not maker.told.timed:
                maker.tell(74.5 - i / 2)
        slow = [maker for maker in makers if not maker.told.timed]
        wait_until(lambda: all(one.soh == 74.5 - i / 2 for one in slow), f"day {i}")  # noqa: B023 - called here
    for maker in makers:
        for i in range(3 if maker.told.timed else 0):
            maker.tell(74.5 - i / 2, days_ago=2 - i)


def test_what_every_makers_device_publishes_ends_in_an_alarm_that_says_why(plant: Plant, http: Http, clock: SetClock) -> None:
    stock_up(plant.world)
    makers = make_all(plant)

    with plant.running(), plant.ingesting():
        for maker in makers:
            maker.sign_in()
            maker.be_listened_to()
        tell_low_values(makers, clock)
        wait_until(lambda: len(plant.office.get("/alarms")["items"]) == len(makers), "an alarm of every device")

    assert dead_letters(plant.db) == []
    rep = http.as_(plant.world.rep)
    whys = [rep.get(f"/notifications/{one['id']}/why") for one in rep.get("/notifications")["items"] if "alarm" in one["kind"]]
    for maker in makers:
        [alarm] = plant.office.get(f"/alarms?asset_id={maker.vehicle.asset}")["items"]
        shown = (alarm["subject_id"], alarm["state"], alarm["first_value"], alarm["last_value"])
        assert shown == (maker.vehicle.pack, "raised", 74.5, 73.5), maker
        chain = plant.office.get(f"/history/alarm/{alarm['id']}")
        [raised] = [entry for entry in chain["about"] if entry["kind"] == "alarm.raised"]
        assert "battery health (%) below 75, 3 readings in a row" in raised["reason"]
        observed = [entry["reason"] for entry in chain["causes"] if entry["kind"] == "reading.observed"]
        at = [f"at 2026-03-0{day} 10:00." for day in (3, 4, 5)]  # its own time, or its arrival where it has none
        said = zip(("74.5", "74", "73.5"), at, strict=True)
        assert observed == [f"The device measured battery health (%) = {value} {when}" for value, when in said], maker
        told = [why for why in whys if any(cause["subject"]["id"] == alarm["id"] for cause in why["causes"])]
        assert [why["rule"]["code"] for why in told] == ["battery-health"], maker
    with plant.db.reading() as session:
        stored = set(session.scalars(select(Telemetry.device_id).where(Telemetry.metric == "soh_pct")))
    assert stored == {maker.device for maker in makers}
