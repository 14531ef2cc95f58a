"""A rep's visits: planned, begun by a check-in, ended by one; what a phone tells, and what is made of it."""

from __future__ import annotations

import hashlib
import io
import threading
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from app.attachments.operations import create_attachment
from app.attachments.uploads import Uploads
from app.core.clock import to_ms
from app.core.db import Database
from app.core.geo import Position
from app.core.settings import Settings
from app.customers.models import Site
from app.positions.datum import Datum, from_wgs84
from app.positions.regions import Region
from app.visits.models import CheckIn
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.people import Http

WINDOW = {"planned_from": "2026-03-02T01:00:00Z", "planned_until": "2026-03-02T04:00:00Z"}
SHIFTED = frozenset({Region.MAINLAND, Region.HONG_KONG, Region.MACAO})
DEGREE_M = 110_750.0  # of latitude, in the south of China


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def plan(rep: Http, world: World, **more: Any) -> str:
    return str(rep.post("/visits", {"site_id": world.site, **WINDOW, **more}, expect=201)["id"])


def fix(world: World, away_m: float = 0, datum: Datum = Datum.WGS84, **more: Any) -> dict[str, Any]:
    """Return what a phone tells that is so far north of the site, now by a right clock."""
    with world.db.reading() as session:
        site = session.get_one(Site, world.site)
        # No receiver tells the very middle of a site: some metres off, in all its digits.
        place = from_wgs84(Position(site.lat + away_m / DEGREE_M + 2.3147e-5, site.lon - 3.8213e-5), datum, SHIFTED)
    at_ms = to_ms(world.db.clock.now())
    told = {"lat": place.lat, "lon": place.lon, "datum": str(datum), "accuracy_m": 10.0, "at_ms": at_ms, "sent_ms": at_ms}
    return {name: value for name, value in (told | more).items() if value is not ...}


def attach(world: World, user_id: str, row_id: str, mime: str = "image/png", *, arrives: bool = True) -> None:
    """Attach a picture, or a text, to the site."""
    picture = io.BytesIO()
    Image.new("RGB", (len(row_id), 1)).save(picture, "PNG")  # each its own: one of the same bytes need not be sent
    raw, actor = picture.getvalue() if mime == "image/png" else b"text", world.actor(user_id)
    values = {"id": row_id, "subject_kind": "site", "subject_id": world.site, "name": "gate", "mime": mime, "made_ms": 0}
    with world.db.transaction() as session:
        told = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        create_attachment(session, world.settings, actor, values | told)
    if arrives:
        uploads = Uploads(world.db, world.settings)
        if uploads.begin(actor, row_id, len(raw), keep_location=False).offset < len(raw):
            uploads.append(actor, row_id, 0, raw)


def faulty(answer: dict[str, Any]) -> list[str]:
    return [one["field"] for one in answer["errors"]]


def test_a_visit_from_plan_to_end(rep: Http, world: World, clock: SetClock) -> None:
    visit = plan(rep, world, purpose="new cold cabinets")
    begun = rep.post(f"/visits/{visit}/check-in", fix(world))
    clock.advance(minutes=40)
    rep.post(f"/visits/{visit}/check-out", fix(world, outcome="two cabinets wanted", next_step="send a quote"))

    seen = rep.get(f"/visits/{visit}")
    assert (begun["state"], begun["nearness"], begun["reasons"]) == ("accepted", "inside", [])
    assert (seen["number"], seen["state"], seen["next_step"]) == ("V-2026-000001", "finished", "send a quote")
    assert (seen["began_at"], seen["ended_at"]) == ("2026-03-02T02:00:00.000Z", "2026-03-02T02:40:00.000Z")
    assert [row["leaving"] for row in rep.get(f"/check-ins?visit_id={visit}")["items"]] == [True, False]  # the newest first
    told = [entry["kind"] for entry in rep.get(f"/history/visit/{visit}")["about"]]
    assert sorted(told) == ["visit.began", "visit.ended", "visit.planned"]


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_a_phone_of_any_map_is_where_it_is(rep: Http, world: World, datum: Datum) -> None:
    row = rep.post(f"/visits/{plan(rep, world)}/check-in", fix(world, datum=datum))

    assert (row["state"], row["nearness"]) == ("accepted", "inside")
    assert row["distance_m"] == pytest.approx(4.7, abs=1)
    assert (row["told_lat"], row["datum"]) != (row["lat"], "wgs84")


@pytest.mark.parametrize(
    ("away_m", "more", "nearness", "reasons"),
    [
        (250, {}, "near", []),
        (900, {}, "outside", ["photo_missing", "note_missing"]),
        (900, {"photo_id": "of-the-rep"}, "outside", ["note_missing"]),
        (900, {"photo_id": "of-the-rep", "note": "the gate is on the other side"}, "outside", []),
        (900, {"photo_id": "a-text-0001", "note": "that is no picture"}, "outside", ["photo_missing"]),
        (900, {"photo_id": "somebodys-1", "note": "that is a colleague's"}, "outside", ["photo_missing"]),
        (900, {"photo_id": "without-bytes", "note": "that never came"}, "outside", ["photo_missing"]),
        (900, {"photo_id": "made-up-001", "note": "that there is none of"}, "outside", ["photo_missing"]),
        (0, {"datum": Datum.UNKNOWN}, "unsure", ["datum_unknown"]),
        (0, {"accuracy_m": ...}, "unsure", ["accuracy_missing"]),
        (0, {"accuracy_m": 0}, "unsure", ["accuracy_missing"]),
        (0, {"accuracy_m": 1_000}, "unsure", ["accuracy_too_coarse"]),
        (0, {"mocked": True}, "inside", ["position_doubtful"]),
    ],
)
def test_what_is_not_plain_is_recorded_with_its_reasons_and_looked_at(
    rep: Http, world: World, away_m: float, more: dict[str, Any], nearness: str, reasons: list[str]
) -> None:
    attach(world, world.rep, "of-the-rep")
    attach(world, world.rep, "a-text-0001", "text/plain")
    attach(world, world.manager, "somebodys-1")
    attach(world, world.rep, "without-bytes", arrives=False)
    visit = plan(rep, world)
    row = rep.post(f"/visits/{visit}/check-in", fix(world, away_m, **more))

    assert (row["nearness"], row["reasons"]) == (nearness, reasons)
    assert row["state"] == ("needs_review" if reasons else "accepted")
    assert rep.get(f"/visits/{visit}")["state"] == "in_progress"


def test_a_photo_speaks_for_one_visit_only(rep: Http, world: World) -> None:
    attach(world, world.rep, "of-the-rep")
    attach(world, world.rep, "same-bytes")  # as long a name, and so the same picture
    first, second, third = (plan(rep, world) for _ in range(3))
    shown = fix(world, 900, photo_id="of-the-rep", note="the gate is on the other side")

    def check(visit: str, door: str, **more: Any) -> list[str]:
        return rep.post(f"/visits/{visit}/{door}", shown | more)["reasons"]  # type: ignore[no-any-return]

    assert check(first, "check-in") == check(first, "check-out") == []
    assert [one for one in check(second, "check-in") if one == "photo_used"] == ["photo_used"]
    assert check(second, "check-out")
    assert [one for one in check(third, "check-in", photo_id="same-bytes") if one == "photo_used"] == ["photo_used"]


@pytest.mark.parametrize(
    ("behind_s", "offline_s", "says_when", "at", "reasons"),
    [
        (0, 0, True, "2026-03-02T02:00:00.000Z", []),
        (86_400, 0, True, "2026-03-02T02:00:00.000Z", []),  # a day behind, and it says so
        (-86_400, 3_600, True, "2026-03-02T01:00:00.000Z", []),
        (3_600, 0, False, "2026-03-02T01:00:00.000Z", []),  # whether it is behind, it does not say
        (-86_400, 0, False, "2026-03-02T02:00:00.000Z", ["time_ahead"]),
        (0, 40 * 86_400, True, "2026-01-21T02:00:00.000Z", ["time_old", "day_ahead"]),
    ],
)
def test_the_clock_of_a_phone_is_set_right_by_what_it_says_of_now(
    rep: Http, world: World, behind_s: int, offline_s: int, says_when: bool, at: str, reasons: list[str]
) -> None:
    now_ms = to_ms(world.db.clock.now())
    told = {"at_ms": now_ms - (behind_s + offline_s) * 1000, "sent_ms": now_ms - behind_s * 1000 if says_when else ...}
    row = rep.post(f"/visits/{plan(rep, world)}/check-in", fix(world, **told))

    assert (row["at"], row["reasons"]) == (at, reasons)
    assert row["skew_ms"] == (behind_s * 1000 if says_when else None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("lat", 90.1), ("lon", -181), ("lat", "22.5"), ("datum", "mars"), ("accuracy_m", -1), ("at_ms", None), ("at_ms", -5)],
)
def test_what_is_no_position_is_refused(rep: Http, world: World, field: str, value: Any) -> None:
    visit = plan(rep, world)
    answer = rep.post(f"/visits/{visit}/check-in", fix(world) | {field: value}, expect=422)

    assert faulty(answer) == [field]
    assert rep.get(f"/visits/{visit}")["state"] == "planned"


def test_what_the_phone_says_of_its_distance_is_not_asked_for(rep: Http, world: World) -> None:
    answer = rep.post(f"/visits/{plan(rep, world)}/check-in", fix(world, 900) | {"distance_m": 3}, expect=422)

    assert faulty(answer) == ["distance_m"]


def test_null_island_is_a_place_far_away(rep: Http, world: World) -> None:
    row = rep.post(f"/visits/{plan(rep, world)}/check-in", fix(world) | {"lat": 0, "lon": 0})

    assert (row["nearness"], row["state"]) == ("outside", "needs_review")
    assert row["distance_m"] > 1_000_000


def test_a_rep_is_at_one_visit_at_a_time(rep: Http, world: World) -> None:
    first, second = plan(rep, world), plan(rep, world)
    rep.post(f"/visits/{first}/check-in", fix(world))
    refusal = rep.post(f"/visits/{second}/check-in", fix(world), expect=409)
    again = rep.post(f"/visits/{first}/check-in", fix(world), expect=409)

    assert (refusal["code"], again["code"]) == ("visit_in_progress", "state_conflict")
    assert "V-2026-000001" in refusal["detail"]
    rep.post(f"/visits/{first}/check-out", fix(world))
    rep.post(f"/visits/{second}/check-in", fix(world))


def test_of_many_check_ins_at_once_one_begins(http: Http, rep: Http, world: World) -> None:
    visits = [plan(rep, world) for _ in range(4)]
    told, codes = fix(world), []
    gate = threading.Barrier(len(visits))

    def begin(visit: str) -> None:
        gate.wait()
        codes.append(rep.call("POST", f"/visits/{visit}/check-in", told).status_code)

    threads = [threading.Thread(target=begin, args=(visit,)) for visit in visits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(CheckIn)) == 1
    assert sorted(codes) == [200, 409, 409, 409]


def test_a_way_that_no_transport_makes_is_seen_and_said_in_the_readers_language(
    rep: Http, boss: Http, world: World, clock: SetClock
) -> None:
    visit = plan(rep, world)
    rep.post(f"/visits/{visit}/check-in", fix(world, 500_000))
    clock.advance(minutes=10)
    row = rep.post(f"/visits/{visit}/check-out", fix(world, mocked=True))

    by_code = {finding["code"]: finding for finding in row["findings"]}
    assert (sorted(by_code), row["grade"]) == (["mock_flag", "too_fast"], "doubtful")
    assert row["score"] == 100 - sum(finding["points"] for finding in row["findings"])
    assert row["reasons"] == ["position_doubtful"]
    assert "没有交通工具能做到" in by_code["too_fast"]["text"]
    told = {one["leaving"]: one for one in boss.get("/check-ins")["items"]}
    assert "no transport is so fast" in " ".join(finding["text"] for finding in told[True]["findings"])


def test_a_position_that_a_colleague_told_to_the_last_digit_is_seen(http: Http, rep: Http, boss: Http, world: World) -> None:
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    told = fix(world, lat=22.543217, lon=114.057913)
    rep.post(f"/visits/{plan(rep, world)}/check-in", told)
    row = http.as_(other).post(f"/visits/{plan(http.as_(other), world)}/check-in", told)

    assert [finding["code"] for finding in row["findings"]] == ["same_digits"]


def test_numbers_copied_from_a_map_are_seen(rep: Http, world: World) -> None:
    shown = fix(world, datum=Datum.GCJ02)
    row = rep.post(f"/visits/{plan(rep, world)}/check-in", shown | {"datum": "wgs84", "photo_id": "photo-00001", "note": "x"})

    assert "copied_from_map" in [finding["code"] for finding in row["findings"]]


def test_a_rep_appeals_and_a_manager_decides(rep: Http, boss: Http, world: World) -> None:
    visit = plan(rep, world)
    row = rep.post(f"/visits/{visit}/check-in", fix(world, 900))
    rep.post(f"/check-ins/{row['id']}/appeal", {"text": "the site moved to the new hall"})
    assert rep.call("POST", f"/check-ins/{row['id']}/decide", {"accepted": True, "reason": "so be it"}).status_code == 403
    waiting = boss.get("/check-ins?state=needs_review")["items"]
    refused = boss.post(f"/check-ins/{row['id']}/decide", {"accepted": False, "reason": "no such hall"})
    accepted = boss.post(f"/check-ins/{row['id']}/decide", {"accepted": True, "reason": "it was built last week"})
    boss.post(f"/check-ins/{row['id']}/decide", {"accepted": False, "reason": "again"}, expect=409)
    rep.post(f"/check-ins/{row['id']}/appeal", {"text": "x"}, expect=409)

    assert [one["appeal"] for one in waiting] == ["the site moved to the new hall"]
    assert (refused["state"], accepted["state"], accepted["decided_by"]) == ("refused", "accepted", world.manager)
    reasons = [entry["reason"] for entry in rep.get(f"/history/check_in/{row['id']}")["about"]]
    assert "围栏外，距站点 902.5 米，可信度 100 分（满分 100）。需核实：缺少照片、缺少说明" in reasons[0]


def test_a_plan_is_moved_and_cancelled_as_long_as_it_is_one(rep: Http, boss: Http, world: World) -> None:
    visit = plan(rep, world)
    moved = rep.edit(f"/visits/{visit}", {"planned_until": "2026-03-02T06:00:00Z"}, 1)
    assert moved["planned_until"] == "2026-03-02T06:00:00.000Z"
    refusal = rep.edit(f"/visits/{visit}", {"planned_from": "2026-03-03T06:00:00Z"}, 2, expect=422)
    assert faulty(refusal) == ["planned_until"]
    boss.post(f"/visits/{visit}/cancel", {"reason": "the customer is away"})

    assert rep.edit(f"/visits/{visit}", {"purpose": "x"}, 3, expect=409)["code"] == "state_conflict"
    rep.post(f"/visits/{visit}/check-in", fix(world), expect=409)


def test_the_office_plans_for_its_reps_and_reps_for_themselves(http: Http, rep: Http, boss: Http, world: World) -> None:
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    visit = plan(boss, world, user_id=world.rep)
    assert rep.get(f"/visits/{visit}")["user_id"] == world.rep
    assert faulty(boss.post("/visits", {"site_id": world.site, **WINDOW}, expect=422)) == ["user_id"]
    assert faulty(rep.post("/visits", {"site_id": world.site, **WINDOW, "user_id": other}, expect=422)) == ["user_id"]

    # A colleague in the same territory sees the visit, and can neither begin nor move it; where its rep was, they never see.
    colleague = http.as_(other)
    assert colleague.get(f"/visits/{visit}")["id"] == visit
    assert colleague.call("POST", f"/visits/{visit}/check-in", fix(world)).status_code == 404
    assert colleague.call("POST", f"/visits/{visit}/cancel", {"reason": "x"}).status_code == 403
    rep.post(f"/visits/{visit}/check-in", fix(world))
    assert colleague.get("/check-ins")["items"] == []
    assert len(boss.get("/check-ins")["items"]) == 1
    assert http.as_(world.owner).call("GET", "/visits").status_code == 403


def test_what_came_of_a_visit_is_a_follow_up_with_its_next_step(world: World, http: Http) -> None:
    rep = http.as_(world.rep)
    visit = plan(rep, world)
    rep.post(f"/visits/{visit}/check-in", fix(world))
    rep.post(f"/visits/{visit}/check-out", fix(world, outcome="wants two", next_step="send a quote", next_due="2026-03-05"))

    logged = rep.get("/follow-ups?due_until=2026-03-05")["items"]
    assert [(row["visit_id"], row["kind"], row["summary"], row["next_step"], row["next_due"]) for row in logged] == [
        (visit, "meeting", "wants two", "send a quote", "2026-03-05")
    ]
    quiet = plan(rep, world)
    rep.post(f"/visits/{quiet}/check-in", fix(world))
    rep.post(f"/visits/{quiet}/check-out", fix(world))
    assert len(rep.get("/follow-ups")["items"]) == 1
