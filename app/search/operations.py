"""Keeping the terms: with every write where few rows are written, by the worker where many are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import delete, insert, literal, select, true, update
from sqlalchemy.orm import Session

from app.core.db import among, insert_many
from app.search.models import SearchRow, SearchTerm
from app.search.searchables import SEARCHABLES
from app.search.terms import Text, terms_of

# So many rows are kept with the write itself, and so many at one run of the job.
AT_ONCE = 200
AT_A_RUN = 500
_VERSION = 3  # of what terms are made of texts: another one makes every digest another


def rekey(session: Session, kind: str, texts: Mapping[str, Sequence[Text]]) -> None:
    """Keep the terms of some rows of a kind; of more than 200 the worker does it within seconds.

    Args:
        texts: by id of the row, in the order of importance; nothing for a row that is gone.
    """
    if len(texts) > AT_ONCE:
        note_stale(session, kind, texts)
        return
    kept = _kept(session, kind, texts)
    _forget(session, [kept[row_id][0] for row_id, told in texts.items() if not told and row_id in kept])
    digests = {row_id: _digest(told) for row_id, told in texts.items() if told}
    changed = sorted(row_id for row_id, digest in digests.items() if kept.get(row_id, (0, ""))[1] != digest)
    rows = [{"kind": kind, "row_id": row_id, "digest": digests[row_id], "stale": False} for row_id in changed]
    insert_many(session, SearchRow, rows, replacing=("kind", "row_id"))
    if known := [kept[row_id][0] for row_id in changed if row_id in kept]:
        session.execute(delete(SearchTerm).where(among(session, SearchTerm.row_no, known)))
    numbers = _kept(session, kind, changed)
    terms = [
        {"kind": kind, "tier": int(term.tier), "term": term.term, "row_no": numbers[row_id][0], "field": term.field}
        for row_id in changed
        for term in terms_of(texts[row_id])
    ]
    insert_many(session, SearchTerm, terms, replacing=("kind", "tier", "term", "row_no", "field"))


def note_stale(session: Session, kind: str, ids: Collection[str]) -> None:
    """Let the worker make the terms of some rows anew."""
    rows = [{"kind": kind, "row_id": row_id, "digest": "", "stale": True} for row_id in sorted(ids)]
    insert_many(session, SearchRow, rows, replacing=("kind", "row_id"))


def _kept(session: Session, kind: str, ids: Collection[str]) -> dict[str, tuple[int, str]]:
    if not ids:
        return {}
    found = select(SearchRow.row_id, SearchRow.no, SearchRow.digest).where(
        SearchRow.kind == kind, among(session, SearchRow.row_id, sorted(ids))
    )
    return {row_id: (number, digest) for row_id, number, digest in session.execute(found)}


def _forget(session: Session, numbers: Sequence[int]) -> None:
    if numbers:
        session.execute(delete(SearchTerm).where(among(session, SearchTerm.row_no, numbers)))
        session.execute(delete(SearchRow).where(among(session, SearchRow.no, numbers)))


def _digest(texts: Sequence[Text]) -> str:
    told = json.dumps([_VERSION, *texts], ensure_ascii=False)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def keep_stale(session: Session) -> int:
    """Make the terms of rows that wait for it, at most 500; return how many they were."""
    waiting = session.execute(
        select(SearchRow.kind, SearchRow.row_id)
        .where(SearchRow.stale)
        .order_by(SearchRow.no)
        .limit(AT_A_RUN)
        .with_for_update(skip_locked=True)
    ).all()
    for kind in sorted({kind for kind, _ in waiting}):
        ids = [row_id for found, row_id in waiting if found == kind]
        texts = SEARCHABLES[kind].texts(session, ids) if kind in SEARCHABLES else {}
        for start in range(0, len(ids), AT_ONCE):
            rekey(session, kind, {row_id: texts.get(row_id, ()) for row_id in ids[start : start + AT_ONCE]})
    return len(waiting)


def rebuild(session: Session) -> int:
    """Let the worker make every term anew; return how many rows wait for it."""
    for kind, searchable in SEARCHABLES.items():
        model = searchable.model
        known = select(SearchRow.row_id).where(SearchRow.kind == kind)
        missing = select(literal(kind), model.id, literal(""), true()).where(model.deleted_at.is_(None), model.id.not_in(known))
        session.execute(insert(SearchRow).from_select(["kind", "row_id", "digest", "stale"], missing))
    marked = session.execute(update(SearchRow).values(digest="", stale=True))
    return int(marked.rowcount)  # type: ignore[attr-defined]
