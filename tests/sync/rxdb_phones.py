"""A phone that speaks RxDB's protocol, in few lines: one replication for each collection, as the library runs it.

The rules are those of the library's source (17.6, ``replication-protocol/upstream.ts`` and ``downstream.ts``) with the conflict
handler that docs/sync-protocol.md asks for. The real library runs in test_clients.py.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import quote

from tests.people import Http
from tests.sync.phones import Answer, LostError, Network, Row, Witness

_BATCH = 100


class RxdbPhone:
    """One installation of one person. ``names``: the collections this release of the app uses."""

    protocol = "rxdb"
    _ids = itertools.count(1)

    def __init__(
        self,
        person: Http,
        name: str | None = None,
        network: Network | None = None,
        witness: Witness | None = None,
        names: Sequence[str] = ("customers", "sites", "intents", "sync_problems"),
        later: Sequence[str] = (),
        order: Callable[[list[str]], list[str]] = list,
    ) -> None:
        self.person = person
        self.name = name or f"rxdb-{next(self._ids):05}"
        self.names, self.later = list(names), list(later)
        # The replications do not wait for each other: which of them is first is chance.
        self._order = order
        # What the library calls the fork: documents as they are on the phone, deleted ones too.
        self.fork: dict[str, dict[str, Row]] = {}
        # What it calls the assumed master state, and which documents hold a resolved conflict that is sent once more.
        self.master: dict[str, dict[str, Row]] = {}
        self.resolved: set[tuple[str, str]] = set()
        # Documents whose last write came from the server: they may be overwritten although no master state is known.
        self.pulled: set[tuple[str, str]] = set()
        self.checkpoints: dict[str, Any] = {}
        # The checkpoint of the last answer, which the stream is asked with; the library keeps none of an empty page.
        self.seen: dict[str, Any] = {}
        self.headers: Callable[[], dict[str, str]] = dict
        self.witness = witness or Witness()
        self.gone = 0
        self._network = network or (lambda send: send())

    def http(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API as this phone."""
        return self._network(lambda: self._call(method, path, body))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return self.person.call(method, path, body, X_Installation=self.name, **self.headers())

    # What the app does offline

    def live(self, table: str) -> dict[str, Row]:
        """Return the rows that the person sees."""
        docs = self.fork.get(table, {}).items()
        return {row_id: {k: v for k, v in doc.items() if k != "_deleted"} for row_id, doc in docs if not doc["_deleted"]}

    def some(self, table: str, random_: random.Random) -> Row | None:
        """Return one of the rows that the person sees, by chance."""
        docs = list(self.fork.get(table, {}).values())
        for _ in range(10 if docs else 0):
            doc = random_.choice(docs)
            if not doc["_deleted"]:
                return doc
        return None

    def create(self, table: str, row: Row) -> Row:
        self._write(table, row | {"created_at": 0, "updated_at": 0, "_deleted": False})
        return row

    def update(self, table: str, row_id: str, **changes: Any) -> None:
        doc = self.fork[table][row_id]
        for field, value in changes.items():
            self.witness.edited(table, row_id, field, doc.get(field), value)
        self._write(table, doc | changes)

    def delete(self, table: str, row_id: str) -> None:
        self.witness.dropped(self, table, row_id)
        self._write(table, self.fork[table][row_id] | {"_deleted": True})

    def intend(self, intent_id: str, kind: str, body: str, made_at: int = 1_772_000_000_000) -> None:
        empty = dict.fromkeys(("verdict", "code", "text", "decided_at"))
        self.create("intents", {"id": intent_id, "kind": kind, "body": body, "made_at": made_at} | empty)

    def _write(self, table: str, doc: Row) -> None:
        self.fork.setdefault(table, {})[doc["id"]] = doc
        self.pulled.discard((table, doc["id"]))
        self.resolved.discard((table, doc["id"]))

    def give_up_refused(self) -> None:
        """Nothing to do: what the server would not take has left the phone already."""

    def tables(self) -> list[str]:
        return sorted(self.names)

    def upgrade(self) -> None:
        """Install the release that has the later collections."""
        self.names, self.later = [*self.names, *self.later], []

    def waiting(self) -> int:
        """Count the documents that wait to be sent."""
        return sum(len(self._unsent(table)) for table in self.names)

    def waits(self, table: str, row_id: str) -> bool:
        """Tell whether an edit of a row waits to be sent."""
        return row_id in self._unsent(table)

    def _unsent(self, table: str) -> list[str]:
        known = self.master.get(table, {})
        return [
            row_id
            for row_id, doc in self.fork.get(table, {}).items()
            if row_id not in known or known[row_id] != doc or (table, row_id) in self.resolved
        ]

    # What the library does

    def sync(self) -> bool:
        """Pull and push all collections until a round had nothing to push; tell whether something was.

        The replications are independent of each other: a message lost in one does not stop the others.
        """
        pushed, lost = False, None
        for _ in range(20):
            again = False
            for table in self._order(self.names):
                try:
                    self.pull(table)
                    again = self.push(table) or again
                except LostError as fault:
                    lost = fault
            pushed = pushed or again
            if lost is not None:
                raise lost
            if not again:
                return pushed
        raise AssertionError("a phone that is alone with the server comes to rest")

    def has_news(self, table: str) -> bool:
        """Ask the stream."""
        answer = self.http("GET", f"/sync/rxdb/{table}/stream?since={quote(json.dumps(self.seen.get(table)))}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return "RESYNC" in answer.get_data(as_text=True)

    def pull(self, table: str, limit: int = 200) -> None:
        while True:
            found = self._page(table, self.checkpoints.get(table), limit)
            documents = found["documents"]
            if not documents:
                return
            ids = [doc["id"] for doc in documents[-limit:]]
            assert len(ids) == len(set(ids)), "no id twice in one page"
            for doc in documents:
                self._persist(table, doc)
            self.witness.step(self)
            self.checkpoints[table] = (self.checkpoints.get(table) or {}) | found["checkpoint"]
            if len(documents) < limit:
                return

    def _page(self, table: str, checkpoint: Any, limit: int) -> Any:
        query = f"?limit={limit}" + (f"&checkpoint={quote(json.dumps(checkpoint))}" if checkpoint else "")
        # Rows without a checkpoint are those of an app that was killed in its first pull.
        begun = checkpoint is None and bool(self.live(table))
        answer = None if begun else self.http("GET", f"/sync/rxdb/{table}/pull{query}")
        if answer is None or answer.status_code == 410:
            self.gone += 1
            left = self.http("POST", f"/sync/rxdb/{table}/reconcile", {"ids": sorted(self.live(table))})
            assert left.status_code == 200, left.get_data(as_text=True)
            first = self._page(table, left.get_json()["checkpoint"], limit)
            return {"documents": left.get_json()["documents"] + first["documents"], "checkpoint": first["checkpoint"]}
        assert answer.status_code == 200, (answer.status_code, answer.get_data(as_text=True))
        found = answer.get_json()
        assert set(found["checkpoint"]) == {"epoch", "since", "upto", "after"}
        self.seen[table] = found["checkpoint"]
        return found

    def _persist(self, table: str, master: Row) -> None:
        """Take one document from the server, unless the person wrote to it and that was not sent yet."""
        row_id, key = master["id"], (table, master["id"])
        here, known = self.fork.setdefault(table, {}).get(row_id), self.master.setdefault(table, {}).get(row_id)
        if here is not None and here != known and key not in self.pulled:
            return
        if here != master:
            self.fork[table][row_id] = master
            self.pulled.add(key)
            self.resolved.discard(key)
            self.witness.step(self)
        self.master[table][row_id] = master

    def push(self, table: str) -> bool:
        ids = self._unsent(table)
        for start in range(0, len(ids), _BATCH):
            self._push(table, ids[start : start + _BATCH])
        return bool(ids)

    def _push(self, table: str, ids: Collection[str]) -> None:
        known = self.master.setdefault(table, {})
        sent = copy.deepcopy(
            [
                {"newDocumentState": self.fork[table][row_id]}
                | ({"assumedMasterState": known[row_id]} if row_id in known else {})
                for row_id in ids
            ]
        )
        told = {table: sent}

        def send() -> Answer:
            answer = self._call("POST", f"/sync/rxdb/{table}/push", sent)
            if answer.status_code == 200:
                self.witness.taken(self, told, answer.get_json())
            return answer  # type: ignore[no-any-return]

        answer = self._network(send)
        assert answer.status_code == 200, (answer.status_code, answer.get_data(as_text=True))
        self.witness.answered(self, told, answer.get_json())
        self.witness.step(self)
        states = {state["id"]: state for state in answer.get_json()}
        for row in sent:
            new = row["newDocumentState"]
            if new["id"] not in states:
                known[new["id"]] = new
                self.resolved.discard((table, new["id"]))
        for row in sent:
            new = row["newDocumentState"]
            state = states.get(new["id"])
            # What the person edited while the push was under way stays, and is sent by the next one.
            if state is None or self.fork[table][new["id"]] != new:
                continue
            self._write(table, state)
            self.witness.step(self)
            known[new["id"]] = state
            self.resolved.add((table, new["id"]))

    def snapshot(self) -> Any:
        """Return what is written down, to go back to when the app is killed."""
        return copy.deepcopy((self.names, self.later, self.fork, self.master, self.resolved, self.pulled, self.checkpoints))

    def go_back(self, kept: Any) -> None:
        kept = copy.deepcopy(kept)
        self.names, self.later, self.fork, self.master, self.resolved, self.pulled, self.checkpoints = kept
