"""The one clock. Everything that needs the time takes it from here; tests set it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock:
    """Wall clock in UTC, monotonic clock in seconds, and the database's clock for leases."""

    def now(self) -> datetime:
        """Return the present instant, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps; only differences mean anything."""
        return time.monotonic()

    def database_now(self, session: Session) -> datetime:
        """Return the database server's present instant, aware, UTC.

        Leases are judged by this clock, so that hosts whose clocks disagree
        cannot hold the same lease at once.
        """
        if session.get_bind().dialect.name == "postgresql":
            found: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
            return found.astimezone(UTC)
        moment = session.execute(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")).scalar_one()
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)


def to_ms(at: datetime) -> int:
    """Return an aware instant as whole Unix milliseconds; what is below one is cut off, as ``in_ms`` does in SQL."""
    return (at - _EPOCH) // _MILLISECOND


def from_ms(at_ms: int) -> datetime:
    """Return Unix milliseconds as an aware UTC instant."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
