"""Positions go when their time is over, with proof; the kilometres and the visits stay."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.core.settings import Settings
from app.findings import of_tracks
from app.jobs import end_shifts
from app.tracks import erasure
from app.tracks.erasure import retire_tracks
from app.tracks.following import follow_tracks
from app.tracks.models import TrackBatch, TrackChunk, VisitProposal
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.tracks.roads import Road, agree, begin, send, whole_track


def record_days(rep: Http, clock: SetClock, days: int) -> list[str]:
    """Record a short way on each of some days."""
    shifts = []
    for day in range(days):
        shift = begin(rep)
        fixes = Road(clock.now(), seed=day).drive(600).fixes
        clock.advance(minutes=3)
        send(rep, fixes, f"batch-{day:08}")
        rep.post(f"/track-shifts/{shift}/end", {})
        shifts.append(shift)
        clock.advance(days=1)
    return shifts


def test_what_is_older_than_the_setting_goes_page_by_page_with_a_proof_that_can_be_checked(
    rep: Http, boss: Http, world: World, clock: SetClock, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_PAGE", 2)
    agree(rep)
    shifts = record_days(rep, clock, 4)
    follow_tracks(db, settings)
    figures = [rep.get(f"/track-shifts/{shift}")["distance_m"] for shift in shifts]
    sizes = [len(whole_track(rep, shift)) for shift in shifts]
    with db.reading() as session:
        gone = session.scalars(
            select(TrackChunk).where(TrackChunk.shift_id.in_(shifts[:2])).order_by(TrackChunk.shift_id, TrackChunk.hour)
        ).all()
        expected = hashlib.sha256(b"".join(f"{one.shift_id}:{one.hour}:".encode() + one.content for one in gone)).hexdigest()
    assert retire_tracks(db, settings) == 0
    clock.advance(days=88)  # of the first three the 90 days are over, of the last one they are not

    assert retire_tracks(db, settings) == sum(sizes[:3])
    assert retire_tracks(db, settings) == 0
    assert [len(whole_track(rep, shift)) for shift in shifts] == [0, 0, 0, sizes[3]]
    assert [rep.get(f"/track-shifts/{shift}")["distance_m"] for shift in shifts] == figures
    second, first = rep.get("/track-deletions")["items"]
    assert (first["shifts"], first["fixes"], first["digest"]) == (2, sizes[0] + sizes[1], expected)
    assert (second["shifts"], second["cause"], second["setting"]) == (1, "retention", "FIELDLOOP_TRACK_DAYS=90")
    assert [one["id"] for one in boss.get("/track-deletions")["items"]] == [second["id"], first["id"]]
    assert "已到保存期限" in rep.get(f"/history/track_deletion/{first['id']}")["about"][0]["reason"]
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(TrackBatch)) == 1


def test_a_longer_setting_keeps_nothing_for_longer_than_its_rep_was_told(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    [shift] = record_days(rep, clock, 1)
    clock.advance(days=91)

    assert retire_tracks(db, replace(settings, track_days=400)) > 0
    assert whole_track(rep, shift) == []


def test_what_was_proposed_goes_with_the_positions_unless_it_was_confirmed(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    agree(rep)
    for day in range(2):
        shift = begin(rep)
        road = Road(clock.now(), seed=day, north_m=-1_000).drive(1_000).stay(30).drive(1_000)
        clock.advance(hours=1)
        send(rep, road.fixes, f"batch-{day:08}")
        rep.post(f"/track-shifts/{shift}/end", {})
        follow_tracks(db, settings)
        clock.advance(days=1)
    second, first = rep.get("/visit-proposals")["items"]
    rep.post(f"/visit-proposals/{first['id']}/confirm", {})
    clock.advance(days=100)
    retire_tracks(db, settings)

    assert [one["id"] for one in rep.get("/visit-proposals")["items"]] == [first["id"]]
    with db.reading() as session:
        assert session.get(VisitProposal, second["id"]) is None
    assert [one["source"] for one in rep.get("/visits")["items"]] == ["track"]
    rep.refused("GET", f"/history/visit_proposal/{second['id']}", 404, "not_found")


def test_the_doctor_tells_of_shifts_that_never_ended_and_of_positions_that_should_be_gone(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    def found() -> list[tuple[str, str]]:
        with db.reading() as session:
            return [(one.level, one.what[0]) for one in of_tracks(session, settings)]

    agree(rep)
    record_days(rep, clock, 1)
    clock.advance(hours=11)
    begin(rep)
    assert found() == []
    clock.advance(hours=17)
    assert [level for level, _ in found()] == ["problem"]
    assert "run past their latest end" in found()[0][1]
    end_shifts(db, settings)
    assert [level for level, _ in found()] == ["note"]
    clock.advance(days=92)
    assert ["longer than they may be" in what for _, what in found()] == [True]
    retire_tracks(db, settings)
    assert found() == []
