"""What owners report: checked step by step, once, kept with the words they read; seen and answered by the rep in charge."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.customer_reports import operations
from tests.conftest import SetClock
from tests.customer_reports.conftest import ASKED, CABINETS, COUNT, body_of, faults, make_form, other_side, send
from tests.factories import World, make_user
from tests.people import Http
from tests.visits.test_check_ins import attach


def test_an_owner_reports_and_reads_what_became_of_it(owner: Http, rep: Http, world: World, form: dict[str, Any]) -> None:
    attach(world, world.owner, "photo-00001")
    stock = [{"product": "P-1", "count": 4}]
    sent = send(owner, form, 3, shelf={"photo_ids": ["photo-00001"]}, stock={"stock": stock})
    seen = rep.post(f"/customer-reports/{sent['id']}/seen")
    answered = rep.post(f"/customer-reports/{sent['id']}/answer", {"text": "I come on Tuesday."})
    [read] = owner.get("/customer-reports")["items"]

    assert (sent["state"], sent["answer"], seen["state"]) == ("sent", None, "seen")
    assert (read["state"], read["answer"], read["seen_by"]) == ("answered", "I come on Tuesday.", world.rep)
    assert answered == read
    assert [step["code"] for step in read["content"]] == ["shelf", "stock", "asked"]
    assert read["content"][0]["photo_ids"] == ["photo-00001"]
    assert read["content"][1]["lines"] == stock
    assert read["content"][2]["answers"] == [
        {"code": "cabinets", "kind": "number", "label_zh": "冷柜数量", "label_en": "Cold cabinets", "value": 3}
    ]
    rep.refused("POST", f"/customer-reports/{sent['id']}/answer", 409, "state_conflict", {"text": "again"})
    assert rep.post(f"/customer-reports/{sent['id']}/seen")["state"] == "answered"
    # The picture is the owner's, and whoever reads the report may look at it.
    assert rep.call("GET", "/attachments/photo-00001/content").status_code == 200
    assert [note["kind"] for note in rep.get("/notifications")["items"]] == ["customer_reported"]
    [note] = owner.get("/notifications")["items"]
    assert (note["kind"], note["body"]) == ("report_answered", "“My shop”: I come on Tuesday.")


def test_the_same_report_sent_again_is_one_and_another_under_its_id_is_refused(
    owner: Http, rep: Http, form: dict[str, Any]
) -> None:
    first = send(owner, form, 2)
    again = send(owner, form, 2)

    assert (again["id"], again["version"], again["created_at"]) == (first["id"], first["version"], first["created_at"])
    assert faults(owner, body_of(form, 3)) == {"id": "already_exists"}
    assert len(owner.get("/customer-reports")["items"]) == 1
    assert len(rep.get("/notifications")["items"]) == 1
    assert [entry["kind"] for entry in rep.get("/history/customer_report/report-0001")["about"]] == ["customer_report.received"]


def test_a_report_sent_several_times_at_once_is_one(owner: Http, rep: Http, form: dict[str, Any]) -> None:
    gate, codes = threading.Barrier(4), []

    def push() -> None:
        gate.wait()
        codes.append(owner.call("POST", "/customer-reports", body_of(form)).status_code)

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [201] * 4
    assert len(owner.get("/customer-reports")["items"]) == 1
    assert len(rep.get("/notifications")["items"]) == 1


def test_what_is_wrong_is_told_step_by_step_and_nothing_is_kept(
    owner: Http, world: World, office: Http, form: dict[str, Any]
) -> None:
    wrong = {"nowhere": {"stock": []}, "stock": {"photo_ids": ["photo-00001"]}, "shelf": {}}
    assert faults(owner, body_of(form, asked={"answers": {"colour": "red"}}, **wrong)) == {
        "steps.nowhere": "unknown", "steps.stock": "invalid", "steps.shelf.photo_ids": "one_result",
        "steps.asked.answers.colour": "unknown",
    }  # fmt: skip
    assert faults(owner, body_of(form, asked={"answers": {"promotion": "dear"}})) == {
        "steps.asked.answers.cabinets": "required",
        "steps.asked.answers.promotion": "invalid",
    }
    assert faults(owner, body_of(form) | {"steps": {}}) == {"steps.asked": "required"}
    # Empty is not answered, be the step optional or not.
    assert faults(owner, body_of(form, shelf={"photo_ids": []}, asked={"answers": {"cabinets": None}})) == {
        "steps.asked": "required"
    }
    for value in ("3", True, "", None, [3], {"a": 1}, 1e300):
        answers = {"cabinets": value, "promotion": "good"}
        assert list(faults(owner, body_of(form, asked={"answers": answers}))) == ["steps.asked.answers.cabinets"], value
    assert faults(owner, body_of(form) | {"version_id": "nowhere-0001"}) == {"version_id": "unknown_reference"}
    assert faults(owner, body_of(form) | {"id": "x", "customer_id": world.customer}) == {
        "id": "id_invalid",
        "customer_id": "unknown",
    }
    twice = [{"product": "P-1", "count": 1}] * 2
    assert faults(owner, body_of(form, stock={"stock": twice})) == {"steps.stock.stock.1": "duplicate"}
    assert faults(owner, body_of(form, shelf={"photo_ids": ["photo-00001"] * 21})) == {"steps.shelf.photo_ids": "too_many"}
    many = {f"s{n}": {"stock": []} for n in range(21)}
    assert faults(owner, body_of(form) | {"steps": many}) == {"steps": "too_many"}
    assert owner.get("/customer-reports")["items"] == []
    assert office.get(f"/customers/{world.customer}")["custom"] == {}


def test_a_report_that_is_too_large_is_refused(owner: Http, office: Http, form: dict[str, Any]) -> None:
    says = [{"code": f"q{n}", "kind": "text", "label_zh": "说", "label_en": "Says"} for n in range(30)]
    steps = [{**ASKED, "code": f"s{n}", "questions": says} for n in range(5)]
    wide = make_form(office, *steps, code="wide")
    told = {f"s{n}": {"answers": {f"q{m}": "x" * 500 for m in range(30)}} for n in range(5)}

    assert faults(owner, body_of(wide) | {"steps": told}) == {"steps": "too_large"}
    assert len(owner.post("/customer-reports", body_of(wide) | {"steps": told | _short(told)}, expect=201)["content"]) == 5


def _short(told: dict[str, Any]) -> dict[str, Any]:
    return {code: {"answers": {"q1": "x"}} for code in told}


def test_a_photo_is_the_owners_own_and_has_arrived(owner: Http, world: World, form: dict[str, Any]) -> None:
    attach(world, world.owner, "photo-00001")
    attach(world, world.rep, "photo-000002")
    attach(world, world.owner, "photo-0000003", arrives=False)
    attach(world, world.owner, "text-00000004", mime="text/plain")
    named = ["photo-00001", "photo-000002", "photo-0000003", "text-00000004", "nowhere-0005"]

    assert faults(owner, body_of(form, shelf={"photo_ids": named})) == {
        "steps.shelf.photo_ids.1": "unknown_reference",
        "steps.shelf.photo_ids.2": "photo_not_arrived",
        "steps.shelf.photo_ids.3": "unknown_reference",
        "steps.shelf.photo_ids.4": "unknown_reference",
    }
    assert send(owner, form, shelf={"photo_ids": ["photo-00001"]})["state"] == "sent"


def test_too_few_photos_are_too_few(owner: Http, world: World, office: Http, form: dict[str, Any]) -> None:
    two = make_form(
        office,
        {"code": "shelf", "kind": "photo", "required": False, "least": 2, "label_zh": "货架", "label_en": "Shelf"},
        code="two",
    )
    attach(world, world.owner, "photo-00001")

    assert faults(owner, body_of(two) | {"steps": {"shelf": {"photo_ids": ["photo-00001"]}}}) == {
        "steps.shelf.photo_ids": "too_few"
    }


def test_a_report_is_read_by_the_version_its_owner_had(owner: Http, rep: Http, office: Http, form: dict[str, Any]) -> None:
    asked = {**ASKED, "questions": [{**CABINETS, "label_en": "Freezers", "code": "freezers"}]}
    newer = office.edit(f"/report-forms/{form['id']}", {"steps": [asked]}, form["version"])
    old = send(owner, form, 3, "report-0001")
    new = send(owner, newer, report_id="report-0002", asked={"answers": {"freezers": 4}})

    assert (old["version_id"], old["content"][0]["answers"][0]["label_en"]) == (form["version_id"], "Cold cabinets")
    assert (new["version_id"], new["content"][0]["answers"][0]["label_en"]) == (newer["version_id"], "Freezers")
    assert faults(owner, body_of(newer, 3, "report-0003")) == {"steps.asked.answers.cabinets": "unknown"}
    assert rep.get("/customer-reports/report-0001")["content"] == old["content"]


def test_nobody_else_reads_answers_or_sends(owner: Http, rep: Http, world: World, http: Http, form: dict[str, Any]) -> None:
    others = other_side(world, http)
    sent = send(owner, form)
    path = f"/customer-reports/{sent['id']}"

    for name in ("rep", "owner"):
        others[name].refused("GET", path, 404, "not_found")
        assert others[name].get("/customer-reports")["items"] == []
        assert others[name].get(f"/customer-reports?customer_id={world.customer}")["items"] == []
    others["rep"].refused("POST", f"{path}/seen", 404, "not_found")
    others["rep"].refused("POST", f"{path}/answer", 404, "not_found", {"text": "x"})
    for name in ("dealer", "dealers_rep"):
        for method, address in (("GET", path), ("GET", "/report-forms"), ("POST", f"{path}/seen"), ("GET", "/customer-reports")):
            others[name].refused(method, address, 403, "forbidden")
        others[name].refused("GET", f"/history/customer_report/{sent['id']}", 404, "not_found")
    staff = http.as_(world.staff[0])
    staff.refused("GET", path, 403, "forbidden")
    owner.refused("POST", f"{path}/answer", 403, "forbidden", {"text": "x"})
    rep.refused("POST", "/customer-reports", 403, "forbidden", body_of(form))
    # The id of somebody else's report is taken, and tells nothing more.
    assert faults(others["owner"], body_of(form)) == {"id": "already_exists"}
    assert rep.get(path)["state"] == "sent"


def test_a_colleague_of_the_territory_reads_and_does_not_answer(
    owner: Http, office: Http, world: World, http: Http, form: dict[str, Any]
) -> None:
    with world.db.transaction() as session:
        colleague_id = make_user(session, world.settings, "rep", "colleague", territory_ids=[world.territory]).id
    colleague = http.as_(colleague_id)
    path = f"/customer-reports/{send(owner, form)['id']}"

    assert colleague.get(path)["state"] == "sent"
    for verb, body in (("seen", None), ("answer", {"text": "x"})):
        colleague.refused("POST", f"{path}/{verb}", 403, "forbidden", body)
    assert office.post(f"{path}/answer", {"text": "x"})["state"] == "answered"


def test_a_customer_reports_so_often_a_day(
    owner: Http, form: dict[str, Any], clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MOST_A_DAY", 2)
    for n in (1, 2):
        send(owner, form, n, f"report-{n:04}")
    owner.refused("POST", "/customer-reports", 409, "too_many_reports", body_of(form, 3, "report-0003"))
    assert send(owner, form, 2, "report-0002")["state"] == "sent"  # not another one

    clock.advance(hours=24)
    assert send(owner, form, 3, "report-0003")["state"] == "sent"


def test_a_form_of_counts_alone_needs_no_question(owner: Http, office: Http) -> None:
    counted = make_form(office, {**COUNT, "required": True}, code="counts")
    assert faults(owner, body_of(counted) | {"steps": {"stock": {"stock": []}}}) == {"steps.stock": "required"}
    told = {"stock": {"stock": [{"product": "P-1", "count": 0}]}}
    assert owner.post("/customer-reports", body_of(counted) | {"steps": told}, expect=201)["grown"] == []
