"""Who said what of a customer: a better source's value stays, rivals are kept, a person may choose, and the log says why."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import JOBS
from tests.app.facts.conftest import bring, edit, fact_of
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import Phone

A, B, C = "+8613800000001", "+8613800000002", "+8613800000003"
Phones = Callable[..., Phone]


@pytest.fixture
def phone(http: Http) -> Phones:
    return lambda user_id, **more: Phone(http.as_(user_id), **more)


def phone_of(door: Http, customer_id: str) -> str | None:
    found: str | None = door.get(f"/customers/{customer_id}")["phone"]
    return found


def run(job: str, world: World) -> int:
    [found] = [one for one in JOBS if one.id == job]
    return found.work(world.db, world.settings)


def test_what_another_system_says_fills_a_gap_but_does_not_overwrite_what_a_rep_said(
    world: World, office: Http, rep: Http, clock: SetClock
) -> None:
    assert bring(office, world.customer, "phone", A)["outcome"] == "survives"
    assert phone_of(rep, world.customer) == A
    clock.advance(hours=1)
    edit(rep, world.customer, phone=B)
    clock.advance(hours=1)

    assert bring(office, world.customer, "phone", C)["outcome"] == "outranked"

    found = fact_of(rep, world.customer, "phone")
    assert phone_of(rep, world.customer) == found["survivor"]["value"] == B
    assert (found["survivor"]["source_kind"], found["survivor"]["text"]) == ("rep", "业务员rep")
    assert [(one["value"], one["source"], one["text"]) for one in found["rivals"]] == [(C, "SAP", "系统 SAP")]
    story = office.get(f"/history/customer/{world.customer}")["about"]
    assert [one["reason"] for one in story if one["kind"] == "customer.fact_outranked"] == [
        "Something else was said of phone (source: another system); a better source's value stays, "
        "and this one is kept as a rival."
    ]


def test_an_owner_speaks_for_themselves_and_a_rep_is_told_that_their_value_does_not_stay(
    world: World, office: Http, rep: Http, http: Http, clock: SetClock
) -> None:
    owner = http.as_(world.owner)
    told = owner.post(f"/customers/{world.customer}/facts", {"values": {"phone": "13800000001"}})
    assert told == {"written": ["phone"], "outranked": []}
    clock.advance(days=1)

    answer = edit(rep, world.customer, phone=B, email="new@example.test")

    assert (answer["phone"], answer["email"], answer["outranked"]) == (A, "new@example.test", ["phone"])
    assert "outranked" not in rep.get(f"/customers/{world.customer}")
    refused = owner.refused("POST", f"/customers/{world.customer}/facts", 422, "validation_failed", {"values": {"name": "Other"}})
    assert [(one["field"], one["code"]) for one in refused["errors"]] == [("name", "forbidden")]


def test_among_equals_the_newest_survives(world: World, office: Http, rep: Http, clock: SetClock) -> None:
    edit(rep, world.customer, phone=A)
    assert edit(office, world.customer, phone=B)["phone"] == B, "within one instant, too: the office saw what stood there"
    clock.advance(days=1)
    assert edit(rep, world.customer, phone=A)["phone"] == A

    learned = (clock.now() - timedelta(days=3)).isoformat()
    told = office.post(f"/customers/{world.customer}/facts", {"values": {"phone": C}, "said_at": learned})

    assert told == {"written": [], "outranked": ["phone"]}, "it was learned before the others were"
    assert phone_of(rep, world.customer) == A


def test_what_stood_there_before_facts_were_kept_is_told_by_whoever_wrote_it(world: World, rep: Http, office: Http) -> None:
    found = fact_of(rep, world.customer, "name")

    assert found["survivor"]["value"] == "Lin Logistics"
    assert (found["survivor"]["source_kind"], found["survivor"]["trust"], found["rivals"]) == ("office", 75, [])
    assert bring(office, world.customer, "name", "Lin Logistic")["outcome"] == "outranked"


def test_a_person_chooses_a_rival_until_a_person_says_otherwise(
    world: World, office: Http, rep: Http, http: Http, clock: SetClock
) -> None:
    http.as_(world.owner).post(f"/customers/{world.customer}/facts", {"values": {"phone": A}})
    bring(office, world.customer, "phone", B)
    [rival] = fact_of(rep, world.customer, "phone")["rivals"]
    path = f"/customers/{world.customer}/facts/phone/choose"
    clock.advance(hours=1)

    rep.post(path, {"fact_id": rival["fact_id"], "reason": "A is the warehouse"})

    found = fact_of(rep, world.customer, "phone")
    assert (found["survivor"]["value"], found["survivor"]["pinned"], found["survivor"]["reason"]) == (
        B,
        True,
        "A is the warehouse",
    )
    clock.advance(hours=1)
    assert bring(office, world.customer, "phone", C)["outcome"] == "outranked"
    assert phone_of(rep, world.customer) == B
    [why] = [one for one in rep.get(f"/history/customer/{world.customer}")["about"] if one["kind"] == "customer.fact_chosen"]
    assert "A is the warehouse" in why["reason"]
    clock.advance(hours=1)
    http.as_(world.owner).post(f"/customers/{world.customer}/facts", {"values": {"phone": C}})
    assert phone_of(rep, world.customer) == C
    rep.refused("POST", path, 409, "fact_gone", {"fact_id": "no-such-fact", "reason": "x"})


def test_only_the_rep_in_charge_chooses(db: Database, settings: Settings, world: World, office: Http, http: Http) -> None:
    with db.transaction() as session:
        other = make_user(session, settings, "rep", "other", territory_ids=[world.territory]).id
    bring(office, world.customer, "phone", A)
    edit(office, world.customer, phone=B)
    [rival] = fact_of(office, world.customer, "phone")["rivals"]
    path, body = f"/customers/{world.customer}/facts/phone/choose", {"fact_id": rival["fact_id"], "reason": "x"}

    http.as_(other).refused("POST", path, 403, "forbidden", body)

    office.post(path, body)
    assert phone_of(office, world.customer) == A


def test_a_phone_gets_the_survivor_back_and_the_journal_shows_what_lost(
    world: World, office: Http, http: Http, phone: Phones
) -> None:
    device = phone(world.rep)
    device.pull()
    http.as_(world.owner).post(f"/customers/{world.customer}/facts", {"values": {"phone": A}})
    device.update("customers", world.customer, phone=B)

    device.sync()

    assert device.rows["customers"][world.customer]["phone"] == phone_of(office, world.customer) == A
    [lost] = office.get("/sync/conflicts")["items"]
    assert (lost["field"], lost["kept"], lost["lost"]) == ("phone", A, B)
    assert [one["value"] for one in fact_of(office, world.customer, "phone")["rivals"]] == [B]


def test_what_a_phone_says_counts_from_when_it_was_said(world: World, office: Http, phone: Phones, clock: SetClock) -> None:
    device = phone(world.rep)
    device.pull()
    device.update("customers", world.customer, phone=A)
    made_ms = to_ms(clock.now())
    clock.advance(hours=2)
    edit(office, world.customer, phone=B)
    clock.advance(hours=2)
    ahead_ms = 3_600_000  # its clock is an hour ahead
    device.headers = lambda: {
        "X_Edited_At": str(made_ms + ahead_ms),
        "X_Device_Time": str(to_ms(clock.now()) + ahead_ms),
    }

    device.sync()

    assert device.rows["customers"][world.customer]["phone"] == phone_of(office, world.customer) == B
    [rival] = fact_of(office, world.customer, "phone")["rivals"]
    assert (rival["value"], rival["said_at"], rival["told_at"]) == (A, "2026-03-02T02:00:00.000Z", "2026-03-02T06:00:00.000Z")
    [lost] = office.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == (B, A)


def test_a_file_is_the_lowest_source(world: World, office: Http, clock: SetClock) -> None:
    text = f"code,name,phone,email,territory_code,owner_login\nC-9,Nine,{A},,SZ,\n"
    assert office.post("/imports/customers", {"csv": text, "dry_run": False})["created"] == 1
    [made] = [one for one in office.get("/customers")["items"] if one["code"] == "C-9"]

    assert fact_of(office, made["id"], "phone")["survivor"]["source_kind"] == "import"

    assert bring(office, made["id"], "phone", B)["outcome"] == "survives"
    assert bring(office, made["id"], "phone", C, kind="import", system="list")["outcome"] == "outranked"
    assert phone_of(office, made["id"]) == B


def test_sites_have_facts_too(world: World, office: Http, rep: Http, clock: SetClock) -> None:
    address, position = f"site.{world.site}.address", f"site.{world.site}.position"
    assert bring(office, world.customer, address, "1 Road")["outcome"] == "survives"
    assert bring(office, world.customer, position, {"lat": 1.0, "lon": 2.0})["outcome"] == "outranked"
    [site] = office.get("/sites")["items"]
    assert (site["address"], site["lat"]) == ("1 Road", 22.54)

    answer = office.call("PATCH", f"/sites/{world.site}", {"address": "2 Road", "lat": 22.6}, If_Match="*").json

    assert (answer["address"], answer["lat"], answer["lon"], answer["outranked"]) == ("2 Road", 22.6, 114.05, [])
    assert fact_of(rep, world.customer, position)["survivor"]["value"] == {"lat": 22.6, "lon": 114.05}
    assert [one["value"] for one in fact_of(rep, world.customer, address)["rivals"]] == ["1 Road"]


def test_each_row_of_another_system_is_judged_by_itself(world: World, office: Http) -> None:
    rows = [
        {"customer_code": "C-1", "field": "email", "value": "A@example.test"},
        {"customer_code": "C-1", "field": "phone", "value": "12"},
        {"customer_code": "nobody", "field": "phone", "value": A},
        {"customer_code": "C-1", "field": "owner_id", "value": world.rep},
        {"customer_code": "C-1", "field": "custom.nothing", "value": 1},
        {"customer_code": "C-1", "field": "site.no-such-site-1.address", "value": "x"},
    ]

    found = office.post("/customer-facts", {"system": "SAP", "facts": rows})["items"]

    assert [(one["row"], one["outcome"], one["code"]) for one in found] == [
        (0, "survives", None), (1, "refused", "phone_invalid"), (2, "refused", "not_found"), (3, "refused", "unknown"),
        (4, "refused", "unknown"), (5, "refused", "unknown"),
    ]  # fmt: skip
    assert found[1]["text"].startswith("value: ")
    assert office.get(f"/customers/{world.customer}")["email"] == "a@example.test"
    version = office.get("/me")["version"]
    office.edit("/me", {"locale": "zh-CN"}, version)
    [chinese] = office.post("/customer-facts", {"system": "SAP", "facts": rows[1:2]})["items"]
    assert chinese["text"].startswith("value：")
    office.refused("POST", "/customer-facts", 422, "validation_failed", {"system": "SAP", "facts": rows[:1] * 1001})
    both = {"customer_id": world.customer, "customer_code": "C-1", "field": "phone", "value": A}
    office.refused("POST", "/customer-facts", 422, "validation_failed", {"system": "SAP", "facts": [both]})


def test_what_one_rep_found_the_next_need_not_ask(
    db: Database, settings: Settings, world: World, office: Http, rep: Http, http: Http, clock: SetClock
) -> None:
    with db.transaction() as session:
        successor = make_user(session, settings, "rep", "successor").id
    edit(rep, world.customer, phone=A)
    clock.advance(days=14)
    edit(office, world.customer, owner_id=successor)
    path = f"/customers/{world.customer}/known?fields=phone,email,custom.grade"

    known = {one["field"]: one for one in http.as_(successor).get(path)["items"]}

    assert (known["phone"]["known"], known["phone"]["ask"], known["phone"]["value"]) == (True, False, A)
    assert (known["phone"]["age_days"], known["phone"]["text"]) == (14, "the rep rep")
    assert [(known[name]["known"], known[name]["ask"]) for name in ("email", "custom.grade")] == [(False, True)] * 2
    clock.advance(days=500)
    asked = {one["field"]: one["ask"] for one in http.as_(successor).get(path)["items"]}
    assert asked["phone"], "after so long it is worth asking again"


def test_other_rules_decide_what_is_there_anew(world: World, office: Http, rep: Http, clock: SetClock) -> None:
    edit(rep, world.customer, phone=A, email="rep@example.test")
    clock.advance(hours=1)
    bring(office, world.customer, "phone", B)
    bring(office, world.customer, "email", "erp@example.test")
    assert phone_of(rep, world.customer) == A

    rules = office.post("/fact-rules", {"fields": {"phone": {"order": [["erp"], ["rep", "office"]]}}})
    run("settle_fact_rules", world)

    assert (rules["version"], rules["fields"]["phone"]["order"][0]) == (1, ["erp"])
    seen = rep.get(f"/customers/{world.customer}")
    assert (seen["phone"], seen["email"]) == (B, "rep@example.test")
    entry = [one for one in office.get(f"/history/customer/{world.customer}")["about"] if one["kind"] == "customer.decided_anew"]
    assert len(entry) == 1
    assert run("settle_fact_rules", world) == 0
    twice = {"default": {"order": [["erp"], ["erp"]]}}
    office.refused("POST", "/fact-rules", 422, "validation_failed", twice)


def test_the_facts_of_a_merged_customer_are_rivals_and_go_back(
    world: World, office: Http, rep: Http, http: Http, clock: SetClock
) -> None:
    other = rep.post(
        "/customers", {"name": "Lin Ltd", "phone": A, "email": "lin@example.test", "territory_id": world.territory}, expect=201
    )
    edit(rep, world.customer, phone=B)
    before = {customer: office.get(f"/customers/{customer}/facts") for customer in (world.customer, other["id"])}
    clock.advance(hours=1)

    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})

    found = fact_of(office, world.customer, "phone")
    assert (found["survivor"]["value"], [one["value"] for one in found["rivals"]]) == (B, [A])
    assert fact_of(office, world.customer, "email")["survivor"]["value"] == "lin@example.test", "it had none"
    assert bring(office, world.customer, "phone", C)["outcome"] == "outranked"

    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    def values(told: dict[str, Any]) -> dict[str, Any]:
        return {one["field"]: (one["survivor"]["value"], [rival["value"] for rival in one["rivals"]]) for one in told["items"]}

    assert values(office.get(f"/customers/{other['id']}/facts")) == values(before[other["id"]])
    assert values(office.get(f"/customers/{world.customer}/facts")) == values(before[world.customer]) | {"phone": (B, [C])}
    assert office.get(f"/customers/{world.customer}")["email"] is None


def test_values_of_ones_own_fields_come_with_a_merge_and_go_back(world: World, office: Http, grade: dict[str, Any]) -> None:
    values = {"name": "Lin Ltd", "territory_id": world.territory, "custom": {"customer_grade": "B"}}
    other = office.post("/customers", values, expect=201)

    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    assert office.get(f"/customers/{world.customer}")["custom"] == {"customer_grade": "B"}
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    assert office.get(f"/customers/{world.customer}")["custom"] == {}
    assert office.get(f"/customers/{other['id']}")["custom"] == {"customer_grade": "B"}


def test_what_a_phone_says_of_a_merged_customer_goes_back_with_it(world: World, office: Http, rep: Http, phone: Phones) -> None:
    other = rep.post("/customers", {"name": "Lin Ltd", "phone": A, "territory_id": world.territory}, expect=201)
    device = phone(world.rep)
    device.pull()
    device.update("customers", other["id"], phone=C)
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})

    device.push()
    assert phone_of(office, world.customer) == C
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    assert (phone_of(office, world.customer), phone_of(office, other["id"])) == (None, C)
    assert fact_of(office, other["id"], "phone")["survivor"]["value"] == C
    assert "phone" not in [one["field"] for one in office.get(f"/customers/{world.customer}/facts")["items"]]


def test_two_systems_that_speak_at_once_are_both_heard(world: World, office: Http) -> None:
    outcomes = together(
        lambda: bring(office, world.customer, "phone", A, system="SAP", said_at="2026-03-01T00:00:00Z")["outcome"],
        lambda: bring(office, world.customer, "phone", B, system="CRM", said_at="2026-03-01T01:00:00Z")["outcome"],
    )

    assert outcomes[1] == "survives"
    found = fact_of(office, world.customer, "phone")
    assert phone_of(office, world.customer) == found["survivor"]["value"] == B
    assert [one["value"] for one in found["rivals"]] == [A]


def test_the_order_in_which_facts_arrive_decides_nothing(world: World, office: Http, rep: Http) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    told = [
        ("SAP", A, "2026-02-01T00:00:00Z"), ("SAP", B, "2026-02-03T00:00:00Z"), ("CRM", C, "2026-02-02T00:00:00Z"),
        ("rep", A, "2026-01-05T00:00:00Z"), ("rep", B, "2026-01-04T00:00:00Z"), ("office", C, "2026-01-03T00:00:00Z"),
        ("office", None, "2026-01-02T00:00:00Z"),
    ]  # fmt: skip
    ends = []
    for _ in range(5):
        made = rep.post("/customers", {"name": "New", "territory_id": world.territory}, expect=201)["id"]
        chance.shuffle(told)
        for who, value, at in told:
            if who in {"rep", "office"}:
                door = rep if who == "rep" else office
                door.post(f"/customers/{made}/facts", {"values": {"phone": value}, "said_at": at})
            else:
                bring(office, made, "phone", value, system=who, said_at=at)
        found = fact_of(rep, made, "phone")
        ends.append((phone_of(rep, made), found["survivor"]["trust"], [(one["value"], one["source"]) for one in found["rivals"]]))

    assert ends == [ends[0]] * 5
    assert ends[0][0] == A, "the newest of the best sources"


def test_nobody_is_refused_because_another_speaks_at_the_same_moment(world: World, office: Http, http: Http) -> None:
    path = f"/customers/{world.customer}/facts"
    doors = [http.as_(world.owner), http.as_(world.rep), office]

    answers = together(
        *[
            lambda door=door, n=n: door.call("POST", path, {"values": {"phone": f"+861380000001{n}"}}).status_code
            for n, door in enumerate(doors)
        ]
    )

    assert answers == [200, 200, 200]
    found = fact_of(office, world.customer, "phone")
    assert found["survivor"]["value"] == phone_of(office, world.customer) == "+8613800000010", "the owner's"
    assert len(found["rivals"]) == 2


def test_a_field_keeps_a_bounded_number_of_facts_and_the_survivor_among_them(world: World, office: Http, rep: Http) -> None:
    edit(rep, world.customer, phone=A)
    for n in range(25):
        bring(office, world.customer, "phone", f"+86139000000{n:02}", system=f"system {n}")

    found = fact_of(rep, world.customer, "phone")

    assert found["survivor"]["value"] == phone_of(rep, world.customer) == A
    assert len(found["rivals"]) == 19
    assert json.dumps(found["rivals"])
