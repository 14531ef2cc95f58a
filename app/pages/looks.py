"""What every section of the home page is made with: who looks, when, and what a section gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.locales import EN
from app.core.settings import Settings
from app.pages.codes import coded
from app.users.rights import Actor

_LONGEST_TITLE, _LONGEST_LINE = 60, 160


# Facts that people wrote, names among them: one that reads like a code is none.
_WRITTEN = frozenset({"asset", "interest", "other", "rep", "site", "step"})


@dataclass(frozen=True)
class Look:
    """One look at the home page.

    Attributes:
        at: now.
        day_begins, day_ends: of the organisation's day.
        since: of which time on news are told.
    """

    session: Session
    actor: Actor
    settings: Settings
    at: datetime
    day_begins: datetime
    day_ends: datetime
    since: datetime

    @classmethod
    def now(cls, session: Session, actor: Actor, settings: Settings, since: datetime | None) -> Look:
        """Return the look of this moment. News are told since yesterday began, unless the reader knows since when."""
        present = now(session)
        day = present.astimezone(settings.time_zone).date()
        begins, ends, yesterday = (
            datetime.combine(day + timedelta(days=days), time(), settings.time_zone).astimezone(UTC) for days in (0, 1, -1)
        )
        return cls(session, actor, settings, present, begins, ends, since or yesterday)

    def say(self, words: tuple[str, str], **facts: Any) -> str:
        """Return words in the reader's language, with coded facts in words."""
        zone, locale = self.settings.time_zone, self.actor.locale
        told = {name: value if name in _WRITTEN else coded(value, locale, zone) for name, value in facts.items()}
        return words[0 if self.actor.locale == EN else 1].format_map(told)

    def time_of_day(self, at: datetime) -> str:
        """Return a time of day of the organisation."""
        return at.astimezone(self.settings.time_zone).strftime("%H:%M")

    def day_and_time(self, at: datetime) -> str:
        """Return a day and a time of day of the organisation."""
        return at.astimezone(self.settings.time_zone).strftime("%m-%d %H:%M")


@dataclass(frozen=True)
class Found:
    """What a section shows: the first rows, and how many there are in all."""

    total: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)


def counted(look: Look, query: Any, most: int) -> tuple[int, list[Any]]:
    """Return how many rows a query has, and the first of them, in one statement; the count is their last column.

    Args:
        query: a select of rows, ordered.
    """
    rows = list(look.session.execute(query.add_columns(func.count().over()).limit(most)))
    return (int(rows[0][-1]) if rows else 0), rows


def row(kind: str, row_id: str, title: str, line: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Return one row of a section.

    Args:
        kind: the noun that a tap opens.
        at: by what it is ordered, or when it is due.
        more: ``source`` and ``further``, of news.
    """
    shown = {"kind": kind, "id": row_id, "title": _cut(title, _LONGEST_TITLE), "line": _cut(line, _LONGEST_LINE), "at": at}
    return shown | more


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def side(words: Mapping[str, tuple[str, str]], code: str, locale: str) -> str:
    """Return the words of a code in a language; the code itself where there are none."""
    found = words.get(code)
    return code if found is None else found[0 if locale == EN else 1]
