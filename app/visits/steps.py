"""What was recorded for the steps of a visit, and what its kit still asks for.

Results come in any order and more than once. Which one stands hangs on when it was made alone, so that phones that were
offline end where they would have ended online.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import add, hold, touch
from app.users.rights import Actor
from app.visit_types.kits import lacks
from app.visit_types.models import VisitKit
from app.visits.models import StepResult, Visit
from app.visits.pictures import pictures_of

MOST_OF_A_STEP = 50
_OPEN_FOR = timedelta(days=30)
_MOST_FOLLOWED = 500
_TAKING = frozenset({"planned", "missed", "in_progress", "finished"})


def record_step(session: Session, actor: Actor, visit: Visit, values: Mapping[str, Any]) -> StepResult:
    """Record what came of one step of a visit; a later one corrects it, and both are kept.

    Args:
        values: ``step``, ``kind``, ``content``, and optionally ``id`` and ``made_ms``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (step) of no kit of the visit's type, ``invalid`` (kind) of another kind than the
            step's, ``already_exists`` (id) of another result.
        Conflict: ``state_conflict`` of a visit that is called off, ``visit_closed`` 30 days after its end,
            ``too_many_results`` of one step.
    """
    visit = hold(session, Visit, visit.id)
    if (known := _twin(session, visit, values)) is not None:
        return known
    if visit.state not in _TAKING:
        raise Conflict("state_conflict", state=visit.state, wanted="in_progress")
    if visit.ended_at is not None and visit.ended_at < now(session) - _OPEN_FOR:
        raise Conflict("visit_closed")
    _check_step(session, visit, values["step"], values["kind"])
    row = StepResult(
        visit_id=visit.id,
        user_id=actor.id,
        step=values["step"],
        kind=values["kind"],
        content=values["content"],
        made_ms=values.get("made_ms") or to_ms(now(session)),
    )
    if values.get("id"):
        row.id = values["id"]
    before = _stand(session, row)
    causes = [last_entry(session, Subject("visit", visit.id)) if before is None else _entry_of(session, before)]
    entry = record(
        session,
        "visit.step_recorded" if before is None else "visit.step_corrected",
        Subject("visit", visit.id),
        causes=causes,
        actor_id=actor.id,
        step=row.step,
        result_id=row.id,
    )
    if visit.state == "finished":
        look_again(session, visit, entry)
    return row


def _twin(session: Session, visit: Visit, values: Mapping[str, Any]) -> StepResult | None:
    """Return the result that was told already under this id.

    Raises:
        FieldsInvalid: ``already_exists`` (id) when it was another one.
    """
    known = session.get(StepResult, values["id"]) if values.get("id") else None
    if known is None:
        return None
    if (known.visit_id, known.step, known.content) != (visit.id, values["step"], values["content"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    return known


def _check_step(session: Session, visit: Visit, step: str, kind: str) -> None:
    """Refuse a step that the visit's kit does not have; before the check-in, one that no kit of its type has."""
    kits = select(VisitKit.steps).where(VisitKit.type_id == (visit.type_id or ""))
    if visit.kit_id is not None:
        kits = kits.where(VisitKit.id == visit.kit_id)
    kinds = {one["kind"] for steps in session.scalars(kits) for one in steps if one["code"] == step}
    if not kinds:
        raise FieldsInvalid({"step": ["unknown_reference"]})
    if kind not in kinds:
        raise FieldsInvalid({"kind": ["invalid"]})


def _stand(session: Session, row: StepResult) -> StepResult | None:
    """Add a result and let the one that was made last stand; return the one that stood before.

    Raises:
        Conflict: ``too_many_results``.
    """
    same = (StepResult.visit_id == row.visit_id, StepResult.step == row.step)
    if (session.scalar(select(func.count()).select_from(StepResult).where(*same)) or 0) >= MOST_OF_A_STEP:
        raise Conflict("too_many_results", most=MOST_OF_A_STEP)
    before = session.scalar(select(StepResult).where(*same, StepResult.standing))
    row.standing = before is None
    add(session, row)  # its id is made here, and two of one instant are told apart by it
    if before is not None and (row.made_ms, row.id) > (before.made_ms, before.id):
        before.standing = False
        touch(session, before)  # first: one of a step stands at a time
        row.standing = True
        touch(session, row)
    return before


def _entry_of(session: Session, row: StepResult) -> HistoryEntry | None:
    entries = select(HistoryEntry).where(HistoryEntry.subject_kind == "visit", HistoryEntry.subject_id == row.visit_id)
    found = session.scalars(entries.where(HistoryEntry.kind.in_(("visit.step_recorded", "visit.step_corrected"))))
    return next((one for one in found if one.facts.get("result_id") == row.id), None)


def lacking(session: Session, visit: Visit) -> list[dict[str, Any]]:
    """Return what the required steps of a visit's kit lack, each with ``step``, ``code`` and ``question``."""
    if visit.kit_id is None:
        return []
    standing = select(StepResult).where(StepResult.visit_id == visit.id, StepResult.standing)
    results = {row.step: row.content for row in session.scalars(standing)}
    named = {str(one) for content in results.values() for one in content.get("photo_ids", ())}
    pictures = pictures_of(session, visit.user_id, named)
    return [found._asdict() for found in lacks(session.get_one(VisitKit, visit.kit_id).steps, results, pictures)]


def look_again(session: Session, visit: Visit, cause: HistoryEntry | None = None) -> bool:
    """Bring what an ended visit lacks up to date; tell whether that changed."""
    found = lacking(session, visit)
    if found == visit.lacking:
        return False
    was, visit.lacking, visit.incomplete = visit.incomplete, found, bool(found)
    touch(session, visit)
    about = Subject("visit", visit.id)
    causes = [cause, last_entry(session, about, "visit.left_incomplete")]
    if was and not found:
        record(session, "visit.completed", about, causes=causes)
    elif found and not was:
        note_incomplete(session, visit, causes)
    return True


def note_incomplete(session: Session, visit: Visit, causes: Sequence[HistoryEntry | None], at: datetime | None = None) -> None:
    """Write into the causal log what an ended visit lacks, and why its rep left it."""
    record(
        session,
        "visit.left_incomplete",
        Subject("visit", visit.id),
        causes=causes,
        actor_id=visit.user_id,
        occurred_at=at,
        steps=sorted({one["step"] for one in visit.lacking}),
        reason=visit.incomplete_reason,
    )


def awaiting_photos(session: Session) -> list[str]:
    """Return the ended visits that lack nothing but the bytes of photos, or these, too; of the last 30 days."""
    since = now(session) - _OPEN_FOR
    ended = select(Visit.id, Visit.lacking).where(Visit.incomplete, Visit.ended_at >= since, Visit.deleted_at.is_(None))
    found = session.execute(ended.order_by(Visit.ended_at.desc(), Visit.id).limit(_MOST_FOLLOWED))
    return [visit_id for visit_id, lacks_now in found if any(one["code"].startswith("photos_") for one in lacks_now)]


def follow_photos(session: Session, visit_id: str) -> int:
    """Look again whether the photos of an ended visit have arrived; return 1 when that changed what it lacks."""
    return int(look_again(session, hold(session, Visit, visit_id)))


def results_of(session: Session, visit: Visit) -> list[StepResult]:
    """Return every result of a visit, corrected ones, too, in the order they were made."""
    found = select(StepResult).where(StepResult.visit_id == visit.id, StepResult.deleted_at.is_(None))
    return list(session.scalars(found.order_by(StepResult.made_ms, StepResult.id)))
