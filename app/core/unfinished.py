"""Work that was done in part: what it could not do is named, and tried again the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy.exc import OperationalError

from app.core.db import first_line, is_away, is_busy, is_deadlock
from app.core.logs import get_log

log = get_log(__name__)

# So many are named; all are counted.
_NAMED = 3


class Unfinished(Exception):
    """A job went through all it found, and failed with some of it.

    Attributes:
        done: how many it could do.
        failed: the ids of what it could not.
    """

    def __init__(self, done: int, failed: Sequence[str]) -> None:
        super().__init__(f"failed with {len(failed)}")
        self.done, self.failed = done, failed

    @property
    def outcome(self) -> str:
        """What is kept of the run: how many failed, and the first of them."""
        more = ", ..." if len(self.failed) > _NAMED else ""
        return f"{PREFIX}{len(self.failed)}: " + ", ".join(self.failed[:_NAMED]) + more


PREFIX = "failed with "
"""What the outcome of such a run begins with."""


def one_by_one(ids: Iterable[str], work: Callable[[str], int]) -> int:
    """Do work for each of many rows, in a transaction of its own: one with which it fails keeps no other from its turn.

    Returns:
        How many changes were made.

    Raises:
        Unfinished: with the ids of the rows with which it failed.
        OperationalError: the database is away or busy, which is no row's fault.
    """
    done, failed = 0, []
    for row_id in ids:
        try:
            done += _past_a_deadlock(row_id, work)
        except Exception as fault:
            if is_away(fault) or is_busy(fault):
                raise
            failed.append(row_id)
            log.exception("left for the next run", row=row_id, problem=first_line(fault))
    if failed:
        raise Unfinished(done, failed)
    return done


def _past_a_deadlock(row_id: str, work: Callable[[str], int]) -> int:
    try:
        return work(row_id)
    except OperationalError as fault:
        if not is_deadlock(fault):
            raise
    return work(row_id)  # the transaction that was ended to break it left nothing
