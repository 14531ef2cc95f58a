"""An owner reports from a phone without network: forms lie on it, and what was filled in counts from then."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import from_ms, to_ms
from app.customer_reports import operations
from app.customers import operations as customers
from app.jobs import follow_photos_of_reports
from tests.app.facts.conftest import fact_of
from tests.conftest import SetClock
from tests.customer_reports.conftest import ASKED, CABINETS, COUNT, SHELF, body_of, make_form, send
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.test_check_ins import attach

HOUR_MS = 3_600_000
_YEAR_MS = 365 * 24 * HOUR_MS


@pytest.fixture
def now_ms(clock: SetClock) -> int:
    return to_ms(clock.now())


def told(form: dict[str, Any], cabinets: Any, report_id: str, made_ms: int, **steps: Any) -> dict[str, Any]:
    return body_of(form, cabinets, report_id, **steps) | {"made_ms": made_ms}


def ask(device: Phone, body: dict[str, Any], intent_id: str = "") -> dict[str, Any]:
    """File a report on a phone, sync, and return the intent with its verdict."""
    intent_id = intent_id or f"intent-{body['id']}"
    device.intend(intent_id, "customer_report.file", json.dumps(body))
    device.sync()
    found: dict[str, Any] = device.rows["intents"][intent_id]
    return found


def shop(world: World, http: Http, n: int) -> tuple[str, Http]:
    """Return a further customer, and their owner."""
    with world.db.transaction() as session:
        boss = world.actor(world.admin)
        values = {"code": f"S-{n:04}", "name": f"Shop {n}", "territory_id": world.territory, "owner_id": world.rep}
        customer = customers.create_customer(session, boss, values)
        owner = make_user(session, world.settings, "customer", f"owner-{n}", customer_id=customer.id)
        ids = customer.id, owner.id
    return ids[0], http.as_(ids[1])


def test_phones_hold_the_forms_in_use_without_what_the_office_makes_of_them(
    owner: Http, rep: Http, office: Http, world: World, http: Http, form: dict[str, Any]
) -> None:
    phones = {name: Phone(person) for name, person in (("owner", owner), ("rep", rep), ("office", office))}
    staff = Phone(http.as_(world.staff[0]))
    newer = office.edit(f"/report-forms/{form['id']}", {"steps": [SHELF, ASKED]}, form["version"])
    for device in (*phones.values(), staff):
        device.pull()

    for device in phones.values():
        row = device.rows["report_forms"][form["id"]]
        assert (row["code"], row["name_zh"], row["active"], row["number"]) == ("shop", "门店情况", True, 2)
        versions = {row["id"]: row for row in device.rows["report_form_versions"].values()}
        assert set(versions) == {form["version_id"], newer["version_id"]}
        steps = json.loads(versions[form["version_id"]]["steps"])
        assert [one["code"] for one in steps] == ["shelf", "stock", "asked"]
        assert steps[2]["questions"][0]["label_en"] == "Cold cabinets"
        for secret in ("field", "suggests", "cold_cabinets", "cold-chain"):
            assert secret not in json.dumps(device.rows["report_form_versions"])
    assert {"report_forms", "report_form_versions"}.isdisjoint(staff.rows)

    office.edit(f"/report-forms/{form['id']}", {"active": False}, newer["version"])
    for device in phones.values():
        device.pull()
    held = {name: (len(one.rows["report_forms"]), len(one.rows["report_form_versions"])) for name, one in phones.items()}
    assert held == {"owner": (0, 0), "rep": (0, 0), "office": (1, 2)}


def test_a_report_of_a_phone_is_a_fact_and_news_and_the_phone_reads_it(
    owner: Http, rep: Http, world: World, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    device = Phone(owner)
    device.pull()
    clock.advance(hours=5)
    stock = [{"product": "P-1", "count": 4}]
    intent = ask(device, told(form, 3, "report-0001", now_ms, stock={"stock": stock}))

    assert (intent["verdict"], intent["text"]) == ("accepted", None)
    row = device.rows["customer_reports"]["report-0001"]
    assert (row["happened_at"], row["awaiting"], row["state"]) == (now_ms, None, "sent")
    assert row["created_at"] == now_ms + 5 * HOUR_MS
    assert [step["code"] for step in json.loads(row["content"])] == ["stock", "asked"]
    fact = fact_of(rep, world.customer, "custom.cold_cabinets")
    assert (fact["survivor"]["value"], fact["survivor"]["text"]) == (3, "客户本人：owner")
    assert [note["kind"] for note in rep.get("/notifications")["items"]] == ["customer_reported"]
    [received] = rep.get("/history/customer_report/report-0001")["about"]
    assert (received["kind"], received["occurred_at"]) == ("customer_report.received", rep_time(now_ms))


def rep_time(ms: int) -> str:
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_in_every_order_in_which_reports_come_facts_and_numbers_end_the_same(
    rep: Http, office: Http, world: World, http: Http, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    """One, three, two and five cabinets were told, an hour apart; before the first the office had said none, after it nine."""
    counts, ends = (1, 3, 2, 5), set()
    for n, order in enumerate(itertools.permutations(range(len(counts)))):
        customer, owner = shop(world, http, n)
        for at_ms, count in ((-HOUR_MS, 0), (HOUR_MS // 2, 9)):
            clock.set(from_ms(now_ms + at_ms))
            said = office.call("PATCH", f"/customers/{customer}", {"custom": {"cold_cabinets": count}}, If_Match="*")
            assert said.status_code == 200
        clock.set(from_ms(now_ms + 10 * HOUR_MS))
        device = Phone(owner)
        device.pull()
        bodies = [told(form, count, f"report-{n:04}-{i}", now_ms + i * HOUR_MS) for i, count in enumerate(counts)]
        for place, i in enumerate([*order, order[0]]):
            clock.advance(minutes=1)
            assert ask(device, bodies[i], f"intent-{n:04}-{place}")["verdict"] == "accepted"
        device.pull()
        ends.add((_stands(rep, customer), _grown(device), _grown_from(rep, f"report-{n:04}-0")))
    # The owner's own word stands above the office's, so that the nine are no measure for the three.
    # What the office had said is not on the owner's phone.
    assert ends == {(5, ((0, None), (1, (1, 3)), (2, None), (3, (2, 5))), ((0, "organisation", 1),))}


def _grown_from(person: Http, report_id: str) -> tuple[tuple[int, str, int], ...]:
    grown = person.get(f"/customer-reports/{report_id}")["grown"]
    return tuple((one["before"], one["before_by"], one["after"]) for one in grown)


def _stands(person: Http, customer: str) -> Any:
    return person.get(f"/customers/{customer}")["custom"]["cold_cabinets"]


def _grown(device: Phone) -> tuple[tuple[int, Any], ...]:
    """Return of each report which number grew, from what to what."""
    found = []
    for row_id, row in sorted(device.rows["customer_reports"].items()):
        grown = [(one["before"], one["after"]) for one in json.loads(row["grown"])]
        found.append((int(row_id[-1]), grown[0] if grown else None))
    return tuple(found)


def test_what_a_late_report_disproves_is_taken_out_of_the_preparation_and_the_log_says_why(
    owner: Http, rep: Http, world: World, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    clock.advance(hours=3)
    window = {"planned_from": rep_time(now_ms + 9 * HOUR_MS), "planned_until": rep_time(now_ms + 10 * HOUR_MS)}
    visit = rep.post("/visits", {"site_id": world.site, "purpose": "", **window}, expect=201)["id"]
    device = Phone(owner)
    device.pull()
    for at, count in ((0, 1), (2, 3)):
        ask(device, told(form, count, f"report-000{at}", now_ms + at * HOUR_MS))
    assert lines_of(rep, visit) == ["客户上报“冷柜数量”：由 1 增至 3。可推荐：冷链产品。"]

    ask(device, told(form, 2, "report-0001", now_ms + HOUR_MS))
    assert sorted(lines_of(rep, visit)) == [
        "客户上报“冷柜数量”：由 1 增至 2。可推荐：冷链产品。",
        "客户上报“冷柜数量”：由 2 增至 3。可推荐：冷链产品。",
    ]
    ask(device, told(form, 4, "report-0003", now_ms + HOUR_MS + 1))
    assert sorted(lines_of(rep, visit)) == [
        "客户上报“冷柜数量”：由 1 增至 2。可推荐：冷链产品。",
        "客户上报“冷柜数量”：由 2 增至 4。可推荐：冷链产品。",
    ]
    chain = rep.get("/history/customer_report/report-0002")["about"]
    [entry] = [one for one in chain if one["kind"] == "customer_report.number_not_grown"]
    assert entry["reason"] == "“冷柜数量”其实并未增长：更早填写的一份上报后来才到达。"
    effects = rep.get("/history/customer_report/report-0003")["effects"]
    assert "customer_report.number_not_grown" in [one["kind"] for one in effects]


def lines_of(rep: Http, visit: str) -> list[str]:
    return [one["text"] for one in rep.get(f"/visits/{visit}/preparation")["items"] if one["change"].startswith("number_")]


def test_photos_come_after_the_report_and_it_says_which_are_missing(
    owner: Http, rep: Http, world: World, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    device = Phone(owner)
    device.pull()
    attach(world, world.owner, "photo-00001")
    attach(world, world.owner, "photo-000002", arrives=False)
    attach(world, world.rep, "photo-0000003")
    named = ["photo-00001", "photo-000002", "photo-0000003", "photo-00000004"]
    intent = ask(device, told(form, 3, "report-0001", now_ms, shelf={"photo_ids": named}))

    assert intent["verdict"] == "accepted"
    assert awaited(device) == sorted(named[1:])
    assert follow_photos_of_reports(world.db, world.settings) == 0
    attach(world, world.owner, "photo-00000004")
    clock.advance(minutes=1)
    assert follow_photos_of_reports(world.db, world.settings) == 1
    device.pull()
    # Somebody else's picture never becomes the owner's.
    assert awaited(device) == rep.get("/customer-reports/report-0001")["awaiting"] == sorted(named[1:3])
    chain = rep.get("/history/customer_report/report-0001")["about"]
    assert [one["reason"] for one in chain if one["kind"] == "customer_report.photos_arrived"] == [
        "上报的照片已到达 1 张，另有 2 张尚未到达。"
    ]
    clock.advance(hours=24 * 31)
    attach(world, world.owner, "photo-000000005")  # of another upload; the report is not followed any more
    assert follow_photos_of_reports(world.db, world.settings) == 0


def awaited(device: Phone) -> list[str]:
    found: list[str] = json.loads(device.rows["customer_reports"]["report-0001"]["awaiting"])
    return found


def test_a_report_whose_photos_are_all_here_awaits_nothing(
    owner: Http, world: World, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    device = Phone(owner)
    device.pull()
    ask(device, told(form, 3, "report-0001", now_ms, shelf={"photo_ids": ["photo-00001"]}))
    assert awaited(device) == ["photo-00001"]
    attach(world, world.owner, "photo-00001")
    assert follow_photos_of_reports(world.db, world.settings) == 1
    device.pull()

    assert device.rows["customer_reports"]["report-0001"]["awaiting"] is None
    assert follow_photos_of_reports(world.db, world.settings) == 0


def test_the_version_that_the_phone_had_is_taken_and_a_retired_form_by_when_it_was_filled_in(
    owner: Http, office: Http, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    device = Phone(owner)
    device.pull()
    clock.advance(hours=1)
    asked = {**ASKED, "questions": [{**CABINETS, "label_en": "Freezers", "code": "freezers"}]}
    newer = office.edit(f"/report-forms/{form['id']}", {"steps": [asked]}, form["version"])
    clock.advance(hours=1)
    assert ask(device, told(form, 3, "report-0001", now_ms))["verdict"] == "accepted"
    row = device.rows["customer_reports"]["report-0001"]
    assert (row["version_id"], json.loads(row["content"])[0]["answers"][0]["label_en"]) == (form["version_id"], "Cold cabinets")

    retired = office.edit(f"/report-forms/{form['id']}", {"active": False}, newer["version"])
    clock.advance(hours=1)
    assert ask(device, told(form, 4, "report-0002", now_ms + HOUR_MS))["verdict"] == "accepted"
    late = ask(device, told(form, 5, "report-0003", now_ms + 3 * HOUR_MS - 1))
    assert (late["verdict"], late["code"]) == ("needs_review", "report_form_retired")
    assert "report-0003" not in device.rows["customer_reports"]

    # The office may take it after all, and it counts from when it was filled in.
    office.edit(f"/report-forms/{form['id']}", {"active": True}, retired["version"])
    clock.advance(hours=1)
    settled = office.post("/sync/intents/intent-report-0003/settle", {"how": "retry"})
    device.pull()
    assert settled["verdict"] == "accepted"
    assert device.rows["customer_reports"]["report-0003"]["happened_at"] == now_ms + 3 * HOUR_MS - 1


def test_a_phone_whose_clock_is_wrong_is_set_right_where_it_tells_its_time_and_nonsense_counts_as_now(
    owner: Http, office: Http, form: dict[str, Any], clock: SetClock, now_ms: int
) -> None:
    wrong = Phone(owner)
    wrong.headers = lambda: {"X_Device_Time": str(to_ms(clock.now()) + 3 * _YEAR_MS)}
    wrong.pull()
    clock.advance(hours=2)
    present_ms = to_ms(clock.now())
    assert ask(wrong, told(form, 3, "report-0001", now_ms + 3 * _YEAR_MS))["verdict"] == "accepted"
    silent = Phone(owner)
    silent.pull()
    for n, made_ms in enumerate((present_ms + 1, 1, 2**53), 2):
        assert ask(silent, told(form, 3, f"report-000{n}", made_ms))["verdict"] == "accepted"
    silent.pull()

    when = [row["happened_at"] for _, row in sorted(silent.rows["customer_reports"].items())]
    # What tells no time that can be was filled in after all that is here.
    assert when == [now_ms, present_ms, present_ms + 1, present_ms + 2]
    # Over HTTP a report says the same by itself.
    body = told(form, 3, "report-0005", now_ms + 5) | {"sent_ms": present_ms + 5}
    assert owner.post("/customer-reports", body, expect=201)["happened_at"] == rep_time(now_ms)


def test_what_a_phone_tells_twice_is_one_report_and_what_is_wrong_is_said(
    owner: Http, rep: Http, world: World, form: dict[str, Any], now_ms: int
) -> None:
    device, second = Phone(owner), Phone(owner)
    device.pull()
    second.pull()
    assert ask(device, told(form, 3, "report-0001", now_ms))["verdict"] == "accepted"
    assert ask(second, told(form, 3, "report-0001", now_ms), "intent-again-01")["verdict"] == "accepted"
    other = ask(second, told(form, 4, "report-0001", now_ms), "intent-other-01")
    assert (other["verdict"], other["code"]) == ("rejected", "validation_failed")
    assert len(rep.get("/notifications")["items"]) == 1

    wrong = ask(device, told(form, "three", "report-0002", now_ms))
    assert (wrong["verdict"], wrong["code"]) == ("rejected", "validation_failed")
    assert wrong["text"]
    unknown = ask(device, told(form, 3, "report-0003", now_ms) | {"version_id": "nowhere-0001"})
    assert unknown["verdict"] == "rejected"
    device.intend("intent-no-time-1", "customer_report.file", json.dumps(body_of(form, 3, "report-0004")))
    device.sync()
    [problem] = device.rows["sync_problems"].values()
    assert list(json.loads(problem["reasons"])) == ["body.made_ms"]
    steps = {"shop": {"answers": 3}, "shelf": {"photo_ids": ["photo-00001", 7]}, "more": 5}
    device.intend("intent-wrong-01", "customer_report.file", json.dumps(told(form, 3, "report-0006", now_ms) | {"steps": steps}))
    device.sync()
    [wrong] = [row for row in device.rows["sync_problems"].values() if row["row_id"] == "intent-wrong-01"]
    assert json.loads(wrong["reasons"]) == {
        "body.steps.more": "must be an object",
        "body.steps.shelf.photo_ids.1": "must be 8 to 36 characters of A-Z a-z 0-9 _ . -",
        "body.steps.shop.answers": "must be an object",
    }
    # A rep files none, and keeps the row with its reason.
    reps = Phone(rep)
    reps.pull()
    refused = ask(reps, told(form, 3, "report-0005", now_ms))
    assert (refused["verdict"], refused["code"]) == ("rejected", "forbidden")
    assert [row["id"] for row in owner.get("/customer-reports")["items"]] == ["report-0001"]


def test_reports_are_counted_by_the_day_they_were_filled_in_and_by_the_day_they_come(
    owner: Http, form: dict[str, Any], clock: SetClock, now_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MOST_A_DAY", 2)
    monkeypatch.setattr(operations, "MOST_AT_ONCE", 5)
    device = Phone(owner)
    device.pull()
    clock.advance(hours=24 * 3)
    verdicts = []
    for n, day in enumerate((0, 0, 0, 1, 1, 2, 2)):
        intent = ask(device, told(form, n, f"report-000{n}", now_ms + n + day * 24 * HOUR_MS))
        verdicts.append((intent["verdict"], intent["code"]))
    taken, over = ("accepted", None), ("needs_review", "too_many_reports")
    assert verdicts == [taken, taken, over, taken, taken, taken, over]
    clock.set(clock.now() + timedelta(days=1))
    assert ask(device, told(form, 9, "report-0009", now_ms + 2 * 24 * HOUR_MS + 9))["verdict"] == "accepted"


def test_a_report_over_http_waits_for_its_photos_as_before(owner: Http, world: World, form: dict[str, Any]) -> None:
    attach(world, world.owner, "photo-00001")
    assert send(owner, form, 3, shelf={"photo_ids": ["photo-00001"]})["awaiting"] == []


def test_a_form_that_phones_hold_fits_what_is_asked(owner: Http, office: Http, now_ms: int) -> None:
    """What a phone reads in a version is all it needs: the kinds and codes of its steps."""
    counted = make_form(office, {**COUNT, "required": True}, code="counts")
    device = Phone(owner)
    device.pull()
    [version] = device.rows["report_form_versions"].values()
    [step] = json.loads(version["steps"])
    body: dict[str, Any] = {"id": "report-0001", "version_id": version["id"], "made_ms": now_ms}
    lines: Sequence[dict[str, Any]] = [{"product": "P-1", "count": 0}]

    assert version["form_id"] == counted["id"]
    assert ask(device, body | {"steps": {step["code"]: {step["kind"]: lines}}})["verdict"] == "accepted"
