"""What is suggested while somebody types: whose values, in which order, how they are found, and what is never told."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.territories import operations as territories
from app.users.rights import Actor
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.people import Http

BOSS = Actor("system-user", "admin", "system", "en")


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
def mate(http: Http, world: World, db: Database, settings: Settings) -> Http:
    """A rep of the same territory."""
    with db.transaction() as session:
        user = make_user(session, settings, "rep", "mate", territory_ids=[world.territory])
    return http.as_(user.id)


@pytest.fixture
def stranger(http: Http, world: World, db: Database, settings: Settings) -> Http:
    """A rep of another territory."""
    with db.transaction() as session:
        area = territories.create_territory(session, BOSS, "GZ", "Guangzhou")
        user = make_user(session, settings, "rep", "stranger", territory_ids=[area.id])
    return http.as_(user.id)


def told(door: Http, name: str, prefix: str = "", **more: str) -> list[str]:
    filters = "".join(f"&{key}={value}" for key, value in more.items())
    return [one["value"] for one in door.get(f"/suggestions?field={name}&prefix={quote(prefix)}{filters}")["items"]]


def ask(door: Http, interest: str, **more: Any) -> str:
    body = {"name": "n", "phone": "13800138000", "interest": interest} | more
    found: str = door.post("/leads", body, expect=201)["id"]
    return found


def plan(door: Http, world: World, clock: SetClock, purpose: str, site: str | None = None) -> str:
    at = clock.now().isoformat()
    body = {"site_id": site or world.site, "planned_from": at, "planned_until": at, "purpose": purpose}
    found: str = door.post("/visits", body, expect=201)["id"]
    return found


def test_a_value_is_found_by_its_beginning_by_pinyin_and_by_initials_in_any_case_and_width(rep: Http) -> None:
    for interest in ("冷库改造", "Cold store", "重庆火锅设备", "旅行车 60"):
        ask(rep, interest)

    for prefix in ("冷库", "lengku", "leng ku", "LK", "lkgz", "ｌｋ", "lkug", "l"):
        assert "冷库改造" in told(rep, "leads.interest", prefix), prefix
    for prefix, found in (
        ("zhong", "重庆火锅设备"),
        ("chongqing", "重庆火锅设备"),
        ("lvxing", "旅行车 60"),
        ("lxc6", "旅行车 60"),
    ):
        assert told(rep, "leads.interest", prefix) == [found], prefix
    assert told(rep, "leads.interest", "cOLD  ST") == told(rep, "leads.interest", "ＣＯＬＤ") == ["Cold store"]
    for prefix in ("库", "kg", "store", "lengkua", "x"):
        assert told(rep, "leads.interest", prefix) == [], prefix


def test_own_values_come_first_then_what_is_used_most_and_lately(rep: Http, mate: Http, world: World, clock: SetClock) -> None:
    for purpose in ("theirs often", "theirs often", "theirs often", "theirs once"):
        plan(mate, world, clock, purpose)
    for purpose in ("mine before", "mine before", "mine before"):
        plan(rep, world, clock, purpose)
    clock.advance(days=61)
    plan(rep, world, clock, "mine now")
    plan(mate, world, clock, "theirs now")

    # Three uses of two months ago weigh three quarters of one of today.
    assert told(rep, "visits.purpose") == ["mine now", "mine before", "theirs now", "theirs often", "theirs once"]
    items = rep.get("/suggestions?field=visits.purpose")["items"]
    assert [one["own"] for one in items] == [True, True, False, False, False]
    clock.advance(days=0)
    plan(rep, world, clock, "mine before")
    assert told(rep, "visits.purpose")[0] == "mine before"


def test_spellings_of_one_value_are_one_and_the_most_used_is_shown(rep: Http) -> None:
    for source in ("VIP ", "vip", "ＶＩＰ", "vip", "Fair"):
        ask(rep, "x", source=source)

    assert told(rep, "leads.source") == ["vip", "Fair"]
    assert told(rep, "leads.source", "Vi") == ["vip"]


def test_nobody_is_told_a_value_of_rows_they_do_not_see(
    rep: Http, mate: Http, stranger: Http, boss: Http, world: World, clock: SetClock
) -> None:
    ask(rep, "mine alone", company="Mine Ltd")
    plan(rep, world, clock, "seen by the territory")

    assert told(mate, "leads.interest") == told(mate, "leads.company") == told(stranger, "leads.interest") == []
    assert told(mate, "visits.purpose") == ["seen by the territory"]
    assert told(stranger, "visits.purpose") == told(stranger, "assets.model") == []
    assert told(mate, "assets.model") == ["Model 60"]
    assert (told(boss, "leads.interest"), told(boss, "visits.purpose")) == (["mine alone"], ["seen by the territory"])
    stranger.refused("GET", f"/suggestions?field=visits.purpose&customer_id={world.customer}", 404, "not_found")


def test_what_left_is_suggested_no_more(rep: Http, mate: Http, boss: Http, world: World, clock: SetClock) -> None:
    lead = ask(rep, "gone with its lead")
    contact = rep.post(f"/customers/{world.customer}/contacts", {"name": "Li Na", "job_title": "Fleet chief"}, expect=201)
    assert told(rep, "contacts.job_title") == told(mate, "contacts.job_title") == ["Fleet chief"]

    assert rep.call("POST", f"/leads/{lead}/give-back", {"reason": "x"}).status_code == 204
    assert rep.call("DELETE", f"/contacts/{contact['id']}", If_Match="*").status_code < 300

    assert told(rep, "leads.interest") == told(rep, "contacts.job_title") == told(boss, "contacts.job_title") == []
    boss.post("/custom-fields", {"key": "brand", "kind": "text", "label_zh": "x", "label_en": "x"}, expect=201)
    new = {"name": "New", "territory_id": world.territory, "custom": {"brand": "Fiala"}}
    customer = boss.post("/customers", new, expect=201)["id"]
    assert told(boss, "customers.custom.brand") == told(mate, "customers.custom.brand") == ["Fiala"]
    assert boss.call("DELETE", f"/customers/{customer}", If_Match="*").status_code < 300
    assert told(boss, "customers.custom.brand") == told(mate, "customers.custom.brand") == []


def test_numbers_addresses_and_long_texts_are_never_suggested(rep: Http, world: World, clock: SetClock) -> None:
    for purpose in ("call 138 0013 8000", "mail li@example.test", "打一三八零零一三八零零零", "x" * 101, "papers"):
        plan(rep, world, clock, purpose)
    visit = plan(rep, world, clock, "papers")
    at_ms = int(clock.now().timestamp() * 1000)
    fix = {"lat": 22.54, "lon": 114.05, "datum": "wgs84", "accuracy_m": 8.0, "at_ms": at_ms, "sent_ms": at_ms}
    rep.post(f"/visits/{visit}/check-in", fix)
    rep.post(f"/visits/{visit}/check-out", fix | {"outcome": "one\ntwo", "next_step": "send the offer"})

    assert told(rep, "visits.purpose") == ["papers"]
    assert told(rep, "visits.outcome") == []
    assert told(rep, "visits.next_step") == told(rep, "follow_ups.next_step") == ["send the offer"]


def test_what_was_entered_for_the_customer_comes_first(rep: Http, world: World, clock: SetClock, db: Database) -> None:
    with db.transaction() as session:
        values = {"code": "C-2", "name": "Other", "territory_id": world.territory, "owner_id": world.rep}
        other = customers.create_customer(session, BOSS, values)
        site = customers.create_site(session, BOSS, other, {"name": "s", "lat": 22.5, "lon": 114.0, "address": ""}).id
    for _ in range(3):
        plan(rep, world, clock, "usual")
    plan(rep, world, clock, "of the other", site)

    assert told(rep, "visits.purpose") == ["usual", "of the other"]
    assert told(rep, "visits.purpose", customer_id=other.id) == ["of the other", "usual"]


def test_own_fields_are_suggested_where_one_has_them_and_choices_by_their_words(
    rep: Http, stranger: Http, boss: Http, world: World
) -> None:
    choices = [
        {"code": code, "label_zh": zh, "label_en": en} for code, zh, en in (("a", "冷藏", "Chilled"), ("b", "常温", "Dry"))
    ]
    labels = {"label_zh": "x", "label_en": "x"}
    for field in (
        {"key": "goods", "kind": "choice", "choices": choices, "subject_kind": "customer"},
        {"key": "brand", "kind": "text", "subject_kind": "lead", "territory_id": world.territory},
        {"key": "beds", "kind": "number", "subject_kind": "lead"},
    ):
        boss.post("/custom-fields", labels | field, expect=201)
    version = boss.get(f"/customers/{world.customer}")["version"]
    boss.edit(f"/customers/{world.customer}", {"custom": {"goods": "a"}}, version)
    ask(rep, "x", territory_id=world.territory, custom={"brand": "Fiala", "beds": 3})

    assert rep.get("/suggestions?field=customers.custom.goods&prefix=lengc")["items"] == [
        {"value": "a", "label": "冷藏", "own": True}
    ]
    assert boss.get("/suggestions?field=customers.custom.goods&prefix=chi")["items"][0]["label"] == "Chilled"
    assert told(rep, "leads.custom.brand", "f") == ["Fiala"]
    fields = rep.get("/suggestions")["fields"]
    assert {"leads.interest", "customers.custom.goods", "leads.custom.brand"} <= set(fields)
    assert "leads.custom.beds" not in fields
    assert "leads.custom.brand" not in stranger.get("/suggestions")["fields"]
    for door, name in (
        (stranger, "leads.custom.brand"),
        (rep, "leads.custom.beds"),
        (rep, "leads.phone"),
        (rep, "contacts.name"),
    ):
        refusal = door.refused("GET", f"/suggestions?field={name}", 422, "validation_failed")
        assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("field", "not_one_of")], name


def test_roles_are_suggested_in_the_readers_words(rep: Http, boss: Http, world: World) -> None:
    rep.post(f"/customers/{world.customer}/contacts", {"name": "Li Na", "role": "decider"}, expect=201)

    assert rep.get("/suggestions?field=contacts.role&prefix=jcr")["items"] == [
        {"value": "decider", "label": "决策人", "own": True}
    ]
    assert boss.get("/suggestions?field=contacts.role&prefix=DEC")["items"][0]["label"] == "decision maker"


def test_ten_values_are_told_of_the_rows_that_changed_last(
    rep: Http, boss: Http, world: World, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        plan(rep, world, clock, f"purpose {number:02}")
        clock.advance(minutes=1)

    newest = [f"purpose {number:02}" for number in range(11, 1, -1)]
    assert told(rep, "visits.purpose") == told(boss, "visits.purpose") == newest
    assert told(rep, "visits.purpose", "purpose 0") == [f"purpose {number:02}" for number in range(9, -1, -1)]
    monkeypatch.setattr("app.suggestions.queries.LOOKED_AT", 3)
    assert told(rep, "visits.purpose") == told(boss, "visits.purpose") == newest[:3]


def test_only_who_goes_to_customers_is_told_anything(http: Http, world: World) -> None:
    for person in (world.owner, world.staff[0]):
        http.as_(person).refused("GET", "/suggestions", 403, "forbidden")
