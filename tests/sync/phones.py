"""A phone that speaks WatermelonDB's protocol, in few lines: local rows, changes, and what the library does with answers.

The rules are those of the library's source (0.28): see docs/sync-protocol.md. The real library runs in test_clients.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from tests.people import Http

Row = dict[str, Any]


class LostError(Exception):
    """The network lost a request or its answer."""


class Phone:
    """One installation of one person; ``network`` may lose or double what is sent."""

    _ids = itertools.count(1)

    def __init__(self, person: Http, name: str | None = None, network: Callable[..., TestResponse] | None = None) -> None:
        self.person = person
        self.name = name or f"phone-{next(self._ids):05}"
        self.rows: dict[str, dict[str, Row]] = {}
        self.state: dict[tuple[str, str], tuple[str, set[str]]] = {}
        self.deleted: dict[str, set[str]] = {}
        self.cursor: int | None = None
        self.rejected: dict[str, list[str]] = {}
        self._network = network or (lambda send: send())

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        """Call the API as this phone."""
        return self._network(lambda: self.person.call(method, path, body, X_Installation=self.name, **headers))

    # What the app does offline

    def create(self, table: str, row: Row) -> Row:
        self.rows.setdefault(table, {})[row["id"]] = dict(row)
        self.state[table, row["id"]] = ("created", set())
        return row

    def update(self, table: str, row_id: str, **changes: Any) -> None:
        self.rows[table][row_id] |= changes
        status, changed = self.state.get((table, row_id), ("updated", set()))
        self.state[table, row_id] = (status, changed | set(changes))

    def delete(self, table: str, row_id: str) -> None:
        del self.rows[table][row_id]
        self.state.pop((table, row_id), None)
        self.deleted.setdefault(table, set()).add(row_id)

    def intend(self, intent_id: str, kind: str, body: str) -> None:
        self.create("intents", {"id": intent_id, "kind": kind, "body": body, "made_at": 1_772_000_000_000, "verdict": None})

    # What the library does

    def sync(self) -> None:
        self.pull()
        if self.push():
            self.pull()

    def pull(self, limit: int | None = None) -> None:
        path = f"/sync/watermelon?last_pulled_at={self.cursor or 'null'}&schema_version=1&migration=null"
        if limit:
            path += f"&limit={limit}"
        changes: dict[str, dict[str, list[Any]]] = {}
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
        self._apply(changes, replacement=strategy == "replacement")
        assert isinstance(answer["timestamp"], int)
        assert 0 < answer["timestamp"] < 2**53
        self.cursor = answer["timestamp"]

    def _get(self, path: str) -> Any:
        answer = self.http("GET", path)
        assert answer.status_code == 200, (answer.status_code, answer.get_data(as_text=True))
        return answer.get_json()

    def _apply(self, changes: dict[str, dict[str, list[Any]]], *, replacement: bool) -> None:
        for table, lists in changes.items():
            here = self.rows.setdefault(table, {})
            ids = [row["id"] for row in lists["created"] + lists["updated"]]
            assert len(ids) == len(set(ids)), "no id twice in one pull"
            assert not set(ids) & set(lists["deleted"]), "never in both lists"
            assert not lists["created"], "new rows come as updated"
            for row in lists["updated"]:
                assert all(value is None or isinstance(value, str | int | float | bool) for value in row.values())
                if row["id"] in self.deleted.get(table, set()):
                    continue
                status, changed = self.state.get((table, row["id"]), (None, set()))
                mine = {name: here[row["id"]][name] for name in changed if row["id"] in here}
                here[row["id"]] = row | mine
                if status == "created":
                    self.state[table, row["id"]] = ("updated", changed)
            for row_id in lists["deleted"]:
                here.pop(row_id, None)
                self.state.pop((table, row_id), None)
                self.deleted.get(table, set()).discard(row_id)
            if replacement:
                for row_id in set(here) - set(ids):
                    if self.state.get((table, row_id), ("", set()))[0] != "created":
                        here.pop(row_id)
                        self.state.pop((table, row_id), None)

    def changes(self) -> dict[str, dict[str, list[Any]]]:
        found: dict[str, dict[str, list[Any]]] = {}
        for (table, row_id), (status, changed) in self.state.items():
            row = self.rows[table][row_id] | {"_status": status, "_changed": ",".join(sorted(changed))}
            found.setdefault(table, {"created": [], "updated": [], "deleted": []})[status].append(row)
        for table, ids in self.deleted.items():
            found.setdefault(table, {"created": [], "updated": [], "deleted": []})["deleted"] += sorted(ids)
        return found

    def push(self) -> bool:
        sent = self.changes()
        if not any(rows for lists in sent.values() for rows in lists.values()):
            return False
        answer = self.http("POST", f"/sync/watermelon?last_pulled_at={self.cursor}", sent)
        assert answer.status_code == 200, (answer.status_code, answer.get_data(as_text=True))
        self.rejected = answer.get_json()["experimentalRejectedIds"]
        for table, lists in sent.items():
            refused = set(self.rejected.get(table, ()))
            for row in lists["created"] + lists["updated"]:
                if row["id"] not in refused:
                    self.state.pop((table, row["id"]), None)
            self.deleted.get(table, set()).difference_update(set(lists["deleted"]) - refused)
        return True


class BadNetwork:
    """Loses requests, loses answers, doubles requests; by chance, from a seed."""

    def __init__(self, random_: random.Random, rate: float = 0.15) -> None:
        self.random, self.rate = random_, rate

    def __call__(self, send: Callable[[], TestResponse]) -> TestResponse:
        luck = self.random.random()
        if luck < self.rate:
            raise LostError("request")
        answer = send()
        if luck < 2 * self.rate:
            raise LostError("answer")
        return send() if luck < 3 * self.rate else answer
