"""A site whose place is only known by its address or district: the first good check-in shows where it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.core.tracked import touch
from app.customers.models import Site
from app.jobs import follow_photos_of_sites
from tests.factories import World, make_user
from tests.people import Http
from tests.visits.ask import end
from tests.visits.test_check_ins import attach, fix, plan

AWAY_M = 3_000
Trust = Callable[[str], None]


@pytest.fixture
def trust(app: Any) -> Trust:
    """Say whose word sets a site's position: ``trust("rep")``."""
    edge = app.extensions["fieldloop"]

    def make(whose: str) -> None:
        object.__setattr__(edge.settings, "site_position_by", whose)

    return make


UNSURE = {"district": "site_at_district", "geocoded": "site_unconfirmed"}


def geocode(world: World, source: str = "geocoded") -> None:
    """Let the site's position come from its address."""
    with world.db.transaction() as session:
        site = session.get_one(Site, world.site)
        site.position_source, site.position_confirmed_at = source, None
        touch(session, site)


def place(world: World) -> tuple[float, float, str, bool]:
    with world.db.reading() as session:
        site = session.get_one(Site, world.site)
        return round(site.lat, 3), round(site.lon, 3), site.position_source, site.position_confirmed_at is not None


def arrive(rep: Http, world: World, away_m: float = AWAY_M, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = rep.post(f"/visits/{plan(rep, world)}/check-in", fix(world, away_m, **more))
    return row


@pytest.mark.parametrize("source", ["geocoded", "district"])
def test_at_a_site_nobody_has_confirmed_a_rep_is_not_outside_but_unsure(rep: Http, world: World, source: str) -> None:
    geocode(world, source)
    row = arrive(rep, world)

    assert (row["nearness"], row["reasons"], row["state"]) == ("unsure", [UNSURE[source]], "needs_review")
    assert (row["site_fix"], place(world)[2]) == (None, source)  # without a photo it shows nothing


def test_where_reps_are_believed_the_first_good_check_in_sets_the_place_and_the_next_is_measured_by_it(
    rep: Http, boss: Http, world: World, trust: Trust
) -> None:
    trust("rep")
    geocode(world)
    attach(world, world.rep, "photo-00001")
    visit = plan(rep, world)
    told = fix(world, AWAY_M, photo_id="photo-00001")
    row = rep.post(f"/visits/{visit}/check-in", told)

    assert (row["state"], row["site_fix"], row["nearness"]) == ("accepted", "set", "unsure")
    assert place(world) == (round(told["lat"], 3), round(told["lon"], 3), "surveyed", True)
    end(rep, world, visit)
    assert (arrive(rep, world, 0)["nearness"], boss.get("/check-ins?site_fix=set")["items"][0]["id"]) == ("inside", row["id"])
    about = boss.get(f"/history/site/{world.site}")
    entry = about["about"][-1]
    assert entry["reason"].startswith("A check-in showed where the site is: 300")
    assert (entry["facts"]["was_lat"], entry["facts"]["was_lon"], entry["facts"]["was_source"]) == (
        22.54, 114.05, "position_geocoded",
    )  # fmt: skip
    assert "check_in.recorded" in {cause["kind"] for cause in about["causes"]}


def test_by_default_a_manager_says_yes_first(rep: Http, boss: Http, world: World) -> None:
    geocode(world)
    attach(world, world.rep, "photo-00001")
    row = arrive(rep, world, photo_id="photo-00001")
    assert (row["site_fix"], place(world)[2]) == ("proposed", "geocoded")
    refusal = boss.post(f"/check-ins/{row['id']}/decide", {"accepted": False, "reason": "x", "set_site": True}, expect=422)
    assert [one["field"] for one in refusal["errors"]] == ["set_site"]

    decided = boss.post(f"/check-ins/{row['id']}/decide", {"accepted": True, "reason": "it is the yard", "set_site": True})
    assert (decided["site_fix"], decided["state"], place(world)[2:]) == ("set", "accepted", ("surveyed", True))


def test_a_manager_may_accept_a_check_in_and_leave_the_site_where_it_is(rep: Http, boss: Http, world: World) -> None:
    geocode(world)
    attach(world, world.rep, "photo-00001")
    row = arrive(rep, world, photo_id="photo-00001")
    boss.post(f"/check-ins/{row['id']}/decide", {"accepted": True, "reason": "they stood at the gate"})

    assert place(world)[2] == "geocoded"


@pytest.mark.parametrize(
    "more",
    [
        {"accuracy_m": 51.0},
        {"accuracy_m": ...},
        {"datum": "unknown"},
        {"mocked": True},
        {"photo_id": "somebodys-1"},
        {"photo_id": ...},
    ],
)
def test_what_is_coarse_doubtful_or_without_a_photo_sets_nothing(
    rep: Http, world: World, trust: Trust, more: dict[str, Any]
) -> None:
    trust("rep")
    geocode(world)
    attach(world, world.rep, "photo-0000001")
    attach(world, world.manager, "somebodys-1")
    told = fix(world, AWAY_M) | {"photo_id": "photo-0000001"} | more
    row = rep.post(f"/visits/{plan(rep, world)}/check-in", {name: value for name, value in told.items() if value is not ...})

    assert (row["nearness"], row["state"], place(world)[2]) == ("unsure", "needs_review", "geocoded")
    assert "site_unconfirmed" in row["reasons"]


def test_a_photo_that_arrives_later_sets_the_place_then(rep: Http, world: World, trust: Trust) -> None:
    trust("rep")
    geocode(world)
    row = arrive(rep, world, photo_id="photo-00001")
    assert (row["site_fix"], row["state"]) == ("waiting", "needs_review")
    assert follow_photos_of_sites(world.db, world.settings) == 0
    attach(world, world.rep, "photo-00001")
    assert follow_photos_of_sites(world.db, world.settings) == 1

    [seen] = rep.get("/check-ins")["items"]
    assert (seen["site_fix"], seen["state"], place(world)[2]) == ("set", "accepted", "surveyed")


def test_of_two_first_visits_at_once_one_sets_the_place(http: Http, rep: Http, world: World, trust: Trust) -> None:
    trust("rep")
    geocode(world)
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    colleague = http.as_(other)
    attach(world, world.rep, "photo-00001")
    attach(world, other, "photo-000002")
    visits = [(rep, plan(rep, world), fix(world, AWAY_M, photo_id="photo-00001"))]
    visits.append((colleague, plan(colleague, world), fix(world, -AWAY_M, photo_id="photo-000002", lon=114.0517231)))
    gate = threading.Barrier(2)

    def begin(who: Http, visit: str, told: dict[str, Any]) -> None:
        gate.wait()
        who.post(f"/visits/{visit}/check-in", told)

    threads = [threading.Thread(target=begin, args=each) for each in visits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = [who.get("/check-ins")["items"][0] for who, _, _ in visits]
    fixes = sorted(str(row["site_fix"]) for row in rows)
    assert fixes in (["None", "set"], ["overtaken", "set"])
    [first] = [row for row in rows if row["site_fix"] == "set"]
    assert place(world)[:2] == (round(first["lat"], 3), round(first["lon"], 3))


def test_a_second_proposal_is_refused_once_the_place_is_known(
    rep: Http, boss: Http, world: World, db: Database, settings: Settings
) -> None:
    geocode(world)
    for name in ("photo-00001", "photo-000002"):
        attach(world, world.rep, name)
    visit = plan(rep, world)
    first = rep.post(f"/visits/{visit}/check-in", fix(world, AWAY_M, photo_id="photo-00001"))
    end(rep, world, visit)
    second = arrive(rep, world, AWAY_M, photo_id="photo-000002")
    boss.post(f"/check-ins/{first['id']}/decide", {"accepted": True, "reason": "yes", "set_site": True})

    boss.refused("POST", f"/check-ins/{second['id']}/decide", 409, "site_not_proposed",
                 {"accepted": True, "reason": "yes", "set_site": True})  # fmt: skip
    assert boss.get("/check-ins?state=needs_review")["items"] != []
