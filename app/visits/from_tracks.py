"""Visits that were not checked in, and of which a track and its rep say that they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core.history import HistoryEntry, Subject, record
from app.core.numbers import next_number
from app.core.tracked import add
from app.customers.models import Site
from app.users.rights import Actor
from app.visits.models import Visit


def record_past_visit(
    session: Session,
    actor: Actor,
    site: Site,
    span: tuple[datetime, datetime],
    values: Mapping[str, Any],
    causes: Sequence[HistoryEntry | None],
) -> Visit:
    """Record a visit that is over, without check-ins.

    Args:
        span: when the rep came and left.
        values: ``purpose``, ``outcome`` and ``next_step``, as far as there are any.
    """
    came_at, left_at = span
    row = Visit(
        number=next_number(session, "V"),
        customer_id=site.customer_id,
        site_id=site.id,
        user_id=actor.id,
        purpose=values.get("purpose", ""),
        planned_from=came_at,
        planned_until=left_at,
        began_at=came_at,
        ended_at=left_at,
        outcome=values.get("outcome", ""),
        next_step=values.get("next_step", ""),
        state="finished",
        source="track",
    )
    add(session, row)
    about = Subject("visit", row.id)
    record(session, "visit.found", about, causes=causes, actor_id=actor.id, occurred_at=left_at, number=row.number)
    return row
