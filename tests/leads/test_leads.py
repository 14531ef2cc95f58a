"""A lead's life: three fields make it, the rest may come later; states in order; it becomes a customer once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.customers.models import Customer
from tests.leads.conftest import Desk
from tests.races.together import together

BIG = {"company": "Lin Logistics", "email": "C@Lin.example", "address": "1 Depot road", "source": "fair", "budget": "120000.00"}


def qualified(desk: Desk, **more: Any) -> dict[str, Any]:
    lead = desk.lead(desk.rep, **more)
    desk.log(desk.rep, lead_id=lead["id"])
    made: dict[str, Any] = desk.rep.post(f"/leads/{lead['id']}/qualify")
    return made


def test_name_phone_and_interest_make_a_lead_and_the_rest_may_come_later(desk: Desk) -> None:
    lead = desk.lead(desk.rep, territory_id=...)

    assert (lead["state"], lead["phone"], lead["number"]) == ("open", "+8613800138000", "L-2026-000001")
    assert lead["owner_id"] == desk.rep_id
    assert lead["completeness"] == 50
    assert lead["missing"] == ["company", "territory_id", "budget", "email", "address", "source"]
    edited = desk.rep.edit(f"/leads/{lead['id']}", BIG | {"territory_id": desk.world.territory}, lead["version"])
    assert (edited["completeness"], edited["missing"], edited["email"]) == (100, [], "c@lin.example")
    assert edited["score"] > lead["score"]


@pytest.mark.parametrize("field", ["name", "phone", "interest"])
def test_without_one_of_the_three_it_is_refused(desk: Desk, field: str) -> None:
    refusal = desk.rep.refused(
        "POST", "/leads", 422, "validation_failed", {"name": "A", "phone": "13800138000", "interest": "x"} | {field: ""}
    )

    assert [fault["field"] for fault in refusal["errors"]] == [field]


def test_what_cannot_be_is_refused_field_by_field(desk: Desk) -> None:
    wrong = {"phone": "12", "email": "nobody", "budget": "1.234", "custom": [1], "territory_id": "no-such-area"}
    for field, value in wrong.items():
        body = {"name": "A", "phone": "13800138000", "interest": "x"} | {field: value}
        refusal = desk.rep.refused("POST", "/leads", 422, "validation_failed", body)
        assert [fault["field"] for fault in refusal["errors"]] == [field]
    body = {"name": "A", "phone": "13800138000", "interest": "x", "owner_id": desk.other_id}
    assert desk.rep.refused("POST", "/leads", 422, "validation_failed", body)["errors"][0]["field"] == "owner_id"


def test_the_states_come_in_order_and_none_is_skipped(desk: Desk) -> None:
    lead = desk.lead(desk.rep)
    path = f"/leads/{lead['id']}"

    desk.rep.refused("POST", f"{path}/qualify", 409, "state_conflict")
    desk.rep.refused("POST", f"{path}/convert", 409, "state_conflict", {})
    desk.log(desk.rep, lead_id=lead["id"])
    assert desk.read(lead)["state"] == "contacted"
    assert desk.rep.post(f"{path}/qualify")["state"] == "qualified"
    assert desk.rep.post(f"{path}/lose", {"reason": "too dear"})["lost_reason"] == "too dear"
    desk.rep.refused("POST", f"{path}/lose", 409, "state_conflict", {"reason": "again"})
    desk.rep.refused("POST", f"{path}/reopen", 403, "forbidden")
    again = desk.boss.post(f"{path}/reopen")
    assert (again["state"], again["owner_id"], again["lost_reason"]) == ("open", desk.rep_id, None)
    assert again["first_touch_at"] is None
    assert desk.story(lead) == [
        "lead.created", "lead.assigned", "lead.first_touched", "lead.contacted", "lead.qualified", "lead.lost",
        "lead.reopened", "lead.assigned",
    ]  # fmt: skip


def test_a_rep_sees_no_lead_of_a_colleague(desk: Desk) -> None:
    lead = desk.lead(desk.rep)
    path = f"/leads/{lead['id']}"

    assert desk.other.get("/leads")["items"] == []
    desk.other.refused("GET", path, 404, "not_found")
    for verb, body in (("qualify", None), ("lose", {"reason": "x"}), ("give-back", {"reason": "x"}), ("convert", {})):
        desk.other.refused("POST", f"{path}/{verb}", 404, "not_found", body)
    desk.other.refused("POST", f"{path}/claim", 404, "not_found")
    desk.other.refused("POST", "/follow-ups", 422, "validation_failed", {"kind": "call", "lead_id": lead["id"]})
    assert [row["id"] for row in desk.boss.get(f"/leads?owner_id={desk.rep_id}")["items"]] == [lead["id"]]


def test_a_lead_becomes_a_new_customer_made_of_its_fields(desk: Desk) -> None:
    lead = qualified(desk, **BIG)

    done = desk.rep.post(f"/leads/{lead['id']}/convert", {})

    customer = desk.rep.get(f"/customers/{done['customer_id']}")
    assert done["state"] == "converted"
    assert (customer["name"], customer["phone"], customer["email"]) == ("Lin Logistics", "+8613800138000", "c@lin.example")
    assert (customer["owner_id"], customer["territory_id"]) == (desk.rep_id, desk.world.territory)
    assert [row["lead_id"] for row in desk.rep.get(f"/follow-ups?customer_id={customer['id']}")["items"]] == [lead["id"]]


def test_what_a_customer_lacks_is_named_by_its_field_and_nothing_is_made(desk: Desk) -> None:
    lead = qualified(desk, territory_id=...)
    before = customers(desk)

    refusal = desk.rep.refused("POST", f"/leads/{lead['id']}/convert", 422, "validation_failed", {})

    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("values.territory_id", "required")]
    assert (customers(desk), desk.read(lead)["state"]) == (before, "qualified")
    values = {"territory_id": desk.world.territory, "name": "Chen & Sons"}
    made = desk.rep.post(f"/leads/{lead['id']}/convert", {"values": values})
    assert desk.rep.get(f"/customers/{made['customer_id']}")["name"] == "Chen & Sons"


def test_the_customers_a_lead_may_be_already_are_shown_and_it_can_be_linked_to_one(desk: Desk) -> None:
    known = desk.boss.post(
        "/customers",
        {"name": "深圳市鹏程物流有限公司", "phone": PHONE_KNOWN, "territory_id": desk.world.territory, "owner_id": desk.rep_id},
        expect=201,
    )
    lead = qualified(desk, company="鹏程物流", phone=PHONE_KNOWN)
    twin = desk.lead(desk.rep, phone=PHONE_KNOWN)

    shown = desk.rep.get(f"/leads/{lead['id']}/duplicates")
    assert [row["customer"]["id"] for row in shown["customers"]] == [known["id"]]
    assert "phone_same" in {sign["code"] for sign in shown["customers"][0]["signs"]}
    assert [row["id"] for row in shown["leads"]] == [twin["id"]]
    before = customers(desk)
    done = desk.rep.post(f"/leads/{lead['id']}/convert", {"customer_id": known["id"]})
    assert (done["customer_id"], customers(desk)) == (known["id"], before)
    refusal = desk.rep.refused(
        "POST", f"/leads/{qualified(desk)['id']}/convert", 422, "validation_failed", {"customer_id": "no-such-customer"}
    )
    assert refusal["errors"][0]["field"] == "customer_id"


PHONE_KNOWN = "+8613900139000"


def customers(desk: Desk) -> int:
    with desk.world.db.reading() as session:
        return session.scalar(select(func.count()).select_from(Customer)) or 0


def test_conversions_at_once_make_one_customer(desk: Desk) -> None:
    lead = qualified(desk, **BIG)
    before = customers(desk)

    answers = together(*[lambda: desk.rep.post(f"/leads/{lead['id']}/convert", {}) for _ in range(4)])

    assert len({answer["customer_id"] for answer in answers}) == 1
    assert customers(desk) == before + 1
    assert desk.story(lead).count("lead.converted") == 1
    desk.rep.refused("POST", f"/leads/{lead['id']}/convert", 409, "lead_converted", {"customer_id": desk.world.customer})


def test_a_merge_of_customers_takes_leads_and_follow_ups_along_and_an_unmerge_back(desk: Desk) -> None:
    lead = qualified(desk, **BIG)
    old = desk.rep.post(f"/leads/{lead['id']}/convert", {})["customer_id"]
    logged = desk.log(desk.rep, customer_id=old)["id"]

    desk.boss.post(f"/customers/{desk.world.customer}/merge", {"other_id": old})
    assert desk.read(lead)["customer_id"] == desk.world.customer
    late = desk.log(desk.rep, customer_id=old, summary="told late")
    assert late["customer_id"] == desk.world.customer
    seen = {row["id"] for row in desk.rep.get(f"/follow-ups?customer_id={desk.world.customer}")["items"]}
    assert {logged, late["id"]} < seen
    desk.boss.post(f"/customers/{desk.world.customer}/unmerge", {"other_id": old})
    assert desk.read(lead)["customer_id"] == old
    assert desk.rep.get(f"/follow-ups/{late['id']}")["customer_id"] == old


def test_only_a_lost_lead_is_opened_again_and_its_clock_begins_anew(desk: Desk) -> None:
    lead = desk.lead(owner_id=desk.rep_id)
    path = f"/leads/{lead['id']}"
    assert desk.boss.refused("POST", f"{path}/reopen", 409, "state_conflict")["detail"]
    desk.rep.post(f"{path}/lose", {"reason": "x"})
    desk.clock.advance(hours=5)

    again = desk.boss.post(f"{path}/reopen")

    assert (again["state"], again["owner_id"], again["lost_reason"]) == ("open", desk.rep_id, None)
    assert again["first_touch_due_at"] == "2026-03-03T07:00:00.000Z"
    desk.boss.refused("POST", f"{path}/reopen", 409, "state_conflict")


def test_leads_of_a_rep_who_leaves_go_to_the_successor_or_into_the_pool(desk: Desk, http: Any) -> None:
    boss = http.as_(desk.world.admin)
    lead, lost = desk.lead(owner_id=desk.other_id), desk.lead(owner_id=desk.other_id)
    desk.boss.post(f"/leads/{lost['id']}/lose", {"reason": "x"})

    boss.post(f"/users/{desk.other_id}/deactivate", {})
    assert (desk.read(lead)["owner_id"], desk.read(lost)["owner_id"]) == (None, desk.other_id)
    again = desk.boss.post(f"/leads/{lost['id']}/reopen")
    assert (again["state"], again["owner_id"]) == ("open", None)
    desk.rep.post(f"/leads/{lead['id']}/claim")
    with desk.world.db.transaction() as session:
        from tests.factories import make_user

        third = make_user(session, desk.world.settings, "rep", "rep3", territory_ids=[desk.world.territory]).id
    boss.post(f"/users/{desk.rep_id}/deactivate", {"successor_id": third})
    assert desk.read(lead)["owner_id"] == third


@pytest.mark.parametrize(
    "budget", ["1e9", "1E+9", "1_000", "+5", ".5", "5.", "\uff11\uff12", " 12 ", "-1", "10000000000", "1.234", 5]
)
def test_a_budget_is_written_as_the_api_says(desk: Desk, budget: Any) -> None:
    body = {"name": "Chen", "phone": "13800000001", "interest": "two forklifts", "budget": budget}

    refusal = desk.rep.refused("POST", "/leads", 422, "validation_failed", body)

    assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("budget", "amount_invalid")]


def test_a_lead_becomes_a_customer_there_is_or_one_of_values_not_both(desk: Desk) -> None:
    body = {"customer_id": desk.world.customer, "values": {"name": "Chen Ltd"}}

    refusal = desk.rep.refused("POST", f"/leads/{desk.lead(owner_id=desk.rep_id)['id']}/convert", 422, "validation_failed", body)

    assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("values", "unknown")]
