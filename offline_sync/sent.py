"""What arrives from phones, whatever their protocol: a row, who sent it, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from app.core.errors import DomainError
from app.core.settings import Settings
from app.users.rights import Actor


@dataclass(frozen=True)
class Arrival:
    """One row as a phone sent it, whatever its protocol.

    Attributes:
        collection, row_id: as sent, not yet trusted.
        values: fields by wire name.
        deleted: the phone deleted it.
        claimed: the fields the phone changed; None when it made the row.
        base: what the phone takes the server's row to be, if its protocol says so.
    """

    collection: str
    row_id: Any
    values: Mapping[str, Any]
    deleted: bool = False
    claimed: Collection[str] | None = None
    base: Mapping[str, Any] | None = None


class Outcome(NamedTuple):
    """What became of an arrival.

    ``refused``: it was kept as a problem, and is not stored. ``early``: it waits for the row it hangs on.
    """

    arrival: Arrival
    refused: bool = False
    early: bool = False


@dataclass
class Sender:
    """Who sends, from which installation, having seen which changes.

    Attributes:
        since: the number the phone stood at when it sent this. What it wrote itself after that came with a later push.
        seen: the number it stood at when the oldest of its edits was made; its library pulls before it pushes. 0: it had seen
            nothing, as in a column that an upgrade of the app has just brought.
        cursor: ``since`` as the phone keeps it, with the epoch; 0 where its protocol has none.
        replayed: an operator sends it, corrected, for somebody else's phone, and knows the row as it is.
        edited_at: when the oldest of its edits was made, where its app says so, by our clock.
        skew_ms: its clock minus ours, where its app says so.
        waits: its library sends each collection apart, so that a new row may come before the one it hangs on.
    """

    actor: Actor
    settings: Settings
    installation_id: str
    since: int
    seen: int
    cursor: int = 0
    replayed: bool = False
    waits: bool = False
    edited_at: datetime | None = None
    skew_ms: int | None = None
    refusals: list[DomainError] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Name the local database that sends: people who share a phone have one each, and do not know each other's edits."""
        return hashlib.sha256(f"{self.actor.id} {self.installation_id}".encode()).hexdigest()[:32]
