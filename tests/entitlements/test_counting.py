"""Grants and spends over HTTP: the balance is counted from them, in whatever order they come."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.settings import Settings
from app.core.tracked import hold, touch
from app.customers.models import Customer
from app.entitlements import counting, operations
from app.entitlements.models import Entitlement
from app.findings import of_jobs
from app.jobs import JOBS, Scheduler
from app.territories.operations import create_territory
from tests.conftest import SetClock
from tests.entitlements.conftest import (
    HOURS,
    balance,
    faults,
    figures,
    grant,
    make_kind,
    spend,
    standing,
    used,
)
from tests.factories import World
from tests.iot.vehicles import BOSS
from tests.people import Http

NINE, TEN, ELEVEN = (f"2026-03-02T0{n}:00:00Z" for n in (0, 1, 2))


def run(db: Database, settings: Settings, job_id: str) -> int:
    [job] = [job for job in JOBS if job.id == job_id]
    return job.work(db, settings)


def test_what_is_used_is_counted_down(office: Http, rep: Http, owner: Http, world: World, kind: str) -> None:
    grant(office, world.customer, kind, "20.00", until="2026-12-31")

    told = spend(rep, world, kind, 1, "17.50")

    assert (told["state"], told["covered"], told["user_id"], told["day"]) == ("covered", "17.50", world.rep, "2026-03-02")
    for person in (office, rep, owner):
        assert figures(person, world.customer, kind) == ("20.00", "17.50", "2.50", "0.00")
    assert balance(office, world.customer, kind)["next_end"] == "2026-12-31"
    assert balance(rep, world.customer, kind)["text"] == "培训课时：剩余 2.5，共 20，2026年12月31日到期"
    assert balance(office, world.customer, kind)["text"] == "2.5 of 20 class hours left, ending 31 December 2026"


def test_the_earlier_one_is_covered_whoever_tells_first(
    office: Http, rep: Http, colleague: Http, world: World, kind: str, db: Database
) -> None:
    grant(office, world.customer, kind, "1.00")
    late = spend(colleague, world, kind, 1, at=ELEVEN)
    assert late["state"] == "covered"

    early = spend(rep, world, kind, 2, at=TEN)

    assert early["state"] == "covered"
    assert standing(office, world.customer)["spend-000001"] == ("beyond", "0.00", [], "used_up")
    assert figures(office, world.customer, kind) == ("1.00", "1.00", "0.00", "1.00")
    # The colleague gets a message, and the log says because of what.
    [message] = colleague.get("/notifications")["items"]
    assert (message["kind"], message["subject_id"]) == ("entitlement_changed", "spend-000001")
    assert rep.get("/notifications")["items"] == []
    chain = colleague.get("/history/entitlement_spend/spend-000001")
    assert ("entitlement_spend.told", "spend-000002") in [(one["kind"], one["subject"]["id"]) for one in chain["causes"]]
    # It was a mistake of the rep's: the colleague's is covered again, and they are told so once more.
    rep.post("/entitlement-spends/spend-000002/return", {"reason": "wrong customer"})
    assert standing(office, world.customer)["spend-000001"][:2] == ("covered", "1.00")
    assert len(colleague.get("/notifications")["items"]) == 2


def test_told_twice_it_counts_once_and_another_one_may_not_have_its_id(
    office: Http, rep: Http, colleague: Http, world: World, kind: str
) -> None:
    grant(office, world.customer, kind, "5.00")
    first = spend(rep, world, kind, 1)
    assert spend(rep, world, kind, 1) == first
    assert figures(office, world.customer, kind)[1] == "1.00"
    for body in (
        used(world.customer, kind, 1, "2.00"),
        used(world.customer, kind, 1, at=NINE),
        used(world.customer, kind, 1, note="another one"),
    ):
        assert faults(rep.refused("POST", "/entitlement-spends", 422, "validation_failed", body)) == {"id": "already_exists"}
    twin = used(world.customer, kind, 1)
    assert faults(colleague.refused("POST", "/entitlement-spends", 422, "validation_failed", twin)) == {"id": "already_exists"}
    given = {"id": "grant-000001", "customer_id": world.customer, "kind_id": kind, "amount": "1.00", "valid_from": "2026-01-01"}
    assert office.post("/entitlement-grants", given, expect=201) == office.post("/entitlement-grants", given, expect=201)
    other = given | {"amount": "2.00"}
    assert faults(office.refused("POST", "/entitlement-grants", 422, "validation_failed", other)) == {"id": "already_exists"}


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_and_any_batches_it_ends_alike(
    office: Http, rep: Http, colleague: Http, world: World, kind: str, seed: int
) -> None:
    """Eight things happen to one customer; every order of telling them ends in the same standing as every other."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    customers = [
        str(office.post("/customers", {"name": f"c{n}", "territory_id": world.territory}, expect=201)["id"]) for n in range(3)
    ]
    amounts = [f"{rng.randrange(25, 300, 25) / 100:.2f}" for _ in range(8)]
    hours = [f"2026-03-02T01:{rng.randrange(0, 60, 20):02}:00Z" for _ in range(8)]
    found: list[Any] = []
    for place, customer in enumerate(customers):
        order = list(range(8))
        rng.shuffle(order)
        for n in [*order, *order[:4]]:
            if n in {0, 1}:
                until = "2026-03-02" if n else None
                body = {"id": f"grant-{place}-{n:05}", "customer_id": customer, "kind_id": kind, "amount": amounts[n]}
                office.post("/entitlement-grants", body | {"valid_from": "2026-01-01", "valid_until": until}, expect=201)
            else:
                teller = (rep, colleague)[n % 2]
                one = used(customer, kind, 0, amounts[n], hours[n]) | {"id": f"spend-{place}-{n:05}"}
                teller.post("/entitlement-spends", one, expect=201)
        rows = {
            spend_id[-5:]: (state, covered, [(part["grant_id"][-5:], part["amount"]) for part in cover], lack)
            for spend_id, (state, covered, cover, lack) in standing(office, customer).items()
        }
        found.append((rows, figures(office, customer, kind)))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == 6


def test_a_grant_that_comes_later_covers_and_one_that_is_withdrawn_does_not(
    office: Http, rep: Http, world: World, kind: str
) -> None:
    assert spend(rep, world, kind, 1)["lack"] == "no_grant"
    assert figures(rep, world.customer, kind) == ("0.00", "0.00", "0.00", "1.00")

    given = grant(office, world.customer, kind, "3.00")
    assert standing(rep, world.customer)["spend-000001"][:2] == ("covered", "1.00")
    assert figures(rep, world.customer, kind) == ("3.00", "1.00", "2.00", "0.00")

    withdrawn = office.post(f"/entitlement-grants/{given}/withdraw", {"reason": "order cancelled"})
    assert (withdrawn["state"], withdrawn["withdrawn_reason"]) == ("withdrawn", "order cancelled")
    assert standing(rep, world.customer)["spend-000001"] == ("beyond", "0.00", [], "no_grant")
    office.refused("POST", f"/entitlement-grants/{given}/withdraw", 409, "state_conflict", {"reason": "again"})
    kinds = [entry["kind"] for entry in rep.get("/history/entitlement_spend/spend-000001")["about"]]
    assert kinds == [f"entitlement_spend.{state}" for state in ("told", "beyond", "covered", "beyond")]
    # The office did both: the rep hears of each.
    assert len(rep.get("/notifications")["items"]) == 2


def test_what_is_forgiven_or_returned_takes_from_no_grant(office: Http, rep: Http, world: World, kind: str) -> None:
    grant(office, world.customer, kind, "1.50")
    spend(rep, world, kind, 1, at=NINE)
    part = spend(rep, world, kind, 2, at=TEN)
    assert (part["state"], part["covered"], part["lack"]) == ("beyond", "0.50", "used_up")
    assert part["text"] == "超出额度：1 中仅有 0.5 可抵扣，其余此前已用完。"

    forgiven = office.post("/entitlement-spends/spend-000001/forgive", {"reason": "our delay"})
    assert (forgiven["state"], forgiven["covered"], forgiven["cover"]) == ("forgiven", "0.00", [])
    assert standing(rep, world.customer)["spend-000002"][:2] == ("covered", "1.00")
    assert office.post("/entitlement-spends/spend-000001/forgive", {"reason": "twice"})["settled_reason"] == "our delay"

    rep.post("/entitlement-spends/spend-000002/return", {"reason": "did not happen"})
    office.refused("POST", "/entitlement-spends/spend-000002/forgive", 409, "state_conflict", {"reason": "x"})
    assert figures(rep, world.customer, kind) == ("1.50", "0.00", "1.50", "0.00")


def test_what_is_left_of_a_grant_ends_with_its_day(
    office: Http, rep: Http, world: World, kind: str, clock: SetClock, db: Database, settings: Settings
) -> None:
    ends = grant(office, world.customer, kind, "2.00", until="2026-03-02")
    grant(office, world.customer, kind, "5.00", since="2026-03-03", until="2026-04-30")
    spend(rep, world, kind, 1, "0.50")
    assert figures(rep, world.customer, kind) == ("2.00", "0.50", "1.50", "0.00")
    assert run(db, settings, "turn_entitlements") == 0

    clock.advance(hours=14)  # midnight in Shanghai
    assert (run(db, settings, "turn_entitlements"), run(db, settings, "turn_entitlements")) == (1, 0)

    assert figures(rep, world.customer, kind) == ("5.00", "0.00", "5.00", "0.00")
    [ended] = [one for one in rep.get(f"/history/entitlement_grant/{ends}")["about"] if one["kind"] == "entitlement_grant.ended"]
    assert ended["reason"] == "该笔发放已于 2026-03-02 到期，剩余 1.50 未使用。"
    assert balance(rep, world.customer, kind)["entry_id"] == ended["id"]
    # What ended was given once: the question why nothing is left leads there.
    [given] = [one for one in office.get(f"/history/entitlement_grant/{ends}")["about"] if one["kind"].endswith(".given")]
    assert ended["because_of"] == [given["id"]]
    # What happened on that day and is told today is covered by what held then; today's is not.
    assert spend(rep, world, kind, 2, "1.50", at=TEN)["cover"] == [{"grant_id": ends, "amount": "1.50"}]
    assert spend(rep, world, kind, 3, "1.00", at="2026-03-02T16:00:00Z")["day"] == "2026-03-03"
    assert figures(rep, world.customer, kind) == ("5.00", "1.00", "4.00", "0.00")


def test_a_balance_that_cannot_be_counted_keeps_no_other_from_its_turn_and_is_named(
    office: Http, world: World, kind: str, clock: SetClock, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_kind(office, code="inspections")
    for one in (kind, other):
        grant(office, world.customer, one, "2.00", until="2026-03-02")
    bad = min(office.get("/entitlements")["items"], key=lambda row: row["id"])  # the first one it comes to
    real = counting.renew

    def fails(session: Session, found: Entitlement, *rest: Any, **more: Any) -> None:
        if found.id == bad["id"]:
            raise ValueError("a balance that cannot be counted")
        real(session, found, *rest, **more)

    monkeypatch.setattr(counting, "renew", fails)
    clock.advance(hours=14)
    job = next(one for one in JOBS if one.id == "turn_entitlements")
    assert Scheduler(db, settings).run(job)

    left = {row["kind_id"]: row["left"] for row in office.get("/entitlements")["items"]}
    assert left == {one: "2.00" if one == bad["kind_id"] else "0.00" for one in (kind, other)}
    with db.reading() as session:
        [finding] = of_jobs(session)
    assert bad["id"] in finding.what[0]


def test_many_that_stand_otherwise_at_once_are_one_message(
    office: Http, rep: Http, world: World, kind: str, clock: SetClock
) -> None:
    given = grant(office, world.customer, kind, "2.00")
    for n, at in enumerate((NINE, TEN, ELEVEN), 1):
        spend(rep, world, kind, n, at=at)

    office.post(f"/entitlement-grants/{given}/withdraw", {"reason": "wrong customer"})

    [message] = rep.get("/notifications")["items"]
    assert (message["kind"], message["subject_id"]) == ("entitlements_changed", "spend-000002")
    assert message["body"] == "您的 2 条“培训课时”使用记录有变动。其中 2 条未能全额抵扣，其余由管理人员处理。"
    causes = rep.get(f"/notifications/{message['id']}/why")
    assert json.dumps(causes).count("entitlement_spend.beyond") >= 2
    grant(office, world.customer, kind, "9.00")
    assert [one["kind"] for one in rep.get("/notifications")["items"]] == ["entitlements_changed"] * 2


def test_what_is_written_for_a_customer_that_is_deleted_at_that_moment_is_refused(
    office: Http, rep: Http, world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: it is deleted after it was found and before it is held."""
    real = operations.hold_balance

    def late(session: Session, customer_id: str, *rest: Any) -> Entitlement:
        gone = update(Customer).where(Customer.id == customer_id).values(deleted_at=func.now())
        session.execute(gone.execution_options(synchronize_session=False))
        return real(session, customer_id, *rest)

    monkeypatch.setattr(operations, "hold_balance", late)
    body = {"customer_id": world.customer, "kind_id": kind, "amount": "1.00", "valid_from": "2026-01-01"}
    for person, path, sent in (
        (office, "/entitlement-grants", body),
        (rep, "/entitlement-spends", used(world.customer, kind, 1)),
    ):
        refused = person.refused("POST", path, 422, "validation_failed", sent)
        assert [(one["field"], one["code"]) for one in refused["errors"]] == [("customer_id", "unknown_reference")]
    assert office.get("/entitlements")["items"] == []


def test_why_names_what_was_left_and_who_took_the_rest(
    office: Http, rep: Http, colleague: Http, owner: Http, world: World, kind: str
) -> None:
    given = grant(office, world.customer, kind, "1.50")
    spend(colleague, world, kind, 1, at=NINE)
    spend(rep, world, kind, 2, at=TEN)

    told = office.get("/entitlement-spends/spend-000002/why")

    assert (told["state"], told["left_then"], told["covered"]) == ("beyond", "0.50", "0.50")
    [covering] = told["grants"]
    assert (covering["grant_id"], covering["left_then"], covering["taken"], covering["reference"]) == (
        given, "0.50", "0.50", "SO-1.50",
    )  # fmt: skip
    [earlier] = told["earlier"]
    assert (earlier["id"], earlier["covered"], earlier["by"]) == ("spend-000001", "1.00", "colleague")
    assert told["text"] == "Beyond: what was left covers 0.5 of 1; the rest was used before."
    before = office.get("/entitlement-spends/spend-000001/why")
    assert (before["state"], before["left_then"], before["earlier"]) == ("covered", "1.50", [])
    assert owner.get("/entitlement-spends/spend-000002/why")["grants"][0]["reference"] is None


def test_who_lost_a_customer_reads_nothing_of_its_grants_and_of_others_in_the_why_of_their_own(
    office: Http, rep: Http, colleague: Http, world: World, kind: str
) -> None:
    grant(office, world.customer, kind, "1.50")
    spend(colleague, world, kind, 1, at=NINE)
    spend(rep, world, kind, 2, at=TEN)
    path = "/entitlement-spends/spend-000002/why"
    assert len(rep.get(path)["earlier"]) == 1
    with world.db.transaction() as session:
        customer = hold(session, Customer, world.customer)
        customer.territory_id, customer.owner_id = create_territory(session, BOSS, "FAR", "Far away").id, None
        touch(session, customer)
    rep.refused("GET", f"/customers/{world.customer}", 404, "not_found")

    told = rep.get(path)

    assert (told["state"], told["covered"], told["left_then"], told["grants"], told["earlier"]) == (
        "beyond",
        "0.50",
        None,
        [],
        [],
    )
    assert len(office.get(path)["earlier"]) == 1


def test_lists_by_the_id_of_a_merged_customer_show_what_it_is_now(office: Http, rep: Http, world: World, kind: str) -> None:
    body = {"name": "Twice", "territory_id": world.territory}
    other = str(office.post("/customers", body, expect=201)["id"])
    grant(office, world.customer, kind, "2.00")
    spend(rep, world, kind, 1)
    office.post(f"/customers/{other}/merge", {"other_id": world.customer})

    assert figures(office, world.customer, kind) == ("2.00", "1.00", "1.00", "0.00")
    for noun in ("entitlement-spends", "entitlement-grants", "entitlements"):
        [row] = office.get(f"/{noun}?customer_id={world.customer}")["items"]
        assert row["customer_id"] == other


def test_who_may_do_what(office: Http, rep: Http, colleague: Http, owner: Http, http: Http, world: World, kind: str) -> None:
    given = grant(office, world.customer, kind, "1.00")
    spend(rep, world, kind, 1)
    why = {"reason": "x"}
    body = {"customer_id": world.customer, "kind_id": kind, "amount": "1.00", "valid_from": "2026-01-01"}
    for person in (rep, owner):
        person.refused("POST", "/entitlement-grants", 403, "forbidden", body)
        person.refused("POST", f"/entitlement-grants/{given}/withdraw", 403, "forbidden", why)
        person.refused("POST", "/entitlement-spends/spend-000001/forgive", 403, "forbidden", why)
        person.refused("POST", "/entitlement-kinds", 403, "forbidden", HOURS)
    owner.refused("GET", "/entitlement-grants", 403, "forbidden")
    owner.refused("POST", "/entitlement-spends", 403, "forbidden", used(world.customer, kind, 2))
    owner.refused("POST", "/entitlement-spends/spend-000001/return", 403, "forbidden", why)
    assert owner.get("/entitlement-spends/spend-000001")["state"] == "covered"
    # A colleague of the territory reads it; only who told it, or the office, takes it back.
    assert colleague.get("/entitlement-spends/spend-000001")["state"] == "covered"
    colleague.refused("POST", "/entitlement-spends/spend-000001/return", 403, "forbidden", why)
    http.as_(world.staff[0]).refused("GET", "/entitlements", 403, "forbidden")
    assert office.post("/entitlement-spends/spend-000001/return", why)["state"] == "returned"


def test_bad_input_says_what_is_wrong(office: Http, rep: Http, world: World, kind: str) -> None:
    def wrong(path: str, body: dict[str, Any], person: Http) -> dict[str, str]:
        return faults(person.refused("POST", path, 422, "validation_failed", body))

    told = used(world.customer, kind, 1)
    assert wrong("/entitlement-spends", told | {"amount": "0"}, rep) == {"amount": "quantity_invalid"}
    for amount in ("-1", "1.234", "100000", "1e3", "NaN"):
        assert wrong("/entitlement-spends", told | {"amount": amount}, rep) == {"amount": "quantity_invalid"}
    assert wrong("/entitlement-spends", told | {"kind_id": "nothing-here"}, rep) == {"kind_id": "unknown_reference"}
    assert wrong("/entitlement-spends", told | {"customer_id": "nobody-here"}, rep) == {"customer_id": "unknown_reference"}
    assert wrong("/entitlement-spends", told | {"visit_id": "no-such-visit"}, rep) == {"visit_id": "unknown_reference"}
    given = {"customer_id": world.customer, "kind_id": kind, "amount": "1.00", "valid_from": "2026-02-01"}
    assert wrong("/entitlement-grants", given | {"valid_until": "2026-01-31"}, office) == {"valid_until": "out_of_range"}
    assert wrong("/entitlement-grants", given | {"amount": "0.00"}, office) == {"amount": "quantity_invalid"}
    odd = HOURS | {"code": "other"}
    assert wrong("/entitlement-kinds", HOURS, office) == {"code": "already_exists"}
    assert wrong("/entitlement-kinds", odd | {"per_visit": "1.00"}, office) == {"per_visit": "unknown"}
    assert wrong("/entitlement-kinds", odd | {"step_minutes": 20}, office) == {"step_minutes": "not_one_of"}
    assert wrong("/entitlement-kinds", odd | {"visit_type_id": "no-such-type"}, office) == {
        "visit_type_id": "unknown_reference", "per_visit": "required",
    }  # fmt: skip
    assert figures_or_none(office, world) is None


def figures_or_none(office: Http, world: World) -> Any:
    return office.get(f"/entitlements?customer_id={world.customer}")["items"] or None


def test_a_retired_kind_is_not_given_any_more_and_still_takes_what_was_used(
    office: Http, rep: Http, world: World, kind: str
) -> None:
    grant(office, world.customer, kind, "1.00")
    office.edit(f"/entitlement-kinds/{kind}", {"active": False}, 1)
    body = {"customer_id": world.customer, "kind_id": kind, "amount": "1.00", "valid_from": "2026-01-01"}
    refusal = office.refused("POST", "/entitlement-grants", 422, "validation_failed", body)
    assert faults(refusal) == {"kind_id": "unknown_reference"}
    assert spend(rep, world, kind, 1)["state"] == "covered"


def test_a_phone_whose_clock_is_ahead_told_of_now(office: Http, rep: Http, world: World, kind: str) -> None:
    grant(office, world.customer, kind, "1.00")
    assert spend(rep, world, kind, 1, at="2026-03-02T02:05:00Z")["happened_at"] == "2026-03-02T02:00:00.000Z"
    assert spend(rep, world, kind, 1, at="2026-03-02T02:05:00Z")["state"] == "covered"


def test_two_kinds_and_two_customers_are_counted_apart(office: Http, rep: Http, world: World, kind: str) -> None:
    other_kind = make_kind(office, code="inspections", unit="visit", name_en="inspections", name_zh="巡检")
    other = str(office.post("/customers", {"name": "Other", "territory_id": world.territory}, expect=201)["id"])
    for n, (customer, of) in enumerate(itertools.product((world.customer, other), (kind, other_kind))):
        grant(office, customer, of, f"{n + 1}.00")
        rep.post("/entitlement-spends", used(customer, of, n), expect=201)
    found = [figures(office, customer, of) for customer, of in itertools.product((world.customer, other), (kind, other_kind))]
    assert found == [(f"{n + 1}.00", "1.00", f"{n}.00", "0.00") for n in range(4)]
