"""The first assumption: alarms are a function of the set of readings, whatever the order of arrival."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.detectors import DETECTORS, Reading, Removal, State, fold_new
from app.rules.detectors.episodes import Episode, Keep, KnownAlarm, Raise, Withdraw, reconcile, should_act
from app.rules.detectors.levels import Level, LevelSettings
from app.rules.detectors.silence import SilenceSettings

DAY = 86_400_000
BATTERY = LevelSettings(Level("below", 75.0, 3, DAY), Level("at_least", 78.0, 3, DAY))
HELD = LevelSettings(Level("below", 75.0, 3, DAY), Level("at_least", 78.0, 3, DAY), value_holds=True)
HOT = LevelSettings(Level("above", 60.0, 2, 0), Level("at_most", 55.0, 1, 0))


class Subject:
    """What the ingest keeps of one component: readings, the last state, alarms on record."""

    def __init__(self, kind: str, rule: object) -> None:
        self.kind, self.rule = kind, rule
        self.readings: set[Reading] = set()
        self.removals: list[Removal] = []
        self.state: State | None = None
        self.alarms: dict[str, Episode] = {}
        self.withdrawn: dict[str, str] = {}

    def items(self) -> list[Reading | Removal]:
        return sorted([*self.readings, *self.removals], key=lambda item: (item.at_ms, isinstance(item, Reading), item.key))

    def receive(self, batch: list[Reading], until_ms: int) -> None:
        new = [reading for reading in dict.fromkeys(batch) if reading not in self.readings]
        self.readings.update(new)
        folded, afresh = fold_new(self.kind, self.rule, self.state, new, self.items, until_ms)
        self.state = folded.state
        known = [KnownAlarm(name, e.raised_at_ms, e.cleared_at_ms) for name, e in self.alarms.items()]
        if not afresh:
            known = [alarm for alarm in known if alarm.cleared_at_ms is None]
        for step in reconcile(known, folded.episodes):
            if isinstance(step, Raise):
                self.alarms[f"a{len(self.alarms) + len(self.withdrawn)}"] = step.episode
            elif isinstance(step, Keep):
                self.alarms[step.alarm_id] = step.episode
            else:
                self.withdrawn[step.alarm_id] = step.reason
                del self.alarms[step.alarm_id]

    def found(self) -> list[Episode]:
        return sorted(self.alarms.values(), key=lambda episode: episode.raised_at_ms)


def readings_of(values: list[tuple[int, float]]) -> list[Reading]:
    return [Reading(hours * 3_600_000, f"boot:{i}", value) for i, (hours, value) in enumerate(values)]


values = st.sampled_from([74.0, 80.0, 70.0, 76.0, 75.0, 78.0, 61.0, 55.0])
some_readings = st.lists(st.tuples(st.integers(0, 96), values), min_size=2, max_size=12).map(readings_of)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Reading], list[list[Reading]]]:
    """A set of readings, and one way it may arrive: shuffled, some of it twice, cut into batches."""
    readings = draw(some_readings)
    doubled = readings + (draw(st.lists(st.sampled_from(readings), max_size=6)) if readings else [])
    order = draw(st.permutations(doubled))
    batches: list[list[Reading]] = [[]]
    for reading in order:
        if draw(st.booleans()):
            batches.append([])
        batches[-1].append(reading)
    return readings, batches


FINALLY = 500 * 3_600_000


@pytest.mark.parametrize("rule", [BATTERY, HELD, HOT], ids=["battery", "held", "hot"])
@settings(max_examples=300, deadline=None)
@given(deliveries(), st.lists(st.integers(0, 60), min_size=18, max_size=18))
def test_any_arrival_order_and_any_batches_end_in_the_alarms_of_the_sorted_fold(
    rule: LevelSettings, delivery: tuple[list[Reading], list[list[Reading]]], looks: list[int]
) -> None:
    readings, batches = delivery
    sorted_fold = DETECTORS["threshold"](State(), sorted(readings), rule, FINALLY)

    subject = Subject("threshold", rule)
    for i, batch in enumerate(batches):
        subject.receive(batch, min(sum(looks[: i + 1]) * 3_600_000, FINALLY))
    subject.receive([], FINALLY)

    assert subject.found() == list(sorted_fold.episodes)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=20, unique=True), st.lists(st.integers(0, 20), max_size=6))
def test_silence_does_not_depend_on_how_arrivals_are_batched_or_when_it_is_looked_at(hours: list[int], looks: list[int]) -> None:
    rule = SilenceSettings(after_ms=10 * 3_600_000)
    arrivals = readings_of([(hour, 0.0) for hour in sorted(hours)])
    arrivals.sort()
    at_once = DETECTORS["silence"](State(), arrivals, rule, 300 * 3_600_000)

    state, seen = State(), []
    for i, arrival in enumerate(arrivals):
        folded = DETECTORS["silence"](state, [arrival], rule, arrival.at_ms)
        seen += [e for e in folded.episodes if e.cleared_at_ms is not None]
        state = folded.state
        if i in looks:
            state = DETECTORS["silence"](state, [], rule, arrival.at_ms).state
    final = DETECTORS["silence"](state, [], rule, 300 * 3_600_000)

    assert seen + list(final.episodes) == list(at_once.episodes)


@settings(max_examples=100, deadline=None)
@given(deliveries(), st.integers(0, 400))
def test_a_removal_splits_the_readings_whatever_their_order(
    delivery: tuple[list[Reading], list[list[Reading]]], hour: int
) -> None:
    _, batches = delivery
    removal = Removal(hour * 3_600_000)
    subject = Subject("threshold", BATTERY)
    subject.removals.append(removal)
    for batch in batches:
        subject.state = None  # a changed fitting makes the next fold start afresh
        subject.receive(batch, 0)

    expected = DETECTORS["threshold"](State(), subject.items(), BATTERY, 0)
    assert subject.found() == list(expected.episodes)
    assert all(e.cleared_at_ms is None or e.raised_at_ms < e.cleared_at_ms for e in subject.found())


def test_three_readings_below_over_a_day_raise_and_two_or_a_short_span_do_not() -> None:
    fires = DETECTORS["threshold"](State(), readings_of([(0, 74.9), (12, 74.9), (24, 74.9)]), BATTERY, 0)
    two = DETECTORS["threshold"](State(), readings_of([(0, 74.9), (24, 74.9)]), BATTERY, 0)
    short = DETECTORS["threshold"](State(), readings_of([(0, 74.9), (12, 74.9), (23, 74.9)]), BATTERY, 0)
    exactly = DETECTORS["threshold"](State(), readings_of([(0, 75.0), (12, 75.0), (24, 75.0)]), BATTERY, 0)

    assert [e.raised_at_ms for e in fires.episodes] == [24 * 3_600_000]
    assert len(fires.episodes[0].causes) == 3
    assert not two.episodes
    assert not short.episodes
    assert not exactly.episodes


def test_one_good_reading_among_bad_ones_starts_the_run_anew() -> None:
    broken = readings_of([(0, 74), (12, 74), (18, 76), (24, 74), (36, 74)])

    assert not DETECTORS["threshold"](State(), broken, BATTERY, 0).episodes


def test_it_clears_at_78_and_not_between_the_levels() -> None:
    low = [(0, 74), (12, 74), (24, 74)]
    between = DETECTORS["threshold"](State(), readings_of([*low, (30, 77.9), (60, 77.9), (90, 77.9)]), BATTERY, 0)
    above = DETECTORS["threshold"](State(), readings_of([*low, (30, 78), (42, 78), (54, 78)]), BATTERY, 0)

    assert between.episodes[-1].cleared_at_ms is None
    assert above.episodes[-1].cleared_at_ms == 54 * 3_600_000
    assert above.episodes[-1].clear_reason == "readings_recovered"


def test_a_value_of_a_source_that_sends_only_changes_stands_until_the_next() -> None:
    one = readings_of([(0, 74.0)])
    early = DETECTORS["threshold"](State(), one, HELD, 23 * 3_600_000)
    late = DETECTORS["threshold"](State(), one, HELD, 25 * 3_600_000)

    assert not early.episodes
    assert early.due_at_ms == DAY
    assert late.episodes[0].raised_at_ms == DAY


def test_a_reading_from_inside_the_time_a_value_was_taken_to_stand_is_folded_anew() -> None:
    subject = Subject("threshold", HELD)
    subject.receive([Reading(0, "a", 74.0)], 30 * 3_600_000)
    assert list(subject.alarms) == ["a0"]

    subject.receive([Reading(5 * 3_600_000, "b", 80.0)], 31 * 3_600_000)

    assert subject.withdrawn == {"a0": "readings_do_not_show_it"}


def test_late_data_that_disproves_an_alarm_withdraws_it_and_it_is_not_revived() -> None:
    subject = Subject("threshold", BATTERY)
    low = readings_of([(0, 74), (12, 74), (24, 74)])
    subject.receive(low, 0)
    assert list(subject.alarms) == ["a0"]

    subject.receive([Reading(18 * 3_600_000, "late", 80.0)], 0)
    assert subject.withdrawn == {"a0": "readings_do_not_show_it"}

    subject.receive([Reading(h * 3_600_000, f"more{h}", 74.0) for h in (36, 50)], 0)
    assert list(subject.alarms) == ["a1"]


def test_late_data_that_joins_two_episodes_reopens_the_first_and_withdraws_the_second() -> None:
    rule = LevelSettings(Level("below", 75.0, 1, 0), Level("at_least", 78.0, 2, 0))
    subject = Subject("threshold", rule)
    subject.receive(readings_of([(0, 70), (10, 80), (20, 80), (30, 70)]), 0)
    assert len(subject.alarms) == 2

    subject.receive([Reading(15 * 3_600_000, "late", 70.0)], 0)

    assert len(subject.alarms) == 1
    assert list(subject.withdrawn.values()) == ["part_of_earlier_episode"]
    assert subject.found()[0].cleared_at_ms is None


def test_people_hear_of_an_episode_only_while_the_newest_reading_still_violates() -> None:
    low = DETECTORS["threshold"](State(), readings_of([(0, 74), (12, 74), (24, 74)]), BATTERY, 0)
    risen = DETECTORS["threshold"](State(), readings_of([(0, 74), (12, 74), (24, 74), (30, 76)]), BATTERY, 0)
    now = 25 * 3_600_000

    assert should_act(low.episodes[0], low.state.last, now, 30 * DAY)
    assert not should_act(risen.episodes[0], risen.state.last, now, 30 * DAY)
    assert not should_act(low.episodes[0], low.state.last, now + 31 * DAY, 30 * DAY)


def test_reconcile_clears_before_it_raises() -> None:
    first = Episode(0, (), Reading(0, "a", 1.0), 1, cleared_at_ms=5)
    second = Episode(6, (), Reading(6, "b", 1.0), 1)

    steps = reconcile([KnownAlarm("old", 0, None), KnownAlarm("gone", -10, -5)], [first, second])

    assert [type(step) for step in steps] == [Withdraw, Keep, Raise]
