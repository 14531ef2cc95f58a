"""Who sits on a phone: tells the ledger what is typed, sent and answered, kills the app, and types on while it syncs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.sync.phones import KilledError, Row, Witness
from tests.sync.simulation.ledger import FIELDS, MODELS, taken_apart, values_in

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker


class Watch(Witness):
    """Sits on one phone: tells the ledger, kills the app, and lets its person type while it syncs."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.ledger = worker, worker.ledger

    def edited(self, table: str, row_id: str, field: str, old: Any, new: Any) -> None:
        phone = self.worker.phone
        for name, before, after in _edits(field, old, new):
            self.ledger.edited(table, row_id, name, before, after)
            self.ledger.authors[table, row_id, name, after] = (phone.person.bearer[0], phone.name)

    def dropped(self, phone: Any, table: str, row_id: str) -> None:
        self.ledger.note(table, row_id, "deleted on", phone.name)
        with self.ledger.lock:
            if (phone, table, row_id) in self.ledger.deleting:
                self.ledger.again.add((table, row_id))
            self.ledger.deleting[phone, table, row_id] = next(self.ledger.numbers)

    def taken(self, phone: Any, sent: Any, answer: Any) -> None:
        self.ledger.count("pushes")
        for table, row_id, row, fields, refused in _rows(phone, sent, answer):
            self.ledger.note(
                table, row_id, "taken", phone.name, refused, row and {name: row[name] for name in fields},
                (phone.cursor, phone.seen) if phone.protocol == "watermelon" else phone.checkpoints.get(table),
            )  # fmt: skip
            if row is None:
                if not refused:
                    self.ledger.deleted((table, row_id), self.ledger.deleting.get((phone, table, row_id)))
            elif not refused:
                self.ledger.arrive((table, row_id, name, row[name]) for name in fields)

    def answered(self, phone: Any, sent: Any, answer: Any) -> None:
        for table, row_id, row, fields, refused in _rows(phone, sent, answer):
            self.ledger.note(table, row_id, "answered", phone.name, refused)
            if row is None or refused:
                continue
            with self.ledger.lock:
                self.ledger.acked.update((table, row_id, name, row[name]) for name in fields)
                if table in MODELS:
                    self.ledger.created.add((table, row_id))
                elif table == "intents":
                    self.ledger.answered.add(row_id)

    def step(self, phone: Any) -> None:
        worker = self.worker
        if worker.line.good:
            return
        luck = worker.chance.random()
        if luck < worker.kill_rate:
            raise KilledError
        if luck > 0.97 and worker.kept is None:
            worker.operate()


def _edits(field: str, old: Any, new: Any) -> Iterable[tuple[str, Any, Any]]:
    """Yield the fields of an edit, each with what stood there and what stands there now."""
    if field != "custom":
        yield field, old, new
        return
    before, after = values_in(old), values_in(new)
    for key in after:
        if before.get(key) != after[key]:
            yield f"custom.{key}", before.get(key), after[key]


def _rows(phone: Any, sent: Any, answer: Any) -> Iterable[tuple[str, str, Row | None, list[str], bool]]:
    """Yield what a push says: table, id, row (None: deleted), the fields that are the phone's, and whether it was refused.

    Rows and fields are taken apart: a key of ``custom`` is a field.
    """
    for table, found in sent.items():
        editable = FIELDS.get(table, ())
        if phone.protocol == "watermelon":
            refused = set(answer.get(table, ()))
            for row in found["created"]:
                apart = taken_apart(row)
                names = [name for name in apart if name.partition(".")[0] in editable and name != "custom"]
                yield table, row["id"], apart, names, row["id"] in refused
            for row in found["updated"]:
                named = set(row["_changed"].split(","))
                if "custom" in named:
                    named |= {f"custom.{key}" for key in json.loads(row["custom"])["_changed"]}
                names = [name for name in named if name.partition(".")[0] in editable and name != "custom"]
                yield table, row["id"], taken_apart(row), sorted(names), row["id"] in refused
            for row_id in found["deleted"]:
                yield table, row_id, None, [], row_id in refused
        else:
            states = {state["id"]: state for state in answer}
            for entry in found:
                row, base = entry["newDocumentState"], entry.get("assumedMasterState")
                state = states.get(row["id"], row)
                if row["_deleted"]:
                    yield table, row["id"], None, [], not state["_deleted"]
                    continue
                apart, known = taken_apart(row), taken_apart(base or {})
                names = [name for name in apart if name.partition(".")[0] in editable and name != "custom"]
                changed = [name for name in names if base is None or apart[name] != known.get(name)]
                yield table, row["id"], apart, changed, base is None and state["_deleted"]
