"""What a manager does with what phones left: problems replayed or dismissed, losing values restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid, NotFound
from app.core.settings import Settings
from app.core.texts import field_text
from app.core.tracked import hold, touch, transition
from app.users.auth import actor_of
from app.users.models import User
from app.users.rights import Actor
from offline_sync.arrivals import take
from offline_sync.changes import head_of
from offline_sync.checks import checked
from offline_sync.intents import decide
from offline_sync.keyed import gather
from offline_sync.models import Intent, SyncConflict, SyncProblem
from offline_sync.sent import Arrival, Sender
from offline_sync.writers import WRITERS


def problems(state: str | None) -> Select[SyncProblem]:
    """Return rows that could not be taken."""
    query = select(SyncProblem).where(SyncProblem.deleted_at.is_(None))
    return query.where(SyncProblem.state == state) if state else query


def problem_shown(row: SyncProblem, locale: str) -> dict[str, Any]:
    """Return a problem with its reasons in words."""
    names = (
        "id",
        "version",
        "created_at",
        "updated_at",
        "user_id",
        "installation_id",
        "collection",
        "row_id",
        "content",
        "state",
    )
    shown = {name: getattr(row, name) for name in names}
    errors = [
        {"field": name, "code": code, "text": field_text(code, locale)} for name, codes in row.reasons.items() for code in codes
    ]
    return shown | {"errors": errors}


def replay(session: Session, settings: Settings, actor: Actor, problem: SyncProblem, values: Mapping[str, Any]) -> None:
    """Take a kept row again, with corrected values, in the name of whoever sent it.

    Raises:
        Conflict: ``state_conflict`` unless it is open.
        FieldsInvalid: with what is still wrong; the problem stays open.
        DomainError: when a rule refuses it; the problem stays open.
    """
    if problem.state != "open":
        raise Conflict("state_conflict", state=problem.state, wanted="replayed")
    try:
        content = msgspec.json.decode(problem.content.encode())
    except msgspec.DecodeError:  # it was cut
        raise FieldsInvalid({"content": ["too_long"]}) from None
    if "claimed" not in content:
        raise FieldsInvalid({"content": ["text_invalid"]})
    if problem.collection == "intents" and "kind" in values:  # that would be another wish, in the name of who had this one
        raise FieldsInvalid({"kind": ["unknown"]})
    deleted, claimed = content.pop("deleted"), content.pop("claimed")
    n = head_of(session).n
    whose = actor_of(session, session.get_one(User, problem.user_id))
    sender = Sender(whose, settings, problem.installation_id, n, n, replayed=True)
    # Whoever corrects it decides now: it counts as an edit of this moment.
    arrival = Arrival(problem.collection, problem.row_id, content | dict(values), deleted=deleted, claimed=claimed)
    take(session, sender, arrival)
    transition(session, problem, "replayed")
    subject = history.Subject("sync_problem", problem.id)
    history.record(session, "sync_problem.replayed", subject, actor_id=actor.id, corrected=sorted(values))


def dismiss(session: Session, actor: Actor, problem: SyncProblem) -> None:
    """Give a kept row up.

    Raises:
        Conflict: ``state_conflict`` unless it is open.
    """
    transition(session, problem, "dismissed")
    history.record(session, "sync_problem.dismissed", history.Subject("sync_problem", problem.id), actor_id=actor.id)


def conflicts(wanted: Mapping[str, Any]) -> Select[SyncConflict]:
    """Return the journal of values that lost."""
    query = select(SyncConflict).where(SyncConflict.deleted_at.is_(None))
    for name in ("state", "collection", "row_id"):
        if wanted.get(name):
            query = query.where(getattr(SyncConflict, name) == wanted[name])
    return query


def restore(session: Session, actor: Actor, conflict: SyncConflict) -> SyncConflict:
    """Write the value that lost, as an edit of the actor. Where a deletion won and still stands, the row comes back first.

    Raises:
        Conflict: ``state_conflict`` when it was restored before.
        NotFound: when the row is not there, or not to be seen.
    """
    writer = WRITERS[conflict.collection]
    transition(session, conflict, "restored")
    changes = gather({conflict.field: conflict.lost}) if conflict.field else dict(conflict.lost)
    try:
        row = writer.find(session, actor, conflict.row_id)
    except NotFound:
        if conflict.field:
            raise
        row = writer.undelete(session, actor, writer.find_deleted(session, actor, conflict.row_id))
    writer.change(session, actor, row, checked(writer.edit, changes))
    subject = history.Subject("sync_conflict", conflict.id)
    history.record(session, "sync_conflict.restored", subject, actor_id=actor.id, row=conflict.row_id, field=conflict.field)
    return conflict


def intents(verdict: str | None) -> Select[Intent]:
    """Return what people asked for offline."""
    query = select(Intent).where(Intent.deleted_at.is_(None))
    return query.where(Intent.verdict == verdict) if verdict else query


def settle(session: Session, settings: Settings, actor: Actor, intent_id: str, how: str, note: str) -> Intent:
    """Decide what no rule could: something was done in the world, and the state of things did not allow it.

    Args:
        how: ``retry`` carries it out again, in the name of whoever asked, now that things may stand otherwise;
            ``accepted`` says that the office saw to it, ``rejected`` that nothing comes of it.
        note: what the person who asked is told.

    Raises:
        NotFound: when there is no such intent.
        Conflict: ``state_conflict`` unless it waits for a person.
    """
    intent = hold(session, Intent, intent_id)
    if intent.verdict != "needs_review":
        raise Conflict("state_conflict", state=intent.verdict or "open", wanted="needs_review")
    subject = history.Subject("intent", intent.id)
    history.record(session, "intent.settled", subject, actor_id=actor.id, how=how, note=note)
    if how == "retry":
        decide(session, settings, actor_of(session, session.get_one(User, intent.user_id)), intent)
        return intent
    intent.verdict, intent.code, intent.facts = how, f"settled_{how}", {"reason": note}
    intent.decided_at = now(session)
    touch(session, intent)
    return intent
