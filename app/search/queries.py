"""Finding: by whole terms first, then by their beginnings, in each kind only what the caller may see.

Each step is a range of the terms' key, read in its order and ended as soon as enough was found.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.core.db import among, run_text
from app.core.errors import FieldsInvalid
from app.search.models import SearchRow, SearchTerm
from app.search.searchables import Searchable
from app.search.terms import LONGEST_TERM, Text, Tier, joined, terms_of, units_of
from app.users.rights import Actor

MOST_FOUND = 500
_MOST_WORDS = 5
_PHONE = re.compile(r"[+\d][\d\s().-]{3,}")
_LETTERS = re.compile(r"[a-z ]+")
_PAGE = 100
_LAST_SIGN = "\U0010ffff"
_STARTS = (Tier.NAME_START, Tier.OTHER_START)


@dataclass(frozen=True)
class Hit:
    """A row that was found. ``place``: whole, start or inside; ``matched``: the field, and its text."""

    kind: str
    row: Any
    place: str
    matched: Text


@dataclass(frozen=True)
class _Found:
    kind: str
    row_id: str
    place: str
    term: str
    field: str


def probes_of(asked: str) -> list[tuple[str, ...]]:
    """Return what is looked for, one way after the other: each a tuple of beginnings that all must be met.

    Raises:
        FieldsInvalid: ``too_short`` for less than one Chinese character or two other signs, ``too_many`` beyond 5 words.
    """
    phrase = joined(units_of(asked))
    words = [word for word in (joined(units_of(piece)) for piece in asked.split()) if word]
    if len(words) > _MOST_WORDS:
        raise FieldsInvalid({"q": ["too_many"]})
    if len(phrase) < 2 and not re.search("[㐀-鿿]", phrase):
        raise FieldsInvalid({"q": ["too_short"]})
    found: list[tuple[str, ...]] = [(phrase,)]
    if _PHONE.fullmatch(asked.strip()):
        found.append(("".join(sign for sign in asked if sign.isdigit()),))
    elif len(words) > 1:
        if _LETTERS.fullmatch(phrase):
            found.append((phrase.replace(" ", ""),))  # pinyin is written with blanks or without
        found.append(tuple(words))
    return list(dict.fromkeys(tuple(word[:LONGEST_TERM].rstrip() for word in probe) for probe in found))


def find(session: Session, actor: Actor, asked: str, kinds: Sequence[Searchable], most: int) -> list[Hit]:
    """Return the best rows, the best first, at most ``most``.

    Args:
        asked: what somebody typed.
        kinds: what may be found; the first kinds come first among equals.
    """
    found: dict[tuple[str, str], _Found] = {}
    for hit in _in_order(session, actor, probes_of(asked), kinds):
        found.setdefault((hit.kind, hit.row_id), hit)
        if len(found) == most:
            break
    return _loaded(session, list(found.values()), kinds)


def _in_order(session: Session, actor: Actor, probes: Sequence[tuple[str, ...]], kinds: Sequence[Searchable]) -> Iterator[_Found]:
    hidden = {kind.kind: frozenset(kind.hides(session, actor)) for kind in kinds}
    met = {probe: _met(session, _lead(probe), kinds) for probe in probes}
    steps: list[tuple[Tier, str, tuple[str, ...]]]
    steps = [(tier, "whole", probe) for probe in probes if len(probe) == 1 for tier in _STARTS]
    steps += [(tier, "start" if tier in _STARTS else "inside", probe) for tier in Tier for probe in probes]
    for tier, place, probe in steps:
        for kind in kinds:
            if (kind.kind, tier) in met[probe]:
                yield from _scan(session, actor, kind, tier, probe, place, hidden[kind.kind])


def _lead(probe: Sequence[str]) -> str:
    """Return the word that leads a search: the longest one."""
    return max(probe, key=len)


def _met(session: Session, word: str, kinds: Sequence[Searchable]) -> set[tuple[str, Tier]]:
    """Return in which kinds and tiers any term begins with a word, whoever may see it: most steps find nothing at all."""
    places = [(kind.kind, tier) for kind in kinds for tier in Tier]
    if not places:
        return set()
    given: dict[str, Any] = {f"k{i}": kind for i, (kind, _) in enumerate(places)} | {
        f"t{i}": int(t) for i, (_, t) in enumerate(places)
    }
    rows = run_text(session.connection(), _any_of(len(places)), **given, word=word, last=word + _LAST_SIGN)
    return {places[number] for (number,) in rows}


@lru_cache(maxsize=50)
def _any_of(count: int) -> str:
    one = (
        "SELECT * FROM (SELECT {0} AS n FROM search_terms"
        " WHERE kind = :k{0} AND tier = :t{0} AND term >= :word AND term < :last LIMIT 1) s{0}"
    )
    return " UNION ALL ".join(one.format(i) for i in range(count))


def _scan(
    session: Session, actor: Actor, kind: Searchable, tier: Tier, probe: tuple[str, ...], place: str, hidden: Collection[str]
) -> Iterator[_Found]:
    """Yield the rows of one step, page by page."""
    query = statement(actor, kind, tier, probe, whole=place == "whole", hidden=hidden).limit(_PAGE)
    after: tuple[str, int] | None = None
    while True:
        page = query if after is None else query.where(tuple_(SearchTerm.term, SearchTerm.row_no) > after)
        rows = session.execute(page).all()
        yield from (_Found(kind.kind, row_id, place, term, field) for term, _, field, row_id in rows)
        if len(rows) < _PAGE:
            return
        after = (rows[-1].term, rows[-1].row_no)


def statement(
    actor: Actor, kind: Searchable, tier: Tier, probe: tuple[str, ...], *, whole: bool, hidden: Collection[str] = ()
) -> Select[str, int, str, str]:
    """Return the select of (term, row number, field, row id) of one step; the longest word leads, the others are looked up."""
    lead = _lead(probe)
    rest = [word for word in probe if word != lead]
    seen = kind.visible(actor).with_only_columns(kind.model.id).where(kind.model.id == SearchRow.row_id)
    query = (
        select(SearchTerm.term, SearchTerm.row_no, SearchTerm.field, SearchRow.row_id)
        .join(SearchRow, SearchRow.no == SearchTerm.row_no)
        .where(SearchTerm.kind == kind.kind, SearchTerm.tier == int(tier))
        .where(SearchTerm.term == lead if whole else _begins(SearchTerm.term, lead))
        .where(seen.correlate(SearchRow).exists())
        .order_by(SearchTerm.term, SearchTerm.row_no)
    )
    if hidden:
        query = query.where(SearchTerm.field.not_in(sorted(hidden)))
    for word in rest:
        other = aliased(SearchTerm)
        met = select(other.row_no).where(other.row_no == SearchTerm.row_no, _begins(other.term, word))
        query = query.where((met.where(other.field.not_in(sorted(hidden))) if hidden else met).exists())
    return query


def _begins(term: Any, word: str) -> ColumnElement[bool]:
    return and_(term >= word, term < word + _LAST_SIGN)


def _loaded(session: Session, found: Sequence[_Found], kinds: Sequence[Searchable]) -> list[Hit]:
    """Load what was found, and tell which text of it was met."""
    rows: dict[tuple[str, str], Any] = {}
    texts: dict[tuple[str, str], list[Text]] = {}
    for kind in kinds:
        ids = [one.row_id for one in found if one.kind == kind.kind]
        if not ids:
            continue
        for row in session.scalars(select(kind.model).where(among(session, kind.model.id, ids))):
            rows[kind.kind, row.id] = row
        texts |= {(kind.kind, row_id): told for row_id, told in kind.texts(session, ids).items()}
    hits = []
    for one in found:
        key = (one.kind, one.row_id)
        if key in rows and key in texts:
            hits.append(Hit(one.kind, rows[key], one.place, _text_met(texts[key], one)))
    return hits


def _text_met(texts: Sequence[Text], found: _Found) -> Text:
    same = [text for text in texts if text.field == found.field]
    if len(same) == 1:
        return same[0]
    met = [text for text in same if any(term.term == found.term for term in terms_of([text]))]
    return (met or same or list(texts))[0]
