"""Visits that a track shows and nobody checked in: proposed, confirmed, rejected, and followed when fixes come late."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.core.clock import from_ms
from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.settings import Settings
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World
from tests.pages.test_home import section
from tests.people import Http
from tests.tracks.roads import SITE, Road, agree, begin, send
from tests.visits.test_check_ins import fix, plan


@pytest.fixture
def follow(db: Database, settings: Settings) -> Any:
    return lambda: follow_tracks(db, settings)


def record(rep: Http, clock: SetClock, road: Road) -> str:
    """Record a whole road in a shift that then ends."""
    shift = begin(rep)
    clock.set(from_ms(road.at_ms + 60_000))
    send(rep, road.fixes, f"batch-{road.at_ms:016}")
    rep.post(f"/track-shifts/{shift}/end", {})
    return shift


def visit_of(clock: SetClock, minutes: float = 30, away_m: float = 0.0, **more: Any) -> Road:
    return Road(clock.now(), north_m=away_m - 2_000, **more).drive(2_000).stay(minutes).drive(2_000)


@pytest.mark.parametrize(("minutes", "away_m", "proposed"), [(30, 0.0, 1), (30, 150.0, 1), (30, 260.0, 0), (12, 0.0, 0)])
def test_a_stay_within_the_fence_of_a_site_is_proposed_as_a_visit_and_no_other(
    rep: Http, world: World, clock: SetClock, follow: Any, minutes: float, away_m: float, proposed: int
) -> None:
    agree(rep)
    record(rep, clock, visit_of(clock, minutes, away_m))
    follow()

    assert len(rep.get("/visit-proposals")["items"]) == proposed


def test_who_was_in_a_building_without_reception_was_there(rep: Http, world: World, clock: SetClock, follow: Any) -> None:
    agree(rep)
    record(rep, clock, Road(clock.now(), north_m=-2_000).drive(2_000).stay(1).silence(45).stay(1).drive(2_000))
    follow()

    [one] = rep.get("/visit-proposals")["items"]
    assert (from_iso(one["left_at"]) - from_iso(one["came_at"])).total_seconds() > 45 * 60


def from_iso(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_where_a_visit_was_checked_in_none_is_proposed(rep: Http, world: World, clock: SetClock, follow: Any) -> None:
    agree(rep)
    visit = plan(rep, world)
    began = clock.now()
    clock.advance(minutes=10)
    answer = rep.post(f"/visits/{visit}/check-in", fix(world))
    clock.set(began)
    record(rep, clock, visit_of(clock))
    follow()

    assert answer["shift_offered"] is True
    assert rep.get("/visit-proposals")["items"] == []


def test_a_check_in_offers_a_shift_only_while_none_runs(rep: Http, world: World, clock: SetClock) -> None:
    agree(rep)
    begin(rep)

    assert rep.post(f"/visits/{plan(rep, world)}/check-in", fix(world))["shift_offered"] is False


def test_sites_that_the_rep_may_not_see_are_not_proposed(
    rep: Http, http: Http, world: World, clock: SetClock, follow: Any
) -> None:
    admin = http.as_(world.admin)
    other = admin.post("/territories", {"code": "T9", "name": "Elsewhere"}, expect=201)["id"]
    admin.edit(f"/customers/{world.customer}", {"territory_id": other, "owner_id": None}, 1)
    agree(rep)
    record(rep, clock, visit_of(clock))
    follow()

    assert rep.get("/visit-proposals")["items"] == []


def test_late_fixes_move_or_withdraw_what_is_undecided_and_leave_what_was_confirmed(
    rep: Http, world: World, clock: SetClock, follow: Any
) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now(), north_m=-2_000).drive(2_000).stay(50).drive(2_000)
    clock.set(from_ms(road.at_ms + 60_000))
    rep.post(f"/track-shifts/{shift}/end", {})
    drive = [one for one in road.fixes if one["speed_mps"] > 5]
    there = [one for one in road.fixes if one["speed_mps"] <= 5]
    early, late = there[: len(there) // 2], there[len(there) // 2 :]
    send(rep, [*drive[: len(drive) // 2], *early], "batch-0000001")
    follow()
    [first] = rep.get("/visit-proposals")["items"]
    send(rep, [*late, *drive[len(drive) // 2 :]], "batch-0000002")
    follow()
    [second] = rep.get("/visit-proposals")["items"]

    assert (first["id"], first["came_at"]) == (second["id"], second["came_at"])
    assert second["left_at"] > first["left_at"]
    rep.post(f"/visit-proposals/{first['id']}/confirm", {})
    # It turns out that the phone had been elsewhere all that time: the rep's own word stays.
    elsewhere = [one | {"lat": one["lat"] + 0.02, "at_ms": one["at_ms"] + 1_000, "accuracy_m": 3.0} for one in there]
    send(rep, elsewhere, "batch-0000003")
    follow()
    [third] = rep.get("/visit-proposals")["items"]
    assert (third["state"], third["came_at"], third["left_at"]) == ("confirmed", second["came_at"], second["left_at"])


def test_a_proposal_that_later_fixes_do_not_show_is_withdrawn(rep: Http, world: World, clock: SetClock, follow: Any) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now(), north_m=-2_000).drive(2_000).stay(5).silence(60).drive(3_000)
    away = Road(from_ms(road.fixes[-1]["at_ms"] - 3_600_000 + 300_000), north_m=1_000.0).stay(40)
    clock.set(from_ms(road.at_ms + 60_000))
    rep.post(f"/track-shifts/{shift}/end", {})
    send(rep, road.fixes, "batch-0000001")
    follow()
    assert [one["state"] for one in rep.get("/visit-proposals")["items"]] == ["proposed"]
    send(rep, away.fixes, "batch-0000002")
    follow()

    [one] = rep.get("/visit-proposals")["items"]
    assert one["state"] == "withdrawn"
    assert rep.post(f"/visit-proposals/{one['id']}/confirm", {}, expect=409)["code"] == "state_conflict"


def test_a_rejected_stay_is_not_proposed_again(rep: Http, world: World, clock: SetClock, follow: Any) -> None:
    agree(rep)
    road = visit_of(clock)
    late = road.fixes[5:9]
    road.fixes = [one for one in road.fixes if one not in late]
    record(rep, clock, road)
    follow()
    [one] = rep.get("/visit-proposals")["items"]
    rep.post(f"/visit-proposals/{one['id']}/reject", {"reason": "lunch next door"})
    send(rep, late, "batch-0000009")
    assert follow() == 1

    assert [row["state"] for row in rep.get("/visit-proposals")["items"]] == ["rejected"]


def test_of_many_confirmations_at_once_one_visit_comes(rep: Http, world: World, clock: SetClock, follow: Any) -> None:
    agree(rep)
    record(rep, clock, visit_of(clock))
    follow()
    [one] = rep.get("/visit-proposals")["items"]
    codes: list[int] = []
    gate = threading.Barrier(4)

    def confirm() -> None:
        gate.wait()
        codes.append(rep.call("POST", f"/visit-proposals/{one['id']}/confirm", {}).status_code)

    threads = [threading.Thread(target=confirm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [200, 409, 409, 409]
    assert len(rep.get("/visits")["items"]) == 1


def test_of_many_shifts_begun_at_once_one_runs(rep: Http, world: World) -> None:
    agree(rep)
    codes: list[int] = []
    gate = threading.Barrier(4)

    def start() -> None:
        gate.wait()
        codes.append(rep.call("POST", "/track-shifts", {}).status_code)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [201, 409, 409, 409]


def test_of_two_sites_the_nearer_is_proposed_and_a_merge_of_customers_takes_it_along(
    rep: Http, boss: Http, world: World, clock: SetClock, follow: Any
) -> None:
    told = {"code": "C-2", "name": "Lin Logistics Ltd", "territory_id": world.territory, "owner_id": world.rep}
    other = boss.post("/customers", told, expect=201)["id"]
    near = boss.post(f"/customers/{other}/sites", {"name": "Gate", "lat": SITE.lat + 0.0002, "lon": SITE.lon}, expect=201)["id"]
    agree(rep)
    record(rep, clock, visit_of(clock, away_m=40.0))
    follow()
    [one] = rep.get("/visit-proposals")["items"]
    assert (one["site_id"], one["customer_id"]) == (near, other)
    boss.post(f"/customers/{world.customer}/merge", {"other_id": other})

    [one] = rep.get("/visit-proposals")["items"]
    assert (one["site_id"], one["customer_id"]) == (near, world.customer)
    done = rep.post(f"/visit-proposals/{one['id']}/confirm", {})
    assert rep.get(f"/visits/{done['visit_id']}")["customer_id"] == world.customer


def test_a_proposal_is_on_the_reps_home_page_and_in_nobodys_story(
    rep: Http, boss: Http, world: World, clock: SetClock, follow: Any, db: Database
) -> None:
    """The causal log outlives tracks: an entry that named the customer would say where somebody was."""
    agree(rep)
    record(rep, clock, visit_of(clock))
    follow()
    [one] = rep.get("/visit-proposals")["items"]

    [shown] = section(rep.get("/mobile/home"), "proposals")["rows"]
    assert (shown["kind"], shown["id"], shown["title"]) == ("visit_proposal", one["id"], "Lin Logistics")
    assert shown["line"].endswith("Depot：是否为一次拜访？")
    assert "proposals" not in {part["name"] for part in boss.get("/mobile/home")["sections"]}
    rep.post(f"/visit-proposals/{one['id']}/confirm", {})
    assert section(rep.get("/mobile/home"), "proposals")["total"] == 0
    path = f"/customers/{world.customer}/timeline?limit=200"
    for person in (rep, boss):
        kinds = {line["kind"] for line in person.get(path)["items"]}
        assert "visit.found" in kinds, "what the rep says was a visit is one"
        assert not {kind for kind in kinds if kind.startswith(("visit_proposal.", "track"))}
    with db.reading() as session:
        told = select(HistoryEntry.customer_id).where(HistoryEntry.subject_kind == "visit_proposal")
        assert set(session.scalars(told)) == {None}
