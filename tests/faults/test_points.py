"""Death at every named point between two steps: what was begun is repeated or found, and its effects are there once.

``SCENARIOS`` names the test of every point. A point without one, and one that the product does not pass, fail here.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from app.assets.device_settings import set_device
from app.assets.models import Device
from app.core.fault_points import FaultPoint, listen
from app.core.ids import new_id
from app.core.leases import LEASE_S, JobRun
from app.core.settings import Settings
from app.jobs import JOBS, Scheduler
from app.territories.models import Territory
from app.users import secrets
from app.users.models import SignInSession
from app.work_orders.models import StationTask
from iot import commands, retention
from iot.models import DeadLetter, DeviceCommand, Telemetry, TelemetryRollup
from push.models import OutboxMessage, RegistrationToken
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.faults.plant import DEVICES, ROOT, Broker, Publisher, Web, ingest_process, planted, wait_until, worker_process
from tests.faults.provider import Provider
from tests.faults.told import check_each_alarm_acted_once, count, reading, stored, wait_subscribed
from tests.iot.broker.brokers import Client
from tests.iot.vehicles import BOSS, DAY, first_vehicle, message, send, values
from tests.people import Http

pytestmark = pytest.mark.timeout(600)

_HERE = "tests.faults.test_points"
_INGEST = f"{_HERE}:test_an_ingest_that_dies_repeats_the_batch_and_its_effects_once"
_WORKER = f"{_HERE}:test_a_worker_that_dies_repeats_its_messages_under_their_ids_and_loses_none"
_JOBS = f"{_HERE}:test_a_scheduler_that_dies_around_a_job_leaves_it_to_the_next_and_it_is_done_once"
SCENARIOS: dict[FaultPoint, str] = {
    FaultPoint.ROWS_WRITTEN: _INGEST,
    FaultPoint.ROWS_STAMPED: _INGEST,
    FaultPoint.COMMITTED: _INGEST,
    FaultPoint.BATCH_TAKEN: _INGEST,
    FaultPoint.READINGS_STORED: _INGEST,
    FaultPoint.ALARMS_FOLLOWED: _INGEST,
    FaultPoint.BATCH_STORED: _INGEST,
    FaultPoint.COMMANDS_TAKEN: f"{_HERE}:test_a_command_that_was_taken_and_never_sent_times_out_and_is_not_sent_later",
    FaultPoint.SETTINGS_TAKEN: f"{_HERE}:test_settings_that_were_taken_and_never_published_are_published_by_the_next_ingest",
    FaultPoint.LETTER_INGESTED: f"{_HERE}:test_a_replay_that_dies_leaves_a_letter_that_can_be_found_and_replayed",
    FaultPoint.SLICE_RETIRED: f"{_HERE}:test_readings_are_added_up_once_when_the_job_dies_between_slices",
    FaultPoint.MESSAGES_CLAIMED: _WORKER,
    FaultPoint.ATTEMPT_COUNTED: _WORKER,
    FaultPoint.MESSAGE_SENT: _WORKER,
    FaultPoint.RUN_CLAIMED: _JOBS,
    FaultPoint.RUN_DONE: _JOBS,
    FaultPoint.ANSWER_STORED: f"{_HERE}:test_a_request_whose_answer_died_with_the_web_process_gets_it_on_the_next_try",
    FaultPoint.FILE_IN_PLACE: (
        "tests.sync.test_attachments_faults:test_killed_between_rename_and_commit_no_row_says_stored_and_the_upload_is_finished_later"
    ),
}


# --- every point has a scenario, and every scenario a point ---


def points_passed() -> Counter[str]:
    """Read from the product's source how often each point is passed."""
    found: Counter[str] = Counter()
    for part in ("app", "iot", "push", "offline_sync"):
        for file in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "passed":
                    found[ast.unparse(node.args[0]).removeprefix("FaultPoint.")] += 1
    del found["point"]
    return found


def test_every_point_is_passed_at_one_place_of_the_product() -> None:
    assert points_passed() == dict.fromkeys(FaultPoint.__members__, 1)


@pytest.mark.parametrize("point", list(FaultPoint), ids=str)
def test_every_point_has_a_scenario_that_dies_there(point: FaultPoint) -> None:
    module, _, name = SCENARIOS[point].partition(":")
    test = getattr(importlib.import_module(module), name)
    given = {
        str(value)
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "parametrize" and mark.args[0] == "point"
        for value in mark.args[1]
    }
    named = f"FaultPoint.{point.name}"
    script = (ROOT / "tests/sync/upload_that_dies.py").read_text()
    assert str(point) in given or named in inspect.getsource(test) or named in script


class Died(BaseException):
    """The process is gone: not even ``except Exception`` sees it."""


@contextmanager
def death_at(point: FaultPoint, passes: int = 1) -> Iterator[None]:
    """Die, as far as one process can, at the given pass of a point; fail where the point is not reached."""
    left = passes

    def listener(passed: FaultPoint) -> None:
        nonlocal left
        left -= passed is point
        if left == 0 and passed is point:
            raise Died

    end = listen(listener)
    try:
        with pytest.raises(Died):
            yield
    finally:
        end()


# --- the ingest ---


@pytest.mark.parametrize("point", [point for point, test in SCENARIOS.items() if test == _INGEST], ids=str)
def test_an_ingest_that_dies_repeats_the_batch_and_its_effects_once(
    real_world: World, broker: Broker, tmp_path: Path, point: FaultPoint
) -> None:
    world, marker = real_world, tmp_path / "died"
    dying = planted(point, marker, armed_by=FaultPoint.BATCH_TAKEN)
    ingest = ingest_process(str(world.settings.database_url), broker.port, tmp_path, dying)
    ingest.start()
    wait_subscribed(tmp_path)
    devices = Publisher(broker.port)
    try:
        for seq in range(3):
            devices.publish(*reading(world, seq * DEVICES, 74.0))
        devices.wait_acked(20)
        wait_until(marker.exists, 90, f"the ingest died {point}")
        assert ingest.ended() == -9
        ingest.start()
        wait_until(lambda: len(stored(world)) == 3, 90, "the batch came again")
        wait_until(lambda: count(world, StationTask) == 1, 90, "the alarm and what follows are there")
    finally:
        devices.stop()
        ingest.terminate()

    check_each_alarm_acted_once(world, 1)


def test_a_command_that_was_taken_and_never_sent_times_out_and_is_not_sent_later(
    real_world: World, broker: Broker, tmp_path: Path
) -> None:
    """Asked at most once: a command may open a door."""
    world, marker = real_world, tmp_path / "died"
    device = Client(broker.port, "a device").sign_in().subscribe("devices/0/+/commands/#")
    ingest = ingest_process(str(world.settings.database_url), broker.port, tmp_path, planted(FaultPoint.COMMANDS_TAKEN, marker))
    try:
        with world.db.transaction() as session:
            lost = commands.queue(session, world.device, {"open": "door"}, 300).id
        ingest.start()
        wait_until(marker.exists, 90, "the ingest died")
        assert ingest.ended() == -9
        ingest.start()
        with world.db.transaction() as session:
            kept = commands.queue(session, world.device, {"open": "window"}, 300).id
        assert device.expect(1) == ['{"open":"window"}'], "the later one, and not the lost one"
    finally:
        ingest.terminate()
        device.paho.disconnect()
        device.paho.loop_stop()

    later = SetClock(world.db.clock.now() + timedelta(seconds=301))
    real, world.db.clock = world.db.clock, later
    with world.db.transaction() as session:
        assert commands.time_out_commands(session) == 2
    world.db.clock = real
    with world.db.reading() as session:
        assert [session.get_one(DeviceCommand, one).state for one in (lost, kept)] == ["timed_out"] * 2


def test_settings_that_were_taken_and_never_published_are_published_by_the_next_ingest(
    real_world: World, broker: Broker, tmp_path: Path
) -> None:
    """Not asked but set: what is wanted reaches the device in the end, and the newest last."""
    world, marker = real_world, tmp_path / "died"
    device = Client(broker.port, "a device").sign_in().subscribe("devices/0/+/settings")
    ingest = ingest_process(str(world.settings.database_url), broker.port, tmp_path, planted(FaultPoint.SETTINGS_TAKEN, marker))
    try:
        for value in (1, 2):
            with world.db.transaction() as session:
                set_device(session, BOSS, session.get_one(Device, world.device), {"report_s": value})
            if value == 1:
                ingest.start()
                wait_until(marker.exists, 90, "the ingest died")
                assert ingest.ended() == -9
        ingest.start()
        wait_until(lambda: bool(device.messages), 90, "settings to come")
        assert device.payloads() == ['{"no":2,"settings":{"report_s":2}}'], "the newest, and the older one not at all"
    finally:
        ingest.terminate()
        device.paho.disconnect()
        device.paho.loop_stop()


# --- messages and jobs ---


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.mark.parametrize("point", [point for point, test in SCENARIOS.items() if test == _WORKER], ids=str)
def test_a_worker_that_dies_repeats_its_messages_under_their_ids_and_loses_none(
    real_world: World, provider: Provider, tmp_path: Path, point: FaultPoint
) -> None:
    world, marker = real_world, tmp_path / "died"
    with world.db.transaction() as session:
        present = world.db.clock.now()
        for user_id in (world.rep, world.owner):
            phone = {"address_kind": "token", "address": f"phone-{user_id}", "registered_at": present, "seen_at": present}
            session.add(RegistrationToken(id=new_id(), user_id=user_id, **phone))
    world.report(74.9, 74.5, 74.1)
    worker = worker_process(
        str(world.settings.database_url), tmp_path, planted(point, marker), FCM_URL=provider.url, PUSH_LEASE_S="8"
    )
    try:
        worker.start()
        wait_until(marker.exists, 90, f"the worker died {point}")
        assert worker.ended() == -9
        sent_before = sum(provider.ids.values())
        worker.start()
        wait_until(lambda: count(world, OutboxMessage, OutboxMessage.state == "queued") == 0, 120, "every message has left")
    finally:
        worker.terminate()

    with world.db.reading() as session:
        rows = session.execute(select(OutboxMessage.dedupe_key, OutboxMessage.state).where(OutboxMessage.channel == "fcm")).all()
    assert len(rows) >= 2
    assert {row.state for row in rows} == {"accepted"}
    assert set(provider.ids) == {row.dedupe_key for row in rows}
    repeated = sum(provider.ids.values()) - len(rows)
    assert (sent_before, repeated) == ((1, 1) if point is FaultPoint.MESSAGE_SENT else (0, 0))


@pytest.fixture
def world(db: object, settings: Settings) -> World:
    return make_world(db, settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("point", [FaultPoint.RUN_CLAIMED, FaultPoint.RUN_DONE], ids=str)
def test_a_scheduler_that_dies_around_a_job_leaves_it_to_the_next_and_it_is_done_once(
    world: World, settings: Settings, clock: SetClock, point: FaultPoint
) -> None:
    world.report(74.9, 74.5, 74.1)
    clock.advance(seconds=settings.station_lease_s + 1)
    lapse = next(job for job in JOBS if job.id == "lapse_station_tasks")
    dying, following = (Scheduler(world.db, settings, (lapse,)) for _ in range(2))
    dying.holder, following.holder = "dying", "following"

    with death_at(point):
        dying.run(lapse)
    assert following.run(lapse) is False, "its lease runs on"
    clock.advance(seconds=LEASE_S + 1)
    assert following.run(lapse) is True

    with world.db.reading() as session:
        states = session.scalars(select(StationTask.state).order_by(StationTask.id)).all()
        runs = session.execute(select(JobRun.fence, JobRun.outcome).order_by(JobRun.scheduled_for)).all()
    assert states == ["lapsed", "offered"]
    done_by_next = 1 if point is FaultPoint.RUN_CLAIMED else 0
    assert [tuple(run) for run in runs] == [(1, None), (2, f"done: {done_by_next}")]


# --- single verbs that conduct transactions themselves ---


def test_a_replay_that_dies_leaves_a_letter_that_can_be_found_and_replayed(world: World, http: Http) -> None:
    found = message(world, world.device, values(MONDAY_MORNING, DAY, 80.0)[0])
    world.send(found._replace(topic=f"devices/7/{world.device}/telemetry"))
    admin = http.as_(world.admin)
    [letter] = admin.get("/dead-letters")["items"]
    with world.db.transaction() as session:
        session.get_one(Device, world.device).shard = 7

    with death_at(FaultPoint.LETTER_INGESTED):
        admin.post(f"/dead-letters/{letter['id']}/replay")
    with death_at(FaultPoint.ROWS_STAMPED):  # before what it holds is stored
        admin.post(f"/dead-letters/{letter['id']}/replay")
    with world.db.reading() as session:
        assert session.scalars(select(DeadLetter.state)).all() == ["open"]

    assert admin.post(f"/dead-letters/{letter['id']}/replay")["state"] == "replayed"
    assert count(world, Telemetry) == 1


@pytest.mark.parametrize("after", [1, 2, 3])
def test_readings_are_added_up_once_when_the_job_dies_between_slices(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    vehicle = first_vehicle(world)
    send(world, vehicle.device, *values(MONDAY_MORNING - 2000 * DAY, DAY / 24, *[80.0 + i % 7 for i in range(200)]))
    monkeypatch.setattr(retention, "_SLICE", 40)

    with death_at(FaultPoint.SLICE_RETIRED, after):
        retention.retire_telemetry(world.db, settings)
    assert 0 < count(world, Telemetry) < 200
    retention.retire_telemetry(world.db, settings)

    assert count(world, Telemetry) == 0
    with world.db.reading() as session:
        query = select(func.sum(TelemetryRollup.n), func.sum(TelemetryRollup.total)).group_by(TelemetryRollup.span)
        assert {tuple(row) for row in session.execute(query)} == {(200, sum(80.0 + i % 7 for i in range(200)))}


# --- a request ---


def signed_in(world: World, user_id: str) -> Callable[[], str]:
    """Return a maker of access tokens of one session."""
    with world.db.transaction() as session:
        opened = SignInSession(id=new_id(), user_id=user_id, began_at=world.db.clock.now(), label="test")
        session.add(opened)
    return lambda: secrets.make_access_token(
        world.settings, user_id=user_id, session_id=opened.id, issued_s=world.db.clock.now().timestamp()
    )


def test_a_request_whose_answer_died_with_the_web_process_gets_it_on_the_next_try(real_world: World, tmp_path: Path) -> None:
    world, marker = real_world, tmp_path / "died"
    dies = {"TEST_DIES_AT": str(FaultPoint.ANSWER_STORED), "TEST_MARKER": str(marker)}
    web = Web(str(world.settings.database_url), tmp_path, "tests.faults.web_that_dies:served", HTTP_WORKERS="1")
    web.environ |= dies
    token = signed_in(world, world.admin)
    headers = {"Authorization": f"Bearer {token()}", "Idempotency-Key": "the-same-each-time"}
    new = {"code": "GZ", "name": "Guangzhou"}
    try:
        web.start()
        with pytest.raises(httpx.HTTPError):
            httpx.post(f"{web.base}/api/v1/territories", json=new, headers=headers, timeout=30)
        assert marker.exists()
        assert count(world, Territory, Territory.code == "GZ") == 1
        wait_until(web.answers, 60, "the worker was started again")
        again = httpx.post(f"{web.base}/api/v1/territories", json=new, headers=headers, timeout=30)
        assert (again.status_code, again.headers["Idempotency-Replayed"], again.json()["code"]) == (201, "true", "GZ")
        assert count(world, Territory, Territory.code == "GZ") == 1
    finally:
        web.terminate()
