"""Every kind of rule: the alarms are a function of the set of readings, and what each says it does, it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.detectors import DETECTORS, Episode, Reading, Removal, State, fold_new
from app.rules.detectors.episodes import Keep, KnownAlarm, Raise, reconcile
from app.rules.detectors.fences import Circle, Polygon
from app.rules.detectors.levels import Level
from app.rules.detectors.trend import predict
from app.rules.documents import Document, read_document
from app.rules.parts import Context

HOUR = 3_600_000
# A Monday, 00:00 in UTC.
MONDAY = 1_772_409_600_000
COMMON = {"name": {"zh-CN": "规则", "en": "Rule"}, "severity": "major"}
SQUARE = [[22.50, 114.00], [22.50, 114.02], [22.52, 114.02], [22.52, 114.00]]

RULES: dict[str, dict[str, Any]] = {
    "duration": {
        "detector": "duration",
        "metric": "x",
        "raise_if": {"above": 60, "for_min": 600},
        "clear_if": {"at_most": 55, "for_min": 60},
        "stale_after_min": 1440,
    },
    "rate": {
        "detector": "rate", "metric": "x", "over_h": 24, "least": 2,
        "raise_if": {"above": 0.8}, "clear_if": {"at_most": 0.1},
    },
    "m_of_n": {"detector": "m_of_n", "metric": "x", "hit_if": {"below": 60}, "m": 2, "n": 4},
    "usage": {"detector": "usage", "metric": "x", "component": "filter", "raise_if": {"at_least": 80}},
    "trend": {
        "detector": "trend", "metric": "x", "reaches": {"below": 50},
        "within_days": 2, "clear_days": 4, "over_days": 2, "least": 3, "readings": 1,
    },
    "inside a circle": {
        "detector": "fence", "when": "inside", "circle": {"lat": 22.51, "lon": 114.01, "radius_m": 900}, "margin_m": 50,
    },
    "long outside a polygon": {"detector": "fence", "when": "outside", "polygon": SQUARE, "for_min": 300, "readings": 1},
    "condition": {
        "detector": "condition", "metrics": ["x", "y"], "raise_when": "x > 60.0 && y < 5.0", "clear_when": "x < 55.0",
        "readings": 2,
    },
    "lasting condition": {
        "detector": "condition", "metrics": ["x", "y"], "raise_when": "x > y * 10.0", "for_min": 500, "stale_after_min": 2000,
    },
    "in working hours": {
        "detector": "threshold", "metric": "x", "hours": "Mo-Fr 08:00-18:00",
        "raise_if": {"above": 60, "readings": 2}, "clear_if": {"at_most": 55},
    },
    "lasting in working hours": {
        "detector": "duration", "metric": "x", "hours": "Mo-Fr 08:00-18:00",
        "raise_if": {"above": 60, "for_min": 180}, "clear_if": {"at_most": 55},
    },
    "goes on": {
        "detector": "threshold", "metric": "x", "reopens_h": 20,
        "raise_if": {"above": 60}, "clear_if": {"at_most": 55},
    },
} | {
    f"window {kind}": {
        "detector": "window", "metric": "x", "aggregate": kind, "over_h": 24, "least": 2,
        "raise_if": {"above": level}, "clear_if": {"at_most": level * 0.8},
    }
    for kind, level in {"avg": 62, "min": 55, "max": 72, "sum": 200, "count": 4, "range": 30, "stddev": 10}.items()
}  # fmt: skip


def rule(**document: Any) -> Document:
    return read_document(COMMON | document)


def folded(document: Document, readings: Sequence[Reading | Removal], until_ms: int = 0) -> list[Episode]:
    return list(DETECTORS[document.detector](State(), readings, document.settings(Context()), until_ms).episodes)


def at(hour: float, value: float, metric: str = "x") -> Reading:
    return Reading(MONDAY + round(hour * HOUR), f"k:{round(hour * 1000):08}", value, "device", metric)


def hours_of(episodes: Sequence[Episode]) -> list[tuple[float, float | None]]:
    return [
        ((e.raised_at_ms - MONDAY) / HOUR, None if e.cleared_at_ms is None else (e.cleared_at_ms - MONDAY) / HOUR)
        for e in episodes
    ]


class Subject:
    """What the ingest keeps of one subject: readings, the last state, alarms on record."""

    def __init__(self, document: Document) -> None:
        self.kind, self.settings = document.detector, document.settings(Context())
        self.readings: set[Reading] = set()
        self.state: State | None = None
        self.alarms: dict[str, Episode] = {}
        self.made = 0

    def receive(self, batch: Sequence[Reading], until_ms: int) -> None:
        new = [reading for reading in dict.fromkeys(batch) if reading not in self.readings]
        self.readings.update(new)
        found, afresh = fold_new(self.kind, self.settings, self.state, new, lambda: sorted(self.readings), until_ms)
        self.state = found.state
        gone_on = {episode.raised_at_ms for episode in found.episodes} if self.settings.reopens_ms else set()
        known = [
            KnownAlarm(name, e.raised_at_ms, e.cleared_at_ms)
            for name, e in self.alarms.items()
            if afresh or e.cleared_at_ms is None or e.raised_at_ms in gone_on
        ]
        for step in reconcile(known, found.episodes):
            if isinstance(step, Raise):
                self.made += 1
                self.alarms[f"a{self.made}"] = step.episode
            elif isinstance(step, Keep):
                self.alarms[step.alarm_id] = step.episode
            else:
                del self.alarms[step.alarm_id]

    def found(self) -> list[Episode]:
        return sorted(self.alarms.values(), key=lambda episode: episode.raised_at_ms)


values = st.sampled_from([40.0, 50.0, 54.0, 58.0, 61.0, 70.0, 75.0, 90.0])
places = st.sampled_from([(22.51, 114.01), (22.513, 114.012), (22.51, 114.0205), (22.60, 114.10), (22.5201, 114.01)])


@st.composite
def messages(draw: st.DrawFn, document: Document) -> list[Reading]:
    """Messages of a device, an hour or so apart; each holds one or more metrics of the rule."""
    found = []
    for hour in draw(st.lists(st.integers(0, 120), min_size=2, max_size=12, unique=True)):
        if document.detector == "fence":
            lat, lon = draw(places)
            said = {"lat_deg": lat, "lon_deg": lon} | ({"accuracy_m": draw(st.sampled_from([5.0, 2000.0]))} if hour % 3 else {})
        else:
            names = draw(st.lists(st.sampled_from(document.metrics), min_size=1, unique=True))
            said = {name: draw(values) if name == "x" else draw(values) / 10 for name in names}
        found += [at(hour, value, name) for name, value in said.items()]
    return found


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[str, list[Reading], list[list[Reading]], list[int]]:
    """A rule, a set of readings, and one way they may arrive: shuffled, some of them twice, cut into batches."""
    name = draw(st.sampled_from(sorted(RULES)))
    readings = draw(messages(rule(**RULES[name])))
    order = draw(st.permutations(readings + draw(st.lists(st.sampled_from(readings), max_size=6))))
    batches: list[list[Reading]] = [[]]
    for reading in order:
        if draw(st.booleans()):
            batches.append([])
        batches[-1].append(reading)
    return name, readings, batches, draw(st.lists(st.integers(0, 30), min_size=len(batches), max_size=len(batches)))


FINALLY = MONDAY + 2000 * HOUR


@settings(max_examples=1500, deadline=None)
@given(deliveries())
def test_any_arrival_order_and_any_batches_end_in_the_alarms_of_the_sorted_fold(
    delivery: tuple[str, list[Reading], list[list[Reading]], list[int]],
) -> None:
    name, readings, batches, looks = delivery
    document = rule(**RULES[name])
    subject = Subject(document)
    until = MONDAY
    for batch, look in zip(batches, looks, strict=True):
        until = min(until + look * HOUR, FINALLY)
        subject.receive(batch, until)
    subject.receive([], FINALLY)

    assert subject.found() == folded(document, sorted(set(readings)), FINALLY)


def that_raise(name: str) -> list[Reading]:
    """Return readings on which a rule of these tests raises."""
    document = rule(**RULES[name])
    if document.detector == "fence":
        far = "outside" in name
        spots = [(22.60, 114.10) if far else (22.51, 114.01)] * 8
        return [r for i, (lat, lon) in enumerate(spots) for r in (at(9 + i, lat, "lat_deg"), at(9 + i, lon, "lon_deg"))]
    if document.detector == "m_of_n":
        return [at(9, 50), at(10, 50)]
    if document.detector == "trend":
        return [at(i * 8, 75 - i * 3) for i in range(7)]
    if document.detector in {"rate", "usage"} or name == "window min":
        return [at(i * 4, 40 + i * 20) for i in range(12)]
    rising = [(9 + i, 40 + 50 * (i % 2) + i * 8 if "range" in name or "stddev" in name else 40 + i * 10) for i in range(6)]
    readings = [r for hour, x in rising for r in (at(hour, x), at(hour, 1, "y"))]
    return [r for r in readings if r.metric in document.metrics]


@pytest.mark.parametrize("name", sorted(RULES))
def test_each_rule_of_these_tests_can_raise(name: str) -> None:
    """Else the property above would hold for nothing."""
    assert folded(rule(**RULES[name]), sorted(that_raise(name)), FINALLY), "no episode"


def test_a_value_that_lasts_fires_without_a_new_reading_and_is_dated_when_it_had_lasted() -> None:
    document = rule(**RULES["duration"])

    assert hours_of(folded(document, [at(0, 61)], MONDAY + 9 * HOUR)) == []
    assert hours_of(folded(document, [at(0, 61)], MONDAY + 11 * HOUR)) == [(10, None)]
    assert hours_of(folded(document, [at(0, 61), at(5, 58), at(6, 61)], MONDAY + 15 * HOUR)) == []
    assert hours_of(folded(document, [at(0, 61), at(12, 50)], MONDAY + 20 * HOUR)) == [(10, 13)]


def test_a_value_is_not_taken_to_stand_over_a_gap_in_the_data() -> None:
    short = rule(**RULES["duration"] | {"stale_after_min": 120})

    assert hours_of(folded(short, [at(0, 61), at(11, 61)], MONDAY + 12 * HOUR)) == []
    assert hours_of(folded(short, [at(hour, 61) for hour in range(0, 12, 2)], MONDAY + 12 * HOUR)) == [(10, None)]


def test_a_rate_is_the_slope_per_hour_and_needs_half_of_its_window() -> None:
    document = rule(**RULES["rate"])

    assert hours_of(folded(document, [at(i, 40 + i) for i in range(12)])) == []
    assert hours_of(folded(document, [at(i, 40 + i) for i in range(20)])) == [(12, None)]
    assert folded(document, [at(i, 40 + 0.7 * i) for i in range(30)]) == []


def test_m_of_n_counts_hits_among_the_last_and_clears_when_none_is_left() -> None:
    document = rule(**RULES["m_of_n"])
    sides = [50, 70, 70, 50, 70, 70, 70, 70, 50]

    assert hours_of(folded(document, [at(hour, value) for hour, value in enumerate(sides)])) == [(3, 7)]


@pytest.mark.parametrize(
    ("kind", "value"), [("avg", 4), ("min", 1), ("max", 9), ("sum", 20), ("count", 5), ("range", 8), ("stddev", math.sqrt(8))]
)
def test_a_window_aggregates_the_last_while(kind: str, value: float) -> None:
    said = [100.0, 1.0, 2.0, 3.0, 5.0, 9.0]
    readings = [at(0 if i == 0 else 30 + i, value) for i, value in enumerate(said)]
    common = {"detector": "window", "metric": "x", "aggregate": kind, "over_h": 24, "clear_if": {"at_most": -1}}
    above = rule(**common, raise_if={"above": value - 1e-9}, least=5)
    beyond = rule(**common, raise_if={"above": value + 1e-9}, least=5)

    assert len(folded(above, readings)) == 1
    assert folded(beyond, readings) == []


def test_usage_counts_since_the_part_was_fitted_over_a_reset_of_the_counter() -> None:
    document = rule(**RULES["usage"])
    counter = [at(0, 1000), at(1, 1050), at(2, 10), at(3, 29)]

    assert folded(document, counter) == []
    assert hours_of(folded(document, [*counter, at(4, 30)])) == [(4, None)]
    replaced = [*counter, at(4, 30), Removal(MONDAY + 5 * HOUR), at(6, 31), at(7, 100)]
    assert hours_of(folded(document, replaced)) == [(4, 5)]


def test_a_trend_foresees_when_a_level_is_reached() -> None:
    falling = [(float(day * 24 * HOUR), 90 - 0.1 * day + 0.02 * math.sin(day * 2.4), 1.0) for day in range(120)]
    found = predict(falling, Level("below", 75.0, 1, 0))

    assert found is not None
    assert found.latest_ms is not None
    assert abs(found.at_ms / (24 * HOUR) - 150) < 1
    assert found.earliest_ms < found.at_ms < found.latest_ms
    assert (found.latest_ms - found.earliest_ms) / (24 * HOUR) < 15
    assert predict(falling, Level("above", 95.0, 1, 0)) is None, "it does not rise"
    assert predict(falling[:5], Level("below", 75.0, 1, 0)) is None, "too few"
    bending = [(t, v - max(0, t / (24 * HOUR) - 60) ** 2 / 400, n) for t, v, n in falling]
    unsure = predict(bending, Level("below", 60.0, 1, 0))
    assert unsure is not None
    assert unsure.latest_ms is None or unsure.latest_ms - unsure.earliest_ms > 2 * (found.latest_ms - found.earliest_ms)


def test_a_place_on_the_edge_decides_nothing_and_the_way_back_needs_a_margin() -> None:
    document = rule(**RULES["inside a circle"])

    def way(*spots: tuple[float, float, float]) -> list[Reading]:
        found = []
        for hour, (lat, lon, accuracy) in enumerate(spots):
            found += sorted([at(hour, lat, "lat_deg"), at(hour, lon, "lon_deg"), at(hour, accuracy, "accuracy_m")])
        return found

    inside, edge, outside = (22.51, 114.01, 5.0), (22.51, 114.01865, 5.0), (22.51, 114.03, 5.0)
    jumpy = (22.51, 114.019, 300.0)
    assert folded(document, way(outside, inside, outside, inside)) == [], "two in a row are needed"
    assert hours_of(folded(document, way(outside, inside, inside, edge, edge, jumpy, jumpy))) == [(2, None)]
    assert hours_of(folded(document, way(outside, inside, inside, outside, outside))) == [(2, 4)]


@settings(max_examples=300, deadline=None)
@given(st.floats(-60, 60), st.floats(-179, 179), st.floats(0, 360), st.floats(10, 20_000), st.floats(0.1, 2))
def test_distances_to_fences_are_those_of_the_ellipsoid(
    lat: float, lon: float, bearing: float, radius_m: float, share: float
) -> None:
    place = geodesic(meters=radius_m * share).destination((lat, lon), bearing)
    if abs(place.longitude - lon) > 180:
        return
    found = Circle(lat, lon, radius_m).outside_m(place.latitude, place.longitude)

    assert found == pytest.approx(radius_m * (share - 1), abs=0.01 * radius_m * share + 0.01)


def test_a_polygon_tells_inside_from_outside_and_how_far() -> None:
    square = Polygon([(lat, lon) for lat, lon in SQUARE])

    assert square.outside_m(22.51, 114.01) == pytest.approx(-geodesic((22.51, 114.01), (22.51, 114.02)).meters, rel=0.01)
    assert square.outside_m(22.51, 114.03) == pytest.approx(geodesic((22.51, 114.02), (22.51, 114.03)).meters, rel=0.01)
    with pytest.raises(ValueError, match="cross"):
        Polygon([(0, 0), (1, 1), (0, 1), (1, 0)])


def test_a_rule_that_looks_in_working_hours_sees_nothing_else() -> None:
    document = rule(**RULES["in working hours"])

    assert hours_of(folded(document, [at(7, 70), at(9, 70), at(19, 70)])) == []
    assert hours_of(folded(document, [at(7, 70), at(17, 70), at(19, 70), at(33, 70)])) == [(33, None)]
    lasting = rule(**RULES["lasting in working hours"])
    assert hours_of(folded(lasting, [at(16, 70)], MONDAY + 40 * HOUR)) == [], "the day ended before three hours were full"
    assert hours_of(folded(lasting, [at(14, 70)], MONDAY + 40 * HOUR)) == [(17, None)]


def test_an_episode_that_begins_soon_after_the_last_one_is_the_same() -> None:
    document = rule(**RULES["goes on"])
    flapping = [at(hour, 70 if hour % 2 else 40) for hour in range(100)]

    assert hours_of(folded(document, flapping)) == [(1, None)]
    assert hours_of(folded(document, [at(0, 70), at(1, 40), at(30, 70), at(31, 40)])) == [(0, 1), (30, 31)]


def test_steps_make_an_alarm_more_severe() -> None:
    document = rule(
        detector="threshold", metric="x", raise_if={"below": 75}, clear_if={"at_least": 78},
        escalate=[{"severity": "critical", "below": 70, "readings": 2}],
    )  # fmt: skip
    [(severity, step)] = document.steps(Context())
    episodes = DETECTORS["threshold"](State(), [at(0, 74), at(1, 69), at(2, 68)], step, 0).episodes

    assert severity == "critical"
    assert hours_of(episodes) == [(2, None)]


def test_a_level_comes_from_the_asset_where_it_has_one() -> None:
    document = rule(
        detector="threshold", metric="x", clear_if={"at_least": 90},
        raise_if={"below": {"limit": "floor", "otherwise": 75}},
    )  # fmt: skip

    assert document.settings(Context()).raising.value == 75
    assert document.settings(Context(limits={"floor": 60})).raising.value == 60


DOUBLED = ".map(a, a + a + a + a + a + a + a + a)"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"detector": "condition", "metrics": ["x"], "raise_when": "x > 5"}, "with a point"),
        ({"detector": "condition", "metrics": ["x"], "raise_when": "z > 5.0"}, "undeclared reference to 'z'"),
        ({"detector": "condition", "metrics": ["x"], "raise_when": "x + 1.0"}, "true or false"),
        ({"detector": "condition", "metrics": ["x"], "raise_when": ""}, "1 to 1000"),
        ({"detector": "condition", "metrics": ["x"], "raise_when": "(" * 40 + "true" + ")" * 40}, "recursion limit"),
        # 306 characters that stand for a text of 10 ** 12: it was compiled, and the first reading ended the process.
        ({"detector": "condition", "metrics": ["x"], "raise_when": f"['a']{DOUBLED * 12}[0] == 'b'"}, "map is not allowed"),
        ({"detector": "condition", "metrics": ["x"], "raise_when": "[x]. map//\n(a, a * 2.0)[0] > 1.0"}, "map is not allowed"),
        ({"detector": "fence", "when": "inside"}, "exactly one of circle and polygon"),
        ({"detector": "fence", "when": "inside", "polygon": [[0, 0], [1, 1]]}, "3 to 200"),
        ({"detector": "fence", "when": "inside", "circle": {"lat": 91, "lon": 0, "radius_m": 50}}, "in degrees"),
        ({"detector": "usage", "metric": "x", "raise_if": {"at_least": 5}}, "needs a component"),
        ({"detector": "m_of_n", "metric": "x", "hit_if": {"below": 5}, "m": 3, "n": 2}, "1 <= m <= n"),
        ({"detector": "window", "metric": "x", "aggregate": "median", "over_h": 1}, "aggregate"),
        (RULES["goes on"] | {"hours": "sometimes"}, "hours"),
        ({"detector": "nosuch", "metric": "x"}, "detector"),
        ({"detector": "silence", "silent_after_h": 1, "metric": "x"}, "metric"),
        (RULES["goes on"] | {"escalate": [{"severity": "minor", "above": 80}]}, "more severe"),
        (RULES["goes on"] | {"service": {"kind": "check", "price": "10.00", "discount": "1.00"}}, "needs a component"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_meant_is_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rule(**document)


@pytest.mark.parametrize("text", ["1.0 / 0.0 > x", "[1, 2][7] > 1", "x > 1.0 || int(x) / 0 > 1"])
def test_what_cannot_be_computed_does_not_hold(text: str) -> None:
    document = rule(detector="condition", metrics=["x"], raise_when=text)

    assert folded(document, [at(0, 0.5), at(1, 0.5)]) == [] or "1.0 / 0.0" in text


def test_a_condition_without_end_is_stopped() -> None:
    numbers = ",".join(str(i) for i in range(90))
    loop = f"[{numbers}].all(a, [{numbers}].all(b, [{numbers}].all(c, a + b + c > -1))) && x > 0.0"

    assert folded(rule(detector="condition", metrics=["x"], raise_when=loop), [at(0, 1), at(1, 1)]) == []
