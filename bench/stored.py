"""Readings as the ingest stores them, made by arithmetic and put straight into the table: for what only reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from app.core.db import Database
from bench.load import Says, boot_of
from bench.rule_load import MORE
from iot.store import Row

START_MS = 1_772_416_800_000  # 2026-03-02 02:00 UTC
_PRIME = 10_007
# What the n-th message of a device says of each metric, by n and by chance (0 to 1).
SAYS: dict[str, Says] = {
    "soh_pct": lambda _, chance: 78 + chance * 17,
    "soc_pct": lambda _, chance: 10 + chance * 89,
    "pack_voltage_v": lambda _, chance: 300 + chance * 90,
    "pack_temp_c": lambda _, chance: 15 + chance * 25,
    **MORE,
}


@dataclass(frozen=True)
class History:
    """Messages of devices in turn, ``each`` so many, ``step_ms`` of event time between two of one device."""

    devices: Sequence[str]
    metrics: Sequence[str]
    each: int
    step_ms: int

    @property
    def until_ms(self) -> int:
        """The event time behind the last reading."""
        return START_MS + self.each * self.step_ms

    def count(self, metrics: Sequence[str]) -> int:
        """Return how many readings there are of some metrics."""
        return len(self.devices) * self.each * len(set(metrics) & set(self.metrics))

    def rows(self) -> Iterator[Row]:
        """Yield every reading in the order in which it would have come."""
        boots = [boot_of(device) for device in self.devices]
        for n in range(self.each):
            for place, boot in enumerate(boots):
                yield from self._message(place, boot, n, self.metrics)

    def message(self, place: int, n: int) -> list[Row]:
        """Return the readings of the n-th message of a device."""
        return list(self._message(place, boot_of(self.devices[place]), n, self.metrics))

    def of(self, place: int, metrics: Sequence[str]) -> Iterator[Row]:
        """Yield the readings of one device, of some metrics, in their order."""
        boot, told = boot_of(self.devices[place]), [name for name in self.metrics if name in metrics]
        for n in range(self.each):
            yield from self._message(place, boot, n, told)

    def _message(self, place: int, boot: str, n: int, metrics: Sequence[str]) -> Iterator[Row]:
        at_ms, key = START_MS + n * self.step_ms + place, f"{boot}:{n}"
        for i, name in enumerate(metrics):
            chance = (n * 7919 + place * 1543 + i * 3571) % _PRIME / _PRIME
            yield Row(self.devices[place], key, name, at_ms, round(SAYS[name](n, chance), 4), at_ms + 500, False)


def put(database: Database, rows: Iterator[Row]) -> None:
    """Put readings into the table and let the database look at what it has; indexes grow with them, as they do in the ingest."""
    names = ", ".join(Row.__struct_fields__)
    if database.engine.dialect.name == "postgresql":
        url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as link:
            with link.cursor().copy(f"COPY telemetry ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(_values(row))
            link.execute("ANALYZE telemetry")
        return
    link = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    for pragma in ("synchronous=OFF", "cache_size=-600000"):
        link.execute(f"PRAGMA {pragma}")
    link.execute("BEGIN IMMEDIATE")
    marks = ", ".join("?" * len(Row.__struct_fields__))
    link.executemany(f"INSERT INTO telemetry ({names}) VALUES ({marks})", map(_values, rows))
    link.execute("COMMIT")
    link.execute("ANALYZE telemetry")
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()


def _values(row: Row) -> tuple[str | int | float | bool, ...]:
    return tuple(getattr(row, name) for name in Row.__struct_fields__)
