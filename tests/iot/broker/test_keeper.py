"""`python -m app mosquitto FOLDER --watch`: what an administrator does over HTTP reaches the broker without further hands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.assets.credentials import broker_hash
from app.core.db import Database
from app.core.settings import Settings
from iot.mosquitto import Keeper, reload, run_command
from tests.conftest import SetClock
from tests.factories import make_world
from tests.iot.broker.brokers import ROOT, Client, RunningBroker, free_port, running_mosquitto, wait_until
from tests.people import Http

PASSWORD = "the-password-of-the-ingest"
CUT_OFF_S = 5.0  # promised, from the answer to the administrator on


@pytest.fixture(params=["files", "dynsec"])
def rights_in(request: pytest.FixtureRequest) -> str:
    """Where the broker's rights are: in a file it reads again, or in its plugin, which is told."""
    return str(request.param)


def command(
    folder: Path, settings: Settings, port: int, *more: str, rights_in: str = "files"
) -> tuple[list[str], dict[str, str]]:
    variables = os.environ | {
        "FIELDLOOP_DATABASE_URL": settings.database_url,
        "FIELDLOOP_VAR_DIR": str(settings.var_dir),
        "FIELDLOOP_MQTT_BROKER": "external",
        "FIELDLOOP_MQTT_PASSWORD": PASSWORD,
        "FIELDLOOP_MQTT_PORT": str(port),
        "FIELDLOOP_MQTT_ACCESS": rights_in,
    }
    return [sys.executable, "-m", "app", "mosquitto", str(folder), *more], variables


def start_keeper(words: list[str], port: int, folder: Path, variables: dict[str, str]) -> RunningBroker:
    """Start the keeper and wait for its first look at the devices."""
    keeper: RunningBroker = RunningBroker(
        words, port, folder / "keeper.log", lambda: keeper.says(b"broker_files_written"), variables
    )
    return keeper.start()


def test_a_device_made_over_http_may_sign_in_and_a_revoked_one_is_cut_off(
    db: Database, settings: Settings, http: Http, broker_folder: Path, connect: Callable[..., Client], rights_in: str
) -> None:
    world, port = make_world(db, settings), free_port()
    admin = http.as_(world.admin)
    words, variables = command(broker_folder, settings, port, rights_in=rights_in)
    subprocess.run(words, env=variables, cwd=ROOT, check=True, capture_output=True)

    def device(secret: str) -> Client:
        return connect(port, world.device, user=world.device, password=secret)

    with running_mosquitto(broker_folder, port) as broker:
        words, variables = command(
            broker_folder, settings, port, "--watch", "--reload", f"kill -HUP {broker.pid}", rights_in=rights_in
        )
        keeper = start_keeper(words, port, broker_folder, variables)
        try:
            secret = admin.post(f"/devices/{world.device}/secret")["secret"]
            wait_until(lambda: device(secret).connected, "the device to be let in with its new secret")
            inside = device(secret)
            assert admin.call("DELETE", f"/devices/{world.device}", If_Match="*").status_code == 200
            answered = time.monotonic()
            inside.wait(lambda: inside.closed, "the revoked device to be cut off", CUT_OFF_S)
            left_s = CUT_OFF_S - (time.monotonic() - answered)
            wait_until(lambda: device(secret).refused == "Not authorized", "the revoked device to be refused", left_s)
        finally:
            assert keeper.end() == 0
    assert secret not in (broker_folder / "keeper.log").read_text()
    assert PASSWORD not in (broker_folder / "keeper.log").read_text()


def test_a_rotated_secret_works_beside_the_old_one_until_that_is_ended(
    db: Database,
    clock: SetClock,
    settings: Settings,
    http: Http,
    broker_folder: Path,
    connect: Callable[..., Client],
    rights_in: str,
) -> None:
    clock.set(datetime.now(UTC))  # the keeper is another process, with the clock of the machine
    world, port = make_world(db, settings), free_port()
    admin = http.as_(world.admin)
    first = admin.post(f"/devices/{world.device}/secret")
    words, variables = command(broker_folder, settings, port, rights_in=rights_in)
    subprocess.run(words, env=variables, cwd=ROOT, check=True, capture_output=True)

    def device(shown: Any) -> Client:
        return connect(port, shown["username"], user=shown["username"], password=shown["secret"])

    with running_mosquitto(broker_folder, port) as broker:
        words, variables = command(
            broker_folder, settings, port, "--watch", "--reload", f"kill -HUP {broker.pid}", rights_in=rights_in
        )
        keeper = start_keeper(words, port, broker_folder, variables)
        try:
            ingest = connect(port, "fieldloop-ingest-0", user="fieldloop-ingest", password=PASSWORD).subscribe(
                "devices/+/+/telemetry"
            )
            with_old = device(first)
            second = admin.post(f"/devices/{world.device}/secret-rotations", {"overlap_h": 1})
            wait_until(lambda: device(second).connected, "the device to be let in with its new secret")
            with_new = device(second)
            assert device(second | {"secret": first["secret"]}).refused == "Not authorized"

            # Under both names it speaks below its own id, and hears what it is asked there.
            with_old.publish(second["topic"], "old")
            with_new.publish(second["topic"], "new").publish(second["topic"].replace(world.device, "device-0002"), "forged")
            assert ingest.expect(2) == ["old", "new"]
            with_new.subscribe(f"devices/0/{world.device}/commands/#")
            ingest.publish(f"devices/0/{world.device}/commands/1", "report")
            assert with_new.expect(1) == ["report"]
            assert not with_old.closed

            third = admin.post(f"/devices/{world.device}/secret-rotations", {"overlap_h": 0})
            assert third["username"] == first["username"] == world.device
            with_old.wait(lambda: with_old.closed, "the old secret to end", CUT_OFF_S)
            with_new.wait(lambda: with_new.closed, "the one without an overlap to end", CUT_OFF_S)
            wait_until(lambda: device(third).connected, "the device to be let in with its third secret")
            assert [device(shown).refused for shown in (first, second)] == ["Not authorized"] * 2
            assert ingest.payloads() == ["old", "new"]
        finally:
            assert keeper.end() == 0


def test_an_old_secret_ends_by_the_clock_with_its_open_session(site: Any, broker_folder: Path) -> None:
    clock = site.session.info["clock"] = SetClock()
    until = clock.now() + timedelta(hours=1)
    device, other = site.add_device(), site.add_device()
    device.secret_no, device.secret_hash, device.old_secret_hash = 2, broker_hash("new"), device.secret_hash
    device.old_secret_until = until
    site.write()

    with site.running() as broker:
        keeper = Keeper(site.settings, broker_folder, lambda: reload(broker.pid))
        assert [keeper.refresh(site.session) for _ in range(3)] == [True, False, False]
        old, neighbour = site.client(device), site.client(other)
        new = site.client(device, user=f"{device.id}~2", password="new", name="n")
        clock.set(until - timedelta(milliseconds=1))
        assert not keeper.refresh(site.session)
        clock.set(until)

        assert keeper.refresh(site.session)
        wait_until(lambda: keeper.refresh(site.session) or old.closed, "the end of the connection made with the old secret")
        assert site.client(device, name="again").refused == "Not authorized"
        assert not new.closed
        assert not neighbour.closed


def test_a_reload_that_fails_is_tried_again_until_it_works(site: Any, broker_folder: Path) -> None:
    failing, asked = [True, True], []

    def ask() -> None:
        asked.append("asked")
        if failing:
            failing.pop()
            raise subprocess.CalledProcessError(1, "reload")

    keeper = Keeper(site.settings, broker_folder, ask)
    written = [keeper.refresh(site.session) for _ in range(6)]

    # Two failures, then twice with success, since a signal that comes during a reload is lost.
    assert written == [True, False, False, False, False, False]
    assert len(asked) == 4


def test_watching_without_a_way_to_reload_is_refused(settings: Settings, broker_folder: Path, sqlite_file: Path) -> None:
    words, variables = command(broker_folder, settings, free_port(), "--watch")

    ended = subprocess.run(words, env=variables, cwd=ROOT, check=False, capture_output=True, text=True)

    assert ended.returncode == 2
    assert "--reload" in ended.stdout
    with pytest.raises(ValueError, match="empty"):
        run_command("  ")
