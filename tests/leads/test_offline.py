"""Leads and follow-ups on phones: what each holds, and what was done without network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.clock import to_ms
from tests.leads.conftest import Desk
from tests.people import Http
from tests.sync.phones import Phone

Phones = Callable[..., Phone]


@pytest.fixture
def phone(http: Http) -> Phones:
    def make(user_id: str) -> Phone:
        return Phone(http.as_(user_id))

    return make


def ask(device: Phone, n: int, what: str, made_at: int = 0, **body: Any) -> None:
    device.create("intents", {"id": f"intent-{n:08}", "kind": what, "body": json.dumps(body), "made_at": made_at})


def verdict(device: Phone, n: int) -> tuple[str, str | None]:
    row = device.rows["intents"][f"intent-{n:08}"]
    return row["verdict"], row["code"]


def test_a_lead_made_and_called_without_network_is_there_when_it_comes(desk: Desk, phone: Phones) -> None:
    device = phone(desk.rep_id)
    device.pull()
    called = to_ms(desk.clock.now())
    values = {"name": "Li Na", "phone": "139 0013 9000", "interest": "a crane", "budget": "9000.00"}
    device.create("leads", {"id": "lead-00000001", **values})
    ask(device, 1, "follow_up.log", called, id="follow-up-0001", lead_id="lead-00000001", kind="call", duration_s=40,
        happened_at=desk.clock.now().isoformat(), next_step="send prices", next_due="2026-03-05")  # fmt: skip
    ask(device, 2, "lead.qualify", called + 1, lead_id="lead-00000001")
    desk.clock.advance(hours=30)
    device.sync()
    device.sync()

    row = device.rows["leads"]["lead-00000001"]
    assert [verdict(device, n) for n in (1, 2)] == [("accepted", None)] * 2
    assert (row["phone"], row["state"], row["first_touch_at"]) == ("+8613900139000", "qualified", called)
    assert (row["number"], row["budget"], row["completeness"]) == ("L-2026-000001", "9000.00", 60)
    assert row["score_text"]
    step = device.rows["follow_ups"]["follow-up-0001"]
    assert (step["next_due"], step["state"], step["happened_at"]) == ("2026-03-05", "open", called)
    ask(device, 3, "follow_up.done", called + 2, follow_up_id="follow-up-0001")
    device.sync()
    device.sync()
    assert device.rows["follow_ups"]["follow-up-0001"]["state"] == "done"


def test_the_same_fields_edited_on_two_sides_merge(desk: Desk, phone: Phones) -> None:
    lead = desk.lead(desk.rep)
    device = phone(desk.rep_id)
    device.pull()
    device.update("leads", lead["id"], company="Lin Ltd")
    desk.boss.edit(f"/leads/{lead['id']}", {"budget": "100.00"}, desk.read(lead)["version"])
    device.sync()
    device.sync()

    found = desk.read(lead)
    assert (found["company"], found["budget"]) == ("Lin Ltd", "100.00")
    assert device.rows["leads"][lead["id"]]["budget"] == "100.00"
    assert device.rows["leads"][lead["id"]]["completeness"] == found["completeness"] == 80


def test_a_phone_holds_own_leads_and_the_masked_pool_and_a_claim_turns_one_into_the_other(desk: Desk, phone: Phones) -> None:
    lead, colleagues = desk.pool(name="Wang Fang"), desk.lead(desk.other)
    mine, theirs, office = phone(desk.rep_id), phone(desk.other_id), phone(desk.world.manager)
    for device in (mine, theirs, office):
        device.pull()
    assert (set(mine.rows["leads"]), set(mine.rows["pool_leads"])) == (set(), {lead["id"]})
    assert (set(theirs.rows["leads"]), set(theirs.rows["pool_leads"])) == ({colleagues["id"]}, {lead["id"]})
    assert (set(office.rows["leads"]), set(office.rows["pool_leads"])) == ({lead["id"], colleagues["id"]}, {lead["id"]})
    held = json.dumps(mine.rows)
    assert "Wang Fang" not in held
    assert "13800138" not in held

    ask(mine, 1, "lead.claim", lead_id=lead["id"])
    ask(theirs, 2, "lead.claim", lead_id=lead["id"])
    mine.sync()
    theirs.sync()
    for device in (mine, theirs):
        device.sync()

    assert (verdict(mine, 1), verdict(theirs, 2)) == (("accepted", None), ("rejected", "lead_taken"))
    assert mine.rows["leads"][lead["id"]]["name"] == "Wang Fang"
    assert (mine.rows["pool_leads"], theirs.rows["pool_leads"], set(theirs.rows["leads"])) == ({}, {}, {colleagues["id"]})
    ask(mine, 3, "lead.give_back", lead_id=lead["id"], reason="too far")
    mine.sync()
    mine.sync()
    assert (set(mine.rows["leads"]), set(mine.rows["pool_leads"])) == (set(), {lead["id"]})


def test_a_lead_of_no_territory_is_on_every_reps_phone_until_somebody_claims_it(desk: Desk, http: Http, phone: Phones) -> None:
    mine, theirs, owner = phone(desk.rep_id), phone(desk.other_id), phone(desk.world.owner)
    for device in (mine, theirs, owner):
        device.pull()
    lead = desk.pool(territory_id=..., name="Wang Fang")
    for device in (mine, theirs, owner):
        device.pull()
    assert set(mine.rows["pool_leads"]) == set(theirs.rows["pool_leads"]) == {lead["id"]}
    assert mine.rows["pool_leads"][lead["id"]]["name_start"] == "W"
    assert "Wang Fang" not in json.dumps(theirs.rows)
    assert owner.rows.get("pool_leads", {}) == {}

    ask(mine, 1, "lead.claim", lead_id=lead["id"])
    ask(theirs, 2, "lead.claim", lead_id=lead["id"])
    for device in (mine, theirs, mine, theirs):
        device.sync()
    assert (verdict(mine, 1), verdict(theirs, 2)) == (("accepted", None), ("rejected", "lead_taken"))
    assert (mine.rows["pool_leads"], theirs.rows["pool_leads"]) == ({}, {})
    ask(mine, 3, "lead.give_back", lead_id=lead["id"], reason="too far")
    for device in (mine, theirs):
        device.sync()
    assert set(theirs.rows["pool_leads"]) == {lead["id"]}
    desk.boss.edit(f"/leads/{lead['id']}", {"territory_id": desk.elsewhere()}, desk.read(lead)["version"])
    theirs.pull()
    assert theirs.rows["pool_leads"] == {}


def test_a_lead_deleted_on_a_phone_is_lost_and_comes_back_as_that(desk: Desk, phone: Phones) -> None:
    lead = desk.lead(desk.rep)
    device = phone(desk.rep_id)
    device.pull()
    device.delete("leads", lead["id"])
    device.sync()
    device.sync()

    assert desk.read(lead)["state"] == "lost"
    assert device.rows["leads"][lead["id"]]["state"] == "lost"


def test_what_was_done_with_a_lead_that_is_somebody_elses_now_is_kept_for_both(desk: Desk, phone: Phones) -> None:
    lead = desk.lead(desk.rep)
    device = phone(desk.rep_id)
    device.pull()
    ask(device, 1, "follow_up.log", lead_id=lead["id"], kind="call", id="follow-up-0001", duration_s=10)
    ask(device, 2, "lead.lose", 1, lead_id=lead["id"], reason="no")
    desk.boss.post(f"/leads/{lead['id']}/assign", {"user_id": desk.other_id})
    device.sync()
    device.sync()

    assert (verdict(device, 1), verdict(device, 2)) == (("accepted", None), ("rejected", "not_found"))
    assert "follow-up-0001" in device.rows["follow_ups"]
    assert [row["id"] for row in desk.other.get("/follow-ups")["items"]] == ["follow-up-0001"]
    assert desk.read(lead)["state"] == "open"


def test_a_next_step_done_on_two_phones_is_done_once(desk: Desk, phone: Phones) -> None:
    made = desk.log(desk.rep, customer_id=desk.world.customer, next_step="call")
    one, two = phone(desk.rep_id), phone(desk.rep_id)
    for n, device in enumerate((one, two)):
        device.pull()
        ask(device, n, "follow_up.done", follow_up_id=made["id"])
        device.sync()
    two.sync()

    assert verdict(two, 1) == ("rejected", "state_conflict")
    assert two.rows["follow_ups"][made["id"]]["state"] == "done"
