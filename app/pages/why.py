"""Why somebody got a message, and how it fared: read from the causal log, in the reader's language."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.history import HistoryEntry, Subject, last_entry
from app.core.locales import EN
from app.core.settings import Settings
from app.pages import history
from app.pages.codes import coded
from app.pages.reasons import reason_of
from app.pages.recipients import CHANNEL_REASONS, OTHER_CHANNEL_REASONS, OTHER_RECIPIENTS, RECIPIENTS
from app.users.rights import Actor
from push import queries as push
from push.models import CHANNELS, Notification, OutboxMessage

_RANK = ("opened", "delivered", "accepted", "queued", "superseded", "failed")
_RULE_KINDS = frozenset({"alarm.raised"})


def why(session: Session, actor: Actor, notification_id: str, settings: Settings) -> dict[str, Any]:
    """Explain one of the actor's own notifications; to an administrator, anybody's whom they see.

    Args:
        notification_id: its id.
        settings: times are told in its ``time_zone``.

    Returns:
        What caused it as far as the actor may see, the rule behind it if there is one, why this person, which channels
        were chosen or left out and why, and every step with its outcome.

    Raises:
        NotFound: when there is none, or it is somebody else's.
    """
    notification = push.access_explainable(session, actor, notification_id)
    zone = settings.time_zone
    chain = history.chain_of(session, actor, "notification", notification.id, zone)
    queued = last_entry(session, Subject("notification", notification.id), "notification.queued")
    rows = push.rows_of(session, notification)
    own = notification.user_id == actor.id
    return {
        "notification_id": notification.id,
        "user_id": notification.user_id,
        "kind": notification.kind,
        "state": _state(notification, rows),
        "causes": chain["causes"],
        "rule": _rule(session, chain["causes"]),
        "recipient": _recipient(queued, actor.locale, own=own),
        "channels": _channels(queued, rows, actor.locale, own=own),
        "steps": chain["about"],
        "attempts": [_attempt(row, actor, settings) for row in rows],
    }


def _state(notification: Notification, rows: list[OutboxMessage]) -> str:
    """Return the furthest a message got on any way; ``inbox`` when nothing but the inbox has it."""
    if notification.opened_at is not None:
        return "opened"
    reached = {row.state for row in rows} | ({"delivered"} if notification.delivered_at else set())
    return next((state for state in _RANK if state in reached), "inbox")


def _rule(session: Session, causes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the rule of the nearest alarm among the causes the reader may see."""
    nearest = min((cause for cause in causes if cause["kind"] in _RULE_KINDS), key=lambda cause: cause["hops"], default=None)
    if nearest is None:
        return None
    facts = session.get_one(HistoryEntry, nearest["id"]).facts
    return {"code": facts.get("rule"), "number": facts.get("rule_number"), "reason": nearest["reason"]}


def _recipient(queued: HistoryEntry | None, locale: str, *, own: bool) -> str:
    facts, words = queued.facts if queued else {}, RECIPIENTS if own else OTHER_RECIPIENTS
    row = words.get(str(facts.get("recipient_because") or facts.get("recipient_role")), words["unknown"])
    return row[0 if locale == EN else 1]


def _channels(queued: HistoryEntry | None, rows: list[OutboxMessage], locale: str, *, own: bool) -> list[dict[str, Any]]:
    """Say of each channel whether it was chosen. A message from before this was written down: by its rows."""
    told = dict((queued.facts if queued else {}).get("channels") or {row.channel: "chosen" for row in rows})
    side, words = 0 if locale == EN else 1, CHANNEL_REASONS if own else OTHER_CHANNEL_REASONS
    later = {row.channel for row in rows}
    return [
        {
            "channel": channel,
            "chosen": told[channel] == "chosen" or channel in later,
            "reason": words.get(told[channel], words["unknown"])[side],
        }
        for channel in CHANNELS
        if channel in told
    ]


def _attempt(row: OutboxMessage, actor: Actor, settings: Settings) -> dict[str, Any]:
    names = ("channel", "state", "attempts", "queued_at", "next_at", "quiet_until", "settled_at")
    error = str(coded(row.last_error, actor.locale, settings.time_zone)) if row.last_error else None
    kind = {"failed": "notification.failed", "superseded": "notification.superseded"}.get(row.state)
    told = {"channel": row.channel, "reason": row.last_error}
    outcome = reason_of(kind, told, actor.locale, settings.time_zone) if kind else None
    return {name: getattr(row, name) for name in names} | {"last_error": error, "outcome": outcome}
