"""Folding what became known of subjects: the states of all rules on one subject are one row, locked while they are folded."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.db import among, insert_into
from app.rules.detectors import DETECTORS, Folded, Reading, Removal, State, fold_new
from app.rules.detectors.levels import LevelSettings
from app.rules.parts import Severity
from app.rules.severity import grows_at
from iot import store
from iot.models import SubjectCheckpoint, SubjectState
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

    ``afresh``: everything was folded that is not settled, so the episodes are all there are since ``before_ms``.
    ``steps``: the episodes of each more severe level.
    """

    watched: Watched
    folded: Folded
    afresh: bool
    steps: tuple[tuple[Severity, Folded], ...]
    before_ms: int = 0


class RuleCheckpoint(msgspec.Struct, frozen=True):
    """The states of one rule and its steps. They hold for one version of the rule and one ``basis`` of its settings."""

    number: int
    basis: str
    states: tuple[State, ...]


class Checkpoint(msgspec.Struct, frozen=True):
    """What is settled of one subject. ``removals``: those that were folded, event time in ms."""

    removals: tuple[int, ...] = ()
    rules: dict[str, RuleCheckpoint] = {}

    def states_of(self, watched: Watched) -> tuple[State, ...]:
        """Return the states a rule's folds begin with; empty ones where it is another version than it was then."""
        n = 1 + len(watched.rule.document.steps(watched.subject.context))
        kept = self.rules.get(watched.rule.id)
        if kept is None or (kept.number, kept.basis, len(kept.states)) != (watched.rule.number, _basis(watched), n):
            return (State(),) * n
        return kept.states


_decoder = msgspec.json.Decoder(KeptFolds)
_encoder = msgspec.json.Encoder()
_checkpoint_decoder = msgspec.json.Decoder(Checkpoint)


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
        (before, before_ms), some = locked[subject_id], by_subject[subject_id]
        for one in some if before_ms else ():
            # Known only under the lock: what was taken in just before the horizon moved comes too late as well.
            one.new = [reading for reading in one.new if reading.at_ms >= before_ms]
        fittings, active = some[0].subject.fittings, {one.rule.id for one in some}
        after = {rule_id: fold for rule_id, fold in before.rules.items() if rule_id in active}
        same = before.fittings == fittings
        folded = [
            _fold(session, settings, one, before.rules.get(one.rule.id) if same else None, present_ms, before_ms)
            for one in some
            if one.new or not same or _is_due(before.rules.get(one.rule.id), present_ms)
        ]
        if not folded and len(after) == len(before.rules):
            continue
        for result in folded:
            rule, steps = result.watched.rule, [step for _, step in result.steps]
            grows_ms = grows_at(rule.document, result.folded.episodes, present_ms)
            due_ms = _first((grows_ms, *(fold.due_at_ms for fold in (result.folded, *steps))))
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
    """What is settled of a subject and all that is stored of it since, each read when it is first asked for."""

    __slots__ = ("_before_ms", "_checkpoint", "_found", "_one", "_session")

    def __init__(self, session: Session, one: Watched, before_ms: int) -> None:
        self._session, self._one, self._before_ms = session, one, before_ms
        self._checkpoint: Checkpoint | None = None
        self._found: list[Reading | Removal] | None = None

    def __call__(self) -> list[Reading | Removal]:
        if self._found is None:
            self._found = load_items(self._session, self._one, self._before_ms, settled=self.checkpoint.removals)
        return self._found

    @property
    def checkpoint(self) -> Checkpoint:
        if self._checkpoint is None:
            self._checkpoint = _checkpoint(self._session, self._one.subject.id, self._before_ms)
        return self._checkpoint


def _fold(session: Session, settings: _Settings, one: Watched, kept: KeptFold | None, present_ms: int, before_ms: int) -> Found:
    document = one.rule.document
    main, steps = settings.of(one)
    valid = kept is not None and kept.number == one.rule.number and not one.has_new_before_removal
    states = (kept.state, *kept.steps) if kept is not None and valid and len(kept.steps) == len(steps) else ()
    stored = _Stored(session, one, before_ms)

    def fold(settings: Any, i: int) -> tuple[Folded, bool]:
        state = states[i] if states else None
        begin = lambda: stored.checkpoint.states_of(one)[i]  # noqa: E731 - asked for only where everything is folded
        return fold_new(document.detector, settings, state, one.new, stored, present_ms, begin)

    folded, afresh = fold(main, 0)
    if afresh:
        states = ()
    severe = tuple((severity, *fold(step, i)) for i, (severity, step) in enumerate(steps, 1))
    if states and any(again for _, _, again in severe):
        # A level was taken to be reached and was not: how severe the alarm is, only all episodes together tell.
        states = ()
        folded, afresh = fold(main, 0)
        severe = tuple((severity, *fold(step, i)) for i, (severity, step) in enumerate(steps, 1))
    if afresh:
        folded = _with_settled(folded, stored.checkpoint.states_of(one)[0])
    return Found(one, folded, afresh, tuple((severity, found) for severity, found, _ in severe), before_ms)


def _with_settled(folded: Folded, start: State) -> Folded:
    """Return also the episode that had ended before the fold began, where it might have gone on and did not."""
    ended = start.closed
    if ended is None or any(episode.raised_at_ms == ended.raised_at_ms for episode in folded.episodes):
        return folded
    return folded._replace(episodes=(ended, *folded.episodes))


def _checkpoint(session: Session, subject_id: str, before_ms: int) -> Checkpoint:
    if not before_ms:
        return Checkpoint()
    kept = session.scalar(select(SubjectCheckpoint.folds).where(SubjectCheckpoint.subject_id == subject_id))
    return _checkpoint_decoder.decode(kept) if kept is not None else Checkpoint()


def _basis(watched: Watched) -> str:
    context = watched.subject.context
    return hashlib.sha256(repr((context.value_holds, sorted(context.limits.items()))).encode()).hexdigest()[:16]


def settle(session: Session, watched: Sequence[Watched], before_ms: int) -> int:
    """Fold what was measured up to an instant for the last time: from then on folds of these subjects begin there.

    Args:
        watched: of each subject, every rule that watches it.
        before_ms: event time; a subject that is settled up to there or further is left alone.

    Returns:
        How many subjects were settled. They stay locked until the commit.
    """
    by_subject: dict[str, list[Watched]] = defaultdict(list)
    for one in watched:
        by_subject[one.subject.id].append(one)
    locked = _lock(session, sorted(by_subject))
    behind = [subject_id for subject_id in sorted(by_subject) if locked[subject_id][1] < before_ms]
    for subject_id in behind:
        some, from_ms = by_subject[subject_id], locked[subject_id][1]
        kept = _checkpoint(session, subject_id, from_ms)
        ends = {window.until_ms for window in some[0].subject.windows if window.until_ms is not None}
        removals = tuple(sorted(end_ms for end_ms in ends if end_ms < before_ms))
        rules = {one.rule.id: _settled(session, one, kept, from_ms, before_ms) for one in some}
        insert = insert_into(session, SubjectCheckpoint).values(
            subject_id=subject_id, folds=_encoder.encode(Checkpoint(removals, rules)).decode()
        )
        session.execute(insert.on_conflict_do_update(index_elements=["subject_id"], set_={"folds": insert.excluded.folds}))
        session.execute(update(SubjectState).where(SubjectState.subject_id == subject_id).values(before_ms=before_ms))
    return len(behind)


def _settled(session: Session, one: Watched, kept: Checkpoint, from_ms: int, before_ms: int) -> RuleCheckpoint:
    document, context = one.rule.document, one.subject.context
    levels = [document.settings(context), *(step for _, step in document.steps(context))]
    items = load_items(session, one, from_ms, before_ms, kept.removals)
    fold = DETECTORS[document.detector]
    states = zip(kept.states_of(one), levels, strict=True)
    return RuleCheckpoint(
        one.rule.number, _basis(one), tuple(fold(state, items, level, before_ms - 1).state for state, level in states)
    )


def _lock(session: Session, subject_ids: Sequence[str]) -> dict[str, tuple[KeptFolds, int]]:
    """Return what is kept of subjects, and up to where they are settled, and lock that.

    Make the rows that are missing, then lock all of them; each in the order of ids.

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
    query = (
        select(SubjectState.subject_id, SubjectState.states, SubjectState.before_ms)
        .where(concerned)
        .order_by(SubjectState.subject_id)
    )
    rows = session.execute(query.with_for_update())
    return {subject_id: (_READ.read(subject_id, states), before_ms) for subject_id, states, before_ms in rows}


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
