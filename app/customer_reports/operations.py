"""Verbs on reports: an owner sends one, a rep sees it and answers.

Reports come late and in any order from phones that were offline. What they tell counts from when they were filled in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid, Forbidden
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, hold, transition, try_transition
from app.customer_reports.answers import faults_of, kept, read_answers
from app.customer_reports.growth import compare_later, grown_of, note_grown
from app.customer_reports.models import CustomerReport, ReportForm, ReportFormVersion
from app.customer_reports.photos import not_here
from app.customers import queries as customers
from app.customers.models import Customer
from app.facts import operations as facts
from app.facts.values import checked
from app.users import queries as users
from app.users.rights import REP, Actor
from app.visits.pictures import pictures_of
from push.outbox import enqueue, withdraw

# Of one customer, of one day of the organisation; and how many of whatever days may come on one.
MOST_A_DAY = 20
MOST_AT_ONCE = 200
# What a phone tells of an earlier time has a wrong clock: it counts as told when it comes.
OLDEST = timedelta(days=366)
MOST_BYTES = 64 * 1024


def send_report(
    session: Session, settings: Settings, actor: Actor, values: Mapping[str, Any], *, offline: bool = False
) -> CustomerReport:
    """Report something as an owner, once: the same id with the same content again is the same report.

    Args:
        values: ``id``, ``version_id`` of the form the owner read, ``steps``: by the step's code, one of ``photo_ids``,
            ``stock`` and ``answers``; and optionally ``made_ms``, when it was filled in by the phone's clock, with ``skew_ms``,
            that clock minus ours.
        offline: photos, and their rows, may come after the report.

    Raises:
        FieldsInvalid: ``already_exists`` (id) of another report, ``unknown_reference`` (version_id), ``too_large`` (steps), and
            by ``steps.<code>`` what is wrong with each.
        Conflict: ``report_form_retired`` before it was filled in, ``too_many_reports`` of one day.
    """
    customer = customers.access_customer(session, actor, actor.customer_id or "")
    customer = hold(session, Customer, customer.id)  # of two reports at once the second finds the first
    version = session.get(ReportFormVersion, values["version_id"])
    if version is None:
        raise FieldsInvalid({"version_id": ["unknown_reference"]})
    results = read_answers(version.steps, values["steps"])
    content = kept(version.steps, results)
    if (known := session.get(CustomerReport, values["id"])) is not None:
        return _twin(known, actor, version, content)
    form, told_at = session.get_one(ReportForm, version.form_id), _told_at(session, values)
    happened_at = told_at or _next_instant(session, customer)
    if form.retired_at is not None and happened_at >= form.retired_at:
        raise Conflict("report_form_retired")
    _check_day(session, settings, customer, happened_at)
    if len(json.dumps(content, ensure_ascii=False).encode()) > MOST_BYTES:
        raise FieldsInvalid({"steps": ["too_large"]})
    photos = {str(photo) for result in results.values() for photo in result.get("photo_ids", ())}
    pictures = dict.fromkeys(photos, True) if offline else pictures_of(session, actor.id, photos)
    faults = faults_of(version.steps, results, pictures)
    told = _facts_in(session, customer, version.steps, results, faults)
    if faults:
        raise FieldsInvalid(faults)
    row = CustomerReport(
        id=values["id"], customer_id=customer.id, form_id=form.id, version_id=version.id, user_id=actor.id, state="sent",
        form_zh=form.name_zh, form_en=form.name_en, content=content, grown=[], happened_at=happened_at,
        made_ms=values.get("made_ms"), awaiting=not_here(session, actor.id, photos),
    )  # fmt: skip
    row.grown = grown_of(session, customer, row)
    add(session, row)
    entry = _note(session, actor, row)
    if told:
        facts.tell(session, actor, customer, told, told_at, asked=True, because=entry)
    compare_later(session, customer, row, entry)
    _tell_rep(session, customer, row, entry)
    return row


def _told_at(session: Session, values: Mapping[str, Any]) -> datetime | None:
    """Return when a report was filled in as its phone tells it, by our clock; None where it tells nothing, or nonsense."""
    present = now(session)
    made_ms = values.get("made_ms")
    if made_ms is None:
        return None
    ms = made_ms - (values.get("skew_ms") or 0)
    return from_ms(ms) if to_ms(present - OLDEST) <= ms <= to_ms(present) else None


def _next_instant(session: Session, customer: Customer) -> datetime:
    """Return now, for a report that tells no time: it was filled in after all that is here."""
    last = session.scalar(select(func.max(CustomerReport.happened_at)).where(CustomerReport.customer_id == customer.id))
    present = now(session)
    return present if last is None or last < present else last + timedelta(milliseconds=1)


def _twin(
    known: CustomerReport, actor: Actor, version: ReportFormVersion, content: Sequence[Mapping[str, Any]]
) -> CustomerReport:
    """Return the report that was sent already under this id.

    Raises:
        FieldsInvalid: ``already_exists`` (id) when it was another one.
    """
    if (known.user_id, known.version_id, known.content) != (actor.id, version.id, content):
        raise FieldsInvalid({"id": ["already_exists"]})
    return known


def _check_day(session: Session, settings: Settings, customer: Customer, at: datetime) -> None:
    """Refuse more than ``MOST_A_DAY`` reports of a customer of one day of the organisation; and that far more come on one.

    Raises:
        Conflict: ``too_many_reports``.
    """
    of_customer = select(func.count()).where(CustomerReport.customer_id == customer.id)
    begins, ends = _day_of(settings, at)
    same_day = of_customer.where(CustomerReport.happened_at >= begins, CustomerReport.happened_at < ends)
    if (session.scalar(same_day) or 0) >= MOST_A_DAY:
        raise Conflict("too_many_reports", most=MOST_A_DAY)
    came = of_customer.where(CustomerReport.created_at >= _day_of(settings, now(session))[0])
    if (session.scalar(came) or 0) >= MOST_AT_ONCE:
        raise Conflict("too_many_reports", most=MOST_AT_ONCE)


def _day_of(settings: Settings, at: datetime) -> tuple[datetime, datetime]:
    """Return where the organisation's day of an instant begins and ends."""
    day = at.astimezone(settings.time_zone).date()
    begins, ends = (datetime.combine(one, time(), settings.time_zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return begins, ends


def _facts_in(
    session: Session,
    customer: Customer,
    steps: Sequence[Mapping[str, Any]],
    results: Mapping[str, Mapping[str, Any]],
    faults: dict[str, list[str]],
) -> dict[str, Any]:
    """Return the answers that are facts, by field; what a field cannot take is added to the faults.

    A field that is retired since the form was made, or is not one of this customer's, is nobody's fault: the answer stays a
    part of the report.
    """
    told: dict[str, Any] = {}
    for step in steps:
        given = results.get(step["code"], {}).get("answers", {})
        for question in step.get("questions") or ():
            name, at = question.get("field"), f"steps.{step['code']}.answers.{question['code']}"
            if name is None or question["code"] not in given or at in faults:
                continue
            try:
                told[name] = checked(session, customer, name, given[question["code"]])
            except FieldsInvalid as fault:
                if "value" in fault.errors:
                    faults[at] = fault.errors["value"]
    return told


def _note(session: Session, actor: Actor, row: CustomerReport) -> HistoryEntry:
    """Write into the causal log that a report came, and which of its numbers grew."""
    about, form = Subject("customer_report", row.id), {"zh": row.form_zh, "en": row.form_en}
    entry = record(
        session, "customer_report.received", about, actor_id=actor.id, occurred_at=row.happened_at, form=form,
        source="owner_portal",
    )  # fmt: skip
    note_grown(session, row, row.grown, [entry])
    return entry


def _tell_rep(session: Session, customer: Customer, row: CustomerReport, entry: HistoryEntry) -> None:
    enqueue(
        session,
        users.still_there(session, customer.owner_id),
        "customer_reported",
        Subject("customer_report", row.id),
        dedupe=f"customer_report:{row.id}:received",
        causes=[entry],
        customer_name=customer.name,
        form_zh=row.form_zh,
        form_en=row.form_en,
        grew=len(row.grown),
    )


def see_report(session: Session, actor: Actor, row: CustomerReport) -> CustomerReport:
    """Note that the rep in charge, or the office, has seen a report; once it was, nothing changes.

    Raises:
        Forbidden: to a rep of a customer somebody else is in charge of.
    """
    _check_charge(session, actor, row)
    if try_transition(session, row, "seen", seen_by=actor.id, seen_at=now(session)):
        about = Subject("customer_report", row.id)
        cause = last_entry(session, about, "customer_report.received")
        entry = record(session, "customer_report.seen", about, causes=[cause], actor_id=actor.id)
        withdraw(session, {"customer_reported"}, about, entry)
    return row


def answer_report(session: Session, actor: Actor, row: CustomerReport, text: str) -> CustomerReport:
    """Answer a report with a short note, once; the owner reads it, and gets a message.

    Raises:
        Conflict: ``state_conflict`` when it is answered already.
        Forbidden: to a rep of a customer somebody else is in charge of.
    """
    _check_charge(session, actor, row)
    row = hold(session, CustomerReport, row.id)
    present = now(session)
    transition(
        session,
        row,
        "answered",
        answer=text,
        answered_by=actor.id,
        answered_at=present,
        seen_by=row.seen_by or actor.id,
        seen_at=row.seen_at or present,
    )
    about = Subject("customer_report", row.id)
    cause = last_entry(session, about, "customer_report.received")
    entry = record(session, "customer_report.answered", about, causes=[cause], actor_id=actor.id, text=text)
    withdraw(session, {"customer_reported"}, about, entry)
    enqueue(
        session,
        [user for user in users.people_of_customer(session, row.customer_id) if user.id == row.user_id],
        "report_answered",
        about,
        dedupe=f"customer_report:{row.id}:answered",
        causes=[entry],
        form_zh=row.form_zh,
        form_en=row.form_en,
        answer=text,
    )
    return row


def _check_charge(session: Session, actor: Actor, row: CustomerReport) -> None:
    in_charge = session.get_one(Customer, row.customer_id).owner_id
    if actor.role == REP and in_charge not in {None, actor.id}:
        raise Forbidden("forbidden")
