"""Runs and undoes imports in the worker: some rows a transaction, so that each has its effect once, whenever the process dies.

What a row has written and the row's own state are one commit. A process that begins anew finds the rows that still wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.core.db import Database, is_away, is_busy
from app.core.errors import DomainError, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry
from app.core.logs import get_log
from app.core.settings import Settings
from app.core.tracked import touch
from app.core.unfinished import Unfinished
from app.facts.codes import known_codes, settle_late
from app.imports.ending import end
from app.imports.kinds import KINDS
from app.imports.kinds.base import Judged, Kind, took_effect
from app.imports.models import Import, ImportRow
from app.imports.own import PREFIX
from app.imports.queries import rows_of
from app.users import auth
from app.users.models import User
from app.users.rights import Actor, allows

log = get_log(__name__)

_MOST_ROWS = 2_000  # of a run; then others have their turn
_MOST_IMPORTS = 5  # of a run, beside those with which it fails


def run_imports(database: Database, settings: Settings) -> int:
    """Go on with every import that runs or is being undone; return how many rows were seen to.

    One with which it fails stays where it is until the next run, and keeps no other from going on.

    Raises:
        Unfinished: with the ids of the imports with which it failed.
    """
    with database.reading() as session:
        under_way = select(Import.id).where(Import.state.in_(("running", "undoing")))
        waiting = list(session.scalars(under_way.order_by(Import.id)))
    done, turns, failed = 0, 0, []
    for import_id in waiting:
        if turns == _MOST_IMPORTS:
            break
        try:
            for seen in _steps(database, settings, import_id):
                done += seen
            turns += 1
        except Exception as fault:
            if is_away(fault) or is_busy(fault):
                raise
            failed.append(import_id)
            log.exception("import not gone on with", import_id=import_id)
    if failed:
        raise Unfinished(done, failed)
    return done


def _steps(database: Database, settings: Settings, import_id: str) -> Iterator[int]:
    """Go on with one import, a transaction a step, until it ends or had its turn; yield how many rows each step saw to."""
    left = _MOST_ROWS
    while left > 0:
        with database.transaction() as session:
            seen = step(session, settings, import_id)
        if not seen:
            return
        left -= seen
        yield seen


def step(session: Session, settings: Settings, import_id: str) -> int:
    """See to the next rows of one import; the last step ends it. Return how many rows they were."""
    # Another worker that is at it goes on with it; nobody waits for a whole page.
    row = session.scalar(select(Import).where(Import.id == import_id).with_for_update(skip_locked=True))
    if row is None or row.state not in {"running", "undoing"}:
        return 0
    actor = _actor(session, (row.run_by if row.state == "running" else row.undone_by) or row.made_by)
    if actor is None:
        end(session, row, "failed", reason="importer_gone")
        return 0
    return (_run_page if row.state == "running" else _undo_page)(session, settings, actor, row)


def _actor(session: Session, user_id: str) -> Actor | None:
    """Return who asked for it, if they still may."""
    user = session.get_one(User, user_id)
    actor = auth.actor_of(session, user)
    return actor if user.state == "active" and user.deleted_at is None and allows(actor, "imports.run") else None


def _run_page(session: Session, settings: Settings, actor: Actor, row: Import) -> int:
    kind = KINDS[row.kind]
    page = list(session.scalars(rows_of(row.id, "ready").limit(kind.at_once)))
    if not page:
        if row.system is not None:
            settle_late(session, row.system)
        end(session, row, "done")
        return 0
    begun = last_entry(session, Subject("import", row.id), "import.started")
    first = [one for one in page if one.follows is None]
    judge = kind.judge(session, actor, row, [(one.number, one.cells) for one in first])
    judged = {one.number: judge.judge(read) for one, read in zip(first, judge.read, strict=True)}
    if row.system is not None:
        _hold_codes(session, row, kind, row.system, [one for one in page if one.number not in judged], judged.values())
    for one in page:
        found = judged.get(one.number) or _judged_now(session, actor, row, kind, one)
        _bring_in(session, settings, actor, row, one, found, begun)
    row.done += len(page)
    touch(session, row)
    return len(page)


def _hold_codes(
    session: Session, row: Import, kind: Kind, system: str, follow: Sequence[ImportRow], judged: Iterable[Judged]
) -> None:
    """Take the codes of a whole page before its first customer: whoever maps a code takes them in this order, too."""
    reader = kind.reader(session, row)
    codes = [reader.read(one.number, one.cells).codes for one in follow] + [one.codes for one in judged if not one.faults]
    met = {(name.removeprefix(PREFIX), code) for found in codes for name, code in found.items()}
    if met:
        known_codes(session, system, met)


def _judged_now(session: Session, actor: Actor, row: Import, kind: Kind, one: ImportRow) -> Judged:
    """Judge a further row of a customer, when the row above has been written."""
    judge = kind.judge(session, actor, row, [(one.number, one.cells)])
    return judge.judge(judge.read[0], {})


def _bring_in(
    session: Session, settings: Settings, actor: Actor, row: Import, one: ImportRow, found: Judged, begun: HistoryEntry | None
) -> None:
    """Write one row through the verbs; of what one of them refuses nothing is written."""
    if not found.faults:
        try:
            with session.begin_nested():
                one.effects = KINDS[row.kind].write(session, settings, actor, row, found, begun)
                one.outranked = [name for effect in one.effects for name in effect["outranked"]] or None
                one.waiting = found.waiting or None
                one.state = _state(found, one.effects)
                session.flush()
            return
        except FieldsInvalid as fault:
            found.faults = fault.errors
        except DomainError as fault:
            found.faults = {"row": [fault.code]}
    one.state, one.faults, one.effects, one.outranked, one.waiting = "refused", found.faults, [], None, None
    session.flush()


def _state(found: Judged, effects: Sequence[Mapping[str, Any]]) -> str:
    if found.plan == "create":
        return "created"
    return "updated" if any(took_effect(effect) for effect in effects) else "unchanged"


def _undo_page(session: Session, settings: Settings, actor: Actor, row: Import) -> int:
    kind = KINDS[row.kind]
    # Of a row that changed nothing there may be words that did not count, or do not yet.
    said = and_(ImportRow.state == "unchanged", or_(ImportRow.outranked.is_not(None), ImportRow.waiting.is_not(None)))
    written = rows_of(row.id).where(or_(ImportRow.state.in_(("created", "updated")), said)).order_by(None)
    page = list(session.scalars(written.order_by(ImportRow.number.desc()).limit(kind.at_once)))
    if not page:
        end(session, row, "undone")
        return 0
    undoing = kind.undo(session, settings, actor, row)
    for one in page:
        faults = undoing.take_back(one.effects)
        one.state, one.faults = ("kept", faults) if faults else ("undone", {})
        one.outranked = one.waiting = None
        session.flush()
    row.done += len(page)
    touch(session, row)
    return len(page)
