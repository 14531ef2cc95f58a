"""The instants at which a process may die between two steps that belong together, by name.

The product only passes them. ``tests/faults`` listens, ends the process at each, and fails for a point that no scenario reaches.
No setting and no request can make anybody listen here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class FaultPoint(StrEnum):
    """What has been done when the point is passed; the next step has not begun."""

    # every transaction (app/core/db.py)
    ROWS_WRITTEN = "rows_written"
    ROWS_STAMPED = "rows_stamped"
    COMMITTED = "committed"
    # the ingest (iot/__main__.py, iot/ingest.py)
    BATCH_TAKEN = "batch_taken"
    READINGS_STORED = "readings_stored"
    ALARMS_FOLLOWED = "alarms_followed"
    BATCH_STORED = "batch_stored"
    COMMANDS_TAKEN = "commands_taken"
    SETTINGS_TAKEN = "settings_taken"
    # a dead letter that is sent through the ingest again (iot/operations.py)
    LETTER_INGESTED = "letter_ingested"
    # old readings (iot/retention.py)
    SLICE_RETIRED = "slice_retired"
    # messages leaving (push/delivery.py)
    MESSAGES_CLAIMED = "messages_claimed"
    ATTEMPT_COUNTED = "attempt_counted"
    MESSAGE_SENT = "message_sent"
    # jobs by the clock (app/jobs.py)
    RUN_CLAIMED = "run_claimed"
    RUN_DONE = "run_done"
    # a request (app/core/http.py)
    ANSWER_STORED = "answer_stored"
    # an upload (app/attachments/uploads.py)
    FILE_IN_PLACE = "file_in_place"


_listeners: list[Callable[[FaultPoint], None]] = []


def passed(point: FaultPoint) -> None:
    """Tell whoever listens that this point was passed; nobody does outside of tests."""
    for listener in _listeners:
        listener(point)


def listen(listener: Callable[[FaultPoint], None]) -> Callable[[], None]:
    """Call ``listener`` at each point from now on; what it raises is raised there.

    Returns:
        A function that ends it.
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
