"""Counting failed tries over all workers and restarts, and locking a subject for a growing while."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.core.db import insert_once, now
from app.users.models import FailedTry

_LONGEST_LOCK = timedelta(minutes=15)


def subject_of(*parts: str) -> str:
    """Return the key under which tries are counted; hashed, so that the table names nobody."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def locked_until(session: Session, subject: str) -> datetime | None:
    """Return until when a subject is locked, or None."""
    found = session.get(FailedTry, subject)
    if found is None or found.locked_until is None or found.locked_until <= now(session):
        return None
    return found.locked_until


def locked_for_s(session: Session, subject: str) -> int | None:
    """Return for how many more seconds a subject is locked, at least 1, or None."""
    until = locked_until(session, subject)
    return None if until is None else max(1, math.ceil((until - now(session)).total_seconds()))


def count_failure(session: Session, subject: str, allowed: int, first_lock_s: float = 60) -> None:
    """Count one failure. From the ``allowed``-th on, lock: 1 minute, then twice as long, at most 15 minutes.

    An hour without a failure forgets the earlier ones, so nobody is shut out for ever.
    """
    present = now(session)
    insert_once(session, FailedTry, subject=subject, failures=0, last_at=present)
    found = session.get_one(FailedTry, subject, with_for_update=True, populate_existing=True)
    if present - found.last_at > timedelta(hours=1):
        found.failures = 0
        found.locked_until = None
    found.failures += 1
    found.last_at = present
    if found.failures >= allowed:
        lock = timedelta(seconds=first_lock_s) * 2 ** min(found.failures - allowed, 10)
        found.locked_until = present + min(lock, _LONGEST_LOCK)


def forget_failures(session: Session, subject: str) -> None:
    """Forget a subject's failures after a success."""
    session.execute(delete(FailedTry).where(FailedTry.subject == subject))


def purge_tries(session: Session) -> None:
    """Delete counts whose last failure is older than a day."""
    session.execute(delete(FailedTry).where(FailedTry.last_at < now(session) - timedelta(days=1)))
