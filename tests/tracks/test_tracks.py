"""A rep agrees, begins a shift, and their phone sends what it recorded: what is kept, what is not, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import end_shifts
from app.tracks import batches
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.tracks.roads import Road, agree, begin, send, whole_track


def test_a_day_from_consent_to_kilometres_and_a_visit_nobody_checked_in(
    rep: Http, boss: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now(), north_m=-6_000).stay(2).drive(6_000).stay(35).drive(4_000).stay(1)
    clock.advance(hours=2)
    answer = send(rep, road.fixes)
    rep.post(f"/track-shifts/{shift}/end", {})

    assert answer == {
        "id": "batch-0000001", "fixes": len(road.fixes), "stored": len(road.fixes), "known": 0, "refused": {},
        "shift_ids": [shift],
    }  # fmt: skip
    assert follow_tracks(db, settings) == 1
    seen = rep.get(f"/track-shifts/{shift}")
    assert (seen["state"], seen["end_reason"], seen["fixes"], seen["grade"]) == ("finished", "by_rep", len(road.fixes), "clear")
    assert seen["distance_m"] == pytest.approx(10_000, rel=0.03)
    [proposed] = rep.get("/visit-proposals")["items"]
    assert (proposed["site_id"], proposed["state"]) == (world.site, "proposed")
    confirmed = rep.post(f"/visit-proposals/{proposed['id']}/confirm", {"outcome": "two cabinets wanted"})
    visit = rep.get(f"/visits/{confirmed['visit_id']}")
    assert (visit["state"], visit["source"], visit["outcome"]) == ("finished", "track", "two cabinets wanted")
    assert (visit["began_at"], visit["ended_at"]) == (proposed["came_at"], proposed["left_at"])
    assert [entry["kind"] for entry in rep.get(f"/history/visit/{visit['id']}")["causes"]][:2] == [
        "visit_proposal.confirmed",
        "visit_proposal.made",
    ]
    assert boss.get(f"/track-shifts/{shift}")["distance_m"] == seen["distance_m"]


def test_without_consent_in_force_nothing_is_kept_but_the_number(rep: Http, world: World, clock: SetClock) -> None:
    fixes = Road(clock.now()).drive(2_000).fixes
    clock.advance(minutes=10)
    answer = send(rep, fixes)

    assert (answer["stored"], answer["refused"]) == (0, {"no_consent": len(fixes)})
    assert rep.post("/track-shifts", {}, expect=409)["code"] == "consent_missing"
    agree(rep)
    assert send(rep, fixes, "batch-0000002")["refused"] == {"no_consent": len(fixes)}  # they were taken before it
    later = Road(clock.now()).drive(1_000).fixes
    clock.advance(minutes=5)
    assert send(rep, later, "batch-0000003")["refused"] == {"no_shift": len(later)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lat": 91}, "impossible"),
        ({"lon": -180.5}, "impossible"),
        ({"speed_mps": 1e9}, "impossible"),
        ({"sequence": -1}, "impossible"),
        ({"lat": 0.0001, "lon": 0.0}, "null_island"),
        ({"accuracy_m": 1_000}, "accuracy_too_coarse"),
        ({"at_ms": 1_772_424_000_000 + 90_000_000}, "time_ahead"),
        ({"at_ms": 4_102_444_800_000_000}, "time_ahead"),
        ({"at_ms": 946_684_800_000}, "time_old"),
        ({"lat": "22.5"}, "malformed"),
        ({"lat": None}, "malformed"),
        ({"lat": True}, "malformed"),
        ({"datum": "mars"}, "malformed"),
        ({"accuracy_m": "NaN"}, "malformed"),
        ({"accuracy_m": -1}, "impossible"),
        ({"at_ms": 1.5}, "malformed"),
        ({"at_ms": 2**70}, "impossible"),
        ({"provider": "x" * 21}, "malformed"),
        ({"distance_m": 3}, "malformed"),
    ],
)
def test_each_fix_that_cannot_be_used_is_counted_by_its_reason_and_the_others_stay(
    rep: Http, world: World, clock: SetClock, changes: dict[str, Any], reason: str
) -> None:
    agree(rep)
    shift = begin(rep)
    fixes: list[Any] = Road(clock.now()).drive(1_000).fixes
    bad = fixes[3] | changes
    clock.advance(minutes=5)
    answer = send(rep, [*fixes[:3], bad, *fixes[4:]])

    assert (answer["stored"], answer["refused"]) == (len(fixes) - 1, {reason: 1})
    assert len(whole_track(rep, shift)) == len(fixes) - 1


def test_half_a_character_breaks_nothing(rep: Http, world: World, clock: SetClock) -> None:
    agree(rep)
    begin(rep)
    at_ms = to_ms(clock.now())
    half = {"lat": 22.5, "lon": 114.0, "at_ms": at_ms, "provider": "\ud800"}
    answer = send(rep, [half, half | {"\ud800": 1}])
    frame = {"id": "batch-0000002", "now_ms": at_ms, "fixes": [], "\ud800": 1}

    assert answer["refused"] == {"malformed": 2}
    assert rep.post("/tracks", frame, expect=422)["errors"][0]["code"] == "unknown"


def test_what_is_no_fix_at_all_is_malformed(rep: Http, world: World) -> None:
    agree(rep)
    begin(rep)

    assert send(rep, [None, 5, "x", [], {}])["refused"] == {"malformed": 5}


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ([], "body", "not_object"),
        ({"id": "batch-0000001", "now_ms": 0}, "fixes", "required"),
        ({"id": "batch-0000001", "now_ms": 0, "fixes": {}}, "fixes", "not_list"),
        ({"id": "x", "now_ms": 0, "fixes": []}, "id", "id_invalid"),
        ({"id": "batch-0000001", "now_ms": "0", "fixes": []}, "now_ms", "out_of_range"),
        ({"id": "batch-0000001", "now_ms": 0, "fixes": [], "user_id": "x"}, "user_id", "unknown"),
    ],
)
def test_a_frame_that_is_wrong_is_refused_by_field(rep: Http, world: World, body: Any, field: str, code: str) -> None:
    answer = rep.post("/tracks", body, expect=422)

    assert [(one["field"], one["code"]) for one in answer["errors"]] == [(field, code)]


def test_a_batch_of_100_000_is_refused_whole_and_the_refusal_names_the_bound(rep: Http, world: World, clock: SetClock) -> None:
    agree(rep)
    shift = begin(rep)
    fix = Road(clock.now()).drive(200).fixes[0]
    refusal = send(rep, [{"lat": 22.5, "lon": 114.0, "at_ms": fix["at_ms"]}] * 100_000, expect=422)

    assert refusal["code"] == "batch_too_large"
    assert "最多 5000 个" in refusal["detail"]
    assert "100000" in refusal["detail"]
    assert whole_track(rep, shift) == []
    send(rep, [fix] * 5_001, "batch-0000002", expect=422)
    assert send(rep, [fix] * 5_000, "batch-0000003")["known"] == 4_999


def test_a_shift_holds_so_many_fixes_and_no_more(
    rep: Http, world: World, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_OF_SHIFT", 100)
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now()).drive(9_000)
    clock.advance(minutes=20)
    first, second = send(rep, road.fixes[:90]), send(rep, road.fixes[60:150], "batch-0000002")
    third = send(rep, road.fixes[:150], "batch-0000003")

    assert (first["stored"], second["stored"], second["known"], second["refused"]) == (90, 10, 30, {"shift_full": 50})
    assert (third["stored"], third["known"], third["refused"]) == (0, 100, {"shift_full": 50})
    assert rep.get(f"/track-shifts/{shift}")["fixes"] == len(whole_track(rep, shift)) == 100


def test_a_batch_that_is_sent_again_gets_the_same_answer_and_another_of_its_id_is_refused(
    rep: Http, world: World, clock: SetClock
) -> None:
    agree(rep)
    begin(rep)
    fixes = Road(clock.now()).drive(1_000).fixes
    clock.advance(minutes=5)
    sent = {"id": "batch-0000001", "now_ms": fixes[-1]["at_ms"] + 1_000, "fixes": fixes}
    first = rep.post("/tracks", sent)
    clock.advance(minutes=5)

    assert rep.post("/tracks", sent) == first
    assert rep.post("/tracks", sent | {"fixes": fixes[1:]}, expect=409)["code"] == "batch_differs"


def test_fixes_before_after_and_between_shifts_are_not_kept(rep: Http, world: World, clock: SetClock) -> None:
    agree(rep)
    clock.advance(minutes=1)
    before = Road(clock.now()).drive(500).fixes
    clock.advance(minutes=2)
    first = begin(rep)
    within = Road(clock.now()).drive(500).fixes
    clock.advance(minutes=2)
    rep.post(f"/track-shifts/{first}/end", {})
    between = Road(clock.now()).drive(500).fixes
    clock.advance(minutes=2)
    second = begin(rep)
    again = Road(clock.now()).drive(500).fixes
    clock.advance(minutes=2)
    answer = send(rep, [*before, *within, *between, *again])

    assert answer["refused"] == {"no_shift": len(before) + len(between)}
    assert [len(whole_track(rep, shift)) for shift in (first, second)] == [len(within), len(again)]


def test_the_calendar_ends_a_shift_says_so_and_keeps_nothing_from_after(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    shift = begin(rep)  # at 10:00 in Shanghai
    clock.advance(hours=9, minutes=59)
    assert end_shifts(db, settings) == 0
    clock.advance(minutes=31)
    late = Road(clock.now()).drive(500).fixes
    clock.advance(minutes=2)
    assert send(rep, late)["refused"] == {"no_shift": len(late)}  # also before the job has run
    assert end_shifts(db, settings) == 1

    seen = rep.get(f"/track-shifts/{shift}")
    assert (seen["ended_at"], seen["end_reason"]) == ("2026-03-02T12:00:00.000Z", "by_calendar")
    [note] = rep.get("/notifications")["items"]
    assert (note["title"], "工作日已结束" in note["body"]) == ("班次已结束", True)


def test_a_shift_of_the_evening_ends_at_the_bound_of_its_length(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    clock.advance(hours=11)
    shift = begin(rep)
    clock.advance(hours=17)
    assert end_shifts(db, settings) == 1

    seen = rep.get(f"/track-shifts/{shift}")
    assert (seen["ended_at"], seen["end_reason"]) == ("2026-03-03T05:00:00.000Z", "too_long")
    assert "最长时间" in rep.get("/notifications")["items"][0]["body"]
