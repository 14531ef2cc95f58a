"""The organisation's calendar: edited over HTTP; stations' opening hours and rules' hours follow it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from app.calendar.days import DAY_KINDS, Calendar
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.rules.hours import RuleHours
from app.stations import hours
from iot.ingest import Message
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.test_rules import HOT, alarms_of, new_rule
from tests.people import Http

# The clock of the tests stands at Monday, 2026-03-02. Thursday is a holiday, and Saturday is worked for it.
THURSDAY, SATURDAY = date(2026, 3, 5), date(2026, 3, 7)
DAYS = [
    {"day": "2026-03-05", "kind": "holiday", "name_zh": "测试节", "name_en": "Test day"},
    {"day": "2026-03-07", "kind": "workday", "name_zh": "测试节调休", "name_en": "Worked for test day"},
]
OFFICE = "Mo-Th 09:00-18:00; Fr 09:00-17:00; PH off"


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def local(day: date, hour: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 8)


def test_the_office_keeps_the_calendar_and_everybody_reads_it(world: World, http: Http) -> None:
    manager = http.as_(world.manager)
    assert manager.post("/calendar-days", {"days": DAYS})["days"] == DAYS
    renamed = DAYS[0] | {"name_en": "Testing day"}
    manager.post("/calendar-days", {"days": [renamed]})
    assert http.as_(world.owner).get("/calendar-days?since=2026-03-01&until=2026-03-07")["days"] == [renamed, DAYS[1]]
    assert manager.get("/calendar-days?since=2026-03-08")["days"] == []
    assert manager.call("POST", "/calendar-days/2026-03-07/remove").status_code == 204
    manager.refused("POST", "/calendar-days/2026-03-07/remove", 404, "not_found")
    manager.refused("POST", "/calendar-days/someday/remove", 404, "not_found")
    assert manager.get("/calendar-days")["days"] == [renamed]
    told = [entry["reason"] for entry in manager.get("/history/calendar/calendar")["about"]]
    assert told[0] == "2 days of the calendar were set, from 2026-03-05 to 2026-03-07."
    assert told[-1] == "2026-03-07 is an ordinary day again."

    http.as_(world.rep).refused("POST", "/calendar-days", 403, "forbidden", {"days": DAYS})
    for wrong in ([DAYS[0], DAYS[0]], [], [DAYS[0] | {"kind": "feast"}], [DAYS[0] | {"day": "2026-02-30"}]):
        manager.refused("POST", "/calendar-days", 422, "validation_failed", {"days": wrong})


def test_a_station_offers_no_time_on_a_holiday_and_one_on_the_weekend_worked_for_it(world: World, http: Http) -> None:
    manager = http.as_(world.manager)
    for station_id in world.stations:
        station = manager.get(f"/stations/{station_id}")
        manager.edit(f"/stations/{station_id}", {"opening_hours": OFFICE}, station["version"])
    world.report(74.9, 74.5, 74.1)
    [task] = manager.get("/station-tasks")["items"]
    staff = world.staff[world.stations.index(task["station_id"])]
    http.as_(staff).post(f"/station-tasks/{task['id']}/accept")

    def days() -> dict[date, list[int]]:
        found: dict[date, list[int]] = {}
        for slot in manager.get(f"/work-orders/{task['work_order_id']}/slots")["slots"]:
            at = datetime.fromisoformat(slot) + timedelta(hours=8)
            found.setdefault(at.date(), []).append(at.hour)
        return found

    before = days()
    assert THURSDAY in before
    assert SATURDAY not in before
    manager.post("/calendar-days", {"days": DAYS})

    after = days()
    assert THURSDAY not in after
    assert after[SATURDAY] == after[date(2026, 3, 6)] != after[date(2026, 3, 4)], "a Saturday that is worked has Friday's hours"


def test_a_rule_looks_on_a_weekend_that_is_worked_and_not_on_a_holiday(world: World, http: Http) -> None:
    document = HOT | {"hours": OFFICE, "raise_if": {"above": 60}, "lateness_h": 500}
    new_rule(world, http, document)
    manager = http.as_(world.manager)

    def say(seq: int, at: datetime, heat: float) -> None:
        world.db.clock.set(at)  # type: ignore[attr-defined]
        body = {"ts": to_ms(at), "boot": "b", "seq": seq, "m": {"t_c": heat}}
        world.send(Message(f"devices/0/{world.device}/telemetry", msgspec.json.encode(body), False, to_ms(at)))

    manager.post("/calendar-days", {"days": DAYS[:1]})
    say(1, local(THURSDAY, 10), 70)
    say(2, local(SATURDAY, 10), 70)
    assert alarms_of(world.db) == []

    manager.post("/calendar-days", {"days": DAYS[1:]})
    say(3, local(SATURDAY, 20), 40)
    [alarm] = alarms_of(world.db)
    assert (alarm.state, alarm.raised_at) == ("raised", local(SATURDAY, 10)), "what is known is judged by the present calendar"
    [tried_out] = manager.post("/rule-trials", {"document": document})["items"]
    assert datetime.fromisoformat(tried_out["raised_at"]) == alarm.raised_at


def test_on_a_holiday_another_station_is_asked_and_a_closed_one_has_until_it_opens(
    world: World, http: Http, clock: SetClock
) -> None:
    manager, (near, far) = http.as_(world.manager), world.stations
    manager.edit(f"/stations/{near}", {"opening_hours": OFFICE}, manager.get(f"/stations/{near}")["version"])
    manager.post("/calendar-days", {"days": DAYS})
    clock.set(local(THURSDAY, 10))
    world.report(74.9, 74.5, 74.1)

    [task] = manager.get("/station-tasks")["items"]
    assert task["station_id"] == far, "the nearest one is closed"
    http.as_(world.staff[1]).post(f"/station-tasks/{task['id']}/reject", {"reason": "no bay"})
    [task] = manager.get("/station-tasks?state=offered")["items"]

    assert task["station_id"] == near
    assert datetime.fromisoformat(task["answer_by"]) == local(date(2026, 3, 6), 9.5)


@pytest.mark.parametrize(
    ("expression", "day", "kind", "spans"),
    [
        ("Mo-Fr 09:00-18:00; PH off", THURSDAY, "holiday", []),
        ("Mo-Fr 09:00-18:00", THURSDAY, "holiday", [(9, 18)]),
        ("Mo-Fr 09:00-18:00; Sa-Su,PH 10:00-14:00", THURSDAY, "holiday", [(10, 14)]),
        ("PH,Sa 10:00-14:00", THURSDAY, "holiday", [(10, 14)]),
        ("Mo-Fr 09:00-18:00; SH 09:00-12:00", THURSDAY, "school_holiday", [(9, 12)]),
        ("24/7; PH off", THURSDAY, "holiday", []),
        ("24/7", THURSDAY, "holiday", [(0, 24)]),
        ("Mo-Fr 09:00-18:00", SATURDAY, "workday", [(9, 18)]),
        ("Mo-Fr 09:00-18:00; Sa 10:00-12:00", SATURDAY, "workday", [(9, 18)]),
        ("Mo 08:00-09:00; Tu-Su off", date(2026, 3, 8), "workday", [(8, 9)]),
        ("Mo-Fr 22:00-02:00", SATURDAY, "workday", [(0, 2), (22, 24)]),
    ],
)
def test_hours_on_a_day_of_the_calendar(expression: str, day: date, kind: Any, spans: list[tuple[int, int]]) -> None:
    opening = hours.parse(expression, "Asia/Shanghai", Calendar(((day, kind),)))

    found = hours.open_spans(opening, local(day, 0), local(day, 24))

    assert found == [(local(day, since), local(day, until)) for since, until in spans]


def test_a_time_that_ends_or_begins_within_a_day_of_the_calendar_follows_it() -> None:
    wednesday, friday = date(2026, 3, 4), date(2026, 3, 6)
    opening = hours.parse(OFFICE, "Asia/Shanghai", Calendar(((THURSDAY, "holiday"),)))

    until_then = hours.open_spans(opening, local(wednesday, 0), local(THURSDAY, 12))
    from_then_on = hours.open_spans(opening, local(THURSDAY, 12), local(friday, 12))

    assert until_then == [(local(wednesday, 9), local(wednesday, 18))]
    assert from_then_on == [(local(friday, 9), local(friday, 12))]


EXPRESSIONS = [row[0] for row in [(OFFICE,), ("24/7; PH off",), ("Sa-Su,PH 10:00-14:00",), ("Mo-Fr 22:00-02:00; SH off",)]]


@tried(max_examples=200, deadline=None)
@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]),
    st.dictionaries(st.dates(date(2026, 3, 20), date(2026, 4, 5)), st.sampled_from(DAY_KINDS), max_size=8),
    st.integers(0, 15 * 24 * 4),
)
def test_it_is_open_exactly_inside_the_open_spans(expression: str, zone: str, days: dict[date, Any], quarter: int) -> None:
    calendar = Calendar(tuple(sorted(days.items())))
    opening = hours.parse(expression, zone, calendar)
    start = datetime(2026, 3, 20, tzinfo=UTC)
    at = start + timedelta(minutes=15 * quarter + 1)

    spans = hours.open_spans(opening, start, start + timedelta(days=40))  # beyond what a rule looks ahead

    assert hours.is_open(opening, at) == any(since <= at < until for since, until in spans)
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    rule = RuleHours(expression, zone, calendar)
    closes = rule.closes_after(to_ms(at))
    inside = next((until for since, until in spans if since <= at < until), at)
    assert closes == to_ms(inside) or (closes is None and inside - at >= timedelta(days=8))
