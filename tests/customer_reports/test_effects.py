"""What a report brings about: facts of the customer, news for the rep, lines before the next visit, rows on phones."""

from __future__ import annotations

import json
from typing import Any

from tests.app.facts.conftest import bring, edit, fact_of
from tests.conftest import SetClock
from tests.customer_reports.conftest import body_of, faults, make_form, other_side, send
from tests.factories import World
from tests.people import Http
from tests.sync.phones import Phone

WINDOW = {"planned_from": "2026-03-04T02:00:00Z", "planned_until": "2026-03-04T03:00:00Z"}
FIELD = "custom.cold_cabinets"


def cabinets(person: Http, world: World) -> Any:
    return person.get(f"/customers/{world.customer}")["custom"].get("cold_cabinets")


def test_an_answer_is_a_fact_of_the_owner_and_the_rule_decides(
    owner: Http,
    rep: Http,
    office: Http,
    world: World,
    clock: SetClock,
    form: dict[str, Any],
) -> None:
    bring(office, world.customer, FIELD, 9)
    send(owner, form, 3)
    fact = fact_of(rep, world.customer, FIELD)
    assert (cabinets(rep, world), fact["survivor"]["value"], fact["survivor"]["text"]) == (3, 3, "客户本人：owner")
    assert [rival["value"] for rival in fact["rivals"]] == [9]

    # The office says that its own word counts more: the next report is a rival, and the log says so.
    order = [["office", "rep"], ["owner_portal"], ["erp"], ["device"], ["import"]]
    office.post("/fact-rules", {"default": {"order": order}})
    clock.advance(minutes=1)
    edit(office, world.customer, custom={"cold_cabinets": 5})
    clock.advance(minutes=1)
    sent = send(owner, form, 4, "report-0002")
    assert (cabinets(rep, world), sent["state"]) == (5, "sent")
    chain = office.get("/history/customer_report/report-0002")
    assert "customer.fact_outranked" in [entry["kind"] for entry in chain["effects"]]
    first = rep.get("/history/customer_report/report-0001")
    assert {"customer.fact_told", "notification.queued"} <= {entry["kind"] for entry in first["effects"]}
    assert "客户本人上报了“门店情况”。" in [entry["reason"] for entry in first["about"]]


def test_a_value_the_field_cannot_take_is_the_owners_to_correct(owner: Http, rep: Http, office: Http, world: World) -> None:
    words = {"label_zh": "电话", "label_en": "Telephone"}
    question = {"code": "call", "kind": "text", **words, "field": "phone"}
    bound = make_form(office, {"code": "who", "kind": "form", "required": True, **words, "questions": [question]})

    wrong = body_of(bound) | {"steps": {"who": {"answers": {"call": "soon"}}}}
    assert faults(owner, wrong) == {"steps.who.answers.call": "phone_invalid"}
    owner.post("/customer-reports", wrong | {"steps": {"who": {"answers": {"call": "13800138000"}}}}, expect=201)
    assert rep.get(f"/customers/{world.customer}")["phone"] == "+8613800138000"


def test_an_answer_whose_field_was_retired_stays_in_the_report(
    owner: Http,
    rep: Http,
    office: Http,
    world: World,
    form: dict[str, Any],
) -> None:
    [field] = office.get("/custom-fields")["items"]
    office.edit(f"/custom-fields/{field['id']}", {"retired": True}, field["version"])

    assert send(owner, form, 3)["content"][0]["answers"][0]["value"] == 3
    assert cabinets(rep, world) is None


def test_a_number_that_grew_is_told_to_the_rep_with_what_it_suggests(
    owner: Http,
    rep: Http,
    office: Http,
    world: World,
    form: dict[str, Any],
) -> None:
    edit(office, world.customer, custom={"cold_cabinets": 1})
    visit = rep.post("/visits", {"site_id": world.site, "purpose": "", **WINDOW}, expect=201)["id"]
    sent = send(owner, form, 3)
    same = send(owner, form, 3, "report-0002")
    less = send(owner, form, 2, "report-0003")

    grew = {"step": "asked", "question": "cabinets", "label_zh": "冷柜数量", "label_en": "Cold cabinets", "before": 1, "after": 3}
    grew["before_by"] = "organisation"
    assert (sent["grown"], same["grown"], less["grown"]) == ([], [], [])
    [seen] = rep.get("/customer-reports/report-0001")["grown"]
    assert seen == grew | {"suggests_zh": "冷链产品", "suggests_en": "cold-chain goods"}
    prepared = [(line["change"], line["text"]) for line in rep.get(f"/visits/{visit}/preparation")["items"]]
    assert ("number_suggests", "客户上报“冷柜数量”：由 1 增至 3。可推荐：冷链产品。") in prepared
    assert [change for change, _ in prepared].count("number_suggests") == 1
    told = [line for line in office.get(f"/visits/{visit}/preparation")["items"] if line["change"] == "number_suggests"]
    assert told[0]["text"] == "The owner reported “Cold cabinets”: 1 before, 3 now. It speaks for cold-chain goods."
    # What the office makes of it is not for the owner to read.
    story = owner.get("/history/customer_report/report-0001")
    assert "cold-chain" not in json.dumps([owner.get("/customer-reports"), story])
    # Nor what it had written down itself.
    assert [one["kind"] for one in story["about"]] == ["customer_report.received"]


def test_a_number_of_no_field_is_compared_with_the_last_report(owner: Http, office: Http, clock: SetClock) -> None:
    words = {"label_zh": "面积", "label_en": "Area"}
    area = {"code": "area", "kind": "number", **words}
    loose = make_form(office, {"code": "size", "kind": "form", "required": True, **words, "questions": [area]})
    found = []
    for n, value in enumerate((40, 40.5, 12, 13)):
        clock.advance(minutes=1)
        told = {"size": {"answers": {"area": value}}}
        made = owner.post("/customer-reports", body_of(loose, report_id=f"report-{n:04}") | {"steps": told}, expect=201)
        found.append([(one["before"], one["after"]) for one in made["grown"]])

    assert found == [[], [(40, 40.5)], [], [(12, 13)]]


def test_a_report_is_in_the_timeline_the_digest_and_on_the_home_page(
    owner: Http,
    rep: Http,
    world: World,
    form: dict[str, Any],
) -> None:
    send(owner, form, 3)

    [line] = rep.get(f"/customers/{world.customer}/timeline?kind=customer_report")["items"]
    assert (line["text"], line["who"]["name"]) == ("客户本人上报了“门店情况”。", "车主")
    assert line["link"] == "/api/v1/customer-reports/report-0001"
    assert rep.get(line["link"].removeprefix("/api/v1"))["id"] == "report-0001"
    groups = {group["group"]: group for group in rep.get(f"/customers/{world.customer}/digest")["groups"]}
    assert [one["id"] for one in groups["reports"]["lines"]] == [line["id"]]
    sections = {section["name"]: section for section in rep.get("/mobile/home")["sections"]}
    [news] = sections["updates"]["rows"]
    assert (news["line"], news["source"]) == (line["text"], {"kind": "customer_report", "id": "report-0001"})


def test_phones_hold_the_reports_and_answer_without_network(
    owner: Http,
    rep: Http,
    world: World,
    http: Http,
    form: dict[str, Any],
) -> None:
    strangers = other_side(world, http)
    phone, owners, other = Phone(rep), Phone(owner), Phone(strangers["rep"])
    for one in (phone, owners, other):
        one.pull()
    send(owner, form, 3)
    for one in (phone, owners, other):
        one.pull()

    row = phone.rows["customer_reports"]["report-0001"]
    assert (row["state"], row["form_zh"], json.loads(row["content"])[0]["answers"][0]["value"]) == ("sent", "门店情况", 3)
    assert owners.rows["customer_reports"]["report-0001"] == row
    assert other.rows["customer_reports"] == {}
    for n, (kind, body) in enumerate((("see", {}), ("answer", {"text": "soon"}))):
        asked = {"id": f"intent-{n:08}", "kind": f"customer_report.{kind}", "made_at": n}
        phone.create("intents", asked | {"body": json.dumps({"report_id": "report-0001", **body})})
    phone.sync()
    phone.sync()
    owners.pull()
    assert [phone.rows["intents"][f"intent-{n:08}"]["verdict"] for n in (0, 1)] == ["accepted", "accepted"]
    read = owners.rows["customer_reports"]["report-0001"]
    assert (read["state"], read["answer"]) == ("answered", "soon")


def test_reports_go_with_a_customer_that_is_merged_and_come_back(
    owner: Http,
    office: Http,
    world: World,
    http: Http,
    form: dict[str, Any],
) -> None:
    strangers = other_side(world, http)
    send(owner, form, 3)
    home = owner.get("/customer-reports/report-0001")["customer_id"]
    heir = strangers["owner"].get("/customers")["items"][0]["id"]

    office.post(f"/customers/{heir}/merge", {"other_id": world.customer})
    assert office.get("/customer-reports/report-0001")["customer_id"] == heir
    assert strangers["rep"].get("/customer-reports/report-0001")["state"] == "sent"
    assert owner.get("/customer-reports/report-0001")["customer_id"] == heir
    send(owner, form, 4, "report-0002")
    line = strangers["rep"].get(f"/customers/{heir}/timeline?kind=customer_report")["items"]
    assert {one["subject"]["id"] for one in line} == {"report-0001", "report-0002"}
    assert [one["kind"] for one in strangers["rep"].get("/notifications")["items"]] == ["customer_reported"]

    office.post(f"/customers/{heir}/unmerge", {"other_id": world.customer})
    assert office.get("/customer-reports/report-0001")["customer_id"] == home == world.customer
    strangers["rep"].refused("GET", "/customer-reports/report-0001", 404, "not_found")
