"""The only reader of suggestions: the values of a field in the rows that changed last, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from app.core.db import among, now
from app.core.scopes import ScopeEntry
from app.leads.masking import masked
from app.search.spelling import fold
from app.suggestions.beginnings import begins
from app.suggestions.fields import Source, read_through, source_of
from app.users.rights import Actor

MOST_SHOWN = 10
LONGEST = 100
# Rows that are looked at: of the table for the office, of each of one's scopes for a rep.
LOOKED_AT = 2_000
# Entries of all kinds of rows that are gone through for them, of each scope.
_GONE_THROUGH = 10_000
# A use weighs so much on its day, and half of what it weighed 30 days before.
_WEIGHT, _HALVES_AFTER = 1 << 20, timedelta(days=30)


@dataclass
class _Value:
    """A value in all its spellings: who used it, how much that weighs, and how often it was spelt how."""

    here: bool = False
    own: bool = False
    own_weight: int = 0
    weight: int = 0
    last: datetime | None = None
    spelt: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def add(self, text: str, weight: int, at: datetime, *, own: bool, here: bool) -> None:
        """Count one use."""
        self.here, self.own = self.here or here, self.own or own
        self.own_weight += weight if own else 0
        self.weight += weight
        self.last = at if self.last is None else max(self.last, at)
        times, newest = self.spelt.get(text, (0, at))
        self.spelt[text] = (times + 1, max(newest, at))

    @property
    def text(self) -> str:
        """Its most used spelling; of several the newest."""
        return max(self.spelt, key=lambda one: (*self.spelt[one], one))


def suggestions(session: Session, actor: Actor, name: str, typed: str, customer_id: str | None) -> list[dict[str, Any]]:
    """Return at most 10 values of a field that begin with what was typed, the likeliest first.

    First what was entered for the customer, then one's own values, then those of others; within each what weighs most: each use
    weighs half as much for every 30 days since its row last changed. Then the newest, then by their letters.

    Returns:
        Each with ``value``, ``label`` (of a code, in the reader's language) and ``own``.

    Raises:
        FieldsInvalid: ``not_one_of`` (field).
    """
    source, labels = source_of(session, actor, name)
    present = now(session)
    values: dict[str, _Value] = {}
    for text, mine, customer, at in _uses(session, actor, source):
        weight = _WEIGHT >> min(max(present - at, timedelta()) // _HALVES_AFTER, 20)
        here = customer_id is not None and customer == customer_id
        values.setdefault(fold(text), _Value()).add(text, weight, at, own=mine == actor.id, here=here)
    ranked = sorted(values.items(), key=lambda one: one[0])
    ranked.sort(key=lambda one: (one[1].here, one[1].own, one[1].own_weight or one[1].weight, one[1].last), reverse=True)
    fitting = _fitting(((one.text, one.own) for _, one in ranked), typed, labels, typed_in=source.typed)
    return [dict(one) for one, _ in zip(fitting, range(MOST_SHOWN), strict=False)]


def _fitting(
    ranked: Iterable[tuple[str, bool]], typed: str, labels: dict[str, str] | None, *, typed_in: bool
) -> Iterator[dict[str, Any]]:
    """Yield the values that begin with what was typed, or whose labels do."""
    for text, own in ranked:
        label = labels.get(text) if labels is not None else None
        if labels is not None and label is None:  # a code that is none any more
            continue
        if not (begins(text, typed) or (label is not None and begins(label, typed))):
            continue
        if typed_in and labels is None and masked(text) != text:
            continue
        yield {"value": text, "label": label, "own": own}


def _uses(session: Session, actor: Actor, source: Source) -> Iterator[tuple[str, str | None, str | None, datetime]]:
    """Yield each use of a value that may be told: of one line, not longer than 100 characters."""
    model = source.model
    found = read_through(source, actor)
    if actor.sees_all:
        found = found.order_by(model.change_no.desc()).limit(LOOKED_AT)
    else:
        found = found.where(among(session, model.id, _in_scopes(session, actor, model.__tablename__)))
    for value, mine, customer_id, at in session.execute(found):
        text = value.get(source.key) if source.key is not None else value
        if isinstance(text, str) and 0 < len(text.strip()) <= LONGEST and "\n" not in text.strip():
            yield text.strip(), mine, customer_id, at


def _in_scopes(session: Session, actor: Actor, collection: str) -> list[str]:
    """Return the rows of a collection that changed last in the scopes of a rep; which of them they may see is asked after."""
    each = []
    for scope in (f"owner:{actor.id}", f"user:{actor.id}", *(f"territory:{one}" for one in sorted(actor.territory_ids))):
        newest = select(ScopeEntry).where(ScopeEntry.scope == scope).order_by(ScopeEntry.change_no.desc())
        entries = newest.limit(_GONE_THROUGH).subquery().c
        rows = select(entries.row_id).where(entries.collection == collection, entries.gone.is_(False))
        each.append(select(rows.order_by(entries.change_no.desc()).limit(LOOKED_AT).subquery().c.row_id))
    return sorted(set(session.scalars(union_all(*each))))
