"""Who looks at a track says what for and why, and the rep knows."""

from __future__ import annotations

import pytest

from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.tracks.roads import Road, agree, begin, send, whole_track


@pytest.fixture
def shift(rep: Http, world: World, clock: SetClock) -> str:
    agree(rep)
    made = begin(rep)
    road = Road(clock.now()).drive(2_000).stay(70, every_s=1)
    clock.advance(hours=2)
    send(rep, road.fixes)
    return made


def test_a_manager_looks_for_a_purpose_and_with_a_reason_and_the_rep_is_told(
    rep: Http, boss: Http, world: World, shift: str
) -> None:
    path = f"/track-shifts/{shift}/look"
    for body in (
        {},
        {"purpose": "mileage"},
        {"purpose": "curiosity", "reason": "who knows"},
        {"purpose": "mileage", "reason": " "},
    ):
        boss.post(path, body, expect=422)
    assert rep.get("/track-looks")["items"] == []

    seen = boss.post(path, {"purpose": "mileage", "reason": "expense claim of March"})
    [looked] = rep.get("/track-looks")["items"]
    assert (looked["looked_by_name"], looked["purpose"], looked["reason"]) == ("manager", "mileage", "expense claim of March")
    assert (looked["shift_id"], looked["fixes"]) == (shift, seen["total"])
    [note] = rep.get("/notifications")["items"]
    assert (note["title"], "expense claim of March" in note["body"]) == ("您的行踪被查看", True)
    assert note["body"].startswith("manager查看了您某个班次的行踪。")
    reasons = [one["reason"] for one in rep.get(f"/history/track_shift/{shift}")["about"]]
    assert "manager查看了行踪。目的：里程。理由：expense claim of March。" in reasons
    assert 0 < len(seen["fixes"]) <= 2_000 < seen["total"]
    assert len(seen["stays"]) == 1


def test_a_rep_reads_their_own_track_page_by_page_without_a_look(rep: Http, world: World, shift: str) -> None:
    first = rep.get(f"/track-shifts/{shift}/track?limit=100")
    second = rep.get(f"/track-shifts/{shift}/track?limit=100&after=100")

    assert (len(first["fixes"]), first["next"], len(first["stays"])) == (100, 100, 1)
    assert (second["stays"], second["fixes"][0]["at"] > first["fixes"][-1]["at"]) == ([], True)
    assert len(whole_track(rep, shift)) == first["total"]
    assert rep.get("/track-looks")["items"] == []


def test_nobody_else_sees_a_track_or_that_there_is_one(http: Http, boss: Http, world: World, shift: str) -> None:
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    colleague, admin = http.as_(other), http.as_(world.admin)
    looking = {"purpose": "safety", "reason": "where is he"}

    boss.refused("GET", f"/track-shifts/{shift}/track", 403, "forbidden")  # a manager sees it by a look only
    admin.refused("POST", f"/track-shifts/{shift}/look", 403, "forbidden", looking)
    colleague.refused("POST", f"/track-shifts/{shift}/look", 403, "forbidden", looking)
    for path in (f"/track-shifts/{shift}", f"/track-shifts/{shift}/track"):
        colleague.refused("GET", path, 404, "not_found")
    for path in ("/track-shifts", "/track-looks", "/track-deletions", "/visit-proposals"):
        assert colleague.get(path)["items"] == []
    for nobody in (world.owner, world.staff[0]):
        http.as_(nobody).refused("GET", "/track-shifts", 403, "forbidden")


def test_a_look_is_not_kept_among_the_answers_to_repeated_requests(boss: Http, world: World, shift: str) -> None:
    body = {"purpose": "visits", "reason": "complaint of the customer"}
    for _ in range(2):
        boss.post(f"/track-shifts/{shift}/look", body, Idempotency_Key="a-key-of-mine-1")

    assert len(boss.get("/track-looks")["items"]) == 2
