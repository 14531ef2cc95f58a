"""Phones as their operators see them: how far each has come, what it says of itself, and wiping one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from app.core import history, wire
from app.core.clock import from_ms, to_ms
from app.core.db import Database, insert_for, now
from app.core.errors import DomainError, Invalid, NotFound
from app.users.rights import Actor
from offline_sync.models import Installation

# A pull that brings a phone no further is written down this often at most: reading must stay cheap.
_NOTE_EVERY = timedelta(seconds=60)
_MOST_MS = 2**52
_columns = Installation.__table__.c
_SAID = [column.name for column in _columns if column.name not in {"wipe_asked_at", "wiped_at"}]
_KNOWN = select(Installation.__table__).where(_columns.id == bindparam("own_id"), _columns.user_id == bindparam("actor_id"))


class WipeRequired(DomainError):
    """This installation was asked to delete its data."""

    status = 403


def of_headers(session: Session, actor: Actor, headers: Mapping[str, str], protocol: str) -> Installation:
    """Return what is known of the calling installation, with what it says of itself now; not stored yet.

    Raises:
        Invalid: ``installation_needed`` without ``X-Installation``.
        WipeRequired: ``wipe_required``.
    """
    given = headers.get("X-Installation", "")
    if not wire.ID_PATTERN.fullmatch(given):
        raise Invalid("installation_needed")
    present = now(session)
    known = session.connection().execute(_KNOWN, {"own_id": given, "actor_id": actor.id}).first()
    if known is not None and known.wipe_asked_at is not None and known.wiped_at is None:
        raise WipeRequired("wipe_required")
    phone = Installation(
        id=given,
        user_id=actor.id,
        protocol=protocol,
        first_seen_at=known.first_seen_at if known else present,
        seen_at=known.seen_at if known else present - 2 * _NOTE_EVERY,
        pulled_no=known.pulled_no if known else None,
        pushed_at=known.pushed_at if known else None,
        queue_age_ms=_number(headers, "X-Queue-Age"),
        skew_ms=None,
        app_version=(headers.get("X-App-Version") or "")[:40] or None,
        schema_version=_number(headers, "X-Schema-Version", 2**31),
        last_error=known.last_error if known else None,
    )
    device_ms = _number(headers, "X-Device-Time")
    if device_ms is not None:
        phone.skew_ms = device_ms - to_ms(present)
    return phone


def edited_at(session: Session, phone: Installation, headers: Mapping[str, str]) -> datetime | None:
    """Return when the oldest edit of a push was made, by our clock; None where the app does not say (``X-Edited-At``).

    Where the app tells what its clock shows now (``X-Device-Time``), the time is set right by that. Never later than now.
    """
    said_ms = _number(headers, "X-Edited-At")
    if said_ms is None:
        return None
    present_ms = to_ms(now(session))
    ms = min(said_ms - (phone.skew_ms or 0), present_ms)
    return from_ms(ms) if wire.EARLIEST_MS <= ms < wire.LATEST_MS else None


def note_pull(database: Database, phone: Installation, number: int | None) -> None:
    """Write down that a phone called, and how far it came; None: not to the end of its pull."""
    with database.reading() as session:
        present = now(session)
    moved = number is not None and number != phone.pulled_no
    if moved or present - phone.seen_at > _NOTE_EVERY:
        if number is not None:
            phone.pulled_no = max(number, phone.pulled_no or 0)
        with database.transaction(durable=False) as session:
            _write(session, phone)


def note_push(session: Session, phone: Installation) -> None:
    """Write down that a phone sent something, in the transaction that takes it."""
    phone.pushed_at, phone.last_error = now(session), None
    _write(session, phone)


def _write(session: Session, phone: Installation) -> None:
    phone.seen_at = now(session)
    session.connection().execute(_kept(session.get_bind().dialect.name), {name: getattr(phone, name) for name in _SAID})


@cache
def _kept(dialect: str) -> Any:
    insert = insert_for(dialect, Installation).values({name: bindparam(name) for name in _SAID})
    changed = {name: insert.excluded[name] for name in _SAID if name not in {"id", "user_id", "first_seen_at"}}
    return insert.on_conflict_do_update(index_elements=["id", "user_id"], set_=changed)


def all_of(_actor: Actor) -> Select[Installation]:
    """Return all installations; whoever may read them may read all."""
    return select(Installation)


def shown(row: Installation, n: int) -> dict[str, Any]:
    """Return an installation with its lag in change numbers."""
    names = [column.name for column in Installation.__table__.columns]
    return {name: getattr(row, name) for name in names} | {"lag": n - row.pulled_no if row.pulled_no is not None else None}


def ask_wipe(session: Session, actor: Actor, installation_id: str, user_id: str) -> Installation:
    """Let the app delete its data at its next call.

    Raises:
        NotFound: for an installation nobody saw.
    """
    row = session.get(Installation, (installation_id, user_id))
    if row is None:
        raise NotFound
    row.wipe_asked_at, row.wiped_at = now(session), None
    subject = history.Subject("installation", row.id)
    history.record(session, "installation.wipe_asked", subject, actor_id=actor.id, user=user_id)
    return row


def confirm_wipe(session: Session, actor: Actor, installation_id: str) -> None:
    """Note that the app deleted its data. It may sync again, from the beginning.

    Raises:
        NotFound: unless it was asked to.
    """
    row = session.get(Installation, (installation_id, actor.id))
    if row is None or row.wipe_asked_at is None or row.wiped_at is not None:
        raise NotFound
    row.wiped_at, row.pulled_no = now(session), None
    history.record(session, "installation.wiped", history.Subject("installation", row.id), actor_id=actor.id)


def _number(headers: Mapping[str, str], name: str, beyond: int = _MOST_MS) -> int | None:
    """Return a whole number from a header; what cannot be one is as if not said."""
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 and int(text) < beyond else None
