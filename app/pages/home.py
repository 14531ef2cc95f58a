"""The home page of a phone: all its sections in one answer that is small, and the same while nothing changes."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import FieldsInvalid
from app.core.settings import Settings
from app.pages.looks import Look
from app.pages.sections import SECTIONS
from app.users.rights import Actor, allows

MOST_BYTES = 20_000
_LONGEST_AGO = timedelta(days=7)


def home_of(session: Session, actor: Actor, settings: Settings, since: datetime | None) -> dict[str, Any]:
    """Return the home page of a person.

    Args:
        since: of which time on news of customers are told, at most 7 days ago; by default since yesterday began.

    Returns:
        ``day``, ``at`` and ``sections``; each with the number of all its rows, and the first of them. In all at most 20 kB
        as JSON: where it would be more, the longest section is cut.

    Raises:
        FieldsInvalid: ``out_of_range`` (since).
    """
    look = Look.now(session, actor, settings, since)
    if not look.at - _LONGEST_AGO <= look.since <= look.at:
        raise FieldsInvalid({"since": ["out_of_range"]})
    sections = []
    for section in SECTIONS:
        if not allows(actor, section.right) or (section.roles is not None and actor.role not in section.roles):
            continue
        found = section.find(look, section.most)
        title = look.say(section.title)
        sections.append({"name": section.name, "part": section.part, "title": title, "total": found.total, "rows": found.rows})
    _fit(sections)
    return {"day": look.at.astimezone(settings.time_zone).date(), "at": look.at, "since": look.since, "sections": sections}


def _fit(sections: list[dict[str, Any]]) -> None:
    """Take rows from the longest section until all of it fits; its total still says how many there are."""
    while _size(sections) > MOST_BYTES - 300:  # what is around the sections
        max(sections, key=lambda section: _size(section["rows"]))["rows"].pop()


def _size(value: Any) -> int:
    return len(json.dumps(value, default=_text))


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def tag_of(page: dict[str, Any]) -> str:
    """Return a tag that is the same while the page says the same, whenever it is read."""
    said = json.dumps([page["day"], page["sections"]], default=_text, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
