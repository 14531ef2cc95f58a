"""A device that storms is held to its rate: to the message, told once, and at nobody else's cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.assets import operations as assets
from app.assets.models import Asset, FaultCode
from app.core.clock import to_ms
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.jobs import JOBS, Scheduler
from app.meta import gauges
from iot import commands, store
from iot.ingest import Message, ingest_batch
from iot.models import DeviceStorm, Telemetry
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.vehicles import BOSS, causes_of, counted, dead_letters, happened, make_vehicle
from tests.people import Http

PER_MINUTE, BURST = 600, 50


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, device_messages_per_minute=PER_MINUTE, device_burst=BURST)


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


class Sender:
    """A device that numbers its messages."""

    def __init__(self, world: World, device: str, shard: int = 0) -> None:
        self.world, self.device, self.topic, self.sent = world, device, f"devices/{shard}/{device}/", 0

    def messages(self, n: int, kind: str = "telemetry", **body: Any) -> list[Message]:
        now_ms = to_ms(self.world.db.clock.now())
        found = []
        for _ in range(n):
            told = {"ts": now_ms, "boot": "b", "seq": self.sent} | (body or {"m": {"soh_pct": 90.0 + self.sent % 7}})
            found.append(Message(self.topic + kind, msgspec.json.encode(told), False, now_ms))
            self.sent += 1
        return found

    @property
    def stored(self) -> int:
        with self.world.db.reading() as session:
            return session.scalar(select(func.count()).where(Telemetry.device_id == self.device)) or 0

    @property
    def not_taken(self) -> int:
        with self.world.db.reading() as session:
            return session.scalar(select(DeviceStorm.total).where(DeviceStorm.device_id == self.device)) or 0

    def kinds(self) -> list[str]:
        return [entry.kind for entry in happened(self.world.db, self.device) if "storm" in entry.kind]


def run_job(world: World, name: str) -> None:
    assert Scheduler(world.db, world.settings).run(next(job for job in JOBS if job.id == name))


def test_a_storm_of_one_device_costs_the_others_nothing_and_is_counted_to_the_message(world: World, clock: SetClock) -> None:
    """1,000 messages a second for 10 s, among ten devices that send twice a second."""
    stormer = Sender(world, world.device)
    others = [Sender(world, make_vehicle(world, f"calm-{i}").device) for i in range(10)]
    for _ in range(20):
        batch = stormer.messages(500)
        for i, other in enumerate(others):
            batch.insert(i * 50, other.messages(1)[0])
        world.send(*batch)
        clock.advance(seconds=0.5)

    taken = BURST + 19 * 5  # the bucket, then 600 a minute
    assert (stormer.stored, stormer.not_taken) == (taken, 10_000 - taken)
    assert [other.stored for other in others] == [20] * 10
    assert counted(world.db)["rate_limited"] == 10_000 - taken
    assert counted(world.db)["reading"] == taken + 200
    assert stormer.kinds() == ["device.storm_began"]
    assert 'fieldloop_ingest_fate_total{fate="rate_limited"} 9855' in gauges(world.db)
    assert "fieldloop_devices_storming 1" in gauges(world.db)


def test_the_first_messages_of_a_batch_are_those_that_are_taken(world: World) -> None:
    sender = Sender(world, world.device)
    world.send(*sender.messages(BURST + 30))

    with world.db.reading() as session:
        keys = set(session.scalars(select(Telemetry.message_key)))
    assert keys == {f"b:{i}" for i in range(BURST)}


def test_the_log_says_once_that_a_storm_began_and_ended_and_again_for_the_next(world: World, clock: SetClock, http: Http) -> None:
    sender = Sender(world, world.device)
    for _ in range(3):
        world.send(*sender.messages(100))
        clock.advance(minutes=4)
        run_job(world, "end_storms")
    clock.advance(minutes=1)
    run_job(world, "end_storms")
    clock.advance(minutes=1)
    run_job(world, "end_storms")
    assert sender.kinds() == ["device.storm_began", "device.storm_ended"]
    assert "fieldloop_devices_storming 0" in gauges(world.db)

    world.send(*sender.messages(BURST + 1))

    assert sender.kinds() == ["device.storm_began", "device.storm_ended", "device.storm_began"]
    began, ended, _ = (entry for entry in happened(world.db, world.device) if "storm" in entry.kind)
    assert [cause.id for cause in causes_of(world.db, ended)] == [began.id]
    manager = http.as_(world.manager)
    told = [one["reason"] for one in manager.get(f"/history/device/{world.device}")["about"] if "storm" in one["kind"]]
    assert any("600" in reason and "50" in reason for reason in told)
    assert any("150" in reason for reason in told), told  # 3 x 100 sent, 3 x 50 taken
    rate = manager.get(f"/devices/{world.device}/rate")
    assert (rate["not_taken"], rate["storm_not_taken"], rate["room"]) == (151, 1, 0)
    assert rate["storm_since"] is not None


arriving = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 1), st.integers(0, 70)), min_size=1, max_size=25)


@given(arrived=arriving)
@trying(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_batches_and_restarts_each_device_gets_what_a_bucket_gives(
    world: World, settings: Settings, clock: SetClock, arrived: list[tuple[int, int, int]]
) -> None:
    """Two devices on two shards, each with an ingest that is a new process in every batch."""
    senders = [Sender(world, make_vehicle(world, new_id()[-12:]).device), Sender(world, _on_shard_1(world), 1)]
    expected, tokens, at = [0, 0], [Fraction(BURST)] * 2, [clock.now()] * 2
    for after_ms, which, n in arrived:
        clock.advance(milliseconds=after_ms)
        refill = Fraction(round((clock.now() - at[which]) / timedelta(milliseconds=1)) * PER_MINUTE, 60_000)
        tokens[which], at[which] = min(Fraction(BURST), tokens[which] + refill), clock.now()
        taken = min(n, int(tokens[which]))
        tokens[which] -= taken
        expected[which] += taken
        fresh = Database(settings.database_url, clock)
        ingest_batch(fresh, settings, senders[which].messages(n))
        fresh.close()

    assert [sender.stored for sender in senders] == expected
    assert [sender.not_taken for sender in senders] == [sender.sent - n for sender, n in zip(senders, expected, strict=True)]


def _on_shard_1(world: World) -> str:
    values = {"profile_id": world.profile, "id": new_id(), "shard": 1, "installed_at": world.db.clock.now()}
    with world.db.transaction() as session:
        return assets.create_device(session, BOSS, session.get_one(Asset, world.asset), values)[0].id


def test_a_profile_may_have_a_rate_of_its_own_or_none(world: World, http: Http) -> None:
    manager = http.as_(world.manager)
    sender = Sender(world, world.device)
    path = f"/device-profiles/{world.profile}"

    version = manager.edit(path, {"messages_per_minute": 60, "message_burst": 5}, 1)["version"]
    world.send(*sender.messages(10))
    assert (sender.stored, sender.not_taken) == (5, 5)
    rate = manager.get(f"/devices/{world.device}/rate")
    assert (rate["messages_per_minute"], rate["burst"], rate["room"]) == (60, 5, 0)

    version = manager.edit(path, {"messages_per_minute": 0}, version)["version"]
    world.send(*sender.messages(500))
    assert (sender.stored, sender.not_taken) == (505, 5)
    assert manager.get(f"/devices/{world.device}/rate")["room"] is None

    manager.edit(path, {"messages_per_minute": None, "message_burst": None}, version)
    assert manager.get(f"/devices/{world.device}/rate")["messages_per_minute"] == PER_MINUTE
    for wrong in ({"messages_per_minute": -1}, {"message_burst": 0}, {"messages_per_minute": 1.5}):
        assert manager.call("PATCH", path, wrong, If_Match="*").status_code == 422


def test_without_a_limit_everything_is_taken(db: Database, settings: Settings) -> None:
    world = make_world(db, replace(settings, device_messages_per_minute=0))
    sender = Sender(world, world.device)
    world.send(*sender.messages(2000))

    assert (sender.stored, sender.not_taken) == (2000, 0)


def test_a_list_counts_as_one_message_and_what_the_broker_kept_as_none(world: World) -> None:
    sender = Sender(world, world.device)
    backlog = b"[" + b",".join(message.payload for message in sender.messages(400)) + b"]"
    kept = [message._replace(retained=True) for message in sender.messages(100)]
    world.send(sender.messages(1)[0]._replace(payload=backlog), *kept, *sender.messages(BURST - 1))

    assert sender.not_taken == 0
    world.send(*sender.messages(1))
    assert sender.not_taken == 1


def test_fault_codes_are_held_back_and_answers_to_commands_are_not(world: World, http: Http) -> None:
    sender = Sender(world, world.device)
    manager = http.as_(world.manager)
    command = manager.post(f"/devices/{world.device}/commands", {"body": {"do": "reboot"}, "timeout_s": 600}, expect=201)
    with world.db.transaction() as session:
        commands.take_queued(session, [0])
    world.send(*sender.messages(BURST))
    fault = sender.messages(1, "events", code="P0A80", severity="major")
    answer = Message(f"devices/0/{world.device}/responses/{command['id']}", b'{"ok": true}', False, to_ms(world.db.clock.now()))
    world.send(*fault, answer)

    with world.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(FaultCode)) == 0
    assert sender.not_taken == 1
    assert manager.get(f"/device-commands/{command['id']}")["state"] == "answered"


def test_who_speaks_for_a_device_on_a_shard_that_is_not_its_own_uses_none_of_its_rate_up(world: World) -> None:
    world.send(*Sender(world, world.device, 1).messages(BURST))
    assert {letter.reason for letter in dead_letters(world.db)} == {"wrong_shard"}
    sender = Sender(world, world.device)

    world.send(*Sender(world, world.device, 1).messages(BURST), *sender.messages(BURST))

    assert (sender.stored, sender.not_taken) == (BURST, 0)


def test_what_a_person_replays_is_not_held_back(world: World, http: Http) -> None:
    manager, sender = http.as_(world.manager), Sender(world, world.device)
    path = f"/device-profiles/{world.profile}"
    manager.edit(path, {"metrics": {"soh_pct": {"unit": "%", "component": "battery_pack", "scale": 1e12}}}, 1)
    world.send(*sender.messages(1, m={"soh_pct": 1e95}))
    manager.edit(path, {"metrics": {"soh_pct": {"unit": "%", "component": "battery_pack"}}}, 2)
    world.send(*sender.messages(BURST + 1))
    assert sender.not_taken == 2
    [letter] = dead_letters(world.db)

    assert http.as_(world.admin).post(f"/dead-letters/{letter.id}/replay")["state"] == "replayed"

    assert (sender.stored, sender.not_taken) == (BURST, 2)


def test_over_http_a_device_is_told_that_it_is_too_fast_and_the_others_are_not(world: World, http: Http, clock: SetClock) -> None:
    manager = http.as_(world.manager)
    profile = manager.post(
        "/device-profiles", {"code": "tb", "name": "TB", "adapter": "thingsboard", "metrics": {"soh": {}}}, expect=201
    )
    fast, calm = (
        manager.post(f"/assets/{world.asset}/devices", {"profile_id": profile["id"], "address": name}, expect=201)
        for name in ("Van 1", "Van 2")
    )

    def post(device: dict[str, Any]) -> Any:
        return http.app.test_client().post(f"/api/v1/{device['secret']}/telemetry", data=json.dumps({"soh": 90}))

    for _ in range(BURST):
        clock.advance(milliseconds=1)
        assert post(fast).status_code == 200
    refused = post(fast)

    assert (refused.status_code, refused.json["code"], refused.headers["Retry-After"]) == (429, "rate_limited", "60")
    assert post(calm).status_code == 200
    clock.advance(milliseconds=100)
    assert post(fast).status_code == 200
    assert Sender(world, fast["id"]).not_taken == 1


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1)])
def test_a_clock_that_is_put_back_gives_no_second_burst_and_shuts_nobody_out(
    world: World, clock: SetClock, back: timedelta
) -> None:
    sender = Sender(world, world.device)
    world.send(*sender.messages(30))
    clock.set(clock.now() - back)

    world.send(*sender.messages(30))
    assert (sender.stored, sender.not_taken) == (BURST, 10)
    clock.advance(seconds=back.total_seconds() + 60)
    world.send(*sender.messages(BURST))
    assert sender.not_taken == 10


@pytest.mark.parametrize("crash", [False, True])
def test_a_batch_that_is_rolled_back_owes_nothing(world: World, monkeypatch: pytest.MonkeyPatch, crash: bool) -> None:
    sender = Sender(world, world.device)
    batch = sender.messages(BURST + 10)
    if crash:

        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        counting: Callable[..., None] = store.add_counts
        monkeypatch.setattr(store, "add_counts", fail)
        with pytest.raises(KeyboardInterrupt):
            world.send(*batch)
        monkeypatch.setattr(store, "add_counts", counting)
        assert (sender.stored, sender.not_taken, sender.kinds()) == (0, 0, [])
    world.send(*batch)

    assert (sender.stored, sender.not_taken) == (BURST, 10)
