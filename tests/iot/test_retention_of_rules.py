"""Of every kind of rule: what was settled and rolled up, with what comes after, ends in the alarms of the whole fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app.assets import operations as assets
from app.assets.models import Asset
from app.core.clock import to_ms
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.documents import Document
from app.rules.parts import Context
from iot.ingest import Message, follow_due
from iot.models import Alarm, TelemetryHorizon
from iot.retention import retire_telemetry
from iot.steps import HOUR_MS
from tests.app.rules.test_kinds import COMMON, RULES, places, rule, that_raise
from tests.factories import World, make_world
from tests.iot.vehicles import BOSS, counted, make_vehicle
from tests.people import Http

KEPT_DAYS = 4


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, replace(settings, telemetry_days=KEPT_DAYS))


@pytest.fixture
def rules(world: World, http: Http) -> dict[str, tuple[str, Document]]:
    """Every rule of the tests of kinds, switched on: id and document by name."""
    found = {}
    for i, name in enumerate(sorted(RULES)):
        body = {"code": f"kind-{i}", "document": COMMON | RULES[name]}
        found[name] = http.as_(world.manager).post("/rules", body, 201)["id"], rule(**RULES[name])
    return found


def test_every_kind_but_silence_is_among_the_rules() -> None:
    assert {rule(**document).detector for document in RULES.values()} == set(DETECTORS) - {"silence"}


@dataclass(frozen=True)
class Said:
    """What a device says of one instant, ``hour`` hours from the horizon."""

    hour: float
    metrics: dict[str, float]


@dataclass
class Watched:
    """A vehicle with a filter, and all its device has said."""

    world: World
    asset: str
    filter: str
    device: str
    horizon_ms: int
    said: int = 0

    def send(self, boot: str, said: Iterable[Said]) -> dict[str, list[Reading]]:
        """Send in one batch; return the readings by metric."""
        messages, found = [], {}
        for one in said:
            self.said += 1
            at_ms = self.horizon_ms + round(one.hour * HOUR_MS)
            body = {"ts": at_ms, "boot": boot, "seq": self.said, "m": one.metrics}
            topic = f"devices/0/{self.device}/telemetry"
            messages.append(Message(topic, msgspec.json.encode(body), False, to_ms(self.world.db.clock.now())))
            for metric, value in one.metrics.items():
                found.setdefault(metric, []).append(Reading(at_ms, f"{boot}:{self.said}", value, self.device, metric))
        if messages:
            self.world.send(*messages)
        return found

    def alarms(self, rule_id: str) -> list[tuple[Any, ...]]:
        with self.world.db.reading() as session:
            query = select(Alarm).where(
                Alarm.rule_id == rule_id, Alarm.subject_id.in_((self.asset, self.filter)), Alarm.state != "withdrawn"
            )
            return [
                (to_ms(a.raised_at), to_ms(a.cleared_at) if a.cleared_at else None, a.readings, a.first_value, a.last_value)
                for a in session.scalars(query.order_by(Alarm.raised_at))
            ]


def watched(world: World) -> Watched:
    name, present = new_id()[-12:], world.db.clock.now()
    vehicle = make_vehicle(world, name)
    with world.db.transaction() as session:
        session.execute(delete(TelemetryHorizon))
        part = assets.create_component(session, BOSS, {"serial": f"F-{name}", "kind": "filter", "part_no": "F-1"})
        assets.fit_component(session, BOSS, session.get_one(Asset, vehicle.asset), part, present - timedelta(days=300))
        horizon_ms = to_ms(present - timedelta(days=KEPT_DAYS)) // HOUR_MS * HOUR_MS
        return Watched(world, vehicle.asset, part.id, vehicle.device, horizon_ms)


def expected(world: World, document: Document, *found: dict[str, list[Reading]]) -> list[tuple[Any, ...]]:
    """Fold everything at once, as the pure detector does."""
    readings = sorted(r for some in found for metric in document.metrics for r in some.get(metric, ()))
    present_ms, context = to_ms(world.db.clock.now()), Context(time_zone=world.settings.time_zone)
    folded = DETECTORS[document.detector](State(), readings, document.settings(context), present_ms)
    return [(e.raised_at_ms, e.cleared_at_ms, e.count, e.causes[0].value, e.last.value) for e in folded.episodes]


def settle(world: World) -> None:
    while follow_due(world.db, world.settings):
        pass


levels = st.sampled_from([40.0, 54.0, 58.0, 61.0, 75.0, 90.0])
sayings = st.builds(
    lambda hour, x, y, place: Said(
        hour,
        ({} if x is None else {"x": x})
        | ({} if y is None else {"y": y / 10})
        | ({} if place is None else {"lat_deg": place[0], "lon_deg": place[1]})
        or {"y": 1.0},
    ),
    st.integers(-60, 90),
    st.none() | levels,
    st.none() | levels,
    st.none() | places,
)
some = st.lists(sayings, max_size=14, unique_by=lambda one: one.hour)


@given(early=some, late=some)
@trying(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_late_readings_on_what_was_rolled_up_end_in_the_same_alarms_under_every_kind_of_rule(
    world: World, rules: dict[str, tuple[str, Document]], early: list[Said], late: list[Said]
) -> None:
    """Some of both are from before the horizon, some since; the late ones fall between the early ones."""
    vehicle = watched(world)
    before, too_old = vehicle.send("early", early), counted(world.db).get("too_old", 0)
    retire_telemetry(world.db, world.settings)
    vehicle.send("late", late)
    settle(world)

    assert counted(world.db).get("too_old", 0) - too_old == sum(one.hour < 0 for one in late)
    taken = {
        metric: [
            Reading(vehicle.horizon_ms + round(one.hour * HOUR_MS), f"late:{len(early) + i}", one.metrics[metric], "", metric)
            for i, one in enumerate(late, 1)
            if one.hour >= 0 and metric in one.metrics
        ]
        for metric in ("x", "y", "lat_deg", "lon_deg")
    }
    for name, (rule_id, document) in rules.items():
        assert vehicle.alarms(rule_id) == expected(world, document, before, taken), name


def test_an_alarm_of_every_kind_that_builds_up_across_the_horizon_is_raised_all_the_same(
    world: World, rules: dict[str, tuple[str, Document]]
) -> None:
    for name, (rule_id, document) in rules.items():
        readings = sorted(that_raise(name))
        times = sorted({reading.at_ms for reading in readings})
        # At ten o'clock of a working day, so that rules with hours look: the first half of what raises is settled.
        vehicle = watched(world)
        middle = times[len(times) // 2]
        said = [Said((at_ms - middle) / HOUR_MS, {r.metric: r.value for r in readings if r.at_ms == at_ms}) for at_ms in times]
        first = vehicle.send("early", [one for one in said if one.hour < 0])
        retire_telemetry(world.db, world.settings)
        second = vehicle.send("late", [one for one in said if one.hour >= 0])
        settle(world)

        found = vehicle.alarms(rule_id)
        assert found == expected(world, document, first, second), name
        assert found, f"{name} raised nothing"
