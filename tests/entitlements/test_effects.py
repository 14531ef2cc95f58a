"""What follows elsewhere: merged customers, pages, the home page, the doctor, deleting a customer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from app.core.db import Database
from app.core.settings import Settings
from app.customers.merging import follow_late
from app.entitlements.models import Entitlement, EntitlementSpend
from app.findings import of_entitlements
from tests.conftest import SetClock
from tests.entitlements.conftest import balance, figures, grant, make_kind, spend, standing, used
from tests.entitlements.test_counting import ELEVEN, NINE, TEN, run
from tests.factories import World
from tests.people import Http
from tests.visits.test_check_ins import plan


@pytest.fixture
def other(office: Http, world: World) -> str:
    values = {"name": "Lin Logistics", "territory_id": world.territory, "owner_id": world.rep}
    return str(office.post("/customers", values, expect=201)["id"])


def test_a_merge_counts_both_together_and_its_undoing_apart_again(
    office: Http, rep: Http, colleague: Http, world: World, kind: str, other: str, db: Database, settings: Settings
) -> None:
    grant(office, world.customer, kind, "1.00", until="2026-12-31")
    grant(office, other, kind, "2.00")
    spend(rep, world, kind, 1, "2.00", at=NINE)
    colleague.post("/entitlement-spends", used(other, kind, 2, "2.00", TEN), expect=201)
    before = {one: (standing(office, one), figures(office, one, kind)) for one in (world.customer, other)}
    assert [before[one][1] for one in before] == [("1.00", "1.00", "0.00", "1.00"), ("2.00", "2.00", "0.00", "0.00")]

    office.post(f"/customers/{world.customer}/merge", {"other_id": other})

    assert figures(office, world.customer, kind) == ("3.00", "3.00", "0.00", "1.00")
    states = {spend_id: row[:2] for spend_id, row in standing(office, world.customer).items()}
    assert states == {"spend-000001": ("covered", "2.00"), "spend-000002": ("beyond", "1.00")}
    assert [row["kind"] for row in colleague.get("/notifications")["items"]] == ["entitlement_changed"]
    chain = office.get("/history/entitlement_spend/spend-000002")
    assert "customer.merged" in [one["kind"] for one in chain["causes"]]
    # What a phone still tells of the one that is gone reaches the survivor, and goes back with the rest.
    rep.post("/entitlement-spends", used(other, kind, 3, "0.50", ELEVEN), expect=201)
    assert standing(office, world.customer)["spend-000003"][0] == "beyond"

    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other})

    assert (standing(office, world.customer), figures(office, world.customer, kind)) == before[world.customer]
    assert standing(office, other) == before[other][0] | {"spend-000003": ("beyond", "0.00", [], "used_up")}
    assert figures(office, other, kind) == ("2.00", "2.00", "0.00", "0.50")


def test_what_was_written_for_the_other_at_the_very_moment_is_counted_with_the_survivor(
    office: Http, rep: Http, world: World, kind: str, other: str, db: Database
) -> None:
    """Planted: a spend that names the customer it read just before the merge."""
    grant(office, world.customer, kind, "1.00")
    spend(rep, world, kind, 1)
    office.post(f"/customers/{world.customer}/merge", {"other_id": other})
    with db.transaction() as session:
        session.get_one(EntitlementSpend, "spend-000001").customer_id = other
    with db.transaction() as session:
        assert follow_late(session) == 1
        assert list(of_entitlements(session)) == []
    assert figures(office, world.customer, kind) == ("1.00", "1.00", "0.00", "0.00")


def test_merged_after_its_grant_ended_the_balance_comes_to_the_day_by_the_clock(
    office: Http, rep: Http, world: World, kind: str, other: str, clock: SetClock, db: Database, settings: Settings
) -> None:
    grant(office, world.customer, kind, "1.00", until="2026-03-02")
    clock.advance(days=2)
    office.post(f"/customers/{world.customer}/merge", {"other_id": other})
    run(db, settings, "turn_entitlements")
    assert figures(office, world.customer, kind) == ("0.00", "0.00", "0.00", "0.00")


def test_a_customer_who_is_owed_something_or_has_something_to_decide_is_not_deleted(
    office: Http, rep: Http, world: World, kind: str, other: str
) -> None:
    version = office.get(f"/customers/{other}")["version"]
    given = grant(office, other, kind, "1.00")
    office.refused("DELETE", f"/customers/{other}", 409, "in_use", If_Match=f'"{version}"')
    office.post(f"/entitlement-grants/{given}/withdraw", {"reason": "order cancelled"})
    rep.post("/entitlement-spends", used(other, kind, 1), expect=201)
    office.refused("DELETE", f"/customers/{other}", 409, "in_use", If_Match=f'"{version}"')
    office.post("/entitlement-spends/spend-000001/forgive", {"reason": "a present"})
    assert office.call("DELETE", f"/customers/{other}", If_Match=f'"{version}"').status_code == 200


def test_what_is_left_stands_on_the_page_in_the_digest_and_before_the_visit_with_its_source(
    office: Http, rep: Http, world: World, kind: str
) -> None:
    make_kind(office, code="unused")
    grant(office, world.customer, kind, "20.00", until="2026-12-31")
    spend(rep, world, kind, 1, "17.50")
    words = "培训课时：剩余 2.5，共 20，2026年12月31日到期"
    source = balance(rep, world.customer, kind)["entry_id"]

    page = rep.get(f"/customers/{world.customer}/page")
    assert [(row["text"], row["left"], row["entry_id"]) for row in page["entitlements"]] == [(words, "2.50", source)]
    [last] = page["last_spends"]
    assert (last["id"], last["amount"], last["by"], last["text"]) == ("spend-000001", "17.50", "rep", "已由客户权益抵扣。")
    digest = office.get(f"/customers/{world.customer}/digest")
    english = "2.5 of 20 class hours left, ending 31 December 2026"
    assert [(row["text"], row["entry_id"]) for row in digest["entitlements"]] == [(english, source)]
    [group] = [one for one in digest["groups"] if one["group"] == "entitlements"]
    assert (group["name"], group["count"]) == ("What is owed", 1)  # the grant was the reader's own doing
    visit = plan(rep, world)
    [line] = [one for one in rep.get(f"/visits/{visit}/preparation")["items"] if one["change"] == "owed"]
    assert (line["text"], line["entry_ids"]) == (f"{words}。", [source])
    chain = rep.get("/history/entitlement_spend/spend-000001")
    assert source in [entry["id"] for entry in chain["about"]]


def confirm(person: Http) -> dict[str, Any] | None:
    return next((one for one in person.get("/mobile/home")["sections"] if one["name"] == "beyond"), None)


def test_the_office_finds_what_is_beyond_on_its_home_page_until_it_decided(
    office: Http, rep: Http, colleague: Http, world: World, kind: str
) -> None:
    spend(colleague, world, kind, 1)
    found = confirm(office)
    assert found is not None
    assert (found["total"], found["rows"][0]["id"]) == (1, "spend-000001")
    assert found["rows"][0]["line"] == "1 class hours used by colleague, 0 of it owed: sell more, forgive, or take it back"
    assert confirm(rep) is None

    office.post("/entitlement-spends/spend-000001/forgive", {"reason": "our delay"})
    assert confirm(office) == found | {"total": 0, "rows": []}


@pytest.mark.parametrize("fault", ["balance", "cover"])
def test_the_doctor_names_a_balance_that_differs_from_the_fold(
    office: Http, rep: Http, world: World, kind: str, db: Database, fault: str
) -> None:
    grant(office, world.customer, kind, "2.00")
    spend(rep, world, kind, 1)
    with db.reading() as session:
        assert list(of_entitlements(session)) == []
    with db.transaction() as session:
        if fault == "balance":
            session.execute(update(Entitlement).values(left=Decimal("1.25")))
        else:
            session.execute(update(EntitlementSpend).values(covered=Decimal("0.25")))
    with db.reading() as session:
        [finding] = of_entitlements(session)
    assert finding.level == "problem"
    assert f"{world.customer} {kind}" in finding.what[0]
