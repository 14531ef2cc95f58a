"""The web process on a database, and phones that call it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.db import Database
from app.core.settings import Settings
from bench.lab import Lab, Running, free_port, wait_for
from bench.phone import Phone
from bench.web import answers, sign_in


@dataclass
class Served:
    """A running web process; ``database`` is our own connection to its database."""

    database: Database
    settings: Settings
    running: Running
    made: int = 0

    def phone(self, user_id: str) -> Phone:
        """Return a new installation of a person."""
        self.made += 1
        return Phone(self.settings.http_port, self.token(user_id), f"bench-phone-{self.made:04d}")

    def token(self, user_id: str) -> str:
        """Return an access token of a person."""
        with self.database.transaction() as session:
            return sign_in(session, self.settings, user_id)

    def memory(self, name: str = "VmRSS") -> dict[int, float]:
        """Return a figure of /proc/<pid>/status of each process, in MB; none where there is no /proc."""
        found = {}
        for pid in [self.running.pid, *_children(self.running.pid)]:
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                found[pid] = sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
        return found

    def forget_peak(self) -> None:
        """Let the highest memory use of each process be that of now (proc(5), clear_refs)."""
        for pid in [self.running.pid, *_children(self.running.pid)]:
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def serve(lab: Lab, url: str) -> Iterator[Served]:
    """Run the web process for the length of a block, as ``python -m app up`` starts it."""
    settings, database = lab.settings(url, http_port=free_port()), Database(url)
    try:
        with lab.product("web", settings) as web:
            wait_for("granian", lambda: web.must_run() and answers(settings.http_port), 120, 0.1)
            yield Served(database, settings, web)
    finally:
        database.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []
