"""Shifts: begun by the rep, ended in time, corrected afterwards; what they amount to follows their fixes."""

from __future__ import annotations

import pytest

from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import end_shifts
from app.tracks import following
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.tracks.roads import Road, agree, begin, send, whole_track


def test_a_shift_that_ended_by_itself_is_cut_short_when_its_rep_says_so_and_what_came_later_goes(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now()).drive(6_000).stay(30)
    clock.advance(hours=1)
    send(rep, road.fixes)
    clock.advance(hours=11)
    end_shifts(db, settings)
    follow_tracks(db, settings)
    home = road.fixes[len(road.fixes) // 3]["at_ms"]
    rep.post(f"/track-shifts/{shift}/end", {"at_ms": home - 86_400_000}, expect=422)
    seen = rep.post(f"/track-shifts/{shift}/end", {"at_ms": home})
    follow_tracks(db, settings)

    assert (seen["end_reason"], to_ms(from_ms(home)), len(whole_track(rep, shift))) == ("by_rep", home, len(road.fixes) // 3 + 1)
    after = rep.get(f"/track-shifts/{shift}")
    assert 0 < after["distance_m"] < 6_000 * 0.8
    [proof] = rep.get("/track-deletions")["items"]
    assert (proof["cause"], proof["fixes"]) == ("after_the_end", len(road.fixes) - len(road.fixes) // 3 - 1)
    assert rep.post(f"/track-shifts/{shift}/end", {"at_ms": home - 60_000}, expect=409)["code"] == "state_conflict"


def test_nothing_is_written_of_a_reckoning_that_new_fixes_overtook(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now()).drive(6_000)
    clock.advance(minutes=15)
    send(rep, road.fixes[:50])
    reckon = following.figure

    def meanwhile(*given: object) -> object:
        found = reckon(*given)  # type: ignore[arg-type]
        send(rep, road.fixes[50:], "batch-0000002")
        return found

    monkeypatch.setattr(following, "figure", meanwhile)
    assert follow_tracks(db, settings) == 0
    assert rep.get(f"/track-shifts/{shift}")["distance_m"] is None
    monkeypatch.setattr(following, "figure", reckon)
    assert follow_tracks(db, settings) == 1
    assert rep.get(f"/track-shifts/{shift}")["distance_m"] == pytest.approx(6_000, rel=0.05)


def test_shifts_of_one_rep_do_not_overlap(rep: Http, world: World, clock: SetClock) -> None:
    began = clock.now()
    agree(rep)
    clock.advance(hours=1)
    first = begin(rep)
    assert rep.post("/track-shifts", {}, expect=409)["code"] == "shift_running"
    clock.advance(hours=1)
    rep.post(f"/track-shifts/{first}/end", {})

    for minutes in (60, 90, 119):
        at_ms = to_ms(began) + minutes * 60_000
        assert rep.post("/track-shifts", {"at_ms": at_ms}, expect=409)["code"] == "shift_overlaps"
    begin(rep)


def test_a_shift_that_nobody_ended_does_not_keep_its_rep_from_the_next_one(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    first = begin(rep)
    clock.advance(days=1)
    second = begin(rep)  # before the job has run

    assert [rep.get(f"/track-shifts/{one}")["state"] for one in (first, second)] == ["finished", "running"]
    assert rep.get(f"/track-shifts/{first}")["end_reason"] == "by_calendar"


def test_way_across_gaps_is_told_apart_and_a_jump_is_no_way(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now()).drive(3_000)
    road.north_m += 5_000
    road.silence(25).drive(2_000)
    jump = road.fixes[20] | {"lat": 23.9, "at_ms": road.fixes[20]["at_ms"] + 1_000, "sequence": None}
    clock.advance(hours=1)
    send(rep, [*road.fixes, jump])
    follow_tracks(db, settings)

    seen = rep.get(f"/track-shifts/{shift}")
    assert seen["distance_m"] == pytest.approx(10_000, rel=0.05)
    assert seen["unseen_m"] == pytest.approx(5_000, rel=0.05)


def test_a_track_that_a_program_made_up_is_not_clear(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now()).drive(6_000)
    made_up = [one | {"mocked": True, "altitude_m": 0.0, "accuracy_m": 0.0} for one in road.fixes]
    clock.advance(hours=1)
    send(rep, made_up)
    follow_tracks(db, settings)

    seen = rep.get(f"/track-shifts/{shift}")
    assert seen["grade"] in {"doubtful", "implausible"}
    assert "mock_flag" in [one["code"] for one in seen["findings"]]
    assert all(one["text"] for one in seen["findings"])
