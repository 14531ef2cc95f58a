"""Numbers that grew from one report of a customer to the next.

A report is held against what stood at the customer when it was filled in, and not against what stands when it comes. So
reports that come late, or in another order, end with the same numbers; of those that were filled in later it is asked anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import hold, touch
from app.customer_reports.answers import is_number
from app.customer_reports.models import ORGANISATION, OWNER, CustomerReport, ReportFormVersion
from app.customer_reports.queries import after_report, answers_in, before_report
from app.customers import facts
from app.customers.fact_rules import rules_of
from app.customers.models import Customer
from app.customers.trust import Said, ranked

# So many reports before one are looked at; so no more than as many after one that came late can look at it.
_MOST_BEFORE = 20

Steps = Sequence[Mapping[str, Any]]


def grown_of(session: Session, customer: Customer, row: CustomerReport) -> list[dict[str, Any]]:
    """Return the numbers of a report that are greater than before, each as ``CustomerReport.grown`` has it.

    Before is what stood at the customer in the field of the question, by the rule, when the report was filled in; where nothing
    did, what the last report by the same form said.
    """
    steps = session.get_one(ReportFormVersion, row.version_id).steps
    numbers = [found for found in _answered(steps, row.content) if is_number(found[2])]
    if not numbers:
        return []
    earlier = session.scalars(
        select(CustomerReport)
        .where(before_report(row))
        .order_by(CustomerReport.happened_at.desc(), CustomerReport.id.desc())
        .limit(_MOST_BEFORE)
    ).all()
    fields = {one["field"] for _, one, _ in numbers if one.get("field")}
    words = _words(session, customer, row, earlier, fields)
    rules, found = rules_of(session), []
    for step, question, after in numbers:
        name = question.get("field")
        stood = ranked(words.get(name, ()), rules.of(name)) if name else []
        before, kind = (stood[0].value, stood[0].kind) if stood else (None, "owner_portal")
        if before is None:
            before, kind = _last_answer(earlier, row.form_id, step, question["code"]), "owner_portal"
        if is_number(before) and after > before:
            labels = {side: question[side] for side in ("label_zh", "label_en")}
            by = OWNER if kind == "owner_portal" else ORGANISATION
            said = {"step": step, "question": question["code"], **labels}
            found.append(said | {"before": before, "before_by": by, "after": after})
    return found


def _answered(steps: Steps, content: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yield each question of a version that a report answers, with its step's code and the answer."""
    for step in steps:
        given = {answer["code"]: answer["value"] for answer in answers_in(content, step["code"])}
        for question in step.get("questions") or ():
            if question["code"] in given:
                yield step["code"], question, given[question["code"]]


def _words(
    session: Session, customer: Customer, row: CustomerReport, earlier: Sequence[CustomerReport], fields: set[str]
) -> dict[str, list[Said]]:
    """Return what had been said of fields when a report was filled in, by field.

    Owners speak by their reports: a fact that is said again is kept once, by its last day, and would hide the days before.
    """
    known = facts.facts_of(session, customer.id, fields)
    for fact in facts.baseline(session, customer, known, fields):
        known.setdefault(fact.field, []).append(fact)
    found = {
        name: [one for one in facts.said(some) if one.kind != "owner_portal" and one.said_at <= row.happened_at]
        for name, some in known.items()
    }
    for one in earlier:
        steps = session.get_one(ReportFormVersion, one.version_id).steps
        for _, question, value in _answered(steps, one.content):
            if question.get("field") in fields:
                word = Said(one.id, value, "owner_portal", one.user_id, one.happened_at)
                found.setdefault(question["field"], []).append(word)
    return found


def _last_answer(earlier: Sequence[CustomerReport], form_id: str, step: str, question: str) -> Any:
    """Return what was answered to a question by the last report by a form that answered it."""
    for one in earlier:
        for answer in answers_in(one.content, step) if one.form_id == form_id else ():
            if answer["code"] == question:
                return answer["value"]
    return None


def note_grown(
    session: Session, row: CustomerReport, grown: Sequence[Mapping[str, Any]], causes: Sequence[HistoryEntry | None]
) -> None:
    """Write into the causal log which numbers of a report grew, each with what that suggests."""
    steps = session.get_one(ReportFormVersion, row.version_id).steps
    asked = {(step["code"], one["code"]): one for step in steps for one in step.get("questions") or ()}
    for one in grown:
        question = asked[one["step"], one["question"]]
        hint = {"zh": question["suggests_zh"], "en": question["suggests_en"]} if question.get("suggests_en") else None
        record(
            session,
            "customer_report.number_grew",
            Subject("customer_report", row.id),
            causes=causes,
            actor_id=row.user_id,
            occurred_at=row.happened_at,
            question=_named(one),
            before=one["before"],
            before_by=one["before_by"],
            after=one["after"],
            suggests=hint,
        )


def compare_later(session: Session, customer: Customer, row: CustomerReport, entry: HistoryEntry) -> None:
    """Compare anew what was filled in after a report that has just come.

    Args:
        entry: that it came.
    """
    later = select(CustomerReport.id).where(after_report(row)).order_by(CustomerReport.happened_at, CustomerReport.id)
    for report_id in session.scalars(later.limit(_MOST_BEFORE)).all():
        one = hold(session, CustomerReport, report_id)
        found = grown_of(session, customer, one)
        if found == one.grown:
            continue
        before, one.grown = [_numbers(number) for number in one.grown], found
        touch(session, one)
        about = Subject("customer_report", one.id)
        causes = [last_entry(session, about, "customer_report.received"), entry]
        note_grown(session, one, [number for number in found if _numbers(number) not in before], causes)
        still = {(number["step"], number["question"]) for number in found}
        for number in before:
            if (number["step"], number["question"]) not in still:
                record(session, "customer_report.number_not_grown", about, causes=causes, question=_named(number))


def _numbers(number: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a number that grew: whoever had said what was before."""
    return {name: value for name, value in number.items() if name != "before_by"}


def _named(number: Mapping[str, Any]) -> dict[str, str]:
    return {"zh": number["label_zh"], "en": number["label_en"]}
