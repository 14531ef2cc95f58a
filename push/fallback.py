"""The order in which channels are tried: the next one when one fails for good, or when nobody opened the message in time.

A plan says what is left to try for one message. Its step is the guard: of two who would go on at once, one does.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import now
from app.users.models import User
from push.models import FallbackPlan, Notification, OutboxMessage
from push.outbox import fan_out, newer_than
from push.reach import reach_of

_AT_ONCE = 200
_ON_THE_WAY = ("queued", "accepted", "delivered", "opened")

Reason = Literal["not_opened", "channel_failed"]


def fall_back(session: Session) -> int:
    """Go on to the next channel of every message that nobody opened in time. The job.

    Returns:
        How many messages went on.
    """
    due = select(FallbackPlan).where(FallbackPlan.due_at <= now(session)).order_by(FallbackPlan.due_at).limit(_AT_ONCE)
    return sum(_go_on(session, plan, "not_opened") for plan in list(session.scalars(due)))


def after_failure(session: Session, notification_id: str) -> None:
    """Go on at once when nothing of a message is on its way any more."""
    plan = session.get(FallbackPlan, notification_id)
    if plan is None:
        return
    on_the_way = select(OutboxMessage.id).where(
        OutboxMessage.notification_id == notification_id, OutboxMessage.state.in_(_ON_THE_WAY)
    )
    if session.scalar(on_the_way.limit(1)) is None:
        _go_on(session, plan, "channel_failed")


def stop(session: Session, subject: history.Subject) -> None:
    """Try no further channel for anything about a subject: somebody has taken care of it."""
    about = select(Notification.id).where(Notification.subject_kind == subject.kind, Notification.subject_id == subject.id)
    session.execute(
        delete(FallbackPlan).where(FallbackPlan.notification_id.in_(about)).execution_options(synchronize_session=False)
    )


def _go_on(session: Session, plan: FallbackPlan, reason: Reason) -> bool:
    """Take the next channel that can be taken, and queue the message there; tell whether there was one."""
    notification = session.get_one(Notification, plan.notification_id, populate_existing=True)
    remaining, step = list(plan.channels), plan.step
    reach = reach_of(session, session.get_one(User, notification.user_id))
    ways = reach.ways(notification.kind, remaining)
    while remaining and isinstance(ways[remaining[0]], str):
        remaining.pop(0)
    pointless = notification.opened_at is not None or newer_than(session, notification, remaining[0] if remaining else "email")
    taken = None if pointless or not remaining else remaining.pop(0)
    present = now(session)
    if taken is None or not remaining:
        moved = session.execute(
            delete(FallbackPlan)
            .where(FallbackPlan.notification_id == notification.id, FallbackPlan.step == step)
            .execution_options(synchronize_session=False)
        )
    else:
        moved = session.execute(
            update(FallbackPlan)
            .where(FallbackPlan.notification_id == notification.id, FallbackPlan.step == step)
            .values(step=step + 1, channels=remaining, due_at=present + timedelta(minutes=plan.after_min))
            .execution_options(synchronize_session=False)
        )
    if taken is None or moved.rowcount != 1:  # type: ignore[attr-defined]
        return False
    about = history.Subject("notification", notification.id)
    cause = history.last_entry(session, about, "notification.failed", "notification.delivered_to_channel", "notification.queued")
    entry = history.record(session, "notification.fell_back", about, causes=[cause], channel=taken, reason=reason)
    way = ways[taken]
    assert not isinstance(way, str)  # noqa: S101 - chosen above because it is a list
    quiet_until = fan_out(session, notification, reach, {taken: way}, entry)
    if remaining and quiet_until is not None:
        session.execute(
            update(FallbackPlan)
            .where(FallbackPlan.notification_id == notification.id)
            .values(due_at=quiet_until + timedelta(minutes=plan.after_min))
            .execution_options(synchronize_session=False)
        )
    return True
