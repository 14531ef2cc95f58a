"""The worker process: messages out, jobs by the clock. Any number may run; one of them leads the jobs."""

from __future__ import annotations

import signal
import threading

from app.core.db import Database, first_line, is_away, is_busy
from app.core.leases import beat
from app.core.logs import get_log, set_up_logs
from app.core.settings import Settings
from app.jobs import Scheduler
from push.delivery import drain, make_channels

log = get_log(__name__)

_IDLE_S = 1.0
_AT_ONCE = 5  # few, so that slow sends do not keep the worker from saying that it is alive
_FAULT_S = 3.0


def work(database: Database, settings: Settings, stopping: threading.Event) -> None:
    """Deliver messages and tick the jobs until told to stop."""
    channels = make_channels(settings)
    scheduler = Scheduler(database, settings)
    scheduler.start()
    try:
        while not stopping.is_set():
            try:
                with database.transaction() as session:
                    beat(session, "worker", holder=scheduler.holder)
                sent = drain(database, settings, channels, limit=_AT_ONCE)
            except Exception as fault:
                if is_busy(fault):
                    log.warning("database busy", work="delivery")
                elif is_away(fault):
                    log.error("database unavailable", work="delivery", problem=first_line(fault))
                else:
                    log.exception("delivery paused")
                stopping.wait(_FAULT_S)
                continue
            if sent == 0:
                stopping.wait(_IDLE_S)
    finally:
        scheduler.stop()


def main(settings: Settings) -> None:
    """Run the worker until SIGTERM."""
    set_up_logs(settings, "worker")
    database = Database(settings.database_url, pool_size=5)
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    work(database, settings, stopping)
    database.close()
    log.info("stopped")
