"""The clock of the first touch: reminders once, back to the pool, and late calls that count by when they were made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.leads.clocks import due_of
from app.leads.reminding import due, remind
from push.models import OutboxMessage
from tests.leads.conftest import Desk
from tests.races.together import together

DUE = 24


def told(desk: Desk) -> tuple[int, int]:
    """Return how often the rep, and the manager, were reminded."""
    return len(desk.told(desk.rep_id, "lead_waiting")), len(desk.told(desk.world.manager, "lead_waits_long"))


def test_the_rep_is_reminded_then_the_manager_then_it_goes_to_the_pool_each_once(desk: Desk) -> None:
    lead = desk.lead(owner_id=desk.rep_id)
    assert len(desk.told(desk.rep_id, "lead_assigned")) == 1

    assert (desk.tick(hours=DUE, seconds=-1), told(desk)) == (0, (0, 0))
    assert (desk.tick(seconds=1), told(desk)) == (1, (1, 0))
    assert (desk.tick(hours=11), told(desk)) == (0, (1, 0))
    assert (desk.tick(hours=1), told(desk)) == (1, (1, 1))
    assert (desk.tick(hours=35), desk.read(lead)["owner_id"]) == (0, desk.rep_id)
    assert (desk.tick(hours=1), desk.read(lead)["owner_id"]) == (1, None)
    assert desk.tick(days=30) == 0
    assert told(desk) == (1, 1)
    reasons = {entry["kind"]: entry["reason"] for entry in desk.boss.get(f"/history/lead/{lead['id']}")["about"]}
    assert "nobody followed it up in time" in reasons["lead.pooled"]
    assert [row["id"] for row in desk.rep.get("/pool-leads")["items"]] == [lead["id"]]


def test_who_gets_it_next_has_a_clock_of_their_own(desk: Desk) -> None:
    lead = desk.lead(owner_id=desk.rep_id)
    desk.tick(days=3)
    mine = desk.other.post(f"/leads/{lead['id']}/claim")

    assert mine["first_touch_due_at"] == "2026-03-06T02:00:00.000Z"
    desk.tick(hours=DUE)
    assert len(desk.told(desk.other_id, "lead_waiting")) == 1


def test_two_workers_at_once_remind_once(desk: Desk) -> None:
    leads = [desk.lead(owner_id=desk.rep_id) for _ in range(3)]
    desk.clock.advance(hours=DUE)
    db = desk.world.db
    with db.reading() as session:
        found = due(session)
    assert sorted(found) == sorted(lead["id"] for lead in leads)

    def run() -> int:
        done = 0
        for lead_id in found:
            with db.transaction() as session:
                done += remind(session, lead_id)
        return done

    assert sorted(together(run, run, run))[-1] <= 3
    assert told(desk) == (3, 0)


def test_a_lead_that_is_called_while_the_worker_is_on_its_way_to_it_stays_with_its_rep(desk: Desk) -> None:
    lead = desk.lead(owner_id=desk.rep_id)
    desk.clock.advance(days=3)
    db = desk.world.db
    with db.reading() as session:
        assert due(session) == [lead["id"]]
    desk.log(desk.rep, lead_id=lead["id"])

    with db.transaction() as session:
        assert remind(session, lead["id"]) == 0

    assert desk.read(lead)["owner_id"] == desk.rep_id
    assert told(desk) == (0, 0)


def test_a_call_stops_the_clock_and_the_reminder_that_was_not_sent(desk: Desk) -> None:
    with desk.world.db.transaction() as session:
        from app.users.models import User

        session.get_one(User, desk.rep_id).email = "rep@example.test"
    lead = desk.lead(owner_id=desk.rep_id)
    desk.tick(hours=DUE)
    assert waiting(desk) == {"queued"}

    desk.log(desk.rep, lead_id=lead["id"], duration_s=65)

    assert waiting(desk) == {"superseded"}
    assert (desk.tick(days=30), told(desk)) == (0, (1, 0))
    assert desk.read(lead)["owner_id"] == desk.rep_id


def waiting(desk: Desk) -> set[str]:
    with desk.world.db.reading() as session:
        return set(session.scalars(select(OutboxMessage.state).where(OutboxMessage.user_id == desk.rep_id)))


@pytest.mark.parametrize("body", [{"kind": "note"}, {"kind": "call", "duration_s": 0}])
def test_a_note_or_a_call_nobody_answered_stops_no_clock(desk: Desk, body: dict[str, Any]) -> None:
    lead = desk.lead(owner_id=desk.rep_id)

    desk.log(desk.rep, lead_id=lead["id"], **body)

    assert (desk.read(lead)["first_touch_at"], desk.read(lead)["state"]) == (None, "open")
    assert desk.tick(hours=DUE) == 1


def test_a_call_that_is_told_late_counts_when_it_was_made(desk: Desk) -> None:
    lead = desk.lead(owner_id=desk.rep_id)
    called = desk.clock.now() + timedelta(hours=20)
    desk.tick(hours=30)

    desk.log(desk.rep, lead_id=lead["id"], happened_at=called.isoformat())

    assert desk.read(lead)["first_touch_at"] == "2026-03-02T22:00:00.000Z"
    desk.log(desk.rep, lead_id=lead["id"], happened_at=(called + timedelta(hours=1)).isoformat())
    assert desk.read(lead)["first_touch_at"] == "2026-03-02T22:00:00.000Z"
    desk.log(desk.rep, lead_id=lead["id"], happened_at=(called - timedelta(hours=1)).isoformat())
    assert desk.read(lead)["first_touch_at"] == "2026-03-02T21:00:00.000Z"
    assert desk.tick(days=30) == 0


@pytest.mark.parametrize("by", ["the rep who has it", "the office"])
def test_who_was_spoken_to_before_there_was_a_lead_need_not_be_called_for_the_clocks_sake(desk: Desk, by: str) -> None:
    at_the_fair = desk.clock.now() - timedelta(days=2)
    lead = desk.lead(owner_id=desk.rep_id)

    who = desk.rep if by == "the rep who has it" else desk.boss
    desk.log(who, lead_id=lead["id"], kind="meeting", happened_at=at_the_fair.isoformat())

    found = desk.read(lead)
    assert (found["first_touch_at"], found["state"]) == ("2026-02-28T02:00:00.000Z", "contacted")
    assert found["first_touch_at"] < found["assigned_at"]
    assert (desk.tick(days=30), told(desk)) == (0, (0, 0))


def test_a_call_in_time_that_is_told_after_the_pool_took_the_lead_brings_it_back(desk: Desk) -> None:
    lead = desk.lead(owner_id=desk.rep_id)
    called = (desk.clock.now() + timedelta(days=2)).isoformat()
    desk.tick(days=4)
    assert desk.read(lead)["owner_id"] is None

    desk.log(desk.rep, lead_id=lead["id"], happened_at=called)

    found = desk.read(lead)
    assert (found["owner_id"], found["state"]) == (desk.rep_id, "contacted")
    assert "lead.kept" in desk.story(lead)
    assert desk.rep.get("/pool-leads")["items"] == []
    assert desk.tick(days=30) == 0


def test_a_call_made_after_the_pool_took_it_does_not_and_a_claim_of_another_stands(desk: Desk) -> None:
    late, claimed = desk.lead(owner_id=desk.rep_id), desk.lead(owner_id=desk.rep_id)
    in_time = (desk.clock.now() + timedelta(days=2)).isoformat()
    desk.tick(days=4)
    desk.other.post(f"/leads/{claimed['id']}/claim")
    desk.clock.advance(hours=1)

    desk.log(desk.rep, lead_id=late["id"], happened_at=desk.clock.now().isoformat())
    desk.log(desk.rep, lead_id=claimed["id"], happened_at=in_time)

    assert desk.read(late)["owner_id"] is None
    found = desk.read(claimed)
    assert (found["owner_id"], found["first_touch_at"]) == (desk.other_id, None)
    holders = desk.boss.get(f"/leads/{claimed['id']}/holdings")["items"]
    assert [row["touched_at"] is None for row in holders] == [True, False]


def test_working_hours_leave_out_nights_weekends_and_holidays_and_know_worked_weekends(desk: Desk) -> None:
    friday = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)  # 17:00 in Shanghai
    settings = replace(desk.world.settings, lead_clock="working", lead_first_touch_hours=4)
    monday = {"day": "2026-03-09", "kind": "holiday", "name_zh": "假日", "name_en": "holiday"}

    def first() -> datetime:
        with desk.world.db.reading() as session:
            return due_of(session, settings, friday).first_touch_at

    assert first() == datetime(2026, 3, 9, 4, 0, tzinfo=UTC)  # Monday at 12:00
    desk.boss.post("/calendar-days", {"days": [monday]})
    assert first() == datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
    desk.boss.post("/calendar-days", {"days": [monday | {"day": "2026-03-07", "kind": "workday"}]})
    assert first() == datetime(2026, 3, 7, 4, 0, tzinfo=UTC)
    with desk.world.db.reading() as session:
        found = due_of(session, settings, friday)
    assert found.recycle_at == datetime(2026, 3, 11, 9, 0, tzinfo=UTC)  # three working days later at 17:00


def test_managers_find_what_is_overdue(desk: Desk) -> None:
    lead, touched = desk.lead(owner_id=desk.rep_id), desk.lead(owner_id=desk.rep_id)
    desk.log(desk.rep, lead_id=touched["id"])

    assert desk.boss.get("/leads?list=overdue")["items"] == []
    desk.clock.advance(hours=DUE)
    assert [row["id"] for row in desk.boss.get("/leads?list=overdue")["items"]] == [lead["id"]]
