"""Verbs on reports: an owner sends one, a rep sees it and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid, Forbidden
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, hold, transition, try_transition
from app.customer_reports.answers import faults_of, is_number, kept, read_answers
from app.customer_reports.models import CustomerReport, ReportForm, ReportFormVersion
from app.customer_reports.queries import answers_in, previous_answer
from app.customers import queries as customers
from app.customers.models import Customer
from app.facts import operations as facts
from app.facts.values import checked
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor
from app.visits.pictures import pictures_of
from push.outbox import enqueue, withdraw

# Of one customer, on one day of the organisation.
MOST_A_DAY = 20
MOST_BYTES = 64 * 1024


def send_report(session: Session, settings: Settings, actor: Actor, values: Mapping[str, Any]) -> CustomerReport:
    """Report something as an owner, once: the same id with the same content again is the same report.

    Args:
        values: ``id``, ``version_id`` of the form the owner read, and ``steps``: by the step's code, one of ``photo_ids``,
            ``stock`` and ``answers``.

    Raises:
        FieldsInvalid: ``already_exists`` (id) of another report, ``unknown_reference`` (version_id), ``too_large`` (steps), and
            by ``steps.<code>`` what is wrong with each.
        Conflict: ``report_form_retired``, ``too_many_reports`` on one day.
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
    form = session.get_one(ReportForm, version.form_id)
    if not form.active:
        raise Conflict("report_form_retired")
    _check_day(session, settings, customer)
    if len(json.dumps(content, ensure_ascii=False).encode()) > MOST_BYTES:
        raise FieldsInvalid({"steps": ["too_large"]})
    photos = {str(photo) for result in results.values() for photo in result.get("photo_ids", ())}
    faults = faults_of(version.steps, results, pictures_of(session, actor.id, photos))
    told = _facts_in(session, customer, version.steps, results, faults)
    if faults:
        raise FieldsInvalid(faults)
    row = CustomerReport(
        id=values["id"], customer_id=customer.id, form_id=form.id, version_id=version.id, user_id=actor.id, state="sent",
        form_zh=form.name_zh, form_en=form.name_en, content=content, grown=_grown(session, customer, version, content),
    )  # fmt: skip
    add(session, row)
    entry = _note(session, actor, row, version)
    if told:
        facts.tell(session, actor, customer, told, None, asked=True, because=entry)
    _tell_rep(session, customer, row, entry)
    return row


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


def _check_day(session: Session, settings: Settings, customer: Customer) -> None:
    """Refuse more than ``MOST_A_DAY`` reports of a customer on one day of the organisation."""
    today = now(session).astimezone(settings.time_zone).date()
    begins = datetime.combine(today, time(), settings.time_zone).astimezone(UTC)
    sent = select(func.count()).where(CustomerReport.customer_id == customer.id, CustomerReport.created_at >= begins)
    if (session.scalar(sent) or 0) >= MOST_A_DAY:
        raise Conflict("too_many_reports", most=MOST_A_DAY)


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


def _grown(
    session: Session, customer: Customer, version: ReportFormVersion, content: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the numbers that are greater than what stood at the customer or, where nothing did, in its last report."""
    found = []
    for step in version.steps:
        given = {answer["code"]: answer["value"] for answer in answers_in(content, step["code"])}
        for question in step.get("questions") or ():
            after, name = given.get(question["code"]), question.get("field")
            if not is_number(after):
                continue
            before = customer.custom.get(name.removeprefix("custom.")) if name else None
            if before is None:
                before = previous_answer(session, customer.id, version.form_id, step["code"], question["code"])
            if is_number(before) and after > before:
                labels = {side: question[side] for side in ("label_zh", "label_en")}
                found.append({"step": step["code"], "question": question["code"], **labels, "before": before, "after": after})
    return found


def _note(session: Session, actor: Actor, row: CustomerReport, version: ReportFormVersion) -> HistoryEntry:
    """Write into the causal log that a report came, and which of its numbers grew, each with what that suggests."""
    about, form = Subject("customer_report", row.id), {"zh": row.form_zh, "en": row.form_en}
    entry = record(session, "customer_report.received", about, actor_id=actor.id, form=form, source="owner_portal")
    asked = {(step["code"], one["code"]): one for step in version.steps for one in step.get("questions") or ()}
    for one in row.grown:
        question = asked[one["step"], one["question"]]
        hint = {"zh": question["suggests_zh"], "en": question["suggests_en"]} if question.get("suggests_en") else None
        record(
            session,
            "customer_report.number_grew",
            about,
            causes=[entry],
            actor_id=actor.id,
            question={"zh": one["label_zh"], "en": one["label_en"]},
            before=one["before"],
            after=one["after"],
            suggests=hint,
        )
    return entry


def _tell_rep(session: Session, customer: Customer, row: CustomerReport, entry: HistoryEntry) -> None:
    rep = session.get(User, customer.owner_id) if customer.owner_id else None
    if rep is None or rep.state != "active" or rep.deleted_at is not None:
        return
    enqueue(
        session,
        [rep],
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
