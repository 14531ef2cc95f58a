"""How an import ends: its state, its entry in the causal log, and the message to whoever began it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import transition
from app.imports.models import Import
from app.imports.queries import counts
from app.users.models import User
from push.outbox import enqueue

# What messages tell how many of, by how it ended; an undoing may have failed, too.
_TOLD = {
    "done": ("import_done", ("created", "updated", "unchanged", "refused", "faulty", "outranked", "waiting")),
    "failed": ("import_failed", ()),
    "undo_failed": ("import_undo_failed", ()),
    "undone": ("import_taken_back", ("undone", "kept")),
}


def end(session: Session, upload: Import, state: str, reason: str | None = None) -> None:
    """End a run or an undoing: ``done``, ``undone``, or ``failed`` with its reason."""
    undoing = upload.state == "undoing"
    begun_by = upload.undone_by if undoing else upload.run_by
    transition(session, upload, state, ended_at=now(session), reason=reason)
    about = Subject("import", upload.id)
    causes = [last_entry(session, about)]
    if state == "failed":
        entry = record(session, "import.failed", about, causes=causes, reason=reason)
    elif state == "done":
        entry = record(session, "import.done", about, causes=causes, rows=upload.done)
    else:
        entry = record(session, "import.undone", about, causes=causes, rows=upload.done)
    if state == "failed":
        _tell(session, upload, "undo_failed" if undoing else "failed", {begun_by, upload.made_by}, entry)
    else:
        _tell(session, upload, state, {begun_by}, entry)


def _tell(session: Session, upload: Import, how: str, people: set[str | None], cause: HistoryEntry) -> None:
    """Tell people who are still there; whoever failed for being gone has a colleague who uploaded the file, perhaps."""
    there = select(User).where(User.id.in_(sorted(filter(None, people))), User.state == "active", User.deleted_at.is_(None))
    kind, told = _TOLD[how]
    found = counts(session, upload.id)
    facts: dict[str, Any] = {name: found.get(name, 0) for name in told}
    enqueue(
        session,
        session.scalars(there.order_by(User.id)).all(),
        kind,
        Subject("import", upload.id),
        dedupe=f"import:{upload.id}:{cause.id}",
        causes=[cause],
        import_number=upload.number,
        file_name=upload.file_name,
        rows=upload.rows,
        done=upload.done,
        **facts,
    )
