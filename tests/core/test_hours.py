"""Opening hours: over midnight, through changes of the clocks, and how a station's time to answer runs in them."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.stations import hours

NEW_YORK, LORD_HOWE, SHANGHAI = "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"
MINUTE = 60


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def spans(expression: str, zone: str, start: str, end: str) -> list[tuple[str, str]]:
    found = hours.open_spans(hours.parse(expression, zone), at(start), at(end))
    return [(since.strftime("%d %H:%M"), until.strftime("%d %H:%M")) for since, until in found]


def test_hours_over_midnight_are_one_span() -> None:
    found = spans("Mo-Fr 09:00-18:00; Sa 22:00-02:00", SHANGHAI, "2026-03-06T00:00", "2026-03-09T00:00")

    assert found == [("06 01:00", "06 10:00"), ("07 14:00", "07 18:00")]


def test_a_span_is_cut_at_the_ends_that_were_asked_for() -> None:
    assert spans("Sa 22:00-02:00", SHANGHAI, "2026-03-07T15:00", "2026-03-07T17:00") == [("07 15:00", "07 17:00")]


def test_around_the_clock_has_no_seam_at_midnight() -> None:
    assert spans("24/7", NEW_YORK, "2026-03-07T12:00", "2026-03-09T12:00") == [("07 12:00", "09 12:00")]


@pytest.mark.parametrize(
    ("expression", "zone", "start", "hours_open"),
    [
        # On the night when New York's clocks go forward at 02:00, and back at 02:00; then an ordinary one.
        ("Mo-Su 00:00-06:00", NEW_YORK, "2026-03-08T04:00", 5.0),
        ("Mo-Su 00:00-06:00", NEW_YORK, "2026-11-01T03:00", 7.0),
        ("Mo-Su 00:00-06:00", NEW_YORK, "2026-06-08T03:00", 6.0),
        ("Mo-Su 22:00-06:00", NEW_YORK, "2026-03-08T00:00", 7.0),
        ("Mo-Su 22:00-06:00", NEW_YORK, "2026-11-01T00:00", 9.0),
        # Lord Howe Island moves its clocks by half an hour.
        ("Mo-Su 00:00-06:00", LORD_HOWE, "2026-04-04T12:00", 6.5),
        ("Mo-Su 00:00-06:00", LORD_HOWE, "2026-10-03T12:00", 5.5),
        ("Mo-Su 22:00-02:00", LORD_HOWE, "2026-04-04T10:00", 4.5),
        ("Mo-Su 22:00-06:00", SHANGHAI, "2026-03-08T10:00", 8.0),
    ],
)
def test_a_night_is_as_long_as_the_clocks_made_it(expression: str, zone: str, start: str, hours_open: float) -> None:
    [(since, until), *_] = hours.open_spans(hours.parse(expression, zone), at(start), at(start) + timedelta(hours=20))

    assert (until - since) == timedelta(hours=hours_open)


def test_an_hour_that_does_not_exist_is_not_open() -> None:
    assert spans("Mo-Su 02:15-02:45", NEW_YORK, "2026-03-08T00:00", "2026-03-09T05:00") == []


@pytest.mark.parametrize("zone", [NEW_YORK, LORD_HOWE, SHANGHAI])
@pytest.mark.parametrize("expression", ["Mo-Fr 09:00-18:00; Sa 22:00-02:00", "Mo-Su 06:00-05:00", "24/7", "Mo-Su 20:00-04:00"])
def test_spans_are_in_order_apart_and_say_the_same_as_asking_at_any_instant(expression: str, zone: str) -> None:
    rng = random.Random(f"{expression}{zone}")
    opening = hours.parse(expression, zone)
    for change in ("2026-03-08T07:00", "2026-11-01T06:00", "2026-04-04T15:00", "2026-10-03T15:30", "2026-12-31T12:00"):
        start, end = at(change) - timedelta(days=3), at(change) + timedelta(days=3)
        found = hours.open_spans(opening, start, end)

        assert all(since < until for since, until in found)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(found))
        for _ in range(40):
            moment = start + timedelta(minutes=rng.randrange(6 * 24 * 60))
            inside = any(since <= moment < until for since, until in found)
            assert hours.is_open(opening, moment) == inside, (moment, expression, zone)


# --- the time a station has to answer runs in its opening hours only ---


def test_time_to_answer_passes_while_open_and_stands_while_closed() -> None:
    opening = hours.parse("Mo-Fr 09:00-18:00", SHANGHAI)

    inside = hours.after_open_time(opening, local("2026-03-02T10:00", SHANGHAI), 30 * MINUTE)
    over_night = hours.after_open_time(opening, local("2026-03-02T17:45", SHANGHAI), 30 * MINUTE)
    over_the_weekend = hours.after_open_time(opening, local("2026-03-06T17:45", SHANGHAI), 30 * MINUTE)
    asked_while_closed = hours.after_open_time(opening, local("2026-03-07T12:00", SHANGHAI), 30 * MINUTE)

    assert inside == local("2026-03-02T10:30", SHANGHAI)
    assert over_night == local("2026-03-03T09:15", SHANGHAI)
    assert over_the_weekend == local("2026-03-09T09:15", SHANGHAI)
    assert asked_while_closed == local("2026-03-09T09:30", SHANGHAI)


def test_time_to_answer_that_ends_with_the_day_ends_at_closing_time() -> None:
    opening = hours.parse("Mo-Fr 09:00-18:00", SHANGHAI)

    assert hours.after_open_time(opening, local("2026-03-02T17:30", SHANGHAI), 30 * MINUTE) == local("2026-03-02T18:00", SHANGHAI)


@pytest.mark.parametrize(
    ("zone", "asked", "answer_by"),
    [
        # 22:00-06:00, asked at 23:00 for six hours; the night is an hour shorter, or longer, than the clock shows.
        (NEW_YORK, "2026-03-07T23:00", "2026-03-08T06:00"),
        (NEW_YORK, "2026-10-31T23:00", "2026-11-01T04:00"),
        (LORD_HOWE, "2026-04-04T23:00", "2026-04-05T04:30"),
        (LORD_HOWE, "2026-10-03T23:00", "2026-10-04T05:30"),
    ],
)
def test_time_to_answer_is_real_time_on_nights_when_the_clocks_change(zone: str, asked: str, answer_by: str) -> None:
    opening = hours.parse("Mo-Su 22:00-06:00", zone)

    assert hours.after_open_time(opening, local(asked, zone), 6 * 60 * MINUTE) == local(answer_by, zone)


@pytest.mark.parametrize("seed", range(5))
def test_time_to_answer_adds_up_to_exactly_that_much_opening_time(seed: int) -> None:
    rng = random.Random(seed)
    opening = hours.parse(rng.choice(["Mo-Fr 09:00-18:00; Sa 22:00-02:00", "Mo-Su 20:00-04:00", "We 10:00-11:00"]), NEW_YORK)
    for _ in range(20):
        start = at("2026-02-20T00:00") + timedelta(minutes=rng.randrange(60 * 24 * 30))
        seconds = rng.randrange(60, 5 * 3600)

        ends = hours.after_open_time(opening, start, seconds)

        passed = sum((until - since for since, until in hours.open_spans(opening, start, ends)), timedelta())
        assert passed == timedelta(seconds=seconds), (seed, start, seconds)


def test_a_station_that_never_opens_gets_plain_time_so_that_no_task_waits_for_ever() -> None:
    opening = hours.parse("2020 Jan 01 10:00-11:00", SHANGHAI)

    assert hours.after_open_time(opening, at("2026-03-02T02:00"), 1800) == at("2026-03-02T02:30")


@pytest.mark.parametrize(
    ("expression", "zone"),
    [("", SHANGHAI), ("whenever", SHANGHAI), ("Mo-Fr 09:00", "Nowhere/Atall"), ("99:99-18:00", SHANGHAI), ("1" * 301, SHANGHAI)],
)
def test_what_cannot_be_read_is_refused_in_words(expression: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        hours.parse(expression, zone)
