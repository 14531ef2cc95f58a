"""Folding what became known of subjects: the states of all rules on one subject are one row, locked while they are folded."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import among, insert_into
from app.rules.detectors import Folded, Reading, Removal, State, fold_new
from app.rules.detectors.levels import LevelSettings
from app.rules.parts import Severity
from iot import store
from iot.models import SubjectState
from iot.subjects import Watched, load_items


class KeptFold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the last fold of one rule over one subject left. ``steps``: those of the rule's steps to more severity."""

    number: int
    state: State
    due_ms: int | None = None
    steps: tuple[State, ...] = ()


class KeptFolds(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is kept of one subject. ``fittings``: on what it was based; another one means fold afresh."""

    fittings: str = ""
    rules: dict[str, KeptFold] = {}


class Found(NamedTuple):
    """A subject under a rule as it is now.

    ``afresh``: everything was folded, so the episodes are all there are. ``steps``: the episodes of each more severe level.
    """

    watched: Watched
    folded: Folded
    afresh: bool
    steps: tuple[tuple[Severity, Folded], ...]


_decoder = msgspec.json.Decoder(KeptFolds)
_encoder = msgspec.json.Encoder()


def fold_all(session: Session, watched: Sequence[Watched], present_ms: int) -> list[Found]:
    """Fold what is new, or everything where it came late; keep what that leaves.

    Locks the subjects in the order of their ids, so that two writers on one subject follow each other. Of what has nothing
    new, only what was never folded, whose held values are due, or whose fittings are others than they were, is folded.
    """
    by_subject: dict[str, list[Watched]] = defaultdict(list)
    for one in watched:
        by_subject[one.subject.id].append(one)
    locked = _lock(session, sorted(by_subject))
    settings = _Settings()
    found: list[Found] = []
    kept: list[store.KeptStates] = []
    for subject_id in sorted(by_subject):
        before, some = locked[subject_id], by_subject[subject_id]
        fittings, active = some[0].subject.fittings, {one.rule.id for one in some}
        after = {rule_id: fold for rule_id, fold in before.rules.items() if rule_id in active}
        same = before.fittings == fittings
        folded = [
            _fold(session, settings, one, before.rules.get(one.rule.id) if same else None, present_ms)
            for one in some
            if one.new or not same or _is_due(before.rules.get(one.rule.id), present_ms)
        ]
        if not folded and len(after) == len(before.rules):
            continue
        for result in folded:
            rule, steps = result.watched.rule, [step for _, step in result.steps]
            due_ms = _first(fold.due_at_ms for fold in (result.folded, *steps))
            after[rule.id] = KeptFold(rule.number, result.folded.state, due_ms, tuple(step.state for step in steps))
        due_ms = _first(fold.due_ms for fold in after.values())
        folds = KeptFolds(fittings, after)
        text = _encoder.encode(folds).decode()
        _READ.keep(subject_id, text, folds)
        kept.append(store.KeptStates(subject_id, text, due_ms))
        found += folded
    if kept:
        store.keep_states(session, kept)
    return found


def _first(times_ms: Iterable[int | None]) -> int | None:
    return min((at_ms for at_ms in times_ms if at_ms is not None), default=None)


def _is_due(kept: KeptFold | None, present_ms: int) -> bool:
    return kept is None or (kept.due_ms is not None and kept.due_ms <= present_ms)


class _Settings:
    """The settings of rules, made once for all subjects with the same levels."""

    def __init__(self) -> None:
        self._made: dict[Any, tuple[Any, tuple[tuple[Severity, LevelSettings], ...]]] = {}

    def of(self, one: Watched) -> tuple[Any, tuple[tuple[Severity, LevelSettings], ...]]:
        document, context = one.rule.document, one.subject.context
        key = (one.rule.id, context.value_holds, tuple(sorted(context.limits.items())))
        if key not in self._made:
            self._made[key] = document.settings(context), document.steps(context)
        return self._made[key]


class _Stored:
    """All that is stored of a subject, read when it is first asked for."""

    __slots__ = ("_found", "_one", "_session")

    def __init__(self, session: Session, one: Watched) -> None:
        self._session, self._one = session, one
        self._found: list[Reading | Removal] | None = None

    def __call__(self) -> list[Reading | Removal]:
        if self._found is None:
            self._found = load_items(self._session, self._one)
        return self._found


def _fold(session: Session, settings: _Settings, one: Watched, kept: KeptFold | None, present_ms: int) -> Found:
    document = one.rule.document
    main, steps = settings.of(one)
    valid = kept is not None and kept.number == one.rule.number and not one.has_new_before_removal
    states = (kept.state, *kept.steps) if kept is not None and valid and len(kept.steps) == len(steps) else ()
    load = _Stored(session, one)

    def fold(settings: Any, i: int) -> tuple[Folded, bool]:
        return fold_new(document.detector, settings, states[i] if states else None, one.new, load, present_ms)

    folded, afresh = fold(main, 0)
    if afresh:
        states = ()
    severe = tuple((severity, fold(step, i)[0]) for i, (severity, step) in enumerate(steps, 1))
    return Found(one, folded, afresh, severe)


def _lock(session: Session, subject_ids: Sequence[str]) -> dict[str, KeptFolds]:
    """Make the rows that are missing, then lock all of them; each in the order of ids.

    Never lock before all are there: whoever held a later one while waiting for the insert of an earlier one would
    meet a writer that takes them in order, and both would wait for ever.
    """
    concerned = among(session, SubjectState.subject_id, subject_ids)
    there = set(session.scalars(select(SubjectState.subject_id).where(concerned)))
    missing = [subject_id for subject_id in subject_ids if subject_id not in there]
    if missing:
        session.execute(
            insert_into(session, SubjectState).on_conflict_do_nothing(),
            [{"subject_id": subject_id, "states": "{}"} for subject_id in missing],
        )
    query = select(SubjectState.subject_id, SubjectState.states).where(concerned).order_by(SubjectState.subject_id)
    return {subject_id: _READ.read(subject_id, states) for subject_id, states in session.execute(query.with_for_update())}


class _Read:
    """The states this process wrote last, so that it need not read its own words; whoever else wrote since wrote others."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._known: OrderedDict[str, tuple[str, KeptFolds]] = OrderedDict()

    def read(self, subject_id: str, text: str) -> KeptFolds:
        known = self._known.get(subject_id)
        if known is not None and known[0] == text:
            return known[1]
        return _decoder.decode(text)

    def keep(self, subject_id: str, text: str, folds: KeptFolds) -> None:
        with self._lock:  # writers may be threads
            self._known[subject_id] = (text, folds)
            self._known.move_to_end(subject_id)
            if len(self._known) > self._most:
                self._known.popitem(last=False)


_READ = _Read(5_000)
