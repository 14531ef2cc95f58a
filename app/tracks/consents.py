"""Consents to tracks: given and withdrawn by the rep alone, each by itself, to a text whose digest is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, hold, touch, transition
from app.tracks import erasure, queries, shifts
from app.tracks.models import Shift, TrackConsent
from app.tracks.moments import happened_at, hold_rep
from app.tracks.notice import notice_of
from app.users.rights import Actor


def give_consent(session: Session, settings: Settings, actor: Actor, told: Mapping[str, Any]) -> TrackConsent:
    """Agree to tracks. Consent to an older text ends with it.

    Args:
        told: ``text_version`` and ``digest`` of the text that was read; optionally ``id``, ``at_ms`` and ``sent_ms``.

    Raises:
        Conflict: ``notice_changed`` when the text is another one now; ``state_conflict`` when it is agreed to already.
        FieldsInvalid: ``already_exists`` (id), ``time_ahead``, ``time_old``, ``out_of_range`` (at_ms: before the last one ended).
    """
    hold_rep(session, actor)
    notice = notice_of(settings)
    if (told["text_version"], told["digest"]) != (notice.text_version, notice.digest):
        raise Conflict("notice_changed", version=notice.text_version)
    if told.get("id") and session.get(TrackConsent, told["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    at = happened_at(session, told)
    before = list(queries.consents_of(session, actor.id))
    standing = next((one for one in before if one.state == "given"), None)
    if standing is not None and standing.digest == notice.digest:
        raise Conflict("state_conflict", state="given", wanted="given")
    if any(at < (one.ended_at or one.given_at) for one in before):
        raise FieldsInvalid({"at_ms": ["out_of_range"]})
    causes: list[HistoryEntry | None] = []
    if standing is not None:
        causes.append(last_entry(session, Subject("track_consent", standing.id)))
        transition(session, standing, "replaced", ended_at=at)
    row = TrackConsent(user_id=actor.id, text_version=notice.text_version, digest=notice.digest, given_at=at, state="given")
    if told.get("id"):
        row.id = told["id"]
    add(session, row)
    about = Subject("track_consent", row.id)
    record(
        session, "track_consent.given", about, causes=causes, actor_id=actor.id, occurred_at=at, version=row.text_version,
        digest=row.digest[:12],
    )  # fmt: skip
    return row


def withdraw_consent(
    session: Session, actor: Actor, consent: TrackConsent, told: Mapping[str, Any], *, erase: bool
) -> TrackConsent:
    """Take a consent back. The running shift ends with it; what was recorded after it goes, and all of it where asked for.

    Args:
        told: optionally ``at_ms`` and ``sent_ms``.
        erase: whether the tracks recorded so far are deleted.

    Raises:
        Conflict: ``state_conflict`` when it does not stand any more.
        FieldsInvalid: ``time_ahead``, ``time_old``, ``out_of_range`` (at_ms: before it was given).
    """
    hold_rep(session, actor)
    session.refresh(consent)
    at = happened_at(session, told)
    if at < consent.given_at:
        raise FieldsInvalid({"at_ms": ["out_of_range"]})
    about = Subject("track_consent", consent.id)
    before = last_entry(session, about)
    shifts.end_passed(session, actor.id, at)
    transition(session, consent, "withdrawn", ended_at=at, erased=erase)
    entry = record(session, "track_consent.withdrawn", about, causes=[before], actor_id=actor.id, occurred_at=at, erase=erase)
    for shift in queries.shifts_since(session, actor.id, at):
        if shift.covers_until > at:
            _end_with_consent(session, actor, shift, at, entry)
    if erase:
        erasure.erase_all(session, actor, [entry])
    return consent


def _end_with_consent(session: Session, actor: Actor, shift: Shift, at: datetime, cause: HistoryEntry) -> None:
    """End a shift when the consent did; one that began later by event time has no time at all."""
    shift = hold(session, Shift, shift.id)
    ended_at = max(at, shift.began_at)
    if shift.state == "running":
        ended: dict[str, Any] = {"ended_at": ended_at, "end_reason": "consent_withdrawn", "revision": Shift.revision + 1}
        transition(session, shift, "finished", **ended)
    else:
        shift.ended_at, shift.end_reason, shift.revision = ended_at, "consent_withdrawn", shift.revision + 1
        touch(session, shift)
    entry = record(
        session,
        "track_shift.ended",
        Subject("track_shift", shift.id),
        causes=[cause],
        actor_id=actor.id,
        occurred_at=ended_at,
        reason="consent_withdrawn",
    )
    erasure.trim(session, shift, at, actor.id, [entry])
