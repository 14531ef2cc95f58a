"""Work that was done in part: what it could not do is named, and tried again the next time."""

from __future__ import annotations

from collections.abc import Sequence

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
