"""Shifts: begun by the rep, ended by the rep, the next one, the end of the working day, or at the bound of their length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, hold, touch, transition, try_transition
from app.tracks import batches, erasure, queries
from app.tracks.models import Shift, TrackConsent
from app.tracks.moments import happened_at, hold_rep
from app.tracks.notice import notice_of
from app.users.models import User
from app.users.rights import Actor
from push import outbox

# The job runs every minute; a shift that still runs so long after its end says that the job does not.
_PATIENCE = timedelta(minutes=15)


def latest_end(settings: Settings, began_at: datetime) -> tuple[datetime, str]:
    """Return when a shift ends by itself, and why: some time after the working day on which it began, or when it is too long.

    A shift that began after that hour, in the evening, has only the bound of its length.
    """
    bound = began_at + timedelta(hours=settings.track_shift_hours)
    day = began_at.astimezone(settings.time_zone).date()
    over = datetime.combine(day, time.fromisoformat(settings.workday_ends), settings.time_zone)
    over += timedelta(minutes=settings.track_overtime_min)
    over = over.astimezone(began_at.tzinfo)
    return (over, "by_calendar") if began_at < over <= bound else (bound, "too_long")


def begin_shift(session: Session, settings: Settings, actor: Actor, told: Mapping[str, Any]) -> Shift:
    """Begin a shift of one's own. What phones tell late ends in the same shifts as if it had been told in time.

    One that began before a later one is over with that one's beginning, unless its end is told; one whose end nobody has told
    ends with the beginning told now.

    Args:
        told: optionally ``id``, ``at_ms`` and ``sent_ms``.

    Raises:
        Conflict: ``consent_missing`` when none was in force then, or it was to an older text; ``shift_running`` when one runs
            now and no ``at_ms`` says that another one followed; ``shift_overlaps`` when another one covers that time.
        FieldsInvalid: ``already_exists`` (id), ``time_ahead``, ``time_old`` (at_ms).
    """
    hold_rep(session, actor)
    at = happened_at(session, told)
    if told.get("id") and session.get(Shift, told["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    consent = queries.consent_in_force(session, actor.id, at)
    if consent is None or consent.digest != notice_of(settings).digest:
        raise Conflict("consent_missing")
    before, after = queries.shifts_around(session, actor.id, at)
    if before is not None and before.state == "running" and before.latest_end_at <= at:
        _end_by_itself(session, before)
    cut = before if before is not None and before.covers_until > at else None
    if cut is not None:
        _cut(session, cut, at, is_told=told.get("at_ms") is not None)
    ends_at, why = latest_end(settings, at)
    row = Shift(
        user_id=actor.id,
        began_at=at,
        latest_end_at=ends_at,
        latest_end=why,
        keep_until=ends_at + timedelta(days=settings.track_days),
        state="running",
        findings=[],
    )
    if told.get("id"):
        row.id = told["id"]
    _end_at_once(session, row, after, consent)
    add(session, row)
    about = Subject("track_shift", row.id)
    causes = [last_entry(session, Subject("track_consent", consent.id), "track_consent.given")]
    entry = record(session, "track_shift.began", about, causes=causes, actor_id=actor.id, occurred_at=at)
    if cut is not None:
        _note_end(session, actor, cut, [last_entry(session, Subject("track_shift", cut.id)), entry])
        batches.hand_on(session, cut, row)
    if row.ended_at is not None:
        ended = _note_end(session, actor, row, [entry])
        erasure.trim(session, row, row.ended_at, actor.id, [ended])
    return row


def _cut(session: Session, shift: Shift, at: datetime, *, is_told: bool) -> None:
    """Let a shift whose end nobody has told end as the next one began.

    Raises:
        Conflict: ``shift_running``, ``shift_overlaps``.
    """
    if shift.state == "running" and not is_told:
        raise Conflict("shift_running")
    if shift.began_at == at or shift.end_reason in {"by_rep", "consent_withdrawn"}:
        raise Conflict("shift_overlaps")
    if shift.state == "running":
        transition(session, shift, "finished", ended_at=at, end_reason="next_began", revision=Shift.revision + 1)
        return
    shift.ended_at, shift.end_reason, shift.revision = at, "next_began", shift.revision + 1
    touch(session, shift)


def _end_at_once(session: Session, row: Shift, after: Shift | None, consent: TrackConsent) -> None:
    """End a shift that is told of late: a later one is known, or the consent it began with ended."""
    if after is None and consent.ended_at is None:
        return
    ends = [(row.latest_end_at, row.latest_end)]
    ends += [(after.began_at, "next_began")] if after is not None else []
    ends += [(consent.ended_at, "consent_withdrawn")] if consent.ended_at is not None else []
    row.ended_at, row.end_reason = min(ends)
    row.state = "finished"
    if consent.erased:  # the tracks of that time are not to be kept, those told late neither
        row.erased_at = now(session)


def _note_end(session: Session, actor: Actor, shift: Shift, causes: Sequence[HistoryEntry | None]) -> HistoryEntry:
    about = Subject("track_shift", shift.id)
    return record(
        session, "track_shift.ended", about, causes=causes, actor_id=actor.id, occurred_at=shift.ended_at, reason=shift.end_reason
    )


def end_shift(session: Session, actor: Actor, shift: Shift, told: Mapping[str, Any]) -> Shift:
    """End a shift of one's own. Where it had ended otherwise later than that, it is cut short, and fixes from after go.

    Args:
        told: optionally ``at_ms`` and ``sent_ms``.

    Raises:
        Conflict: ``state_conflict`` when it had ended by then; ``shift_overlaps`` when the next one had begun.
        FieldsInvalid: ``time_ahead``, ``time_old``, ``out_of_range`` (at_ms: before it began).
    """
    hold_rep(session, actor)
    shift = hold(session, Shift, shift.id)
    at = happened_at(session, told)
    if at < shift.began_at:
        raise FieldsInvalid({"at_ms": ["out_of_range"]})
    before = last_entry(session, Subject("track_shift", shift.id))
    if shift.state == "running":
        ended_at = min(at, shift.latest_end_at)
        transition(session, shift, "finished", ended_at=ended_at, end_reason="by_rep", revision=Shift.revision + 1)
    elif shift.end_reason != "by_rep" and at <= shift.covers_until:
        shift.ended_at, shift.end_reason, shift.revision = at, "by_rep", shift.revision + 1
        touch(session, shift)
    elif shift.end_reason == "next_began":
        raise Conflict("shift_overlaps")
    else:
        raise Conflict("state_conflict", state=shift.state, wanted="finished")
    entry = _note_end(session, actor, shift, [before])
    erasure.trim(session, shift, shift.covers_until, actor.id, [entry])
    return shift


def due_to_end(session: Session) -> Sequence[str]:
    """Return the running shifts whose latest end has come."""
    due = select(Shift.id).where(Shift.state == "running", Shift.latest_end_at <= now(session), Shift.deleted_at.is_(None))
    return session.scalars(due.order_by(Shift.latest_end_at, Shift.id).limit(500)).all()


def end_passed(session: Session, user_id: str, at: datetime) -> None:
    """End a rep's running shifts whose latest end had come by an instant, as the job does within a minute."""
    mine = select(Shift.id).where(Shift.user_id == user_id, Shift.state == "running", Shift.deleted_at.is_(None))
    for shift_id in session.scalars(mine.where(Shift.latest_end_at <= at).order_by(Shift.latest_end_at, Shift.id)).all():
        end_due(session, shift_id)


def end_due(session: Session, shift_id: str) -> int:
    """End one of them, if it still runs; return whether."""
    return int(_end_by_itself(session, hold(session, Shift, shift_id)))


def _end_by_itself(session: Session, shift: Shift) -> bool:
    """End a shift at its latest end, and tell its rep."""
    about = Subject("track_shift", shift.id)
    before = last_entry(session, about)
    ended: dict[str, Any] = {"ended_at": shift.latest_end_at, "end_reason": shift.latest_end, "revision": Shift.revision + 1}
    if not try_transition(session, shift, "finished", **ended):
        return False
    entry = record(session, "track_shift.ended", about, causes=[before], occurred_at=shift.latest_end_at, reason=shift.latest_end)
    outbox.enqueue(
        session,
        [session.get_one(User, shift.user_id)],
        "track_shift_ended",
        about,
        dedupe=f"track_shift:{shift.id}:ended",
        causes=[entry],
        ended_at=shift.latest_end_at.isoformat(),
        too_long=shift.latest_end == "too_long",
    )
    return True


def forgotten(session: Session) -> tuple[int, int]:
    """Return how many shifts run past their latest end, and how many ended in the last week as they were too long."""
    present = now(session)
    count = select(func.count()).select_from(Shift)
    late = session.scalar(count.where(Shift.state == "running", Shift.latest_end_at < present - _PATIENCE))
    long = session.scalar(count.where(Shift.end_reason == "too_long", Shift.ended_at > present - timedelta(days=7)))
    return late or 0, long or 0
