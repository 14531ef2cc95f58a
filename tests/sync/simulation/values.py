"""What must be true of every value that the server said yes to."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from offline_sync.models import SyncProblem
from tests.sync.simulation.ledger import FIELDS, Key, Ledger, taken_apart, value_of
from tests.sync.simulation.noun import Found


def lost_values(field: str, lost: Any) -> dict[str, Any]:
    """Return what an entry of the journal of conflicts keeps, by field, each key of ``custom`` as one."""
    found = taken_apart({field: lost} if field else lost)
    found.pop("custom", None)
    return found


def check_values(ledger: Ledger, found: Found, rivals: Mapping[tuple[str, str], set[Any]]) -> None:
    """Nothing acknowledged is lost.

    Args:
        rivals: by customer and field, what is kept as said by somebody where another system's word stands.
    """
    kept = {key for problem in found.problems for key in _kept_by(problem)}
    for conflict in found.conflicts:
        values = lost_values(conflict.field, conflict.lost)
        kept |= {(conflict.collection, conflict.row_id, name, value) for name, value in values.items() if _is_plain(value)}
    lost = []
    for key in ledger.acked - ledger.superseded - kept:
        table, row_id, name, value = key
        if (key not in ledger.parents and value is None) or (
            (table, row_id) not in found.stored and (table, row_id) in ledger.deletions
        ):
            continue
        places = _became(found, table, row_id)
        if not any(
            (table, place, name, value) in ledger.superseded | kept
            or ((table, place) in found.stored and value_of(found.stored[table, place], name) == value)
            or value in rivals.get((place, name), ())
            or _is_line(found, ledger.superseded | kept, (table, place, name), value)
            for place in places
        ):
            row = found.stored.get((table, row_id))
            lost.append((key, row is not None and value_of(row, name)))
    assert not lost, (
        f"{len(lost)} of {len(ledger.acked)} acknowledged values are lost: {lost[:5]}\n"
        + "\n".join(
            f"{c.field} {c.kept!r} over {c.lost!r} {c.state} by {c.installation_id} {c.created_at}"
            for c in found.conflicts
            if lost and (c.collection, c.row_id) == lost[0][0][:2]
        )
        + ledger.told_of(key[:2] for key, _ in lost)
    )
    ledger.n["values"] = len(ledger.acked)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _kept_by(problem: SyncProblem) -> set[Key]:
    content = taken_apart(json.loads(problem.content))
    names = [name for name in content if name.partition(".")[0] in FIELDS.get(problem.collection, ()) and name != "custom"]
    return {(problem.collection, problem.row_id, name, content[name]) for name in names}


def _is_line(found: Found, known: Collection[Any], place: tuple[str, str, str], value: Any) -> bool:
    """Tell whether a note is a line of one that stands, or stood: a merge of contacts keeps the notes of both."""
    table, row_id, name = place
    if (table, name) != ("contacts", "note") or not isinstance(value, str):
        return False
    row = found.stored.get((table, row_id))
    texts = [key[3] for key in known if key[:3] == place] + ([value_of(row, name)] if row is not None else [])
    return any(isinstance(text, str) and value in text.split("\n") for text in texts)


def _became(found: Found, table: str, row_id: str) -> list[str]:
    """Return a row, and what it is now if it was merged, step by step."""
    places = [row_id]
    while (row := found.stored.get((table, places[-1]))) is not None and getattr(row, "merged_into_id", None) is not None:
        places.append(row.merged_into_id)
    return places


def check_repeats(ledger: Ledger, found: Found) -> None:
    """A push that arrived again must not have undone what somebody else, who knew of it, did since."""
    # What the office put back knowingly is no repeat, whoever had written it first.
    put_back = {(c.collection, c.row_id, c.field, c.lost) for c in found.conflicts if c.state == "restored" and c.field}
    for conflict in found.conflicts:
        if not conflict.field:
            continue
        kept, lost = ((conflict.collection, conflict.row_id, conflict.field, v) for v in (conflict.kept, conflict.lost))
        sender = (conflict.user_id, conflict.installation_id)
        authors = ledger.authors
        if authors.get(kept) != sender or authors.get(lost) == sender or kept in put_back:
            continue
        between: set[Any] = set()
        while lost in ledger.parents:
            lost = ledger.parents[lost]
            if lost == kept:
                # An RxDB phone says nothing by which an older push of it is told from its last one.
                told = f"{conflict.field}: {conflict.kept!r} over {conflict.lost!r} by {sender} at {conflict.created_at}"
                told += f"\n{ledger.told_of([kept[:2]])}"
                hidden = sender[1].startswith("rxdb") and (sender in between or ledger.went_on(kept, sender))
                assert hidden, f"a repeat undid a change: {told}"
            between.add(authors.get(lost))
