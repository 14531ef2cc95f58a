"""Shifts that phones tell of late and shuffled: in every order the same as in time; what overlaps is refused, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.rxdb_phones import RxdbPhone
from tests.tracks.roads import Road, agree, begin, send, whole_track

A, B = "first", "second"
# What happened, in its order: (what, of which shift, hours after the consent).
DAY = (("begin", A, 1.0), ("end", A, 2.0), ("begin", B, 3.0), ("end", B, 4.0))
TRACKS = {A: ("track", A, 1.0), B: ("track", B, 3.0)}
Order = tuple[tuple[str, str, float], ...]


def orders(by: str) -> list[Order]:
    """Return the orders in which phones may send: over HTTP an end after its beginning, fixes when their shift is known."""
    found: list[Order] = []
    for order in permutations(DAY):
        in_time = all(order.index(DAY[n]) < order.index(DAY[n + 1]) for n in (0, 2))
        if by == "http" and in_time:
            at_once = [each for one in order for each in (one, TRACKS[one[1]])[: 2 if one[0] == "begin" else 1]]
            found.append(tuple(at_once))
        if by == "intent" or in_time:
            found.append((*order, TRACKS[B], TRACKS[A]))
    return found


class Day:
    """The day of a rep, told in the evening."""

    def __init__(self, rep: Http, device: RxdbPhone, settings: Settings, began: datetime) -> None:
        self.rep, self.device, self.settings, self.began = rep, device, settings, began
        self.ids = {name: new_id() for name in (A, B)}
        device.sync()

    def at(self, hours: float) -> datetime:
        return self.began + timedelta(hours=hours)

    def tell(self, what: str, shift: str, hours: float, *, by: str) -> None:
        body = {"at_ms": to_ms(self.at(hours))}
        if what == "track":
            answer = send(self.rep, Road(self.at(hours)).drive(2_000).stay(30).fixes, new_id())
            assert answer["refused"] == {}
        elif by == "http":
            path = "/track-shifts" if what == "begin" else f"/track-shifts/{self.ids[shift]}/end"
            made = what == "begin"
            self.rep.post(path, body | ({"id": self.ids[shift]} if made else {}), expect=201 if made else 200)
        else:
            named = {"id" if what == "begin" else "shift_id": self.ids[shift]}
            values = {"kind": f"track_shift.{what}", "body": json.dumps(body | named), "made_at": body["at_ms"]}
            self.device.create("intents", {"id": new_id(), **values})
            self.device.sync()

    def outcome(self) -> list[Any]:
        """Return what the day amounts to."""
        while follow_tracks(self.rep.database, self.settings):
            pass
        self.device.sync()
        ids = [self.ids[shift] for shift in (A, B)]
        names = ("began_at", "ended_at", "end_reason", "state", "fixes", "distance_m", "grade", "latest_end_at")
        seen = [self.rep.get(f"/track-shifts/{shift}") for shift in ids]
        held = [self.device.live("track_shifts")[shift]["ended_at"] for shift in ids]
        tracks = [whole_track(self.rep, shift) for shift in ids]
        return [[{name: one[name] for name in names} for one in seen], held, tracks]


Days = Callable[[], Day]


@pytest.fixture
def days(http: Http, world: World, settings: Settings, clock: SetClock, db: Database) -> Days:
    """Return days, each of another rep, that are told in the evening."""
    began = clock.now()

    def another() -> Day:
        clock.set(began)
        with db.transaction() as session:
            person = make_user(session, settings, "rep", new_id(), locale="zh-CN")
            session.flush()
            rep_id = person.id
        rep = http.as_(rep_id)
        agree(rep)
        clock.set(began + timedelta(hours=12))
        return Day(rep, RxdbPhone(rep, names=("intents", "track_shifts")), settings, began)

    return another


def told(day: Day, order: Order, by: str) -> list[Any]:
    for what, shift, hours in order:
        day.tell(what, shift, hours, by=by)
    return day.outcome()


@pytest.mark.parametrize("by", ["http", "intent"])
def test_in_whatever_order_shifts_are_told_they_end_as_they_did(days: Days, by: str) -> None:
    day = days()
    in_time = told(day, (*DAY, TRACKS[A], TRACKS[B]), by)
    [first, second], held, tracks = in_time
    assert [(one["end_reason"], one["state"]) for one in (first, second)] == [("by_rep", "finished")] * 2
    assert held == [to_ms(day.at(2)), to_ms(day.at(4))]
    assert min(map(len, tracks)) > 100

    assert [order for order in orders(by) if told(days(), order, by) != in_time] == []


def test_a_beginning_without_an_end_ends_as_the_next_one_begins_whichever_was_told_first(days: Days) -> None:
    for order in ((DAY[0], DAY[2], DAY[3]), (DAY[2], DAY[0], DAY[3]), (DAY[2], DAY[3], DAY[0])):
        day = days()
        for what, shift, hours in order:
            day.tell(what, shift, hours, by="http")
        first = day.rep.get(f"/track-shifts/{day.ids[A]}")
        assert (first["end_reason"], first["ended_at"]) == ("next_began", day.rep.get(f"/track-shifts/{day.ids[B]}")["began_at"])
        entries = day.rep.get(f"/history/track_shift/{day.ids[A]}")["about"]
        assert [entry["kind"] for entry in entries] == ["track_shift.began", "track_shift.ended"]
        assert "下一班次已开始" in entries[1]["reason"]


def test_positions_sent_before_the_next_shift_was_told_of_are_of_that_one(days: Days) -> None:
    day = days()
    for what, shift, hours in (DAY[0], TRACKS[A], TRACKS[B], DAY[2], DAY[1], DAY[3]):
        day.tell(what, shift, hours, by="http")
    other = days()

    assert day.outcome() == told(other, (*DAY, *TRACKS.values()), "http")
    assert day.rep.get("/track-deletions")["items"] == []


@pytest.mark.parametrize(
    ("order", "refused"),
    [
        ([("begin", A, 1.0), ("end", A, 3.5)], ("begin", B, 3.0)),
        ([("begin", A, 1.0), ("begin", B, 3.0)], ("end", A, 3.5)),
        ([("begin", B, 3.0), ("begin", A, 1.0)], ("end", A, 3.5)),
        ([("begin", A, 1.0), ("end", A, 2.0)], ("begin", B, 1.0)),
    ],
)
def test_shifts_that_cover_the_same_time_are_refused_with_a_reason(
    days: Days, order: list[tuple[str, str, float]], refused: tuple[str, str, float]
) -> None:
    day = days()
    for what, shift, hours in order:
        day.tell(what, shift, hours, by="intent")
    before = day.rep.get("/track-shifts")["items"]

    day.tell(*refused, by="intent")
    day.device.sync()
    rejected = [row for row in day.device.live("intents").values() if row["verdict"] != "accepted"]
    assert [row["text"] for row in rejected] == ["该时间已有班次：同一人的班次不能重叠。"]
    assert day.rep.get("/track-shifts")["items"] == before


def test_who_begins_now_while_a_shift_runs_is_told_to_end_it_first(rep: Http, world: World, clock: SetClock) -> None:
    agree(rep)
    first = begin(rep)
    clock.advance(hours=1)

    assert rep.post("/track-shifts", {}, expect=409)["code"] == "shift_running"
    assert rep.get(f"/track-shifts/{first}")["state"] == "running"


def test_a_shift_told_after_its_consent_was_withdrawn_ends_with_it_and_keeps_what_the_consent_allows(days: Days) -> None:
    for erase in (False, True):
        day = days()
        [consent] = day.rep.get("/track-consents")["items"]
        at_ms = to_ms(day.at(1.25))
        day.rep.post(f"/track-consents/{consent['id']}/withdraw", {"erase": erase, "at_ms": at_ms})
        day.tell(*DAY[0], by="http")
        fixes = Road(day.at(1)).drive(2_000).stay(30).fixes
        answer = send(day.rep, fixes)

        shift = day.rep.get(f"/track-shifts/{day.ids[A]}")
        assert (shift["state"], shift["end_reason"]) == ("finished", "consent_withdrawn")
        assert to_ms(datetime.fromisoformat(shift["ended_at"])) == at_ms
        kept = sum(fix["at_ms"] < at_ms for fix in fixes)
        assert answer["stored"] == (0 if erase else kept)
        assert day.rep.post("/track-shifts", {"at_ms": to_ms(day.at(3))}, expect=409)["code"] == "consent_missing"
