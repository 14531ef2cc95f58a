"""A phone that speaks WatermelonDB's protocol, in few lines: local rows, changes, and what the library does with answers.

The rules are those of the library's source (0.28): see docs/sync-protocol.md. The real library runs in test_clients.py,
RxDB's counterpart is in rxdb_phones.py.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from tests.people import Http

Row = dict[str, Any]
Changes = dict[str, dict[str, list[Any]]]


class Answer(Protocol):
    """What a phone needs of an HTTP answer, whichever client got it."""

    @property
    def status_code(self) -> int: ...
    def get_json(self) -> Any: ...
    def get_data(self, *, as_text: bool) -> Any: ...


Send = Callable[[], Answer]
Network = Callable[[Send], Answer]


class LostError(Exception):
    """The network lost a request or its answer."""


class KilledError(Exception):
    """The system ended the app; what it had written down stays."""


class Witness:
    """Who looks on while a phone works. By default nobody does."""

    def edited(self, table: str, row_id: str, field: str, old: Any, new: Any) -> None:
        """A person replaced ``old``, which they saw, by ``new``."""

    def dropped(self, phone: Any, table: str, row_id: str) -> None:
        """A person deleted a row on a phone."""

    def taken(self, phone: Any, sent: Any, answer: Any) -> None:
        """The server took a push, whether or not its answer gets through."""

    def answered(self, phone: Any, sent: Any, answer: Any) -> None:
        """The answer reached the phone."""

    def step(self, phone: Any) -> None:
        """The phone wrote something down, and more is to follow: here an app may be killed or its person type on."""


def digest_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Compute what ``GET /sync/digest`` says, from rows on a phone."""
    total, count = 0, 0
    for row in rows:
        text = json.dumps([row["id"], row["updated_at"]], separators=(",", ":"))
        total ^= int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        count += 1
    return {"count": count, "hash": f"{total:016x}"}


class Phone:
    """One installation of one person; ``network`` may lose or double what is sent.

    ``lacks``: tables (None) and columns that this release of the app does not know yet; ``upgrade`` brings them.
    """

    protocol = "watermelon"
    _ids = itertools.count(1)

    def __init__(
        self,
        person: Http,
        name: str | None = None,
        network: Network | None = None,
        witness: Witness | None = None,
        lacks: Mapping[str, set[str] | None] | None = None,
    ) -> None:
        self.person = person
        self.name = name or f"phone-{next(self._ids):05}"
        self.rows: dict[str, dict[str, Row]] = {}
        self.state: dict[tuple[str, str], tuple[str, set[str]]] = {}
        self.deleted: dict[str, set[str]] = {}
        self.cursor: int | None = None
        # Where the phone stood when the oldest of its unsent edits was made; None when there were none before the last pull.
        self.seen: int | None = None
        self.rejected: dict[str, list[str]] = {}
        self.lacks: dict[str, set[str] | None] = dict(lacks or {})
        # How often the server sent everything anew.
        self.replacements = 0
        self.migration: dict[str, Any] | None = None
        self.headers: Callable[[], dict[str, str]] = dict
        self.witness = witness or Witness()
        self._network = network or (lambda send: send())

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call the API as this phone."""
        return self._network(lambda: self._call(method, path, body, **headers))

    def _call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.person.call(method, path, body, X_Installation=self.name, **self.headers(), **headers)

    # What the app does offline

    def live(self, table: str) -> dict[str, Row]:
        """Return the rows that the person sees."""
        return self.rows.get(table, {})

    def some(self, table: str, random_: random.Random) -> Row | None:
        """Return one of the rows that the person sees, by chance."""
        ids = list(self.rows.get(table, ()))
        return self.rows[table][random_.choice(ids)] if ids else None

    def create(self, table: str, row: Row) -> Row:
        row = self._known(table, row)
        self.rows.setdefault(table, {})[row["id"]] = dict(row)
        self.state[table, row["id"]] = ("created", set())
        return row

    def update(self, table: str, row_id: str, **changes: Any) -> None:
        row = self.rows[table][row_id]
        for field, value in changes.items():
            self.witness.edited(table, row_id, field, row.get(field), value)
        row |= changes
        status, changed = self.state.get((table, row_id), ("updated", set()))
        self.state[table, row_id] = (status, changed | set(changes))

    def delete(self, table: str, row_id: str) -> None:
        self.witness.dropped(self, table, row_id)
        del self.rows[table][row_id]
        self.state.pop((table, row_id), None)
        self.deleted.setdefault(table, set()).add(row_id)

    def intend(self, intent_id: str, kind: str, body: str, made_at: int = 1_772_000_000_000) -> None:
        self.create("intents", {"id": intent_id, "kind": kind, "body": body, "made_at": made_at, "verdict": None})

    def give_up_refused(self) -> None:
        """The person throws away what the server would not take and never had."""
        for table, ids in self.rejected.items():
            for row_id in ids:
                if self.state.get((table, row_id), ("", set()))[0] == "created":
                    self.rows[table].pop(row_id)
                    self.state.pop((table, row_id))

    def waiting(self) -> int:
        """Count the rows that wait to be sent."""
        return len(self.state) + sum(len(ids) for ids in self.deleted.values())

    def waits(self, table: str, row_id: str) -> bool:
        """Tell whether an edit of a row waits to be sent."""
        return (table, row_id) in self.state

    def tables(self) -> list[str]:
        return sorted(self.rows)

    def upgrade(self) -> None:
        """Install the release that knows everything; its next pull asks for what this one could not hold."""
        columns = {table: sorted(names) for table, names in self.lacks.items() if names is not None}
        self.migration = {
            "from": 1,
            "tables": sorted(table for table, names in self.lacks.items() if names is None),
            "columns": [{"table": table, "columns": names} for table, names in columns.items()],
        }
        for table, names in columns.items():
            for row in self.rows.get(table, {}).values():
                row |= dict.fromkeys(names)
        self.lacks = {}

    # What the library does

    def sync(self) -> bool:
        """Pull, push, and where something was pushed pull again; tell whether something was."""
        self.pull()
        if not self.push():
            return False
        self.pull()
        return True

    def pull(self, limit: int | None = None) -> None:
        path = f"/sync/watermelon?last_pulled_at={self.cursor or 'null'}&schema_version={1 if self.lacks else 2}"
        path += f"&migration={quote(json.dumps(self.migration)) if self.cursor else 'null'}"
        if limit:
            path += f"&limit={limit}"
        changes: Changes = {}
        page, strategy = None, None
        while True:
            answer = self._get(path + (f"&page={page}" if page else ""))
            for table, lists in answer["changes"].items():
                for kind, rows in lists.items():
                    changes.setdefault(table, {"created": [], "updated": [], "deleted": []})[kind] += rows
            strategy = answer.get("experimentalStrategy")
            page = answer["next_page"]
            if not answer["has_more"]:
                break
        if self.seen is None or self.migration is not None:
            # In a new column nobody could see what stands there on the server.
            self.seen = 0 if self.migration is not None else self.cursor or 0
        if not self.state and not any(self.deleted.values()):
            self.seen = None  # nothing waits to be sent: the library's sync ends here, and what comes is seen
        self.replacements += strategy == "replacement"
        self._apply(changes, replacement=strategy == "replacement")
        assert isinstance(answer["timestamp"], int)
        assert 0 < answer["timestamp"] < 2**53
        self.witness.step(self)
        self.cursor = answer["timestamp"]
        self.witness.step(self)
        self.migration = None
        if not self.waiting():
            self.seen = None  # nothing to push: the library is done

    def _get(self, path: str) -> Any:
        answer = self.http("GET", path)
        assert answer.status_code == 200, (answer.status_code, answer.get_data(as_text=True))
        return answer.get_json()

    def _known(self, table: str, row: Row) -> Row:
        unknown = self.lacks.get(table) or ()
        return {name: value for name, value in row.items() if name not in unknown}

    def _apply(self, changes: Changes, *, replacement: bool) -> None:
        for table, lists in changes.items():
            if table in self.lacks and self.lacks[table] is None:
                continue
            here = self.rows.setdefault(table, {})
            ids = [row["id"] for row in lists["created"] + lists["updated"]]
            assert len(ids) == len(set(ids)), "no id twice in one pull"
            assert not set(ids) & set(lists["deleted"]), "never in both lists"
            assert not lists["created"], "new rows come as updated"
            dropped = self.deleted.setdefault(table, set())
            for row in lists["updated"]:
                assert all(value is None or isinstance(value, str | int | float | bool) for value in row.values())
                if row["id"] in dropped:
                    continue
                # A row that waits to be sent keeps its status, and its own values in the columns edited since.
                _, changed = self.state.get((table, row["id"]), (None, set()))
                mine = {name: here[row["id"]][name] for name in changed if row["id"] in here}
                here[row["id"]] = self._known(table, row) | mine
            for row_id in lists["deleted"]:
                here.pop(row_id, None)
                self.state.pop((table, row_id), None)
                dropped.discard(row_id)
            if replacement:
                dropped.intersection_update(ids)
                for row_id in set(here) - set(ids):
                    if self.state.get((table, row_id), ("", set()))[0] != "created":
                        here.pop(row_id)
                        self.state.pop((table, row_id), None)

    def changes(self) -> Changes:
        found: Changes = {}
        for (table, row_id), (status, changed) in self.state.items():
            row = self.rows[table][row_id] | {"_status": status, "_changed": ",".join(sorted(changed))}
            found.setdefault(table, {"created": [], "updated": [], "deleted": []})[status].append(row)
        for table, ids in self.deleted.items():
            found.setdefault(table, {"created": [], "updated": [], "deleted": []})["deleted"] += sorted(ids)
        return found

    def push(self) -> bool:
        sent = copy.deepcopy(self.changes())
        if not any(rows for lists in sent.values() for rows in lists.values()):
            self.seen = None
            return False
        path = f"/sync/watermelon?last_pulled_at={self.cursor}"
        if self.seen is not None:
            path += f"&seen={self.seen}"

        def send() -> Answer:
            answer = self._call("POST", path, sent)
            if answer.status_code == 200:
                self.witness.taken(self, sent, answer.get_json()["experimentalRejectedIds"])
            return answer  # type: ignore[no-any-return]

        answer = self._network(send)
        assert answer.status_code == 200, (answer.status_code, answer.get_data(as_text=True))
        self.rejected = answer.get_json()["experimentalRejectedIds"]
        self.witness.answered(self, sent, self.rejected)
        self.witness.step(self)
        self._mark_sent(sent)
        return True

    def _mark_sent(self, sent: Changes) -> None:
        now = self.changes()
        for table, lists in sent.items():
            refused = set(self.rejected.get(table, ()))
            for status in ("created", "updated"):
                same = {row["id"]: row for row in now.get(table, {}).get(status, ())}
                for row in lists[status]:
                    # What the person edited while the push was under way stays unsent.
                    if row["id"] not in refused and same.get(row["id"]) == row:
                        self.state.pop((table, row["id"]), None)
        if not any(self.rejected.values()):
            self.seen = None  # else what was refused waits on, and its person has seen no more than before
        self.witness.step(self)
        for table, lists in sent.items():
            self.deleted.get(table, set()).difference_update(set(lists["deleted"]) - set(self.rejected.get(table, ())))

    def snapshot(self) -> Any:
        """Return what is written down, to go back to when the app is killed."""
        return copy.deepcopy((self.rows, self.state, self.deleted, self.cursor, self.seen, self.lacks, self.migration))

    def go_back(self, kept: Any) -> None:
        kept = copy.deepcopy(kept)
        self.rows, self.state, self.deleted, self.cursor, self.seen, self.lacks, self.migration = kept


class BadNetwork:
    """Loses requests, loses answers, doubles requests; by chance, from a seed."""

    def __init__(self, random_: random.Random, rate: float = 0.15) -> None:
        self.random, self.rate = random_, rate

    def __call__(self, send: Send) -> Answer:
        luck = self.random.random()
        if luck < self.rate:
            raise LostError("request")
        answer = send()
        if luck < 2 * self.rate:
            raise LostError("answer")
        return send() if luck < 3 * self.rate else answer
