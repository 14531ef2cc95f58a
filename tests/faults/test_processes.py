"""Processes that are killed, stopped or told to end while others use them: what was acknowledged stays, nothing happens twice."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from app.core.ids import new_id
from app.core.leases import LEASE_S, JobRun, LeaderLease
from app.service_offers.models import ServiceOffer
from app.territories.models import Territory
from app.work_orders.models import StationTask
from push.models import OutboxMessage, RegistrationToken
from tests.factories import World
from tests.faults.plant import (
    DEVICES,
    LATITUDE,
    SOAK,
    Broker,
    Process,
    Publisher,
    Web,
    ingest_process,
    wait_until,
    worker_process,
)
from tests.faults.provider import Provider
from tests.faults.test_points import signed_in
from tests.faults.told import check_each_alarm_acted_once, count, count_stored, reading, stored, wait_subscribed

pytestmark = pytest.mark.timeout(7200 if SOAK else 600)


def children(process: Process) -> list[psutil.Process]:
    """Return granian's living workers; its first child may be the resource tracker of multiprocessing."""
    assert process.process is not None
    return [
        child
        for child in psutil.Process(process.process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(child.cmdline())
    ]


class Writer:
    """A phone's side: sends each new territory under its own key until it is answered."""

    def __init__(self, web: Web, world: World, name: str) -> None:
        self.base, self.name = web.base, name
        self.token = signed_in(world, world.admin)
        self.acked: dict[str, str] = {}
        self.found: Counter[int] = Counter()
        self.broken = 0

    def write_until(self, stopping: threading.Event) -> None:
        n = 0
        with httpx.Client(timeout=30) as client:
            while not stopping.is_set():
                n += 1
                self.send(client, f"{self.name}-{n}", stopping)

    def send(self, client: httpx.Client, code: str, stopping: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {self.token()}", "Idempotency-Key": f"key-of-{code}"}
        while True:
            try:
                answer = client.post(f"{self.base}/api/v1/territories", json={"code": code, "name": code}, headers=headers)
            except httpx.HTTPError:
                self.broken += 1
                if stopping.wait(0.05):
                    return
                continue
            self.found[answer.status_code] += 1
            if answer.status_code == 201:
                self.acked[code] = answer.json()["id"]
                return
            assert answer.status_code in {409, 503}, answer.text  # in flight, or the database is busy
            if stopping.wait(0.05):
                return


def check_writers(world: World, writers: list[Writer]) -> int:
    """Compare what was acknowledged with what is there, and each with its key; return how much it was."""
    acked = {code: id_ for writer in writers for code, id_ in writer.acked.items()}
    with world.db.reading() as session:
        rows = session.execute(select(Territory.code, Territory.id)).all()
        doubled = session.execute(select(Territory.code).group_by(Territory.code).having(func.count() > 1)).all()
    there = dict(rows)
    assert doubled == []
    assert {code: there.get(code) for code in acked} == acked
    return len(acked)


def test_a_web_process_that_is_killed_has_kept_what_it_acknowledged_and_a_retry_doubles_nothing(
    real_world: World, tmp_path: Path
) -> None:
    """Its workers are killed one after the other, and now and then the whole server."""
    world, kills = real_world, 100 if SOAK else 3
    web = Web(str(world.settings.database_url), tmp_path, HTTP_WORKERS="2")
    stopping = threading.Event()
    try:
        web.start()
        writers = [Writer(web, world, f"w{i}") for i in range(8)]
        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(writer.write_until, stopping) for writer in writers]
            try:
                for n in range(kills):
                    known = sum(len(writer.acked) for writer in writers)
                    wait_until(lambda known=known: sum(len(w.acked) for w in writers) > known + 5, 240, "writes between kills")
                    if n % 3 == 2:
                        web.kill()
                        web.start()
                    else:
                        # The one that has lived longest: granian takes the same worker killed twice within 5.5 s for a loop
                        # of crashes and ends, which is for the supervisor to mend, and none is at work here.
                        min(children(web), key=psutil.Process.create_time).kill()
                known = sum(len(writer.acked) for writer in writers)
                wait_until(lambda: sum(len(w.acked) for w in writers) > known + 20, 240, "writes after the last kill")
            finally:
                stopping.set()
            for one in running:
                one.result(60)
    finally:
        web.terminate()

    kept = check_writers(world, writers)
    broken = sum(writer.broken for writer in writers)
    assert broken > 0, "no request ever met a kill, so nothing was tried"
    print(f"{world.db.dialect}: {kills} kills, {kept} acknowledged and there, {broken} requests cut off")


@pytest.mark.parametrize("rounds", [50 if SOAK else 2])
def test_a_web_process_that_is_told_to_end_answers_what_it_has_begun_and_ends_in_time(
    real_world: World, tmp_path: Path, rounds: int
) -> None:
    world, longest_s = real_world, 0.0
    writers: list[Writer] = []
    for n in range(rounds):
        web = Web(str(world.settings.database_url), tmp_path, HTTP_WORKERS="1")
        web.start()
        stopping = threading.Event()
        mine = [Writer(web, world, f"r{n}w{i}") for i in range(4)]
        writers += mine
        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(writer.write_until, stopping) for writer in mine]
            wait_until(lambda mine=mine: sum(len(w.acked) for w in mine) > 10, 60, "writes")
            began = time.monotonic()
            web.signal(signal.SIGTERM)
            code = web.ended()
            longest_s = max(longest_s, time.monotonic() - began)
            stopping.set()
            for one in running:
                one.result(60)
        assert code == 0

    assert longest_s <= 10 * LATITUDE
    assert {status for writer in writers for status in writer.found} <= {201, 409}, "no 5xx"
    kept = check_writers(world, writers)
    print(f"{world.db.dialect}: {rounds} rounds, {kept} acknowledged, at most {longest_s:.1f} s to end")


def test_ingest_and_worker_that_are_told_to_end_do_so_in_time_and_lose_nothing(
    real_world: World, broker: Broker, provider: Provider, tmp_path: Path
) -> None:
    world, url, rounds = real_world, str(real_world.settings.database_url), 50 if SOAK else 2
    longest_s, sent = 0.0, 0
    ingest = ingest_process(url, broker.port, tmp_path)
    worker = worker_process(url, tmp_path, FCM_URL=provider.url)
    ingest.start()
    wait_subscribed(tmp_path)
    devices = Publisher(broker.port)
    try:
        for n in range(rounds):
            told = worker.log.stat().st_size if worker.log.exists() else 0
            worker.start()
            for _ in range(200):
                devices.publish(*reading(world, sent, 80.0))
                sent += 1
            wait_until(lambda n=n: count_stored(world) > n * 200, 60, "something of this round is stored")
            wait_until(lambda told=told: worker.log.stat().st_size > told, 120, "the worker listens to signals")
            for process in (ingest, worker):
                began = time.monotonic()
                process.signal(signal.SIGTERM)
                assert process.ended() == 0
                longest_s = max(longest_s, time.monotonic() - began)
            ingest.start()
        acked = devices.wait_acked(60)
        wait_until(lambda: count_stored(world) >= sent, 120, "everything is stored")
    finally:
        devices.stop()
        ingest.terminate()
        worker.terminate()

    assert stored(world) == acked
    assert longest_s <= 10 * LATITUDE
    print(f"{world.db.dialect}: {rounds} rounds, {sent} messages, 0 lost, at most {longest_s:.1f} s to end")


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


def test_workers_that_are_killed_send_every_message_under_one_id_and_at_least_once(
    real_world: World, provider: Provider, tmp_path: Path
) -> None:
    """Two workers, each killed again and again, while alarms go on to rise."""
    world, kills = real_world, 100 if SOAK else 4
    dice = random.Random(int(os.environ.get("SEED", "0")) or 7)
    with world.db.transaction() as session:
        present = world.db.clock.now()
        for user_id in (world.rep, world.owner):
            phone = {"address_kind": "token", "address": f"phone-{user_id}", "registered_at": present, "seen_at": present}
            session.add(RegistrationToken(id=new_id(), user_id=user_id, **phone))
    workers = [
        worker_process(str(world.settings.database_url), tmp_path, FCM_URL=provider.url, PUSH_LEASE_S="8") for _ in range(2)
    ]

    def unsent() -> int:
        return count(world, OutboxMessage, OutboxMessage.state == "queued")

    try:
        for worker in workers:
            worker.start()
        for n in range(kills):
            world.report(74.9, 74.5, 74.1, device=f"device-f{n % DEVICES:04}", boot=f"b{n}")
            sent = len(provider.sent)
            wait_until(lambda sent=sent, n=n: len(provider.sent) > sent or n >= DEVICES, 60, "messages leave between kills")
            victim = dice.choice(workers)
            victim.kill()
            victim.start()
        began, sent = time.monotonic(), len(provider.sent)
        wait_until(lambda: len(provider.sent) > sent or unsent() == 0, 60, "messages leave again")
        resumed_s = time.monotonic() - began
        wait_until(lambda: unsent() == 0, 180, "every message has left")
    finally:
        for worker in workers:
            worker.terminate()

    alarms = min(kills, DEVICES)
    check_each_alarm_acted_once(world, alarms)
    with world.db.reading() as session:
        fcm = select(OutboxMessage.dedupe_key, OutboxMessage.state).where(OutboxMessage.channel == "fcm")
        keys = dict(session.execute(fcm).all())
    assert set(keys.values()) <= {"accepted", "superseded"}
    assert {key for key, state in keys.items() if state == "accepted"} <= set(provider.ids) <= set(keys)
    assert resumed_s <= 30 * LATITUDE
    repeated = sum(provider.ids.values()) - len(provider.ids)
    print(f"{world.db.dialect}: {kills} kills, {len(keys)} messages, {repeated} repeated under their ids, {resumed_s:.1f} s")


@pytest.mark.skipif(
    not SOAK, reason="it stands still for longer than a lease: SOAK=1; by a set clock in tests/core/test_leases.py"
)
def test_four_workers_stopped_for_longer_than_the_lease_do_each_tick_once(real_world: World, tmp_path: Path) -> None:
    world, dice = real_world, random.Random(int(os.environ.get("SEED", "0")) or 3)
    length_s = 120.0
    # The first stations' time is set here, where the alarms rise; the workers give the next ones theirs.
    world.settings = replace(world.settings, station_lease_s=60)
    workers = [worker_process(str(world.settings.database_url), tmp_path, STATION_LEASE_S="60") for _ in range(4)]
    try:
        for worker in workers:
            worker.start()
        wait_until(lambda: count(world, JobRun) > 0, 60, "somebody leads")
        began, fences = time.monotonic(), set()
        for n in range(DEVICES):
            world.report(74.9, 74.5, 74.1, device=f"device-f{n:04}")
        while time.monotonic() - began < length_s:
            with world.db.reading() as session:
                lease = session.scalars(select(LeaderLease)).one()
            fences.add(lease.fence)
            leader = next((w for w in workers if w.process and lease.holder.endswith(f":{w.process.pid}")), dice.choice(workers))
            leader.signal(signal.SIGSTOP)
            threading.Event().wait(LEASE_S * 1.2)
            leader.signal(signal.SIGCONT)
            threading.Event().wait(2)
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)
            worker.terminate()

    with world.db.reading() as session:
        runs = session.scalars(select(JobRun).where(JobRun.job == "lapse_station_tasks").order_by(JobRun.scheduled_for)).all()
        tasks = session.execute(select(StationTask.work_order_id, func.count()).group_by(StationTask.work_order_id)).all()
        live = session.execute(
            select(StationTask.work_order_id).where(StationTask.state == "offered").group_by(StationTask.work_order_id)
            .having(func.count() > 1)
        ).all()  # fmt: skip
    gaps = [(b.scheduled_for - a.scheduled_for).total_seconds() for a, b in itertools.pairwise(runs)]
    assert len(fences) > 3, "the lead never changed, so nothing was tried"
    assert min(gaps) >= 5
    assert max(gaps) <= LEASE_S + 10, "a tick that nobody did is caught up with by the next leader"
    assert live == []
    assert {n for _, n in tasks} == {2}, "each lapsed once and went to the other station"
    assert count(world, ServiceOffer) == DEVICES
    print(f"{world.db.dialect}: {length_s:.0f} s, {len(fences)} leaders, {len(runs)} runs, longest gap {max(gaps):.0f} s")


def test_a_broker_that_restarts_loses_nothing_and_is_found_again_without_a_storm(
    real_world: World, broker: Broker, tmp_path: Path
) -> None:
    world, restarts, sent = real_world, 20 if SOAK else 2, 0
    ingest = ingest_process(str(world.settings.database_url), broker.port, tmp_path)
    ingest.start()
    wait_subscribed(tmp_path)
    devices = Publisher(broker.port)
    longest_s = 0.0
    try:
        for _ in range(restarts):
            for _ in range(100):
                devices.publish(*reading(world, sent, 80.0))
                sent += 1
            broker.restart()
            began, known = time.monotonic(), count_stored(world)
            devices.publish(*reading(world, sent, 80.0))
            sent += 1
            wait_until(lambda known=known, all_=sent: known < count_stored(world) or all_ == count_stored(world), 60, "more")
            longest_s = max(longest_s, time.monotonic() - began)
            wait_until(lambda all_=sent: count_stored(world) == all_, 60, "all of them")
        acked = devices.wait_acked(60)
    finally:
        devices.stop()
        ingest.terminate()

    assert stored(world) == acked
    assert longest_s <= 10 * LATITUDE
    log = (broker.folder / "mosquitto.log").read_bytes()
    attempts = log.count(b"as fieldloop-ingest-0")
    assert restarts <= attempts - 1 <= 3 * restarts
    print(f"{world.db.dialect}: {restarts} restarts, {sent} messages, 0 lost, at most {longest_s:.1f} s, {attempts} connections")
