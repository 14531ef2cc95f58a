"""Everything that was recorded of a customer and of what belongs to it, page by page, the last first."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy.orm import Session

from app.core import wire
from app.core.errors import FieldsInvalid
from app.pages.story import NOUNS, Place, Wanted, story_of, told
from app.users.rights import Actor


def timeline_of(session: Session, actor: Actor, customer_id: str, query: Mapping[str, Any], time_zone: tzinfo) -> dict[str, Any]:
    """Return one page of a customer's timeline.

    Args:
        customer_id: of a customer the actor may see.
        query: ``limit``, and optionally ``cursor``, ``kind`` (of subject), ``since`` and ``until``.
        time_zone: times inside the sentences are told in it.

    Raises:
        FieldsInvalid: ``invalid`` for a cursor we did not make.
    """
    kind = query.get("kind")
    wanted = Wanted(nouns=(kind,) if kind else NOUNS, since=query.get("since"), until=query.get("until"))
    entries, following = story_of(session, actor, customer_id, wanted, query["limit"], _read(query.get("cursor")))
    return {"items": told(session, actor, entries, time_zone), "next": _written(following)}


def _written(place: Place | None) -> str | None:
    if place is None:
        return None
    return base64.urlsafe_b64encode(f"{place.recorded_at.isoformat()} {place.entry_id}".encode()).decode()


def _read(cursor: str | None) -> Place | None:
    if not cursor:
        return None
    try:
        at, _, entry_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return Place(wire.check_moment(datetime.fromisoformat(at)), wire.check_id(entry_id))
    except ValueError:
        raise FieldsInvalid({"cursor": ["invalid"]}) from None
