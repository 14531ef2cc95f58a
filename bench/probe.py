"""Looking at a database from outside the product: one connection of the bare driver, cheap enough to ask every 2 ms."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from bench.load import Expected


class Probe:
    """One autocommit connection that only reads."""

    def __init__(self, url: str) -> None:
        """Connect to the database of an SQLAlchemy URL."""
        self._sqlite = url.startswith("sqlite")
        self._link: Any
        if self._sqlite:
            self._link = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=15, isolation_level=None)
        else:
            self._link = psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=5, prepare_threshold=0)

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query with ``?`` for its values."""
        found = self._link.execute(query if self._sqlite else query.replace("?", "%s"), values)
        return list(found.fetchall())

    def count(self, name: str) -> int:
        """Return one of the ingest's durable counters."""
        found = self.rows("SELECT n FROM ingest_counters WHERE name = ?", (name,))
        return int(found[0][0]) if found else 0

    def counts(self) -> dict[str, int]:
        """Return all of them."""
        return {name: int(n) for name, n in self.rows("SELECT name, n FROM ingest_counters")}

    def deadlocks(self) -> int:
        """Return how many deadlocks PostgreSQL has broken in this database; 0 on SQLite, which has none."""
        if self._sqlite:
            return 0
        return int(self.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0])

    def compare(self, expected: Iterable[Expected], devices_like: str) -> tuple[int, int]:
        """Compare the stored readings of some devices with those that were published.

        Returns:
            How many messages are not there in full, and how many are there twice or were never published.
        """
        query = "SELECT device_id, message_key, metric, at_ms, value FROM telemetry WHERE device_id LIKE ?"
        found = Counter(self.rows(query, (devices_like,)))
        wanted = {tuple(reading) for reading in expected}
        surplus = [reading for reading, times in found.items() if times > 1 or reading not in wanted]
        return len({reading[:2] for reading in wanted - found.keys()}), len({reading[:2] for reading in surplus})

    def close(self) -> None:
        """Disconnect."""
        self._link.close()

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
