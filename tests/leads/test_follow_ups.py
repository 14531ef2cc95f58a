"""What was done, what comes next, and the rate a region follows its leads up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.leads.conftest import Desk
from tests.people import Http
from tests.sync.phones import Phone
from tests.sync.rxdb_phones import RxdbPhone


def test_a_next_step_is_open_until_it_is_done_and_overdue_after_its_day(desk: Desk) -> None:
    made = desk.log(desk.rep, customer_id=desk.world.customer, next_step="send the offer", next_due="2026-03-03")
    later = desk.log(desk.rep, customer_id=desk.world.customer, next_step="call", next_due="2026-03-09")
    desk.log(desk.rep, customer_id=desk.world.customer, kind="note", summary="nothing to do")

    due = desk.rep.get("/follow-ups?due_until=2026-03-03")["items"]
    assert [(row["id"], row["overdue"]) for row in due] == [(made["id"], False)]
    assert len(desk.rep.get("/follow-ups?state=open")["items"]) == 2
    desk.clock.advance(days=1, hours=13)  # 23:00 in Shanghai
    assert desk.rep.get(f"/follow-ups/{made['id']}")["overdue"] is False
    desk.clock.advance(hours=1)
    assert desk.rep.get(f"/follow-ups/{made['id']}")["overdue"] is True
    done = desk.rep.post(f"/follow-ups/{made['id']}/done", {})
    assert (done["state"], done["overdue"], done["done_by"]) == ("done", False, desk.rep_id)
    desk.rep.refused("POST", f"/follow-ups/{made['id']}/done", 409, "state_conflict", {})
    assert [row["id"] for row in desk.rep.get("/follow-ups?due_until=2026-12-31")["items"]] == [later["id"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "call"}, "lead_id"),
        ({"kind": "call", "customer_id": "$customer", "lead_id": "$lead"}, "lead_id"),
        ({"kind": "call", "customer_id": "no-such-customer"}, "customer_id"),
        ({"kind": "call", "lead_id": "no-such-lead"}, "lead_id"),
        ({"kind": "visit", "customer_id": "$customer"}, "kind"),
        ({"kind": "note", "customer_id": "$customer", "duration_s": 5}, "duration_s"),
        ({"kind": "call", "customer_id": "$customer", "duration_s": 86401}, "duration_s"),
        ({"kind": "call", "customer_id": "$customer", "next_due": "2026-03-03"}, "next_step"),
        ({"kind": "call", "customer_id": "$customer", "summary": "x" * 2001}, "summary"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(desk: Desk, body: dict[str, Any], field: str) -> None:
    ids = {"$customer": desk.world.customer, "$lead": desk.lead(desk.rep)["id"]}
    sent = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in body.items()}

    refusal = desk.rep.refused("POST", "/follow-ups", 422, "validation_failed", sent)

    assert [fault["field"] for fault in refusal["errors"]] == [field]


def test_a_phone_whose_clock_is_ahead_called_now(desk: Desk) -> None:
    ahead = (desk.clock.now() + timedelta(days=400)).isoformat()

    made = desk.log(desk.rep, customer_id=desk.world.customer, happened_at=ahead)

    assert made["happened_at"] == "2026-03-02T02:00:00.000Z"


def test_a_follow_up_is_seen_by_who_is_in_charge_and_by_who_made_it(desk: Desk) -> None:
    mine = desk.log(desk.rep, lead_id=desk.lead(desk.rep)["id"])
    lead = desk.lead(desk.rep)
    passed_on = desk.log(desk.rep, lead_id=lead["id"])
    desk.boss.post(f"/leads/{lead['id']}/assign", {"user_id": desk.other_id})

    assert {row["id"] for row in desk.rep.get("/follow-ups")["items"]} == {mine["id"], passed_on["id"]}
    assert {row["id"] for row in desk.other.get("/follow-ups")["items"]} == {passed_on["id"]}
    desk.other.refused("GET", f"/follow-ups/{mine['id']}", 404, "not_found")
    desk.other.refused("POST", f"/follow-ups/{mine['id']}/done", 404, "not_found", {})


def test_the_owner_of_the_equipment_reads_no_follow_up(desk: Desk, http: Any) -> None:
    desk.log(desk.rep, customer_id=desk.world.customer, summary="pays late")

    http.as_(desk.world.owner).refused("GET", "/follow-ups", 403, "forbidden")


def test_the_rate_counts_live_leads_somebody_has_with_a_real_follow_up_in_seven_local_days(desk: Desk) -> None:
    desk.clock.advance(days=30)
    followed, noted, early, edge, pooled, lost = (desk.lead(owner_id=desk.rep_id) for _ in range(6))
    midnight = desk.clock.now().replace(hour=16, minute=0) - timedelta(days=7)  # the first of seven days, in Shanghai
    desk.log(desk.rep, lead_id=followed["id"], kind="message")
    desk.log(desk.rep, lead_id=noted["id"], kind="note")
    desk.log(desk.rep, lead_id=early["id"], happened_at=(midnight - timedelta(seconds=1)).isoformat())
    desk.log(desk.rep, lead_id=edge["id"], happened_at=midnight.isoformat())
    for lead in (pooled, lost):
        desk.log(desk.rep, lead_id=lead["id"])
    desk.rep.call("POST", f"/leads/{pooled['id']}/give-back", {"reason": "x"})
    desk.rep.post(f"/leads/{lost['id']}/lose", {"reason": "x"})

    found = desk.boss.get("/follow-up-rates")

    assert found["since"] == midnight.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert found["items"] == [{"territory_id": desk.world.territory, "leads": 4, "followed": 2, "percent": 50.0}]


def test_without_leads_a_region_has_no_rate(desk: Desk) -> None:
    assert desk.boss.get("/follow-up-rates")["items"] == []


# Whom it was with, and at which visit

WINDOW = {"planned_from": "2026-03-02T01:00:00Z", "planned_until": "2026-03-02T04:00:00Z"}


def contact_at(desk: Desk, customer_id: str, name: str = "Zhang") -> str:
    return str(desk.boss.post(f"/customers/{customer_id}/contacts", {"name": name}, expect=201)["id"])


def visit_at(desk: Desk, site_id: str, who: str | None = None) -> str:
    return str(desk.boss.post("/visits", {"site_id": site_id, "user_id": who or desk.rep_id, **WINDOW}, expect=201)["id"])


def customer_with_site(desk: Desk, territory_id: str, name: str) -> tuple[str, str]:
    made = desk.boss.post("/customers", {"name": name, "territory_id": territory_id}, expect=201)["id"]
    place = {"name": "Yard", "lat": 22.5, "lon": 114.0}
    return made, desk.boss.post(f"/customers/{made}/sites", place, expect=201)["id"]


def refused_fields(desk: Desk, **body: Any) -> list[tuple[str, str]]:
    answer = desk.rep.refused("POST", "/follow-ups", 422, "validation_failed", {"kind": "call"} | body)
    return sorted((fault["field"], fault["code"]) for fault in answer["errors"])


def test_a_follow_up_names_a_contact_and_a_visit_of_its_customer_that_its_maker_sees(desk: Desk) -> None:
    home = desk.world.customer
    near, near_site = customer_with_site(desk, desk.world.territory, "Near")
    far, far_site = customer_with_site(desk, desk.elsewhere(), "Far")
    own, visit = contact_at(desk, home), visit_at(desk, desk.world.site)
    both = [("contact_id", "unknown_reference"), ("visit_id", "unknown_reference")]

    made = desk.log(desk.rep, customer_id=home, contact_id=own, visit_id=visit)
    assert (made["contact_id"], made["visit_id"]) == (own, visit)
    for contact, other_visit in (
        ("no-such-contact", "no-such-visit"),
        (contact_at(desk, near), visit_at(desk, near_site)),
        (contact_at(desk, far), visit_at(desk, far_site, desk.other_id)),
    ):
        assert refused_fields(desk, customer_id=home, contact_id=contact, visit_id=other_visit) == both
        assert refused_fields(desk, customer_id=home, contact_id=own, visit_id=other_visit) == both[1:]
    assert len(desk.boss.get("/follow-ups")["items"]) == 1
    gone = contact_at(desk, home, "Li")
    assert desk.boss.call("DELETE", f"/contacts/{gone}", If_Match="*").status_code == 200
    assert refused_fields(desk, customer_id=home, contact_id=gone) == both[:1]


def test_a_contact_that_was_merged_is_the_one_it_is_now(desk: Desk) -> None:
    keeper, twin = contact_at(desk, desk.world.customer), contact_at(desk, desk.world.customer, "Zhang San")
    desk.boss.post(f"/contacts/{keeper}/merge", {"other_id": twin})

    assert desk.log(desk.rep, customer_id=desk.world.customer, contact_id=twin)["contact_id"] == keeper


def test_what_was_done_with_a_lead_names_people_of_the_customer_it_became(desk: Desk) -> None:
    lead = desk.lead(desk.rep)
    contact, visit = contact_at(desk, desk.world.customer), visit_at(desk, desk.world.site)
    named = {"lead_id": lead["id"], "contact_id": contact, "visit_id": visit}
    both = [("contact_id", "unknown_reference"), ("visit_id", "unknown_reference")]

    assert refused_fields(desk, **named) == both
    desk.log(desk.rep, lead_id=lead["id"])
    desk.rep.post(f"/leads/{lead['id']}/qualify")
    desk.rep.post(f"/leads/{lead['id']}/convert", {"customer_id": desk.world.customer})

    assert desk.log(desk.rep, **named)["contact_id"] == contact


def test_who_may_add_to_a_customer_that_was_merged_out_of_sight_still_names_its_people(desk: Desk) -> None:
    near, _ = customer_with_site(desk, desk.world.territory, "Near")
    far, _ = customer_with_site(desk, desk.elsewhere(), "Far")
    contact = contact_at(desk, near)
    desk.boss.post(f"/customers/{far}/merge", {"other_id": near})

    made = desk.log(desk.rep, customer_id=near, contact_id=contact)

    assert (made["customer_id"], made["contact_id"]) == (far, contact)


def test_a_phone_names_whom_it_made_itself_whichever_comes_first_and_nobody_elses(desk: Desk, http: Http) -> None:
    far, _ = customer_with_site(desk, desk.elsewhere(), "Far")
    foreign = contact_at(desk, far)
    device = RxdbPhone(http.as_(desk.rep_id), names=("customers", "contacts", "intents", "follow_ups"))
    device.sync()
    seen = {"customer_id": desk.world.customer, "kind": "call"}
    device.create("contacts", {"id": "contact-0001", "customer_id": desk.world.customer, "name": "Wang"})
    for n, contact in ((1, "contact-0001"), (2, foreign)):
        body = json.dumps(seen | {"id": f"follow-up-{n:04}", "contact_id": contact})
        device.create("intents", {"id": f"intent-{n:08}", "kind": "follow_up.log", "body": body, "made_at": n})

    device.push("intents")
    assert desk.boss.get("/follow-ups")["items"] == []
    device.push("contacts")
    device.sync()

    [row] = desk.boss.get("/follow-ups")["items"]
    assert (row["id"], row["contact_id"]) == ("follow-up-0001", "contact-0001")
    plain = Phone(http.as_(desk.rep_id))
    plain.pull()
    body = json.dumps(seen | {"contact_id": foreign})
    plain.create("intents", {"id": "intent-00000003", "kind": "follow_up.log", "body": body, "made_at": 3})
    plain.sync()
    plain.sync()
    verdict = plain.rows["intents"]["intent-00000003"]
    assert (verdict["verdict"], verdict["code"]) == ("rejected", "validation_failed")
