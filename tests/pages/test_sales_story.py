"""Leads, follow-ups, gaps and imports in a customer's story, in what is new there, before a visit, and on the home page."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.follow_ups import operations as follow_ups
from app.follow_ups.models import FollowUp
from app.jobs import scan_completeness
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.leads.conftest import Desk
from tests.pages.test_home import section
from tests.people import Http
from tests.visits.ask import begin, end
from tests.visits.test_check_ins import plan


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def desk(world: World, db: Database, settings: Settings, http: Http, clock: SetClock) -> Desk:
    with db.transaction() as session:
        other = make_user(session, settings, "rep", "rep2", territory_ids=[world.territory])
    return Desk(world, clock, http.as_(world.manager), http.as_(world.rep), http.as_(other.id), other.id)


def became(desk: Desk, who: Http, **body: Any) -> str:
    """Add a lead of somebody's own, call, and turn it into a customer; return the lead's id."""
    lead: str = desk.lead(who)["id"]
    desk.log(who, lead_id=lead, summary="wants two", next_step="send the offer", next_due="2026-03-02")
    who.post(f"/leads/{lead}/qualify")
    who.post(f"/leads/{lead}/convert", body)
    return lead


def timeline(person: Http, customer: str, kind: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.get(f"/customers/{customer}/timeline?limit=200" + (f"&kind={kind}" if kind else ""))[
        "items"
    ]
    return found


def kinds(lines: list[dict[str, Any]]) -> list[str]:
    return [line["kind"] for line in lines]


def test_what_happened_to_a_lead_is_in_the_story_of_the_customer_it_became(desk: Desk) -> None:
    lead = desk.lead(desk.rep)["id"]
    desk.log(desk.rep, lead_id=lead, summary="wants two")
    before = timeline(desk.boss, desk.world.customer)
    desk.rep.post(f"/leads/{lead}/qualify")
    desk.rep.post(f"/leads/{lead}/convert", {"customer_id": desk.world.customer})

    of_lead = timeline(desk.rep, desk.world.customer, "lead")
    assert kinds(of_lead)[0] == "lead.converted"
    assert {"lead.created", "lead.assigned", "lead.first_touched", "lead.qualified"} < set(kinds(of_lead))
    assert {line["link"] for line in of_lead} == {f"/api/v1/leads/{lead}"}
    [logged] = timeline(desk.rep, desk.world.customer, "follow_up")
    assert logged["text"] == "已跟进（通话）：wants two。"
    assert not {"lead", "follow_up"} & {line["subject"]["kind"] for line in before}, "until then it was nobody's"


def test_what_is_logged_while_a_lead_becomes_a_customer_is_told_there(desk: Desk, db: Database) -> None:
    lead = desk.lead(desk.rep)["id"]
    step = desk.log(desk.rep, lead_id=lead, next_step="call")["id"]
    desk.rep.post(f"/leads/{lead}/qualify")
    convert = threading.Thread(
        target=desk.rep.post, args=(f"/leads/{lead}/convert", {"customer_id": desk.world.customer}), daemon=True
    )

    with db.transaction() as session:
        actor = desk.world.actor(desk.world.manager)
        follow_ups.finish_step(session, actor, session.get_one(FollowUp, step))
        follow_ups.log_follow_up(session, actor, {"kind": "note", "lead_id": lead, "summary": "meanwhile"})
        convert.start()
        convert.join(0.5)
        waited = convert.is_alive()
    convert.join(30)

    assert waited, "the lead is kept from others until what was logged is there"
    told = kinds(timeline(desk.rep, desk.world.customer, "follow_up"))
    assert sorted(told) == ["follow_up.done", "follow_up.logged", "follow_up.logged"]


def test_a_lead_that_became_ones_customer_is_told_and_read_by_its_own_rep_alone(desk: Desk) -> None:
    lead = became(desk, desk.other, customer_id=desk.world.customer)

    lines = timeline(desk.rep, desk.world.customer, "lead")
    assert "lead.converted" in kinds(lines)
    assert {line["link"] for line in lines} == {None}
    desk.rep.refused("GET", f"/leads/{lead}", 404, "not_found")
    assert desk.rep.get(f"/history/lead/{lead}")["about"]
    own = desk.lead(desk.other)["id"]
    desk.rep.refused("GET", f"/history/lead/{own}", 404, "not_found")


def test_the_digest_tells_of_follow_ups_and_of_the_steps_that_stand_open(desk: Desk) -> None:
    became(desk, desk.other, customer_id=desk.world.customer)
    undated = desk.log(desk.other, customer_id=desk.world.customer, kind="note", next_step="ask for the fleet")
    done = desk.log(desk.other, customer_id=desk.world.customer, next_step="gone by", next_due="2026-03-01")
    desk.other.post(f"/follow-ups/{done['id']}/done", {})
    desk.clock.advance(days=2)

    digest = desk.rep.get(f"/customers/{desk.world.customer}/digest")
    [group] = [one for one in digest["groups"] if one["group"] == "follow_ups"]
    assert (group["name"], group["count"]) == ("跟进", 4)
    steps = digest["next_steps"]
    assert [(one["next_step"], one["overdue"], one["who"]["name"]) for one in steps["items"]] == [
        ("send the offer", True, "rep2"),
        ("ask for the fleet", False, "rep2"),
    ]
    assert (steps["total"], steps["items"][1]["id"]) == (2, undated["id"])
    assert desk.rep.get(steps["items"][0]["link"].removeprefix("/api/v1"))["next_due"] == "2026-03-02"


def test_a_preparation_tells_what_a_digest_tells_and_what_is_to_be_done(desk: Desk) -> None:
    world = desk.world
    first = begin(desk.rep, world)
    end(desk.rep, world, first, outcome="ok", next_step="bring a quote", next_due="2026-03-09")
    desk.clock.advance(days=1)
    became(desk, desk.other, customer_id=world.customer)
    desk.other.post(f"/customers/{world.customer}/contacts", {"name": "王芳"}, expect=201)
    desk.clock.advance(minutes=1)
    visit = plan(desk.rep, world, planned_from="2026-03-05T00:00:00Z", planned_until="2026-03-05T01:00:00Z")

    items = desk.boss.get(f"/visits/{visit}/preparation")["items"]
    assert [one["text"] for one in items[:2]] == [
        "Agreed last time: bring a quote",
        "Next step by 2026-03-02 (rep2): send the offer",
    ]
    told = {entry for one in items for entry in one["entry_ids"]}
    digest = desk.boss.get(f"/customers/{world.customer}/digest?since={desk.boss.get(f'/visits/{first}')['ended_at']}")
    news = {line["id"]: line["text"] for group in digest["groups"] for line in group["lines"]}
    assert {"Contact 王芳 was added.", "Followed up (call): wants two."} <= set(news.values())
    assert set(news) <= told, "no line of the digest is missing"
    assert desk.boss.get(f"/history/follow_up/{items[1]['subject_id']}")["about"][0]["id"] in items[1]["entry_ids"]


def test_a_step_that_was_done_is_no_longer_told(desk: Desk) -> None:
    step = desk.log(desk.rep, customer_id=desk.world.customer, next_step="call", next_due="2026-03-02")["id"]
    visit = plan(desk.rep, desk.world)
    paths = f"/visits/{visit}/preparation", f"/customers/{desk.world.customer}/digest"
    assert "下一步（rep，2026-03-02 前）：call" in [one["text"] for one in desk.rep.get(paths[0])["items"]]
    desk.rep.post(f"/follow-ups/{step}/done", {})

    assert not {"step_due", "step_open"} & {one["change"] for one in desk.rep.get(paths[0])["items"]}
    assert desk.rep.get(paths[1])["next_steps"] == {"total": 0, "items": []}


def test_a_colleague_who_does_not_see_the_customer_reads_none_of_its_steps(desk: Desk, http: Http) -> None:
    desk.log(desk.rep, customer_id=desk.world.customer, next_step="call")
    with desk.world.db.transaction() as session:
        stranger = make_user(session, desk.world.settings, "rep", "stranger").id

    http.as_(stranger).refused("GET", f"/customers/{desk.world.customer}/digest", 404, "not_found")


def test_home_begins_a_reps_day_with_what_is_due(desk: Desk) -> None:
    late = desk.log(desk.rep, customer_id=desk.world.customer, next_step="send the offer", next_due="2026-03-01")["id"]
    due = desk.log(desk.rep, customer_id=desk.world.customer, next_step="call", next_due="2026-03-02")["id"]
    desk.log(desk.rep, customer_id=desk.world.customer, next_step="later", next_due="2026-03-03")
    desk.log(desk.other, customer_id=desk.world.customer, next_step="another's", next_due="2026-03-01")

    steps = section(desk.rep.get("/mobile/home"), "next_steps")
    assert [(one["kind"], one["id"], one["title"]) for one in steps["rows"]] == [
        ("follow_up", late, "Lin Logistics"),
        ("follow_up", due, "Lin Logistics"),
    ]
    assert steps["rows"][1]["line"] == "今日到期：call"
    desk.rep.post(f"/follow-ups/{late}/done", {})
    assert section(desk.rep.get("/mobile/home"), "next_steps")["total"] == 1


def test_home_names_leads_while_their_clock_runs(desk: Desk) -> None:
    lead = desk.lead(desk.rep)["id"]
    desk.lead(desk.other)
    [shown] = section(desk.rep.get("/mobile/home"), "leads")["rows"]
    assert (shown["kind"], shown["id"], shown["title"]) == ("lead", lead, "Chen Wei")
    assert shown["line"].startswith("请于 03-0")
    assert section(desk.boss.get("/mobile/home"), "leads")["total"] == 0, "the office hears of those whose time is over"

    desk.clock.set(datetime.fromisoformat(desk.rep.get(f"/leads/{lead}")["first_touch_due_at"]))
    late = section(desk.boss.get("/mobile/home"), "leads")
    assert late["total"] == 2
    assert late["rows"][0]["line"].startswith("First contact was due 03-0")
    desk.log(desk.rep, lead_id=lead)
    assert section(desk.rep.get("/mobile/home"), "leads")["total"] == 0


def test_home_and_the_story_tell_of_what_a_customer_lacks(desk: Desk) -> None:
    label = {"label_zh": "等级", "label_en": "Grade"}
    desk.boss.post("/custom-fields", {"key": "grade", "kind": "text", **label}, expect=201)
    counted = [{"field": "name", "weight": 50}, {"field": "phone", "weight": 30}, {"field": "custom.grade", "weight": 20}]
    desk.boss.post("/completeness-rule", {"fields": counted, "least": 90})
    scan_completeness(desk.world.db, desk.world.settings)

    [gap] = section(desk.rep.get("/mobile/home"), "repairs")["rows"]
    assert (gap["kind"], gap["id"], gap["line"]) == ("customer", desk.world.customer, "资料完整度 50%，缺少：电话、等级")
    assert section(desk.other.get("/mobile/home"), "repairs")["total"] == 0
    assert section(desk.boss.get("/mobile/home"), "repairs")["rows"][0]["line"] == "50 % complete; missing: phone, Grade"
    [line] = [one for one in timeline(desk.boss, desk.world.customer) if one["kind"] == "customer.repair_needed"]
    assert line["text"] == "The customer is 50 % complete; missing: phone, Grade."
    groups = desk.boss.get(f"/customers/{desk.world.customer}/digest")["groups"]
    assert "customer.repair_needed" in {kind for group in groups for kind in kinds(group["lines"])}
    visit = plan(desk.rep, desk.world)
    assert line["text"] in [one["text"] for one in desk.boss.get(f"/visits/{visit}/preparation")["items"]]


def test_news_of_a_customer_on_the_home_page_know_follow_ups_and_people(desk: Desk) -> None:
    desk.clock.advance(minutes=1)
    since = desk.clock.now().isoformat().replace("+00:00", "Z")
    desk.boss.post(f"/customers/{desk.world.customer}/contacts", {"name": "王芳"}, expect=201)
    [news] = section(desk.rep.get(f"/mobile/home?since={since}"), "updates")["rows"]
    assert news["line"] == "已添加联系人 王芳。"
    desk.log(desk.boss, customer_id=desk.world.customer, summary="wants two")

    [news] = section(desk.rep.get(f"/mobile/home?since={since}"), "updates")["rows"]
    assert (news["source"]["kind"], news["further"]) == ("follow_up", 1)
