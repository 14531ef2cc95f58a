"""Carrying out what a person asked for while offline: each row of ``intent_kinds`` runs the verb its REST route runs, once."""

from __future__ import annotations

from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from app.core import history, wire
from app.core.db import now
from app.core.errors import Conflict, DomainError, FieldsInvalid, Forbidden
from app.core.settings import Settings
from app.core.tracked import touch
from app.users.rights import Actor, allows
from offline_sync.checks import checked
from offline_sync.intent_kinds import INTENTS
from offline_sync.intent_kinds.base import IntentKind
from offline_sync.models import Intent

# States of a station task that say: somebody else did it already. Telling it again needs no person.
_DONE = frozenset({"finished", "done"})
# So many fields that are wrong are named in a verdict.
_MOST_NAMED = 20


def read_body(kind: str, text: str) -> dict[str, Any]:
    """Return the body of an intent, checked.

    Raises:
        FieldsInvalid: ``unknown_kind``, or what is wrong with each of its fields.
    """
    if kind not in INTENTS:
        raise FieldsInvalid({"kind": ["unknown_kind"]})
    try:
        value = wire.parse_json(text.encode())
    except (wire.WireError, UnicodeEncodeError):
        raise FieldsInvalid({"body": ["invalid"]}) from None
    if not isinstance(value, dict):
        raise FieldsInvalid({"body": ["not_object"]})
    return checked(INTENTS[kind].body, value, "body")


def decide(session: Session, settings: Settings, actor: Actor, intent: Intent) -> DomainError | None:
    """Carry an intent out, once, and write its verdict into it.

    Returns:
        The refusal, when there was one; what it must leave behind (``trace``) is the caller's to write.
    """
    kind = INTENTS[intent.kind]
    refusal: DomainError | None = None
    try:
        if not allows(actor, kind.right):
            raise Forbidden("forbidden")
        body = read_body(intent.kind, intent.body)
        if kind.timed:
            body |= {"skew_ms": intent.skew_ms, "asked_ms": intent.made_ms, "came_at": intent.created_at}
        with session.begin_nested():
            kind.verb(session, settings, actor, body)
    except DomainError as fault:
        refusal = fault
    intent.verdict, intent.code, intent.facts = _verdict(kind, refusal)
    intent.decided_at = now(session)
    touch(session, intent)
    subject = history.Subject("intent", intent.id)
    history.record(
        session, "intent.decided", subject, actor_id=actor.id, verdict=intent.verdict, what=intent.kind, code=intent.code
    )
    return refusal


def _verdict(kind: IntentKind, refusal: DomainError | None) -> tuple[str, str | None, dict[str, Any] | None]:
    if refusal is None:
        return "accepted", None, None
    facts: dict[str, Any] = {
        name: value if isinstance(value, int | float | bool) else str(value)[:200] for name, value in refusal.facts.items()
    }
    if isinstance(refusal, FieldsInvalid):
        facts["errors"] = dict(islice(refusal.errors.items(), _MOST_NAMED))
    told_before = refusal.code == "state_conflict" and refusal.facts.get("state") in _DONE
    review = kind.happened and isinstance(refusal, Conflict) and not told_before
    return "needs_review" if review else "rejected", refusal.code, facts
