"""The home page of a phone: what each role finds there, small, in one go, and the same as the phone holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.assets.models import DeviceProfile
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customer_verbs
from app.jobs import find_duplicates, plan_days, scan_completeness
from app.pages.home import MOST_BYTES
from app.pages.sections import PARTS, SECTIONS
from tests.conftest import SetClock
from tests.factories import World, make_asset, make_user, make_world
from tests.people import Http
from tests.sync.phones import Phone

WINDOW = {"planned_from": "2026-03-02T03:00:00Z", "planned_until": "2026-03-02T04:00:00Z"}

DAY = {"starts_at": "2026-03-02T02:00:00Z", "ends_at": "2026-03-02T10:00:00Z", "start_lat": 22.5, "start_lon": 114.0}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def phone(http: Http) -> Callable[..., Phone]:
    return lambda user_id: Phone(http.as_(user_id))


def section(page: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in page["sections"] if one["name"] == name]
    return dict(found)


def names(page: dict[str, Any]) -> list[str]:
    return [one["name"] for one in page["sections"]]


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """Collect what is asked of the database meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_a_rep_finds_the_day_in_one_answer(rep: Http, world: World) -> None:
    world.report(74.9, 74.5, 74.1)
    visit = rep.post("/visits", {"site_id": world.site, "purpose": "yearly talk", **WINDOW}, expect=201)
    rep.post("/visits", {"site_id": world.site, **{name: at.replace("02T", "04T") for name, at in WINDOW.items()}}, expect=201)

    page = rep.get("/mobile/home")

    assert page["day"] == "2026-03-02"
    assert names(page) == [
        "visits", "updates", "alarms", "check_ins", "day_plans", "offers", "proposals", "duplicates",
        "leads", "next_steps", "repairs", "unread",
    ]  # fmt: skip
    [shown] = section(page, "visits")["rows"]
    assert (shown["kind"], shown["id"], shown["title"]) == ("visit", visit["id"], "Lin Logistics")
    assert shown["line"] == "11:00–12:00 · 已计划 · Depot · yearly talk"
    [news] = section(page, "updates")["rows"]
    assert (news["title"], news["source"]["kind"]) == ("Lin Logistics", "alarm")
    assert news["line"].startswith("规则“battery-health”")
    assert news["further"] >= 1
    assert [one["title"] for one in section(page, "alarms")["rows"]] == ["Lin Logistics"]
    assert section(page, "unread")["total"] == len(rep.get("/notifications")["items"]) > 0


def test_what_people_wrote_is_shown_as_they_wrote_it(rep: Http, world: World) -> None:
    """Planted: "office" is put into words as a code."""
    said = {"kind": "call", "customer_id": world.customer, "next_step": "office", "next_due": "2026-03-02"}
    rep.post("/follow-ups", said, expect=201)

    lines = [row["line"] for section in rep.get("/mobile/home")["sections"] for row in section["rows"]]

    assert any("office" in line and "the office" not in line for line in lines), lines


def test_each_role_has_its_sections(http: Http, rep: Http, boss: Http, world: World) -> None:
    world.report(74.9, 74.5, 74.1)
    staff, owner = http.as_(world.staff[0]), http.as_(world.owner)

    [task] = section(staff.get("/mobile/home"), "station_tasks")["rows"]
    assert (task["kind"], task["line"]) == ("station_task", "Answer by 03-02 10:30: battery replacement, PACK-60")
    assert names(staff.get("/mobile/home")) == ["station_tasks", "unread"]
    assert names(owner.get("/mobile/home")) == ["offers", "unread"]
    [offer] = section(owner.get("/mobile/home"), "offers")["rows"]
    assert offer["kind"] == "service_offer"
    assert section(rep.get("/mobile/home"), "offers")["rows"] == []  # it ends in two weeks only
    assert names(boss.get("/mobile/home")) == [
        "visits", "updates", "alarms", "check_ins", "beyond", "unassigned", "duplicates", "leads", "next_steps", "repairs",
        "unread",
    ]  # fmt: skip
    assert section(boss.get("/mobile/home"), "updates")["total"] == 1


def test_what_waits_for_somebody_is_found_until_it_is_done(rep: Http, boss: Http, world: World, db: Database) -> None:
    visit = rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)["id"]
    plan = rep.post("/visits/plan-day", DAY, expect=202)["id"]
    plan_days(db, world.settings)
    assert [one["id"] for one in section(rep.get("/mobile/home"), "day_plans")["rows"]] == [plan]
    rep.post(f"/day-plans/{plan}/apply")
    assert section(rep.get("/mobile/home"), "day_plans")["total"] == 0

    check_in = rep.post(f"/visits/{visit}/check-in", {"lat": 22.6, "lon": 114.0, "datum": "wgs84", "accuracy_m": 5, "at_ms": 0})
    [mine] = section(rep.get("/mobile/home"), "check_ins")["rows"]
    assert mine["id"] == check_in["id"]
    assert (len(check_in["reasons"]), mine["line"].count("；"), "; " in mine["line"]) == (4, 3, False)
    assert "缺少照片" in mine["line"]
    rep.post(f"/check-ins/{check_in['id']}/appeal", {"text": "the gate is there"})
    assert section(rep.get("/mobile/home"), "check_ins")["total"] == 0
    assert section(boss.get("/mobile/home"), "check_ins")["total"] == 1
    boss.post(f"/check-ins/{check_in['id']}/decide", {"accepted": True, "reason": "so it is"})
    assert section(boss.get("/mobile/home"), "check_ins")["total"] == 0


def test_a_rep_finds_duplicates_where_both_are_theirs(rep: Http, boss: Http, world: World, db: Database) -> None:
    same = {"territory_id": world.territory, "name": "Lin Logistics Ltd", "phone": "+8613800138000"}
    rep.post("/customers", same, expect=201)
    other = boss.post("/customers", same | {"name": "Lin Logistics", "phone": "+8613800138000"}, expect=201)
    while find_duplicates(db, world.settings):
        pass

    assert section(boss.get("/mobile/home"), "duplicates")["total"] == 3
    [pair] = section(rep.get("/mobile/home"), "duplicates")["rows"]
    assert pair["id"] != other["id"]


def test_news_tell_what_matters_most_and_not_what_one_did_oneself(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    rep.edit(f"/customers/{world.customer}", {"phone": "+8613800138000"}, 1)
    clock.advance(minutes=1)
    first = rep.get("/mobile/home")
    boss.edit(f"/customers/{world.customer}", {"email": "a@b.example"}, 2)
    boss.edit(f"/sites/{world.site}", {"address": "Gate 3"}, 1)
    clock.advance(minutes=1)

    [news] = section(rep.get(f"/mobile/home?since={first['at']}"), "updates")["rows"]
    assert (news["line"], news["source"]) == ("客户信息已修改。", {"kind": "customer", "id": world.customer})
    assert news["further"] == 1
    later = rep.get("/mobile/home")["at"]
    clock.advance(minutes=1)
    assert section(rep.get(f"/mobile/home?since={later}"), "updates")["rows"] == []
    rep.refused("GET", "/mobile/home?since=2026-02-20T00:00:00Z", 422, "validation_failed")
    rep.refused("GET", "/mobile/home?since=2026-03-03T00:00:00Z", 422, "validation_failed")


def test_colleagues_and_partners_find_nothing_of_it(http: Http, world: World, db: Database, rep: Http) -> None:
    world.report(74.9, 74.5, 74.1)
    rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)
    with db.transaction() as session:
        other = make_user(session, world.settings, "rep", "elsewhere").id

    page = http.as_(other).get("/mobile/home")

    assert [(one["name"], one["total"]) for one in page["sections"] if one["total"]] == []


def test_an_answer_that_says_the_same_is_not_sent_again(rep: Http, world: World, clock: SetClock) -> None:
    answer = rep.call("GET", "/mobile/home")
    tag = answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    clock.advance(seconds=5)

    again = rep.call("GET", "/mobile/home", If_None_Match=tag)
    assert (again.status_code, again.get_data(), again.headers["ETag"]) == (304, b"", tag)

    rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)
    assert rep.call("GET", "/mobile/home", If_None_Match=tag).status_code == 200


def fill(world: World, count: int) -> None:
    """Give the rep so many more customers, each with an asset, its alarm, and a visit today."""
    with world.db.transaction() as session:
        boss = world.actor(world.admin)
        for n in range(count):
            name = f"很长的客户名称{n}" * 8
            customer = customer_verbs.create_customer(
                session, boss, {"code": f"N-{n}", "name": name, "territory_id": world.territory, "owner_id": world.rep}
            )
            place = {"name": f"很长的站点名称{n}" * 8, "lat": 22.5, "lon": 114.0, "address": ""}
            site = customer_verbs.create_site(session, boss, customer, place)
            profile = session.get_one(DeviceProfile, world.profile)
            make_asset(session, boss, customer, site, profile, f"9{n:04}", world.db.clock.now() - timedelta(days=400))
    for n in range(count):
        world.send(*world.telemetry(74.9, 74.5, 74.1, device=f"device-9{n:04}"))


def visit_all(rep: Http) -> None:
    for site in rep.get("/sites?limit=200")["items"]:
        rep.post("/visits", {"site_id": site["id"], "purpose": "年度拜访" * 40, **WINDOW}, expect=201)


def owe_all(rep: Http, world: World, count: int) -> None:
    """Let the rep have so many leads to contact, and so many next steps that are due."""
    for n in range(count):
        lead = {"name": f"很长的线索名称{n}" * 5, "phone": f"138000{n:05}", "interest": "两台叉车" * 50}
        rep.post("/leads", lead | {"territory_id": world.territory}, expect=201)
        step = {"next_step": "发送报价" * 50, "next_due": "2026-03-01"}
        rep.post("/follow-ups", {"kind": "note", "customer_id": world.customer} | step, expect=201)


def test_however_much_there_is_the_page_is_small_and_asks_as_often(rep: Http, boss: Http, world: World, db: Database) -> None:
    rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)
    world.report(74.9, 74.5, 74.1)
    asked = {}
    for door in (rep, boss):
        with statements(db) as few:
            door.get("/mobile/home")
        asked[door] = len(few)
    fill(world, 30)
    visit_all(rep)
    owe_all(rep, world, 30)
    scan_completeness(db, world.settings)
    assert {name: section(rep.get("/mobile/home"), name)["total"] for name in ("leads", "next_steps", "repairs")} == {
        "leads": 30,
        "next_steps": 30,
        "repairs": 31,
    }

    for door in (rep, boss):
        with statements(db) as many:
            answer = door.call("GET", "/mobile/home")
        assert len(many) == asked[door] <= 24, many
        assert len(answer.get_data()) <= MOST_BYTES
        page = answer.get_json()
        assert (section(page, "visits")["total"], section(page, "alarms")["total"]) == (32, 31)
        assert 0 < len(section(page, "visits")["rows"]) <= 15
        assert len(json.dumps(page)) > MOST_BYTES / 2


def test_a_phone_holds_offline_what_home_says(
    rep: Http, world: World, db: Database, phone: Callable[..., Phone], clock: SetClock
) -> None:
    """Visits of today and unread messages, from the rows of a pull."""
    world.report(74.9, 74.5, 74.1)
    for day in ("02", "03"):
        at = {name: value.replace("02T", f"{day}T") for name, value in WINDOW.items()}
        rep.post("/visits", {"site_id": world.site, **at}, expect=201)
    gone = rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)["id"]
    rep.post(f"/visits/{gone}/cancel", {"reason": "x"})
    device = phone(world.rep)
    device.pull()

    page = rep.get("/mobile/home")

    begins, ends = to_ms(clock.now()) - 10 * 3_600_000, to_ms(clock.now()) + 14 * 3_600_000
    own = [row for row in device.rows["visits"].values() if row["user_id"] == world.rep and row["state"] != "cancelled"]
    held = {row["id"] for row in own if row["planned_from"] < ends and row["planned_until"] >= begins}
    assert {one["id"] for one in section(page, "visits")["rows"]} == held
    assert len(held) == 1
    unread = {row["id"]: row["title"] for row in device.rows["notifications"].values() if row["opened_at"] is None}
    assert {one["id"]: one["title"] for one in section(page, "unread")["rows"]} == unread != {}
    [plan] = [rep.post("/visits/plan-day", DAY, expect=202)]
    plan_days(db, world.settings)
    device.pull()
    answer = json.loads(device.rows["day_plans"][plan["id"]]["answer"])
    assert answer == rep.get(f"/day-plans/{plan['id']}")["answer"]


def test_every_section_lies_in_a_part_of_the_page_and_has_both_languages() -> None:
    assert {one.part for one in SECTIONS} <= set(PARTS)
    assert len({one.name for one in SECTIONS}) == len(SECTIONS)
    assert [one.name for one in SECTIONS if any("一" <= sign <= "鿿" for sign in one.title[0])] == []
    assert [one.name for one in SECTIONS if not all("一" <= sign <= "鿿" for sign in one.title[1])] == []
