"""Folding what became known of subjects: the states of all rules on one subject are one row, locked while they are folded."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.db import among, insert_into
from app.rules.detectors import DETECTORS, Folded, Item, State, fold_new
from app.rules.parts import Severity
from app.rules.queries import ActiveRule
from app.rules.severity import grows_at
from iot import store
from iot.models import SubjectCheckpoint, SubjectState
from iot.plans import Message, Plan, Plans
from iot.subjects import News, Settled, Watched, load_items


class KeptFold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the last fold of one rule over one subject left, where something is under way.

    ``steps``: those of the rule's steps to more severity. ``own``: its memory is not the one all share.
    """

    number: int
    state: State
    due_ms: int | None = None
    steps: tuple[State, ...] = ()
    own: bool = False


class KeptFolds(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is kept of one subject.

    Attributes:
        fittings: on what it was based; another one means fold afresh.
        known: which versions of rules were folded, see ``Plan``; those that are not among ``rules`` are quiet.
        last: the newest message that was folded, by metric.
        memories: what the shapes of rules remember, by key.
        rules: those of which something is under way, by id.
    """

    fittings: str = ""
    known: str = ""
    last: dict[str, Message] = {}
    memories: dict[str, Any] = {}
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
    """What is settled of one subject. ``removals``, ``departures`` by device: those that were folded, event time in ms."""

    removals: tuple[int, ...] = ()
    departures: tuple[tuple[str, int], ...] = ()
    rules: dict[str, RuleCheckpoint] = {}

    @property
    def settled(self) -> Settled:
        """What need not be folded again."""
        return Settled(self.removals, self.departures)

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


def fold_all(session: Session, news: Sequence[News], present_ms: int) -> list[Found]:
    """Fold what is new, or everything where it came late; keep what that leaves.

    Locks the subjects in the order of their ids, so that two writers on one subject follow each other. Folded is what wakes
    a rule (see ``plans``), what is under way, what was never folded, what is due, and everything where fittings changed.
    """
    ordered = sorted(news, key=lambda one: one.subject.id)
    locked = _lock(session, [one.subject.id for one in ordered])
    versions: dict[int, tuple[tuple[str, int], ...]] = {}
    found: list[Found] = []
    kept: list[store.KeptStates] = []
    for one in ordered:
        if id(one.rules) not in versions:
            versions[id(one.rules)] = tuple((rule.id, rule.number) for rule in one.rules)
        plan = _PLANS.of(one.rules, versions[id(one.rules)], one.subject.context)
        before, before_ms = locked[one.subject.id]
        if before_ms:
            # Known only under the lock: what was taken in just before the horizon moved comes too late as well.
            new = {metric: [reading for reading in some if reading.at_ms >= before_ms] for metric, some in one.new.items()}
            one.new = {metric: some for metric, some in new.items() if some}
        folding = _Folding(session, plan, one, before, before_ms, present_ms)
        found += folding.run()
        after = folding.after()
        if after == before:
            continue
        text = _encoder.encode(after).decode()
        _READ.keep(one.subject.id, text, after)
        kept.append(store.KeptStates(one.subject.id, text, _first(fold.due_ms for fold in after.rules.values())))
    if kept:
        store.keep_states(session, kept)
    return found


def _first(times_ms: Iterable[int | None]) -> int | None:
    return min((at_ms for at_ms in times_ms if at_ms is not None), default=None)


class _Folding:
    """One subject while it is folded under all its rules."""

    def __init__(self, session: Session, plan: Plan, news: News, before: KeptFolds, before_ms: int, present_ms: int) -> None:
        self._session, self._plan, self._news = session, plan, news
        self._before_ms, self._present_ms = before_ms, present_ms
        self._fittings = news.subject.fittings
        self._before = before if before.fittings == self._fittings else KeptFolds()
        self._known = plan.known_in(self._before.known)
        self._rules = {rule_id: kept for rule_id, kept in self._before.rules.items() if rule_id in self._known}
        self._last = dict(self._before.last)
        self._memories: dict[str, Any] = {}
        self._stored = _Stored(session, news.subject.id, before_ms)

    def run(self) -> list[Found]:
        """Fold what must be folded; return that."""
        new, plan, before = self._news.new, self._plan, self._before
        looked = plan.look(new, before.last, before.memories, self._known, self._news.subject.removed_ms)
        self._memories = looked.memories
        for metric, readings in new.items():
            self._heard(metric, readings[-1][:2])
        under_way = {
            rule_id
            for rule_id, kept in self._rules.items()
            if (kept.due_ms is not None and kept.due_ms <= self._present_ms)
            or any(metric in new for metric in plan.rules[rule_id].document.metrics)
        }
        return [
            self._fold(rule, rule_id in looked.late)
            for rule_id, rule in plan.rules.items()
            if rule_id in looked.awake or rule_id in under_way or rule_id not in self._known
        ]

    def after(self) -> KeptFolds:
        """Return what is to be kept."""
        return KeptFolds(self._fittings, self._plan.known, self._last, self._memories, self._rules)

    def _heard(self, metric: str, message: Message) -> None:
        if metric not in self._last or message > self._last[metric]:
            self._last[metric] = message

    def _fold(self, rule: ActiveRule, late: bool) -> Found:
        watched, (main, steps) = self._news.under(rule), self._plan.settings[rule.id]
        states = () if late or rule.id not in self._known else self._states(rule.id, len(steps))
        stored, load = self._stored, partial(self._stored.read_by, watched)

        def fold(settings: Any, i: int) -> tuple[Folded, bool]:
            state = states[i] if states else None
            begin = lambda: stored.checkpoint.states_of(watched)[i]  # noqa: E731 - asked for only where everything is folded
            return fold_new(rule.document.detector, settings, state, watched.new, load, self._present_ms, begin)

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
            folded = _with_settled(folded, stored.checkpoint.states_of(watched)[0])
            if folded.state.last is not None:
                for metric in rule.document.metrics:
                    self._heard(metric, folded.state.last[:2])
        self._keep(rule, folded, [step for _, step, _ in severe], afresh)
        return Found(watched, folded, afresh, tuple((severity, step) for severity, step, _ in severe), self._before_ms)

    def _states(self, rule_id: str, steps: int) -> tuple[State, ...]:
        """Return the states a known rule was left in."""
        kept = self._rules.get(rule_id)
        if kept is not None and kept.own:
            return (kept.state, *kept.steps)
        states = (kept.state, *kept.steps) if kept is not None else (State(),) * (1 + steps)
        key = self._plan.key_of.get(rule_id)
        if key is None:
            return states
        memory = self._before.memories.get(key)
        return tuple(msgspec.structs.replace(state, memory=memory) for state in states)

    def _keep(self, rule: ActiveRule, folded: Folded, steps: Sequence[Folded], afresh: bool) -> None:
        """Keep what is under way; a memory with all others, unless it is another one than theirs."""
        states, own = [folded.state, *(step.state for step in steps)], False
        key = self._plan.key_of.get(rule.id)
        if key is not None:
            memory = folded.state.memory
            if afresh and key not in self._memories and memory is not None:
                self._memories[key] = memory
            own = memory is not None and self._memories.get(key) != memory
            if not own:
                states = [msgspec.structs.replace(state, memory=None) for state in states]
        if own or not all(_is_quiet(state) for state in states):
            grows_ms = grows_at(rule.document, folded.episodes, self._present_ms)
            due_ms = _first((grows_ms, *(fold.due_at_ms for fold in (folded, *steps))))
            self._rules[rule.id] = KeptFold(rule.number, states[0], due_ms, tuple(states[1:]), own)
        else:
            self._rules.pop(rule.id, None)


def _is_quiet(state: State) -> bool:
    return not state.run and state.open is None and state.closed is None and not state.assumed_ms


class _Stored:
    """What is settled of a subject and all that is stored of it since, each read when it is first asked for."""

    __slots__ = ("_before_ms", "_checkpoint", "_found", "_session", "_subject_id")

    def __init__(self, session: Session, subject_id: str, before_ms: int) -> None:
        self._session, self._subject_id, self._before_ms = session, subject_id, before_ms
        self._checkpoint: Checkpoint | None = None
        self._found: dict[tuple[str, ...], list[Item]] = {}

    def read_by(self, one: Watched) -> list[Item]:
        """Return what a rule reads; rules that read the same share it."""
        metrics = one.rule.document.metrics
        if metrics not in self._found:
            self._found[metrics] = load_items(self._session, one, self._before_ms, settled=self.checkpoint.settled)
        return self._found[metrics]

    @property
    def checkpoint(self) -> Checkpoint:
        if self._checkpoint is None:
            self._checkpoint = _checkpoint(self._session, self._subject_id, self._before_ms)
        return self._checkpoint


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


def settle(session: Session, news: Sequence[News], before_ms: int) -> int:
    """Fold what was measured up to an instant for the last time: from then on folds of these subjects begin there.

    Args:
        news: subjects with every rule that watches them.
        before_ms: event time; a subject that is settled up to there or further is left alone.

    Returns:
        How many subjects were settled. They stay locked until the commit.
    """
    ordered = sorted(news, key=lambda one: one.subject.id)
    locked = _lock(session, [one.subject.id for one in ordered])
    behind = [one for one in ordered if locked[one.subject.id][1] < before_ms]
    for one in behind:
        subject, from_ms = one.subject, locked[one.subject.id][1]
        kept = _checkpoint(session, subject.id, from_ms)
        ends = {window.until_ms for window in subject.windows if window.until_ms is not None}
        removals = tuple(sorted(end_ms for end_ms in ends if end_ms < before_ms))
        left = {(stay.device_id, stay.until_ms) for stay in subject.stays if stay.until_ms is not None}
        departures = tuple(sorted((device_id, end_ms) for device_id, end_ms in left if end_ms < before_ms))
        rules = {rule.id: _settled(session, Watched(rule, subject), kept, from_ms, before_ms) for rule in one.rules}
        insert = insert_into(session, SubjectCheckpoint).values(
            subject_id=subject.id, folds=_encoder.encode(Checkpoint(removals, departures, rules)).decode()
        )
        session.execute(insert.on_conflict_do_update(index_elements=["subject_id"], set_={"folds": insert.excluded.folds}))
        session.execute(update(SubjectState).where(SubjectState.subject_id == subject.id).values(before_ms=before_ms))
    return len(behind)


def _settled(session: Session, one: Watched, kept: Checkpoint, from_ms: int, before_ms: int) -> RuleCheckpoint:
    document, context = one.rule.document, one.subject.context
    levels = [document.settings(context), *(step for _, step in document.steps(context))]
    items = load_items(session, one, from_ms, before_ms, kept.settled)
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
_PLANS = Plans()
