"""What was done, what comes next, and the rate a region follows its leads up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.leads.conftest import Desk


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
