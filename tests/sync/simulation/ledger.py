"""The ledger: what phones and the office did, and what the server said yes to. It needs no order of events.

Every edit writes a value that nobody wrote before and names the value it replaced before its author's eyes. So an acknowledged
value is lost unless it stands in the row, or somebody who saw it (or a later one) replaced it, or it stands where the office
finds it: in the journal of conflicts or among the refused rows.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

from app.attachments.models import Attachment
from app.contacts.models import Contact, ContactRelation
from app.customers.models import Customer, Site
from app.leads.models import Lead

Key = tuple[str, str, str, Any]
# Collections whose rows phones make, and the fields that people edit; each key of ``custom`` is a field as ``custom.<key>``.
MODELS: dict[str, Any] = {
    "customers": Customer,
    "sites": Site,
    "leads": Lead,
    "contacts": Contact,
    "contact_relations": ContactRelation,
    "attachments": Attachment,
}
FIELDS = {
    "customers": ("name", "phone", "email", "custom"),
    "sites": ("name", "address", "lat"),
    "leads": ("name", "company", "email", "interest"),
    "contacts": ("name", "job_title", "email", "note"),
    "contact_relations": ("note",),
}


def values_in(text: str | None) -> dict[str, Any]:
    """Return the values in a ``custom`` column as phones hold it, without what says which were edited."""
    found: dict[str, Any] = json.loads(text) if text else {}
    found.pop("_changed", None)
    return found


def taken_apart(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as phones hold it with each key of ``custom`` as a field."""
    return {**row, **{f"custom.{key}": value for key, value in values_in(row.get("custom")).items()}}


def value_of(stored: Any, name: str) -> Any:
    """Return the value of a field in a stored row."""
    return stored.custom.get(name.removeprefix("custom.")) if name.startswith("custom.") else getattr(stored, name)


class Ledger:
    """What phones and the office did, and what the server said to it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        self.n: Counter[str] = Counter()
        self.parents: dict[Key, Key] = {}
        self.authors: dict[Key, tuple[str, str]] = {}
        self.arrived: set[Key] = set()
        self.acked: set[Key] = set()
        self.superseded: set[Key] = set()
        self.made: set[tuple[str, str]] = set()
        self.created: set[tuple[str, str]] = set()
        # Which customer a row was made for.
        self.made_for: dict[tuple[str, str], str] = {}
        self.intents: dict[str, tuple[str, str]] = {}
        # The intents whose arrival the server confirmed.
        self.answered: set[str] = set()
        # How often each row was brought back; the present deletion of each row on each phone; who deleted what in which life.
        self.lives: Counter[tuple[str, str]] = Counter()
        self.deleting: dict[tuple[Any, str, str], int] = {}
        self.told: set[int] = set()
        # Deleted a second time on one phone: where somebody edited the row meanwhile, it may have to be deleted a third time.
        self.again: set[tuple[str, str]] = set()
        self.deletions: dict[tuple[str, str], set[int]] = {}
        self.faults: list[str] = []
        self.story: dict[tuple[str, str], deque[Any]] = {}

    def note(self, table: str, row_id: str, *what: Any) -> None:
        """Keep what happened to a row, to be read when something is wrong with it."""
        with self.lock:
            self.story.setdefault((table, row_id), deque(maxlen=4000)).append(what)

    def told_of(self, rows: Iterable[tuple[str, str]]) -> str:
        return "\n".join(f"{row}: {what}" for row in list(rows)[:2] for what in self.story.get(row, ()))

    def count(self, what: str, by: int = 1) -> None:
        with self.lock:
            self.n[what] += by

    def edited(self, table: str, row_id: str, name: str, old: Any, new: Any) -> None:
        with self.lock:
            self.note(table, row_id, "edit", name, old, new)
            self.parents[table, row_id, name, new] = (table, row_id, name, old)

    def went_on(self, key: Key, author: tuple[str, str]) -> bool:
        """Tell whether the author of a value wrote another one in its place later on."""
        with self.lock:
            return any(old == key and self.authors.get(new) == author for new, old in self.parents.items())

    def supersede(self, key: Key) -> None:
        """Note that somebody replaced a value knowingly, and with it all those that it had replaced."""
        with self.lock:
            found: Key | None = key
            while found is not None and found not in self.superseded:
                self.superseded.add(found)
                found = self.parents.get(found)

    def deleted(self, row: tuple[str, str], token: int | None = None) -> None:
        """Note a deletion the server took; one that arrives again is none."""
        with self.lock:
            if token is None or token not in self.told:
                self.deletions.setdefault(row, set()).add(self.lives[row])
            if token is not None:
                self.told.add(token)

    def arrive(self, keys: Iterable[Key]) -> None:
        with self.lock:
            for key in keys:
                if key in self.arrived:
                    continue
                self.arrived.add(key)
                if key in self.parents:
                    self.supersede(self.parents[key])
