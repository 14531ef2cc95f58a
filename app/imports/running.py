"""Runs and undoes imports in the worker: some rows a transaction, so that each has its effect once, whenever the process dies.

What a row has written and the row's own state are one commit. A process that begins anew finds the rows that still wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.core.db import Database, now
from app.core.errors import DomainError, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import touch, transition
from app.customers import operations, queries
from app.customers.models import Customer, Site
from app.customers.sources import telling
from app.imports.judging import Judge, Judged
from app.imports.models import Import, ImportRow
from app.imports.queries import rows_of
from app.imports.undoing import Undoing, value_of
from app.users import auth
from app.users.models import User
from app.users.rights import Actor, allows

_PAGE = 50
_MOST_PAGES = 40  # a run: 2,000 rows, then others have their turn
_MOST_IMPORTS = 5


def run_imports(database: Database, _settings: Settings) -> int:
    """Go on with every import that runs or is being undone; return how many rows were seen to."""
    with database.reading() as session:
        under_way = select(Import.id).where(Import.state.in_(("running", "undoing")))
        waiting = list(session.scalars(under_way.order_by(Import.id).limit(_MOST_IMPORTS)))
    done = 0
    for import_id in waiting:
        for _ in range(_MOST_PAGES):
            with database.transaction() as session:
                seen = step(session, import_id)
            done += seen
            if not seen:
                break
    return done


def step(session: Session, import_id: str) -> int:
    """See to the next rows of one import; the last step ends it. Return how many rows they were."""
    # Another worker that is at it goes on with it; nobody waits for a whole page.
    row = session.scalar(select(Import).where(Import.id == import_id).with_for_update(skip_locked=True))
    if row is None or row.state not in {"running", "undoing"}:
        return 0
    actor = _actor(session, (row.run_by if row.state == "running" else row.undone_by) or row.made_by)
    if actor is None:
        _end(session, row, "failed", reason="importer_gone")
        return 0
    return _run_page(session, actor, row) if row.state == "running" else _undo_page(session, actor, row)


def _actor(session: Session, user_id: str) -> Actor | None:
    """Return who asked for it, if they still may."""
    user = session.get_one(User, user_id)
    actor = auth.actor_of(session, user)
    return actor if user.state == "active" and user.deleted_at is None and allows(actor, "imports.run") else None


def _about(row: Import) -> Subject:
    return Subject("import", row.id)


def _run_page(session: Session, actor: Actor, row: Import) -> int:
    page = list(session.scalars(rows_of(row.id, "ready").limit(_PAGE)))
    if not page:
        _end(session, row, "done")
        return 0
    begun = last_entry(session, _about(row), "import.started")
    judged = Judge(session, actor, row, [(one.number, one.cells) for one in page]).judged()
    for one, found in zip(page, judged, strict=True):
        _bring_in(session, actor, row.number, one, found, begun)
    _go_on(session, row, len(page))
    return len(page)


def _bring_in(session: Session, actor: Actor, file: str, row: ImportRow, found: Judged, begun: HistoryEntry | None) -> None:
    """Write one row through the verbs, as the word of the file; of what one of them refuses nothing is written."""
    if not found.faults:
        try:
            with session.begin_nested(), telling(session, kind="import", ref=file):
                row.effects = _write(session, actor, found, begun, row.number)
                row.outranked = [name for effect in row.effects for name in effect["outranked"]] or None
                row.state = _state(found, row.effects)
                session.flush()
            return
        except FieldsInvalid as fault:
            found.faults = fault.errors
        except DomainError as fault:
            found.faults = {"row": [fault.code]}
    row.state, row.faults, row.effects, row.outranked = "refused", found.faults, [], None
    session.flush()


def _state(found: Judged, effects: Sequence[Mapping[str, Any]]) -> str:
    if found.plan == "create":
        return "created"
    return "updated" if any(_took_effect(effect) for effect in effects) else "unchanged"


def _took_effect(effect: Mapping[str, Any]) -> bool:
    """Tell whether anything was written: of what a better source had said nothing was."""
    return effect["before"] is None or set(effect["after"]) > set(effect["outranked"])


def _write(session: Session, actor: Actor, found: Judged, begun: HistoryEntry | None, number: int) -> list[dict[str, Any]]:
    effects = []
    if found.customer_id is None:
        customer = operations.create_customer(session, actor, found.values)
        effects.append(_effect("customer", customer, None, found.values))
    else:
        customer = queries.access_customer(session, actor, found.customer_id)
        if found.values:
            before = _present(customer, found.values)
            operations.edit_customer(session, actor, customer, found.values)
            effects.append(_effect("customer", customer, before, found.values))
    if found.site is not None and found.site_id is None:
        site = operations.create_site(session, actor, customer, found.site)
        effects.append(_effect("site", site, None, found.site))
    elif found.site is not None and found.site_id is not None:
        site = queries.access_site(session, actor, found.site_id)
        before = _present(site, found.site)
        operations.edit_site(session, actor, site, found.site)
        effects.append(_effect("site", site, before, found.site))
    if any(map(_took_effect, effects)):
        about = Subject("customer", customer.id)
        causes = [begun, last_entry(session, about)]
        record(session, "customer.imported", about, causes=causes, actor_id=actor.id, row=number)
    return effects


def _effect(kind: str, row: Customer | Site, before: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    outranked = [] if before is None else row.outranked
    return {"kind": kind, "id": row.id, "before": before, "after": _present(row, values), "outranked": outranked}


def _present(row: Customer | Site, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row holds of some fields; of the company's own each by itself, as ``custom.<key>``."""
    names = [name for name in values if name != "custom"] + [f"custom.{key}" for key in values.get("custom", {})]
    return {name: value_of(row, name) for name in names}


def _undo_page(session: Session, actor: Actor, row: Import) -> int:
    outranked = and_(ImportRow.state == "unchanged", ImportRow.outranked.is_not(None))
    written = rows_of(row.id).where(or_(ImportRow.state.in_(("created", "updated")), outranked)).order_by(None)
    page = list(session.scalars(written.order_by(ImportRow.number.desc()).limit(_PAGE)))
    if not page:
        _end(session, row, "undone")
        return 0
    undoing = Undoing(session, actor, row)
    for one in page:
        faults = undoing.take_back(one.effects)
        one.state, one.faults = ("kept", faults) if faults else ("undone", {})
        one.outranked = None
        session.flush()
    _go_on(session, row, len(page))
    return len(page)


def _go_on(session: Session, row: Import, count: int) -> None:
    row.done += count
    touch(session, row)


def _end(session: Session, row: Import, state: str, reason: str | None = None) -> None:
    transition(session, row, state, ended_at=now(session), reason=reason)
    causes = [last_entry(session, _about(row))]
    if state == "failed":
        record(session, "import.failed", _about(row), causes=causes, reason=reason)
    elif state == "done":
        record(session, "import.done", _about(row), causes=causes, rows=row.done)
    else:
        record(session, "import.undone", _about(row), causes=causes, rows=row.done)
