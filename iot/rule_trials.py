"""What a rule would have raised: the same folds over stored readings, nothing written and nobody told.

A draft is a rule that is switched off, or a document that was not even saved. Asked again and again while data arrives, this
is its dry run: what is folded is what the ingest stores, so the answer is what the rule would have raised by now.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import islice
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.models import Asset, Component, Fitting
from app.core.clock import to_ms
from app.core.errors import TooMany
from app.rules.closing import closed_at, latched, state_of
from app.rules.detectors import DETECTORS, Episode, Item, Reading, State
from app.rules.documents import Document
from app.rules.parts import Severity
from app.rules.queries import ActiveRule
from app.rules.severity import grown, reached, worst
from iot.closings import closings_of
from iot.subjects import Watched, load_items_of_many, watched_in

_PAGE = 200
_MOST_RAISED = 20_000
_AT_ONCE = 50_000
_MOST_AT_ONCE = 4 * _AT_ONCE


class Raised(NamedTuple):
    """An episode that a rule would have raised."""

    subject_kind: str
    subject_id: str
    asset_id: str
    episode: Episode
    severity: Severity
    state: str
    closed_ms: int | None


_TURN = threading.Lock()


@contextmanager
def taking_turns() -> Iterator[None]:
    """Let one trial run at a time in this process: each keeps a processor and one of its few threads busy for seconds.

    Raises:
        TooMany: ``trial_running`` while another one runs; nobody waits, for who waits holds a thread, too.
    """
    if not _TURN.acquire(blocking=False):
        raise TooMany("trial_running", retry_after_s=5)
    try:
        yield
    finally:
        _TURN.release()


@dataclass
class Trial:
    """What was found.

    Attributes:
        raised: by subject, then by time.
        subjects, readings: how many were looked at.
        following: the subject to go on after; None: all were looked at.
    """

    raised: list[Raised]
    subjects: int = 0
    readings: int = 0
    following: str | None = None


def try_out(
    session: Session,
    document: Document,
    time_zone: tzinfo,
    *,
    since: datetime,
    until: datetime,
    after: str = "",
    most_readings: int = 1_000_000,
    rule_id: str = "",
) -> Trial:
    """Fold all stored readings that a rule would have seen, subject by subject.

    Args:
        document: of any detector but silence.
        since: only episodes that rose from here on, or were open here, are told; what came before is folded all the same.
        until: the end, as if it were the present.
        after: go on after this subject.
        most_readings: stop after the subject at which so many were read; the rest is told by another call.
        rule_id: of the rule whose document it is, if it is one's; what people closed of it counts as closed.
    """
    trial = Trial([])
    rule = ActiveRule(rule_id, "", 1, since, document)
    since_ms, until_ms = to_ms(since), to_ms(until)
    for watched, items in _with_items(session, _subjects(session, rule, time_zone, after), until_ms):
        context, fold = watched.subject.context, DETECTORS[document.detector]
        folded = fold(State(), items, document.settings(context), until_ms)
        steps = [(severity, fold(State(), items, step, until_ms)) for severity, step in document.steps(context)]
        trial.subjects += 1
        trial.readings += sum(isinstance(item, Reading) for item in items)
        subject = watched.subject
        closings = closings_of(session, [subject.id])[rule_id, subject.id] if rule_id and folded.episodes else []
        for episode in latched(folded.episodes, closings) if document.latch else folded.episodes:
            closed_ms = closed_at(document, episode, closings)
            state = state_of(document, episode, closed_ms)
            if state == "raised" or episode.cleared_at_ms is None or episode.cleared_at_ms >= since_ms:
                asset_id = subject.asset_at(episode.raised_at_ms)
                severity = worst([reached(document, episode, folded.episodes, steps), grown(document, episode, until_ms)])
                trial.raised.append(Raised(subject.kind, subject.id, asset_id, episode, severity, state, closed_ms))
        if trial.readings >= most_readings or len(trial.raised) >= _MOST_RAISED:
            trial.following = subject.id
            break
    return trial


def _with_items(session: Session, subjects: Iterator[Watched], until_ms: int) -> Iterator[tuple[Watched, list[Item]]]:
    """Yield subjects with what is to be folded, asking for as many at once as are about ``_AT_ONCE`` readings together.

    How many those are is guessed by the subjects before them; of a guess that was far out no more than ``_MOST_AT_ONCE`` are
    read, and fewer are asked for. Only one subject alone may have more.
    """
    many = 1
    waiting: list[Watched] = []
    while True:
        waiting += islice(subjects, max(0, many - len(waiting)))
        if not waiting:
            return
        some = waiting[:many]
        found = load_items_of_many(session, some, until_ms, _MOST_AT_ONCE if len(some) > 1 else None)
        if found is None:
            many = max(1, len(some) // 4)
            continue
        yield from zip(some, found, strict=True)
        del waiting[: len(some)]
        each = sum(map(len, found)) / len(some)
        many = min(_PAGE, many * 4, max(1, int(_AT_ONCE / max(each, 1))))


def _subjects(session: Session, rule: ActiveRule, time_zone: tzinfo, after: str) -> Iterator[Watched]:
    """Yield what a rule watches, by id."""
    part = rule.document.component
    model = Component if part else Asset
    while True:
        query = select(model.id).where(model.id > after, model.deleted_at.is_(None)).order_by(model.id).limit(_PAGE)
        ids = session.scalars(query.where(Component.kind == part) if part else query).all()
        if not ids:
            return
        wanted = set(ids)
        watched = watched_in(session, [rule], _assets_of(session, ids) if part else ids, time_zone)
        yield from sorted((one.under(rule) for one in watched if one.subject.id in wanted), key=lambda one: one.subject.id)
        after = ids[-1]


def _assets_of(session: Session, component_ids: Sequence[str]) -> list[str]:
    fitted = select(Fitting.asset_id).where(Fitting.component_id.in_(component_ids)).distinct()
    return sorted(session.scalars(fitted))
