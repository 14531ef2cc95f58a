"""Who was met at a visit, over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes
from app.participants import operations, queries, schemas
from app.users.rights import Actor
from app.visits import queries as visits

routes = Routes("participants", __name__, description="Who was met at visits")


@routes.door("GET", "/visits/<visit_id>/participants", policy="visits.read", answer=schemas.ParticipantsSchema)
def list_participants(session: Session, actor: Actor, visit_id: str) -> dict[str, Any]:
    """List who was met at a visit."""
    return _shown(queries.participants_of(session, visits.access_visit(session, actor, visit_id).id))


@routes.door(
    "POST",
    "/visits/<visit_id>/participants",
    policy="visits.write",
    body=schemas.PeopleMetSchema,
    answer=schemas.ParticipantsSchema,
)
def add_participants(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Note who was met at a visit; somebody who is in no record is proposed as a contact."""
    visit = visits.writable_visit(session, actor, visit_id)
    return _shown(operations.add_participants(session, actor, visit, body["participants"]))


def _shown(people: Iterable[queries.Met]) -> dict[str, Any]:
    return {
        "items": [
            {
                "id": met.participant.id,
                "contact_id": met.contact.id,
                "name": met.participant.name,
                "job_title": met.participant.job_title,
                "state": met.contact.state,
            }
            for met in people
        ]
    }
