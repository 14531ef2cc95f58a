"""What a noun of the business brings to the simulation."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from offline_sync.models import Intent, SyncConflict, SyncProblem

if TYPE_CHECKING:
    from tests.sync.simulation.company import Company
    from tests.sync.simulation.worker import Worker

# What is done, and how often beside all others.
Habits = Sequence[tuple[Callable[["Worker"], None], int]]
Duties = Sequence[tuple[Callable[[random.Random], None], int]]

# By customer and field, values that are kept beside the one that stands.
Rivals = dict[tuple[str, str], set[Any]]


@dataclass
class Found:
    """What is in the database when all phones are at rest.

    Attributes:
        stored: rows that phones make, deleted ones too, by collection and id.
        asked: the intents, by id.
        happened: entries of the causal log by kind and subject's id.
        refused: deletions that were refused; ``kept``: rows of which something is kept among the refused ones.
    """

    stored: Mapping[tuple[str, str], Any]
    asked: Mapping[str, Intent]
    happened: Counter[tuple[str, str]]
    conflicts: Sequence[SyncConflict]
    problems: Sequence[SyncProblem]
    refused: set[tuple[str, str]]
    kept: set[tuple[str, str]]

    def accepted(self, kind: str) -> list[Intent]:
        """Return the accepted intents of a kind."""
        return [intent for intent in self.asked.values() if intent.kind == kind and intent.verdict == "accepted"]


class Noun:
    """What people do with one noun on phones, what the office does, and what must be true in the end.

    Attributes:
        collections: what a phone holds of it.
        once: kinds of entries of the causal log of which no subject has two.
    """

    collections: ClassVar[tuple[str, ...]] = ()
    once: ClassVar[tuple[str, ...]] = ()

    def __init__(self, company: Company) -> None:
        self.company, self.ledger = company, company.ledger

    def begin(self) -> None:
        """Set up what is there before anybody has a phone."""

    def habits(self, role: str) -> Habits:
        """Return what people of a role do on their phones."""
        return ()

    def duties(self) -> Duties:
        """Return what the office does while phones sync."""
        return ()

    def between(self, *, last: bool) -> None:
        """Do what nothing else runs beside; ``last``: no further turn follows."""

    def rivals(self) -> Rivals:
        """Return what is kept beside values that stand, where the office finds it."""
        return {}

    def check(self, found: Found) -> None:
        """Say what must be true when all phones are at rest."""
