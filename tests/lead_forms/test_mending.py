"""Nothing is lost: what cannot become a lead waits with its reasons until it is mended, tried again or dismissed."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import FieldsInvalid
from app.jobs import JOBS
from app.lead_forms import mending
from tests.lead_forms.conftest import SENT, Form, lead_count
from tests.leads.conftest import Desk
from tests.races.together import together


def faulty(form: Form, **changes: str) -> dict[str, Any]:
    form.send(SENT | changes)
    found = form.submissions("faulty")[0]
    assert found["lead_id"] is None
    return found


def mend(form: Form, row: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = form.desk.boss.post(f"/lead-form-submissions/{row['id']}/mend", {"values": values})
    return answer


def forget(desk: Desk) -> None:
    next(job for job in JOBS if job.id == "forget_submissions").work(desk.world.db, desk.world.settings)


def test_what_cannot_become_a_lead_is_kept_with_what_is_wrong_by_field_in_words(form: Form, desk: Desk) -> None:
    row = faulty(form, 手机="12", 预算="面议")

    assert row["sent"] == SENT | {"手机": "12", "预算": "面议"}
    assert sorted(row["errors"], key=lambda fault: str(fault["field"])) == [
        {"field": "手机", "code": "phone_invalid", "text": "is not a valid phone number"},
        {"field": "预算", "code": "budget_unreadable", "text": "cannot be read as an amount or a range"},
    ]
    assert lead_count(desk) == 0


def test_a_mended_one_becomes_a_lead_and_keeps_what_was_sent(form: Form, desk: Desk) -> None:
    row = faulty(form, 手机="12", 预算="面议")
    still = mend(form, row, {"手机": "13800138000"})
    assert (still["state"], [fault["field"] for fault in still["errors"]]) == ("faulty", ["预算"])

    refusal = desk.boss.refused(
        "POST", f"/lead-form-submissions/{row['id']}/mend", 422, "validation_failed", {"values": {"预 算": ""}}
    )
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("values.预 算", "unknown")]
    done = mend(form, row, {"预算": ""})

    assert (done["state"], done["errors"], done["lead_id"]) == ("accepted", [], form.lead()["id"])
    assert (done["sent"]["手机"], done["mended"]) == ("12", {"手机": "13800138000", "预算": ""})
    chain = desk.boss.get(f"/history/lead/{done['lead_id']}")
    assert [entry["kind"] for entry in chain["about"]] == ["lead.created", "lead.assigned"]
    assert {"form.submitted", "form.held_back", "form.mended"} <= {entry["kind"] for entry in chain["causes"]}
    desk.boss.refused("POST", f"/lead-form-submissions/{row['id']}/mend", 409, "state_conflict", {"values": {}})
    desk.boss.refused("POST", f"/lead-form-submissions/{row['id']}/dismiss", 409, "state_conflict", {"reason": "x"})


def test_a_mended_one_with_the_number_of_a_live_lead_is_a_note_on_it(form: Form) -> None:
    form.send()
    done = mend(form, faulty(form, 手机="12"), {"手机": "13800138000"})

    assert (done["state"], done["lead_id"]) == ("repeated", form.lead()["id"])


def test_mended_twice_at_once_is_one_lead(form: Form, desk: Desk) -> None:
    row = faulty(form, 手机="12")
    path, body = f"/lead-form-submissions/{row['id']}/mend", {"values": {"手机": "13800138000"}}
    codes = together(*[lambda: desk.boss.call("POST", path, body).status_code for _ in range(3)])

    assert sorted(codes) == [200, 409, 409]
    assert lead_count(desk) == 1


def test_a_dismissed_one_is_over(form: Form, desk: Desk) -> None:
    row = faulty(form, 手机="12")
    path = f"/lead-form-submissions/{row['id']}"
    done = desk.boss.post(f"{path}/dismiss", {"reason": "广告"})

    assert done["state"] == "dismissed"
    desk.boss.refused("POST", f"{path}/mend", 409, "state_conflict", {"values": {"手机": "13800138000"}})
    story = desk.boss.get(f"/history/form_submission/{row['id']}")["about"]
    assert [entry["kind"] for entry in story] == ["form.submitted", "form.held_back", "form.dismissed"]
    assert story[-1]["reason"] == "Nothing is to come of what was sent: 广告."


def test_after_the_form_was_changed_all_faulty_ones_are_tried_again(form: Form, desk: Desk) -> None:
    for n in range(3):
        form.send(SENT | {"手机": f"1390013900{n}", "预算": "看情况"})
    form.send(SENT | {"手机": "12"})
    dismissed = faulty(form, 手机="13")
    desk.boss.post(f"/lead-form-submissions/{dismissed['id']}/dismiss", {"reason": "x"})
    assert desk.boss.post(f"{form.path}/retry", {}) == {"accepted": 0, "repeated": 0, "faulty": 4, "next": None}

    fields = form.read()["document"]["fields"]
    fields[5]["else"] = "note"
    form.change(fields=fields)
    assert form.counts() == {"faulty": 4, "dismissed": 1}
    assert desk.boss.post(f"{form.path}/retry", {}) == {"accepted": 3, "repeated": 0, "faulty": 1, "next": None}

    assert form.counts() == {"accepted": 3, "faulty": 1, "dismissed": 1}
    assert {lead["interest"] for lead in form.leads()} == {"叉车两台; 预算: 看情况"}
    chain = desk.boss.get(f"/history/lead/{form.leads()[0]['id']}")["causes"]
    assert {"lead_form.edited", "form.tried_again"} <= {entry["kind"] for entry in chain}


def test_each_that_is_tried_again_is_done_with_before_the_next(form: Form, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        form.send(SENT | {"手机": f"1390013900{n}", "预算": "看情况"})
    fields = form.read()["document"]["fields"]
    fields[5]["else"] = "note"
    form.change(fields=fields)
    verb, leads = mending.judge, []

    def judge(*args: Any) -> str:
        leads.append(lead_count(desk))  # as another connection sees it
        return verb(*args)

    monkeypatch.setattr(mending, "judge", judge)
    assert desk.boss.post(f"{form.path}/retry", {})["accepted"] == 3

    assert leads == [0, 1, 2]


def test_many_are_tried_page_by_page(form: Form, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lead_forms.mending.MOST_TRIED", 2)
    for _ in range(3):
        form.send({"姓名": "x"})
    first = desk.boss.post(f"{form.path}/retry", {})
    second = desk.boss.post(f"{form.path}/retry", {"after": first["next"]})

    assert (first["faulty"], second) == (2, {"accepted": 0, "repeated": 0, "faulty": 1, "next": None})


def test_what_a_retired_form_brought_can_still_be_mended(form: Form, desk: Desk) -> None:
    row = faulty(form, 手机="12")
    desk.boss.post(f"{form.path}/retire")

    assert mend(form, row, {"手机": "13800138000"})["state"] == "accepted"


def test_a_lead_the_product_cannot_make_leaves_a_faulty_row_and_no_half_lead(form: Form, desk: Desk) -> None:
    """A territory of the form's defaults is gone: the fault is named by the lead's field, for no form field gives it."""
    with desk.world.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE territories SET deleted_at = created_at")
    row = faulty(form)

    assert [(fault["field"], fault["code"]) for fault in row["errors"]] == [("territory_id", "unknown_reference")]
    assert lead_count(desk) == 0


def test_what_the_lead_itself_refuses_is_named_by_the_forms_field(
    form: Form, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise FieldsInvalid({"email": ["already_exists"]})

    monkeypatch.setattr("app.lead_forms.intake.create_lead", refuse)
    row = faulty(form)

    assert [(fault["field"], fault["code"]) for fault in row["errors"]] == [("邮箱", "already_exists")]
    monkeypatch.undo()
    assert mend(form, row, {})["state"] == "accepted"


def test_what_is_done_with_is_deleted_after_its_days_and_what_is_faulty_stays(form: Form, desk: Desk) -> None:
    form.send(SENT | {"submission_id": "A-1"})
    form.send()
    gone = faulty(form, 手机="12")
    desk.boss.post(f"/lead-form-submissions/{gone['id']}/dismiss", {"reason": "x"})
    stays = faulty(form, 手机="13")
    lead = form.leads()[0]
    desk.clock.advance(days=89)
    forget(desk)
    assert len(form.submissions()) == 4
    desk.clock.advance(days=2)
    forget(desk)

    assert [row["id"] for row in form.submissions()] == [stays["id"]]
    assert form.counts() == {"faulty": 1}
    with desk.world.db.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT sent, mended, sent_id FROM form_submissions WHERE deleted_at IS NOT NULL").all()
    assert len(kept) == 3
    assert all("陈伟" not in str(row) and "\\u" not in str(row) and "A-1" not in str(row) for row in kept)
    assert desk.read(lead)["id"] == lead["id"]
    assert desk.boss.get(f"/history/lead/{lead['id']}")["about"]
