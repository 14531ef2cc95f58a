"""A customer's page, what is new there, and its timeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from app.core.db import Database, insert_many
from app.core.history import HistoryEntry
from app.core.ids import new_id
from app.core.settings import Settings
from app.pages.digest import NEWS
from app.pages.reasons import REASONS
from app.pages.story import NOUNS, Place, Wanted, _entries
from tests.conftest import SetClock
from tests.contacts.test_contacts import contact
from tests.factories import World, make_user, make_world
from tests.people import Http
from tests.visits.test_check_ins import fix, plan


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """Yield the statements that are run meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def visit_there(door: Http, world: World, clock: SetClock) -> str:
    visit = plan(door, world)
    door.post(f"/visits/{visit}/check-in", fix(world))
    clock.advance(minutes=30)
    door.post(f"/visits/{visit}/check-out", fix(world, outcome="ok"))
    clock.advance(minutes=5)
    return visit


def groups(digest: dict[str, Any]) -> dict[str, list[str]]:
    return {group["group"]: [line["kind"] for line in group["lines"]] for group in digest["groups"]}


def test_the_digest_tells_what_is_new_since_ones_own_last_visit(http: Http, rep: Http, world: World, clock: SetClock) -> None:
    contact(rep, world, "Before")
    visit = visit_there(rep, world, clock)
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "Colleague", territory_ids=[world.territory])
    colleague = http.as_(other.id)
    new = contact(colleague, world, "王芳")
    visit_there(colleague, world, clock)
    world.report(74.9, 74.5, 74.1)
    rep.edit(f"/customers/{world.customer}", {"phone": "13800001111"}, 1)
    colleague.edit(f"/customers/{world.customer}", {"name": "Lin Group", "phone": None}, 2)

    digest = rep.get(f"/customers/{world.customer}/digest")
    assert digest["last_visit_id"] == visit
    assert groups(digest) == {
        "alarms": ["alarm.raised"],
        "orders": ["work_order.opened"],
        "offers": ["service_offer.issued"],
        "contacts": ["contact.created"],
        "visits": ["visit.ended"],
        "customer": ["customer.edited"],
        "follow_ups": ["follow_up.logged"],
    }, "neither what was before, nor what the reader did, nor where the colleague was"
    [line] = next(group for group in digest["groups"] if group["group"] == "contacts")["lines"]
    assert (line["subject"], line["who"]["name"]) == ({"kind": "contact", "id": new}, "Colleague")
    assert line["text"] == "已添加联系人 王芳。", "the reader's language"
    assert line["id"] in {entry["id"] for entry in rep.get(line["why"].removeprefix("/api/v1"))["about"]}


def test_the_digest_of_somebody_who_was_never_there_tells_of_30_days(
    boss: Http, rep: Http, world: World, clock: SetClock
) -> None:
    contact(rep, world, "Old")
    clock.advance(days=31)
    contact(rep, world, "New")
    digest = boss.get(f"/customers/{world.customer}/digest")
    assert (digest["last_visit_id"], [group["count"] for group in digest["groups"]]) == (None, [1])
    asked = boss.get(f"/customers/{world.customer}/digest?since=2026-03-01T00:00:00Z")
    assert groups(asked)["contacts"] == ["contact.created", "contact.created"]


def test_a_group_of_news_shows_ten_lines_and_counts_all(boss: Http, rep: Http, world: World) -> None:
    for n in range(12):
        contact(rep, world, f"Person {n}")
    [group] = [one for one in boss.get(f"/customers/{world.customer}/digest")["groups"] if one["group"] == "contacts"]
    assert (group["count"], len(group["lines"]), group["lines"][0]["text"]) == (12, 10, "Contact Person 11 was added.")


def test_the_timeline_is_read_page_by_page_the_last_first(boss: Http, rep: Http, world: World, clock: SetClock) -> None:
    for n in range(7):
        clock.advance(minutes=1)
        contact(rep, world, f"Person {n}")
    path = f"/customers/{world.customer}/timeline?kind=contact&limit=3"
    texts, cursor, pages = [], "", 0
    while cursor is not None:
        page = boss.get(path + (f"&cursor={cursor}" if cursor else ""))
        texts += [line["text"] for line in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert texts == [f"Contact Person {n} was added." for n in range(6, -1, -1)]
    assert pages == 3
    boss.refused("GET", path + "&cursor=bm9uc2Vuc2U=", 422, "validation_failed")


def test_what_a_grant_without_an_end_and_reference_lacks_is_a_dash(boss: Http, http: Http, world: World) -> None:
    kind = {"code": "class_hours", "name_zh": "培训课时", "name_en": "Class hours", "unit": "hour"}
    kind_id = boss.post("/entitlement-kinds", kind, expect=201)["id"]
    given = {"customer_id": world.customer, "kind_id": kind_id, "amount": "20.00", "valid_from": "2026-01-01"}
    boss.post("/entitlement-grants", given, expect=201)

    told = {}
    for locale, user in (("zh-CN", world.rep), ("en", world.manager)):
        [told[locale]] = [
            entry["text"]
            for entry in http.as_(user).get(f"/customers/{world.customer}/timeline?limit=200")["items"]
            if entry["kind"] == "entitlement_grant.given"
        ]
    assert told == {
        "zh-CN": "已发放“培训课时”20.00，有效期 2026-01-01 至 –（–）。",
        "en": "20.00 of Class hours were granted from 2026-01-01 to – (–).",
    }


def test_the_timeline_holds_everything_that_belongs_to_the_customer_and_leads_on(
    boss: Http, rep: Http, world: World, clock: SetClock
) -> None:
    visit_there(rep, world, clock)
    world.report(74.9, 74.5, 74.1)
    items = boss.get(f"/customers/{world.customer}/timeline?limit=200")["items"]
    nouns = {line["subject"]["kind"] for line in items}
    assert {"customer", "site", "asset", "component", "visit", "check_in", "alarm", "work_order", "service_offer"} <= nouns
    for line in items:
        for path in (line["link"], line["why"]):
            assert path is None or boss.call("GET", path.removeprefix("/api/v1")).status_code == 200, path
    between = f"?since={items[-1]['recorded_at']}&until={items[-1]['recorded_at']}"
    assert boss.get(f"/customers/{world.customer}/timeline{between}")["items"] == []


def test_where_a_colleague_was_is_on_no_reps_timeline(http: Http, rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "Colleague", territory_ids=[world.territory])
    visit_there(http.as_(other.id), world, clock)
    path = f"/customers/{world.customer}/timeline?limit=200"
    seen = {door: {line["kind"] for line in person.get(path)["items"]} for door, person in (("rep", rep), ("boss", boss))}
    assert "visit.ended" in seen["rep"]
    assert "check_in.recorded" in seen["boss"] - seen["rep"]
    assert rep.get(f"/customers/{world.customer}/timeline?kind=check_in") == {"items": [], "next": None}


def test_the_story_of_a_merged_customer_is_part_of_the_survivors(rep: Http, world: World) -> None:
    new = rep.post("/customers", {"name": "Other", "territory_id": world.territory}, expect=201)["id"]
    rep.post(f"/customers/{new}/contacts", {"name": "one"}, expect=201)
    rep.post(f"/customers/{world.customer}/merge", {"other_id": new})
    items = rep.get(f"/customers/{new}/timeline?limit=200")["items"]
    assert {"customer.merged", "customer.merged_away", "contact.created"} <= {line["kind"] for line in items}
    assert len([line for line in items if line["kind"] == "customer.created"]) == 2


def test_the_page_shows_a_customer_at_one_glance(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    contact(rep, world, "Wang", phone="13800001111")
    contact(rep, world, "Hermit", phone="13800002222", do_not_call=True)
    boss.edit(f"/assets/{world.asset}", {"warranty_until": "2026-03-12"}, 1)
    world.report(74.9, 74.5, 74.1)
    visit = plan(rep, world, purpose="battery")

    page = rep.get(f"/customers/{world.customer}/page")
    assert [(row["name"], row["phone"]) for row in page["contacts"]["items"]] == [("Wang", "+8613800001111"), ("Hermit", "…22")]
    assert [(row["warranty"], row["warranty_days_left"]) for row in page["assets"]["items"]] == [("running", 10)]
    assert (page["open_alarms"]["total"], page["open_alarms"]["items"][0]["metric"]) == (1, "soh_pct")
    [service] = page["last_services"]
    assert (service["state"], service["station"], service["task_state"]) == ("proposed", "Station S0", "offered")
    assert [offer["state"] for offer in page["open_offers"]["items"]] == ["issued"]
    assert (page["next_visit"]["id"], page["next_visit"]["rep"]) == (visit, "rep")


def test_an_alarm_that_is_over_is_in_the_fault_history_with_its_cause(rep: Http, world: World, clock: SetClock) -> None:
    world.report(74.9, 74.5, 74.1)
    clock.advance(days=4)
    world.report(79.0, 79.5, 80.0, boot="b2")
    page = rep.get(f"/customers/{world.customer}/page")
    assert page["open_alarms"] == {"total": 0, "items": []}
    assert [(row["state"], row["ended"]) for row in page["faults"]["alarms"]] == [("cleared", "读数已恢复")]


def test_the_page_takes_as_many_queries_whatever_there_is(rep: Http, world: World, db: Database) -> None:
    path = f"/customers/{world.customer}/page"
    with counted(db) as few:
        rep.get(path)
    for n in range(60):
        contact(rep, world, f"Person {n}")
    plan(rep, world)
    world.report(74.9, 74.5, 74.1)
    with counted(db) as many:
        page = rep.get(path)
    assert (page["contacts"]["total"], len(page["contacts"]["items"])) == (60, 50)
    assert len(many) == len(few) < 25


def test_stations_and_owners_read_no_page(http: Http, world: World) -> None:
    for user in (world.owner, world.staff[0]):
        for part in ("page", "digest", "timeline"):
            http.as_(user).refused("GET", f"/customers/{world.customer}/{part}", 403, "forbidden")


def test_every_kind_of_news_is_a_kind_with_words() -> None:
    assert sorted(set(NEWS) - set(REASONS)) == []


def test_a_long_story_is_read_from_an_index(boss: Http, world: World, db: Database) -> None:
    present = db.clock.now()
    rows = [
        {
            "id": new_id(), "kind": "customer.edited", "subject_kind": "customer", "subject_id": world.customer,
            "actor_id": None, "occurred_at": present, "recorded_at": present - timedelta(seconds=n),
            "facts": {"fields": ["name"]}, "customer_id": world.customer,
        }
        for n in range(20_000)
    ]  # fmt: skip
    with db.transaction() as session:
        insert_many(session, HistoryEntry, rows)
    if db.dialect == "postgresql":
        with db.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("ANALYZE history"))
    ran: list[tuple[str, Any]] = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: ran.append((told[2], told[3])))
    explain = "EXPLAIN " if db.dialect == "postgresql" else "EXPLAIN QUERY PLAN "
    for wanted in (Wanted(NOUNS), Wanted(("visit",)), Wanted(kinds=NEWS, since=present)):
        with db.reading() as session:
            session.scalars(_entries([world.customer], wanted, Place(present, "x"), 200)).all()
            statement, values = ran[-1]
            lines = session.connection().exec_driver_sql(explain + statement, values).all()
        plan = "\n".join(str(line) for line in lines)
        assert "ix_history_story" in plan, plan
        assert "Seq Scan" not in plan, "all that was ever recorded of anybody"
    page = boss.get(f"/customers/{world.customer}/timeline?limit=200")
    assert len(page["items"]) == 200
    assert page["next"]
