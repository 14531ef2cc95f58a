"""Who gets a lead: the rules in order, the pool, claims that race, the cap."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.core.tracked import add
from app.leads.masking import masked
from app.leads.models import Lead
from app.users.models import Partner, User
from tests.factories import World, make_user
from tests.leads.conftest import Desk
from tests.races.together import together


def rules(desk: Desk, *rules: dict[str, Any], expect: int = 201) -> Any:
    return desk.boss.post("/lead-routings", {"document": {"rules": list(rules)}}, expect=expect)


def test_the_first_rule_whose_conditions_hold_decides(desk: Desk) -> None:
    rules(
        desk,
        {"code": "big", "conditions": [{"field": "budget", "comparison": "at_least", "value": 100000}], "rep": desk.other_id},
        {"code": "fair", "conditions": [{"field": "source", "comparison": "is", "value": "Fair"}], "pool": True},
        {"code": "area", "in_charge": True},
    )

    assert desk.lead(budget="100000.00", source="fair")["owner_id"] == desk.other_id
    assert desk.lead(budget="99999.99", source="fair ")["owner_id"] is None
    owned = desk.lead(budget="99999.99")
    assert owned["owner_id"] in {desk.rep_id, desk.other_id}
    assert desk.lead(territory_id=...)["owner_id"] is None
    assert desk.told(owned["owner_id"], "lead_assigned")[-1]["lead_number"] == owned["number"]


def test_the_reps_in_charge_of_a_territory_get_leads_in_turn(desk: Desk) -> None:
    owners = [desk.lead()["owner_id"] for _ in range(6)]

    assert owners[:2] == owners[2:4] == owners[4:]
    assert set(owners) == {desk.rep_id, desk.other_id}


def test_turns_hold_when_many_leads_come_at_once(desk: Desk) -> None:
    with desk.world.db.transaction() as session:
        third = make_user(session, desk.world.settings, "rep", "rep3").id
    rules(desk, {"code": "three", "turn": [desk.rep_id, desk.other_id, third]})

    made = together(*[desk.lead for _ in range(12)])

    assert Counter(lead["owner_id"] for lead in made) == {desk.rep_id: 4, desk.other_id: 4, third: 4}
    assert desk.lead()["owner_id"] == desk.rep_id


def test_who_is_full_or_has_left_is_passed_over(desk: Desk, http: Any, settings: Any, app: Any) -> None:
    rules(desk, {"code": "two", "turn": [desk.rep_id, desk.other_id]})
    capped(app, 2)
    assert [desk.lead()["owner_id"] for _ in range(5)] == [desk.rep_id, desk.other_id, desk.rep_id, desk.other_id, None]
    capped(app, 50)
    http.as_(desk.world.admin).post(f"/users/{desk.other_id}/deactivate", {})
    assert [desk.lead()["owner_id"] for _ in range(2)] == [desk.rep_id, desk.rep_id]


def capped(app: Any, most: int) -> None:
    from dataclasses import replace

    edge = app.extensions["fieldloop"]
    edge.settings = replace(edge.settings, lead_cap=most)


@pytest.mark.parametrize(
    "rule",
    [
        {"code": "a"},
        {"code": "a", "pool": True, "in_charge": True},
        {"code": "", "pool": True},
        {"code": "a", "pool": True, "conditions": [{"field": "colour", "comparison": "filled"}]},
        {"code": "a", "pool": True, "conditions": [{"field": "budget", "comparison": "at_least", "value": "much"}]},
        {"code": "a", "pool": True, "conditions": [{"field": "source", "comparison": "one_of", "value": "fair"}]},
        {"code": "a", "pool": True, "unknown": 1},
    ],
)
def test_a_routing_that_makes_no_sense_is_refused_with_what_is_wrong(desk: Desk, rule: dict[str, Any]) -> None:
    refusal = desk.boss.refused("POST", "/lead-routings", 422, "document_invalid", {"document": {"rules": [rule]}})

    assert refusal["detail"]
    assert desk.boss.get("/lead-routings")["items"] == []


def test_a_routing_names_only_active_reps(desk: Desk) -> None:
    for user_id in (desk.world.manager, "no-such-person"):
        body = {"document": {"rules": [{"code": "a", "rep": user_id}]}}
        assert desk.boss.refused("POST", "/lead-routings", 422, "validation_failed", body)["errors"][0]["field"] == "document"


def test_the_pool_shows_neither_name_nor_number(desk: Desk) -> None:
    lead = desk.pool(name="陈伟", company="Secret Ltd", interest="two forklifts, call 13800138000")

    [shown] = desk.rep.get("/pool-leads")["items"]

    assert (shown["id"], shown["name_start"], shown["phone_end"]) == (lead["id"], "陈", "00")
    assert shown["interest"] == "two forklifts, call …"
    text = str(shown)
    assert [word for word in ("陈伟", "13800138", "Secret") if word in text] == []
    desk.rep.refused("GET", f"/leads/{lead['id']}", 404, "not_found")
    assert desk.rep.get("/leads")["items"] == []


def test_a_rep_claims_a_lead_of_their_territory_and_sees_it_whole(desk: Desk) -> None:
    lead = desk.pool()

    mine = desk.rep.post(f"/leads/{lead['id']}/claim")

    assert (mine["owner_id"], mine["name"], mine["phone"]) == (desk.rep_id, "Chen Wei", "+8613800138000")
    assert mine["first_touch_due_at"] == "2026-03-03T02:00:00.000Z"
    assert desk.rep.post(f"/leads/{lead['id']}/claim")["version"] == mine["version"]
    assert desk.other.get("/pool-leads")["items"] == []
    desk.other.refused("POST", f"/leads/{lead['id']}/claim", 409, "lead_taken")
    elsewhere = desk.pool(territory_id=desk.elsewhere())
    desk.rep.refused("POST", f"/leads/{elsewhere['id']}/claim", 404, "not_found")


def test_a_lead_of_no_territory_is_every_reps_to_see_masked_and_to_claim(desk: Desk, http: Any, settings: Any) -> None:
    with desk.world.db.transaction() as session:
        nowhere = make_user(session, settings, "rep", "rep3").id
        partner = add(session, Partner(name="P"))
        outside = make_user(session, settings, "rep", "rep4", partner_id=partner.id).id
    lead = desk.pool(territory_id=..., name="Wang Fang")

    for who in (desk.rep, desk.other, http.as_(nowhere)):
        [shown] = who.get("/pool-leads")["items"]
        assert (shown["id"], shown["name_start"], shown["territory_id"]) == (lead["id"], "W", None)
        assert "Wang" not in str(shown)
        assert [row["id"] for row in who.get(f"/search?q={lead['number']}")["items"]] == [lead["id"]]
        assert who.get("/search?q=Wang")["items"] == []
    for stranger in (http.as_(outside), http.as_(desk.world.owner)):
        assert stranger.call("GET", "/pool-leads").json.get("items", []) == []
        assert stranger.call("POST", f"/leads/{lead['id']}/claim").status_code in {403, 404}
    assert http.as_(nowhere).post(f"/leads/{lead['id']}/claim")["owner_id"] == nowhere
    desk.rep.refused("POST", f"/leads/{lead['id']}/claim", 409, "lead_taken")
    assert desk.rep.get("/pool-leads")["items"] == []


def test_of_two_who_claim_at_once_one_gets_it_and_the_other_a_clear_no(desk: Desk) -> None:
    for _ in range(5):
        path = f"/leads/{desk.pool()['id']}/claim"

        answers = together(lambda p=path: desk.rep.call("POST", p), lambda p=path: desk.other.call("POST", p))

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        assert next(answer.json["code"] for answer in answers if answer.status_code == 409) == "lead_taken"


def test_nobody_claims_beyond_the_cap_even_at_once(desk: Desk, app: Any) -> None:
    capped(app, 3)
    leads = [desk.pool() for _ in range(6)]

    answers = together(*[lambda p=lead["id"]: desk.rep.call("POST", f"/leads/{p}/claim") for lead in leads])

    assert Counter(answer.status_code for answer in answers) == {200: 3, 409: 3}
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} == {"lead_cap_reached"}
    with desk.world.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Lead).where(Lead.owner_id == desk.rep_id)) == 3
    free = desk.rep.get("/leads")["items"][0]
    desk.rep.post(f"/leads/{free['id']}/lose", {"reason": "x"})
    desk.rep.post(f"/leads/{desk.rep.get('/pool-leads')['items'][0]['id']}/claim")


def test_a_lead_is_given_back_with_a_reason_and_goes_to_somebody_else(desk: Desk) -> None:
    lead = desk.lead(desk.rep)
    path = f"/leads/{lead['id']}"

    assert desk.rep.call("POST", f"{path}/give-back", {"reason": "not my trade"}).status_code == 204
    desk.rep.refused("GET", path, 404, "not_found")
    desk.other.post(f"{path}/claim")
    desk.boss.post(f"{path}/assign", {"user_id": desk.rep_id})
    holders = desk.boss.get(f"{path}/holdings")["items"]
    assert [(row["user_id"], row["end_reason"]) for row in holders] == [
        (desk.rep_id, None), (desk.other_id, "reassigned"), (desk.rep_id, "given_back"),
    ]  # fmt: skip
    told = desk.boss.get(f"/history/lead/{lead['id']}")["about"]
    assert any("not my trade" in entry["reason"] for entry in told if entry["kind"] == "lead.pooled")
    desk.boss.refused("POST", f"{path}/assign", 422, "validation_failed", {"user_id": desk.world.manager})


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("two forklifts, call 138.1111.4444", "two forklifts, call …"),
        ("(139)1111(2222)", "(…)"),
        ("139/1111/2222", "…"),
        ("139,1111,2222", "…"),
        ("139_1111_2222", "…"),
        ("139 a1111 b2222", "…"),
        ("139\u200b1111\u200b2222", "…"),
        ("１３９１１１１２２２２，急", "…，急"),
        ("电话一三九一一一一六六六六", "电话…"),
        ("幺三八 零零幺三 八零零零", "…"),
        ("write to zhang@corp.com, please", "write to … please"),
        ("EV-60，2台，SOH 70%，三年保修", "EV-60，2台，SOH 70%，三年保修"),
        ("20 万以内，3 台冰柜", "20 万以内，3 台冰柜"),
    ],
)
def test_no_way_to_reach_somebody_is_shown_in_the_pool(written: str, shown: str) -> None:
    assert masked(written) == shown


def test_the_source_of_a_lead_in_the_pool_is_masked_too(desk: Desk) -> None:
    lead = desk.pool(name="陈伟", interest="two forklifts", source="13911119999")
    [shown] = desk.rep.get("/pool-leads")["items"]
    assert (shown["id"], shown["source"]) == (lead["id"], "…")


def test_the_story_of_a_lead_in_the_pool_names_the_rule_and_says_why_nobody_has_it(
    desk: Desk, world: World, db: Database
) -> None:
    rules(
        desk,
        {"code": "open", "conditions": [{"field": "source", "comparison": "is", "value": "fair"}], "pool": True},
        {"code": "big", "conditions": [{"field": "budget", "comparison": "at_least", "value": 1000}], "rep": desk.other_id},
        {"code": "area", "conditions": [{"field": "source", "comparison": "is", "value": "web"}], "in_charge": True},
    )
    with db.transaction() as session:
        session.get_one(User, desk.other_id).state = "deactivated"

    def why(**more: Any) -> str:
        lead = desk.lead(**more)
        assert lead["owner_id"] is None
        entries = desk.boss.get(f"/history/lead/{lead['id']}")["about"]
        return next(one["reason"] for one in entries if one["kind"] == "lead.pooled")

    assert "a rule says so (rule: open)" in why(source="fair")
    assert "nobody the rule names is active and has room for another lead (rule: big)" in why(budget="2000.00")
    assert "the lead has no territory (rule: area)" in why(source="web", territory_id=...)
    assert "no rule holds" in why()
