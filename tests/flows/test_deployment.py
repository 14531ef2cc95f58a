"""`python -m app up --demo` as a stranger runs it: real processes, a taken port, a process that dies, a clean end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.iot.broker.brokers import ROOT, free_port, wait_until


def environment(folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {"FIELDLOOP_VAR_DIR": str(folder), "LC_ALL": "C.UTF-8"} | more


class Running:
    """A deployment under its supervisor."""

    def __init__(self, folder: Path, *more: str, within: tuple[str, ...] = (), **variables: str) -> None:
        self.output = folder / "output"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", "app", "up", *more], cwd=ROOT, env=environment(folder, **variables), stdout=file,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.text() or self.process.poll() is not None, words, 90)
        assert words in self.text(), self.text()

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            if child.status() == psutil.STATUS_ZOMBIE:
                continue
            line = " ".join(child.cmdline())
            for name, part in (("broker", "iot.broker"), ("web", "granian"), ("ingest", "iot --shard"), ("worker", "app worker")):
                if part in line:
                    found[name] = child
        return found


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_the_demo_comes_up_on_a_free_port_tells_its_story_mends_itself_and_ends_cleanly(tmp_path: Path, taken_port: int) -> None:
    up = Running(tmp_path, "--demo", FIELDLOOP_HTTP_PORT=str(taken_port), FIELDLOOP_MQTT_PORT=str(taken_port))
    try:
        up.wait_for("Ready: ")
        assert f"port {taken_port} (HTTP) is taken" in up.text()
        base = re.search(r"Ready: (http://\S+)", up.text()).group(1)  # type: ignore[union-attr]
        assert not base.endswith(f":{taken_port}")
        assert httpx.get(f"{base}/health/ready").status_code == 200
        page = httpx.get(f"{base}/docs").text
        assert "http://" not in page
        assert "https://" not in page

        up.wait_for("notification.queued")
        for kind in ("alarm.raised", "work_order.opened", "station_task.offered", "service_offer.issued", "coupon.issued"):
            assert kind in up.text()

        before = up.children()
        assert set(before) == {"broker", "web", "ingest", "worker"}
        before["worker"].kill()
        before["ingest"].kill()

        def are_new() -> bool:
            present = up.children()
            return all(name in present and present[name].pid != before[name].pid for name in ("worker", "ingest"))

        wait_until(are_new, "what was killed to be started again", 30)
        assert "worker ended with code -9" in up.text()

        story = subprocess.run(
            [sys.executable, "-m", "app", "story"], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert story.returncode == 0, story.stdout + story.stderr
        assert "alarm cleared: component_replaced" in story.stdout
        assert "reading.observed" in story.stdout

        everybody = psutil.Process(up.process.pid).children(recursive=True)
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(40) == 0
        assert not psutil.wait_procs(everybody, timeout=5)[1]
    finally:
        if up.process.poll() is None:
            up.process.send_signal(signal.SIGTERM)
            up.process.wait(40)


def test_a_supervisor_that_is_killed_leaves_nothing_running_and_the_next_finds_its_ports(tmp_path: Path) -> None:
    ports = {"FIELDLOOP_HTTP_PORT": str(free_port()), "FIELDLOOP_MQTT_PORT": str(free_port())}
    for _ in range(2):
        up = Running(tmp_path, **ports)
        try:
            up.wait_for("Ready: ")
            assert "is taken" not in up.text()
            everybody = psutil.Process(up.process.pid).children(recursive=True)
        finally:
            up.process.kill()
            up.process.wait()
        assert len(everybody) > 4
        assert not psutil.wait_procs(everybody, timeout=20)[1]


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    filling = disk / "filling"
    with filling.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filling


def test_on_a_full_disk_writes_are_refused_reads_go_on_and_no_process_dies(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=100m tmpfs "$0" && exec "$@"', str(disk))
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here (unshare -rm, mount -t tmpfs): the promise is unproven")
    port = free_port()
    variables = {"FIELDLOOP_HTTP_PORT": str(port), "FIELDLOOP_MQTT_PORT": str(free_port()), "FIELDLOOP_VAR_DIR": str(disk)}
    up = Running(tmp_path, within=mount, **variables)
    try:
        up.wait_for("Ready: ")
        filling = fill(Path(f"/proc/{up.process.pid}/root{disk}"))
        before = psutil.Process(up.process.pid).children(recursive=True)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            found = {client.post("/api/v1/auth/sign-in", json={"login": f"{i}", "password": "p"}).status_code for i in range(6)}
            assert found == {507}
            # Each kind of request anew is another counter, and room for counters must be found somewhere.
            for path in ("docs", "docs/start.js", "accounts/link", "health/live", "nothing", "metrics", "api/v1/openapi.json"):
                for method in ("GET", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"):
                    assert client.request(method, f"/{path}").status_code < 500

            filling.unlink()
            assert client.post("/api/v1/auth/sign-in", json={"login": "x", "password": "p"}).status_code == 401
        assert {child.pid for child in psutil.Process(up.process.pid).children(recursive=True)} == {child.pid for child in before}
        assert "ended with code" not in up.text()
    finally:
        up.process.send_signal(signal.SIGTERM)
        up.process.wait(40)


def test_a_second_supervisor_in_the_same_folder_is_refused_and_files_are_private(tmp_path: Path) -> None:
    ports = {"FIELDLOOP_HTTP_PORT": str(free_port()), "FIELDLOOP_MQTT_PORT": str(free_port())}
    folder = tmp_path / "var"
    up = Running(tmp_path, **ports, FIELDLOOP_VAR_DIR=str(folder))
    try:
        up.wait_for("Ready: ")
        second = subprocess.run(
            [sys.executable, "-m", "app", "up"], cwd=ROOT, env=environment(folder, **ports), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert second.stdout + second.stderr == (
            f"another python -m app up runs in {folder}; end it, or set FIELDLOOP_VAR_DIR to another folder\n"
        )
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        assert {"fieldloop.db", "logs/web.log", "secret.key"} <= set(files)
        assert {path.stat().st_mode & 0o077 for path in files.values()} == {0}
    finally:
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(40) == 0


@pytest.mark.parametrize("secret", ["", "short", "development-only-secret-change-me"])
@pytest.mark.parametrize("command", [["up"], ["web"], ["worker"], ["migrate"]])
def test_production_does_not_start_without_secrets_of_its_own(command: list[str], secret: str, tmp_path: Path) -> None:
    variables = {"FIELDLOOP_ENVIRONMENT": "production", "FIELDLOOP_SECRET_KEY": secret, "FIELDLOOP_MQTT_BROKER": "external"}

    ended = subprocess.run(
        [sys.executable, "-m", "app", *command], cwd=ROOT, env=environment(tmp_path, **variables), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert "FIELDLOOP_SECRET_KEY, FIELDLOOP_MQTT_PASSWORD" in ended.stderr
    assert not list(tmp_path.iterdir())
