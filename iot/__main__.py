"""``python -m iot --shard 0``: subscribe, store batch after batch, acknowledge after each commit; clean stop on SIGTERM."""

from __future__ import annotations

import argparse
import gc
import random
import signal
import threading
import time
from collections import Counter

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.core.clock import to_ms
from app.core.db import Database
from app.core.fault_points import FaultPoint, passed
from app.core.ids import new_id
from app.core.leases import beat
from app.core.logs import get_log, set_up_logs
from app.core.metrics import INGEST_BATCH_SECONDS, INGEST_LAG_SECONDS
from app.core.settings import Settings, settings_or_exit
from iot import commands, subscriptions
from iot.handover import Handover, Outgoing
from iot.ingest import ingest_batch
from iot.subscriber import Delivery, Subscriber

log = get_log(__name__)

_PATIENCE_S = 0.5
_LONGEST_BACK_OFF_S = 15.0
_SHARD_OF_OTHERS = 0  # conventions without a shard in their topics
_PASSING = (OperationalError, InterfaceError, PoolTimeout, StaleDataError)


class IngestLoop:
    """One shard's loop: take, store, acknowledge; commands out in between."""

    def __init__(self, database: Database, settings: Settings, shard: int) -> None:
        """Prepare the loop; ``run`` works until ``stop``."""
        self.database, self.settings, self.shard = database, settings, shard
        self.subscriber = Subscriber(settings, shard, lambda: to_ms(database.clock.now()))
        self.handover = Handover(shard)
        self.stopping = threading.Event()
        self._next_chore = 0.0
        self._set_aside: Counter[str] = Counter()

    def run(self) -> None:
        """Work until told to stop; then finish the batch at hand and disconnect."""
        self.subscriber.start()
        try:
            while not self.stopping.is_set():
                deliveries = self.subscriber.take(self.settings.ingest_batch, self.settings.ingest_linger_ms / 1000, _PATIENCE_S)
                if deliveries:
                    with structlog.contextvars.bound_contextvars(batch=new_id()):
                        self._store(deliveries)
                self._chores()
        finally:
            self._tell_set_aside()
            self.subscriber.stop()

    def stop(self) -> None:
        """Ask the loop to end after the batch at hand."""
        self.stopping.set()

    def _store(self, deliveries: list[Delivery]) -> None:
        """Store a batch, trying again in place while the database is away, and acknowledge it after the commit.

        On a live connection the broker never delivers again, so giving up here would lose nothing
        but would stall until the next reconnect.
        """
        passed(FaultPoint.BATCH_TAKEN)
        back_off_s = 0.2
        while True:
            began = time.monotonic()
            try:
                counts = ingest_batch(self.database, self.settings, [delivery.message for delivery in deliveries])
                break
            except _PASSING as fault:
                log.error("batch not stored, trying again", messages=len(deliveries), problem=str(fault).splitlines()[0][:200])
            if self.stopping.is_set():
                return
            self.stopping.wait(back_off_s * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            back_off_s = min(back_off_s * 2, _LONGEST_BACK_OFF_S)
        passed(FaultPoint.BATCH_STORED)
        self.subscriber.acknowledge(deliveries)
        INGEST_BATCH_SECONDS.observe(time.monotonic() - began)
        INGEST_LAG_SECONDS.observe(max(0.0, to_ms(self.database.clock.now()) - deliveries[0].message.received_ms) / 1000)
        self._set_aside += counts

    def _chores(self) -> None:
        """Once a second: publish commands and settings, say that we are alive, listen to what the profiles speak of."""
        present = self.database.clock.monotonic()
        if present < self._next_chore:
            return
        self._next_chore = present + 1
        self._tell_set_aside()
        try:
            with self.database.transaction() as session:
                asked, settings = self._take_outgoing(session)
                beat(
                    session,
                    f"ingest-{self.shard}",
                    connected=self.subscriber.is_connected,
                    broker_dropped=self.subscriber.broker_dropped,
                )
                if self.shard == _SHARD_OF_OTHERS:
                    subscriptions.forget(session, self.subscriber.left())
                    topics = subscriptions.compare(session)
            if self.shard == _SHARD_OF_OTHERS:
                self.subscriber.follow(*topics)
            if asked:
                passed(FaultPoint.COMMANDS_TAKEN)
            for command in asked:
                self.subscriber.publish(*command)
            if settings:
                passed(FaultPoint.SETTINGS_TAKEN)
            for one in settings:
                self.subscriber.publish(one.topic, one.payload, retain=one.retain, note=one.handed)
        except _PASSING as fault:
            self.handover.start_over()
            log.warning("chores skipped", problem=str(fault).splitlines()[0][:200])

    def _take_outgoing(self, session: Session) -> tuple[list[commands.Outgoing], list[Outgoing]]:
        """Take what is to go to devices, while there is a connection."""
        # Before the question whether there is one: what is published over this one then counts for it.
        connection = self.subscriber.connection
        if not self.subscriber.is_connected:
            return [], []
        confirmed = self.subscriber.confirmed()
        return commands.take_queued(session, [self.shard]), self.handover.take(session, connection, confirmed)

    def _tell_set_aside(self) -> None:
        """Say how many messages could not be used since the last time: one line, however many strangers send."""
        found, self._set_aside = self._set_aside, Counter()
        if found["poison"] or found["unknown_device"]:
            log.warning("messages set aside", poison=found["poison"], unknown_device=found["unknown_device"], of=found["message"])


def main() -> None:
    """Run the ingest of one shard."""
    parser = argparse.ArgumentParser(prog="python -m iot", description=__doc__)
    parser.add_argument("--shard", type=int, default=0, help="the shard in the devices' topics")
    shard = parser.parse_args().shard
    settings = settings_or_exit()
    set_up_logs(settings, f"ingest-{shard}")
    database = Database(settings.database_url, pool_size=2)
    loop = IngestLoop(database, settings, shard)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: loop.stop())
    # Most of what a batch makes goes with it. Looking through all that stays every 700 objects took a third of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    loop.run()
    database.close()
    log.info("stopped")


if __name__ == "__main__":
    main()
