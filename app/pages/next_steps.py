"""Next steps that were agreed with a customer and that nobody has done yet."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import func
from sqlalchemy.orm import Session

from app.follow_ups import queries as follow_ups
from app.follow_ups.models import FollowUp
from app.users.models import User
from app.users.rights import Actor


class Steps(NamedTuple):
    """The steps that are due first, each with the name of whoever agreed it, and how many there are in all."""

    total: int
    rows: list[tuple[FollowUp, str]]


def open_steps(session: Session, actor: Actor, customer_id: str, most: int) -> Steps:
    """Return the open next steps with a customer, also from when it was a lead: due first, those without a day last.

    Args:
        customer_id: of a customer the actor may see.
        most: so many rows.
    """
    open_ones = (
        follow_ups.visible_to(actor)
        .where(follow_ups.with_customer(customer_id), FollowUp.state == "open")
        .join(User, User.id == FollowUp.user_id)
        .add_columns(User.name, func.count().over())
        .order_by(FollowUp.next_due.is_(None), FollowUp.next_due, FollowUp.id)
    )
    found = session.execute(open_ones.limit(most)).all()
    return Steps(found[0][2] if found else 0, [(row, name) for row, name, _ in found])


def shown(steps: Steps, today: date) -> dict[str, Any]:
    """Return steps as a digest has them.

    Args:
        today: of the organisation; a step whose day is before it is overdue.
    """
    return {
        "total": steps.total,
        "items": [
            {
                "id": row.id,
                "next_step": row.next_step,
                "next_due": row.next_due,
                "overdue": row.next_due is not None and row.next_due < today,
                "who": {"id": row.user_id, "name": name},
                "link": f"/api/v1/follow-ups/{row.id}",
            }
            for row, name in steps.rows
        ],
    }
