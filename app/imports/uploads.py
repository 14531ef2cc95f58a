"""Verbs on imports: upload, map, run, undo; ``checking.py`` checks. What takes long the worker does; see ``running.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import insert_many, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.locales import EN, colon, semicolon
from app.core.numbers import next_number
from app.core.spreadsheets import csv_line
from app.core.tracked import add, hold, touch, transition
from app.core.wire import fold
from app.imports import queries
from app.imports.columns import FIELDS_OF, fits
from app.imports.models import Import, ImportMapping, ImportRow
from app.imports.own import own_fields, own_names
from app.imports.sheets import read_sheet
from app.imports.words import fault_told
from app.users.rights import Actor

_PAGE = 500
_MOST_MAPPINGS = 200
_FORESEEN = ("outranked", "waiting", "follows")


def upload(session: Session, actor: Actor, kind: str, file_name: str, raw: bytes, system: str | None = None) -> Import:
    """Take in a file, with a mapping proposed by a kept one that fits, else by the names of its columns.

    Args:
        kind: a key of ``FIELDS_OF``.
        system: whose codes its code lists hold; None: as the kept mapping says, else they hold ours.

    Raises:
        Invalid: ``file_invalid`` with a reason in words.
        FieldsInvalid: ``unknown`` (system) where files of this kind hold no such codes.
    """
    _check_system(kind, system)
    fields = FIELDS_OF[kind]
    sheet = read_sheet(raw, actor.locale)
    mappings = session.scalars(queries.visible_mappings(actor).where(ImportMapping.kind == kind))
    kept = [row for row in mappings if fits(sheet.header, row.columns)]
    best = max(kept, key=lambda row: (len(row.columns), row.updated_at), default=None)
    columns = dict(best.columns) if best else fields.propose(sheet.header, own_names(session, fields.subject))
    made = add(
        session,
        Import(
            number=next_number(session, "IM"),
            kind=kind,
            file_name=file_name,
            encoding=sheet.encoding,
            header=sheet.header,
            columns=columns,
            defaults=dict(best.defaults) if best else {},
            key=best.key if best else fields.propose_key(columns),
            system=system or (best.system if best else None),
            rows=len(sheet.rows),
            made_by=actor.id,
        ),
    )
    blank: dict[str, Any] = {"state": "new", "plan": None, "faults": {}, "effects": []}
    blank |= dict.fromkeys(_FORESEEN)
    rows = [blank | {"import_id": made.id, "number": number, "cells": cells} for number, cells in sheet.rows]
    insert_many(session, ImportRow, rows)
    history.record(session, "import.uploaded", _about(made), actor_id=actor.id, file=file_name, rows=made.rows)
    return made


def _about(row: Import) -> history.Subject:
    return history.Subject("import", row.id)


def _check_system(kind: str, system: str | None) -> None:
    """Refuse a system of a kind whose rows keep no facts: only a fact can wait for its code."""
    if system is not None and kind != "customers":
        raise FieldsInvalid({"system": ["unknown"]})


def map_columns(session: Session, actor: Actor, row: Import, changes: Mapping[str, Any]) -> Import:
    """Say which column is which field; the import is a draft again.

    Raises:
        FieldsInvalid: ``unknown_column``, ``not_one_of``, ``duplicate`` for two columns of one field, ``required`` where no
            column gives the key, ``unknown`` (system).
        Conflict: ``state_conflict`` once it runs.
    """
    after = {name: changes.get(name, getattr(row, name)) for name in ("columns", "defaults", "key", "system")}
    check_columns(session, row.kind, after, row.header)
    transition(session, row, "draft", expect=("draft", "checked"), unmapped=None, **after)
    blank: dict[str, Any] = {"state": "new", "plan": None, "faults": {}} | dict.fromkeys(_FORESEEN)
    session.execute(update(ImportRow).where(ImportRow.import_id == row.id).values(**blank))
    history.record(session, "import.mapped", _about(row), causes=[history.last_entry(session, _about(row))], actor_id=actor.id)
    return row


def check_columns(session: Session, kind: str, wanted: Mapping[str, Any], header: Sequence[str] | None = None) -> None:
    """Check a mapping of columns of a kind of file, against a file's where one is given.

    Raises:
        FieldsInvalid: as ``map_columns``.
    """
    _check_system(kind, wanted.get("system"))
    fields = FIELDS_OF[kind]
    columns, faults = wanted["columns"], {}
    if header is not None and not set(columns) <= set(header):
        faults["columns"] = ["unknown_column"]
    elif not set(columns.values()) <= {*fields.synonyms, *own_fields(session, fields.subject)}:
        faults["columns"] = ["not_one_of"]
    elif len(set(columns.values())) < len(columns):
        faults["columns"] = ["duplicate"]
    if not set(wanted["defaults"]) <= set(fields.defaults):
        faults["defaults"] = ["not_one_of"]
    if wanted["key"] not in fields.keys:
        faults["key"] = ["not_one_of"]
    elif wanted["key"] not in columns.values():
        faults["key"] = ["required"]
    if faults:
        raise FieldsInvalid(faults)


def start(session: Session, actor: Actor, row: Import, *, skip_faulty: bool) -> Import:
    """Let the worker bring in the rows that are right; one that failed goes on where it stopped.

    Raises:
        Conflict: ``import_has_errors`` unless faulty rows are to be left out; ``state_conflict`` before it was checked, and once
            its undoing began.
    """
    row = hold(session, Import, row.id)
    if row.undone_by is not None:  # what was taken back already would stay so, and the rest come again
        raise Conflict("state_conflict", state=row.state, wanted="running")
    faulty = queries.counts(session, row.id).get("faulty", 0)
    if faulty and not skip_faulty and row.state == "checked":
        raise Conflict("import_has_errors", faulty=faulty)
    transition(
        session,
        row,
        "running",
        expect=("checked", "failed"),
        run_by=actor.id,
        started_at=now(session),
        ended_at=None,
        reason=None,
    )
    history.record(session, "import.started", _about(row), causes=[history.last_entry(session, _about(row))], actor_id=actor.id)
    return row


def undo(session: Session, actor: Actor, row: Import) -> Import:
    """Let the worker take back what the import wrote, where nobody touched it since.

    Raises:
        Conflict: ``state_conflict`` unless it is done, or failed.
    """
    transition(session, row, "undoing", expect=("done", "failed"), undone_by=actor.id, done=0, ended_at=None, reason=None)
    history.record(
        session, "import.undo_started", _about(row), causes=[history.last_entry(session, _about(row))], actor_id=actor.id
    )
    return row


def errors_csv(session: Session, row: Import, locale: str) -> Iterator[str]:
    """Yield a CSV file of the rows that are wrong or were not brought in or taken back, as they were, with the reasons.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    words = ("Row", "What is wrong") if locale == EN else ("行号", "问题")
    comma = ", " if locale == EN else "，"
    yield "\ufeff" + csv_line([words[0], *row.header, words[1]])
    rows = session.scalars(queries.rows_of(row.id, "faulty", "refused", "kept").execution_options(yield_per=_PAGE))
    for found in rows:
        told = semicolon(locale).join(
            f"{name}{colon(locale)}{comma.join(fault_told(code, locale)[1] for code in codes)}"
            for name, codes in found.faults.items()
        )
        yield csv_line([str(found.number), *(str(found.cells.get(name, "")) for name in row.header), told])


def keep_mapping(session: Session, actor: Actor, values: Mapping[str, Any]) -> ImportMapping:
    """Keep a mapping by name; one of that name is replaced.

    Raises:
        FieldsInvalid: as ``map_columns``, ``too_many`` beyond 200 mappings.
    """
    check_columns(session, values["kind"], values)
    name_key = fold(values["name"])[:100]
    mappings = queries.visible_mappings(actor)
    known = session.scalar(mappings.where(ImportMapping.kind == values["kind"], ImportMapping.name_key == name_key))
    if known is None:
        if len(session.scalars(mappings.with_only_columns(ImportMapping.id)).all()) >= _MOST_MAPPINGS:
            raise FieldsInvalid({"name": ["too_many"]})
        made = add(session, ImportMapping(**values, name_key=name_key, made_by=actor.id))
    else:
        made = known
        for name, value in values.items():
            setattr(made, name, value)
        touch(session, made)
    history.record(session, "import_mapping.kept", history.Subject("import_mapping", made.id), actor_id=actor.id, name=made.name)
    return made


def forget_mapping(session: Session, actor: Actor, row: ImportMapping) -> ImportMapping:
    """Delete a kept mapping."""
    row.deleted_at = now(session)
    touch(session, row)
    history.record(session, "import_mapping.forgotten", history.Subject("import_mapping", row.id), actor_id=actor.id)
    return row


def forget_rows(session: Session, days: int) -> int:
    """Delete the rows of imports that ended long ago, or were never run: they hold what people wrote.

    Args:
        days: how long they are kept; after that an import cannot be undone any more.
    """
    before = now(session) - timedelta(days=days)
    old = select(Import.id).where(Import.updated_at < before, Import.state.not_in(("running", "undoing")))
    gone = session.execute(delete(ImportRow).where(ImportRow.import_id.in_(old)))
    return int(gone.rowcount)  # type: ignore[attr-defined]
