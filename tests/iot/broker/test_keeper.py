"""`python -m app mosquitto FOLDER --watch`: what an administrator does over HTTP reaches the broker without further hands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from iot.mosquitto import run_command
from tests.factories import make_world
from tests.iot.broker.brokers import ROOT, Client, RunningBroker, free_port, running_mosquitto, wait_until
from tests.people import Http

PASSWORD = "the-password-of-the-ingest"


def command(folder: Path, settings: Settings, port: int, *more: str) -> tuple[list[str], dict[str, str]]:
    variables = os.environ | {
        "FIELDLOOP_DATABASE_URL": settings.database_url,
        "FIELDLOOP_VAR_DIR": str(settings.var_dir),
        "FIELDLOOP_MQTT_BROKER": "external",
        "FIELDLOOP_MQTT_PASSWORD": PASSWORD,
        "FIELDLOOP_MQTT_PORT": str(port),
    }
    return [sys.executable, "-m", "app", "mosquitto", str(folder), *more], variables


def test_a_device_made_over_http_may_sign_in_and_a_revoked_one_is_cut_off(
    db: Database, settings: Settings, http: Http, broker_folder: Path, connect: Callable[..., Client]
) -> None:
    world, port = make_world(db, settings), free_port()
    admin = http.as_(world.admin)
    words, variables = command(broker_folder, settings, port)
    subprocess.run(words, env=variables, cwd=ROOT, check=True, capture_output=True)

    def device(secret: str) -> Client:
        return connect(port, world.device, user=world.device, password=secret)

    with running_mosquitto(broker_folder, port) as broker:
        words, variables = command(broker_folder, settings, port, "--watch", "--reload", f"kill -HUP {broker.pid}")
        keeper = RunningBroker(words, port, broker_folder / "keeper.log", lambda: True, variables).start()
        try:
            secret = admin.post(f"/devices/{world.device}/secret")["secret"]
            wait_until(lambda: device(secret).connected, "the device to be let in with its new secret")
            inside = device(secret)
            assert admin.call("DELETE", f"/devices/{world.device}", If_Match="*").status_code == 200
            inside.wait(lambda: inside.closed, "the revoked device to be cut off")
            wait_until(lambda: device(secret).refused == "Not authorized", "the revoked device to be refused")
        finally:
            assert keeper.end() == 0
    assert secret not in (broker_folder / "keeper.log").read_text()
    assert PASSWORD not in (broker_folder / "keeper.log").read_text()


def test_a_reload_that_fails_is_tried_again_until_it_works(site: Any, broker_folder: Path) -> None:
    from iot.mosquitto import Keeper

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
