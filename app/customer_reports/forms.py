"""Verbs on report forms: add, change, retire. Other steps make a new version; who read an older one reports by that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch
from app.custom_fields.models import CustomField
from app.custom_fields.queries import fields_of
from app.customer_reports.models import ReportForm, ReportFormVersion
from app.customer_reports.queries import newest_version
from app.customers.facts import PLAIN
from app.users.rights import Actor
from app.visit_types.kits import check_steps

MOST_FORMS = 50
_OFFICES = ("field", "suggests_zh", "suggests_en")
# Kind of question -> kinds of the company's own fields that take its answers.
_TAKEN_BY = {
    "text": frozenset({"text", "phone"}),
    "number": frozenset({"number"}),
    "flag": frozenset({"flag"}),
    "day": frozenset({"day"}),
    "choice": frozenset({"choice", "text"}),
}


def create_form(session: Session, actor: Actor, values: Mapping[str, Any]) -> ReportForm:
    """Add a report form with its first version.

    Args:
        values: ``code``, ``name_zh``, ``name_en``, ``active``, ``steps``, and optionally ``id``.

    Raises:
        FieldsInvalid: ``already_exists`` (code, id), or what is wrong with the steps; see ``kits.check_steps`` and ``_check``.
        Conflict: ``too_many_report_forms``.
    """
    steps = values["steps"]
    _check(session, steps)
    if session.scalar(select(ReportForm.id).where(ReportForm.code == values["code"])):
        raise FieldsInvalid({"code": ["already_exists"]})
    if values.get("id") and session.get(ReportForm, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    if (session.scalar(select(func.count()).select_from(ReportForm)) or 0) >= MOST_FORMS:
        raise Conflict("too_many_report_forms", most=MOST_FORMS)
    row = ReportForm(number=1, **{name: value for name, value in values.items() if name != "steps"})
    add(session, _dated(session, row))
    add(session, ReportFormVersion(form_id=row.id, number=1, steps=steps, asked=for_owners(steps)))
    record(session, "report_form.created", Subject("report_form", row.id), actor_id=actor.id, code=row.code)
    return row


def edit_form(session: Session, actor: Actor, row: ReportForm, changes: Mapping[str, Any]) -> ReportForm:
    """Change a report form; other steps are its next version. ``active`` false retires it.

    Raises:
        FieldsInvalid: what is wrong with the steps; see ``create_form``.
    """
    steps = changes.get("steps")
    if steps is not None:
        _check(session, steps)
    newer = None if steps is None or steps == newest_version(session, row.id).steps else steps
    for name in changes.keys() - {"steps"}:
        setattr(row, name, changes[name])
    _dated(session, row).number += newer is not None
    touch(session, row)  # of two that change it at once one is refused here
    if newer is not None:
        add(session, ReportFormVersion(form_id=row.id, number=row.number, steps=newer, asked=for_owners(newer)))
    about = Subject("report_form", row.id)
    causes = [last_entry(session, about)]
    record(session, "report_form.edited", about, causes=causes, actor_id=actor.id, fields=sorted(changes), number=row.number)
    return row


def _dated(session: Session, row: ReportForm) -> ReportForm:
    """Note since when a form is retired, if it is."""
    is_retired = row.active is False  # a new row that does not say so is in use, and knows it after its insert
    row.retired_at = (row.retired_at or now(session)) if is_retired else None
    return row


def for_owners(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return steps without what the office makes of their answers."""
    return [dict(step) if not step.get("questions") else {**step, "questions": _plain(step["questions"])} for step in steps]


def _plain(questions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name not in _OFFICES} for one in questions]


def questions_of(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield every question of a version with its path in ``steps`` and its step."""
    for place, step in enumerate(steps):
        for n, question in enumerate(step.get("questions") or ()):
            yield f"steps.{place}.questions.{n}", step, question


def _check(session: Session, steps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse steps that contradict themselves, and questions bound to what cannot take their answers.

    Raises:
        FieldsInvalid: as ``kits.check_steps``; of a question ``unknown_reference``, ``invalid`` or ``duplicate`` (field),
            ``not_one_of`` (choices the field does not have), ``required`` or ``unknown`` (``suggests_zh``, ``suggests_en``).
    """
    check_steps(steps)
    own = fields_of(session, "customer")
    faults: dict[str, list[str]] = {}
    bound: set[str] = set()
    for at, _, question in questions_of(steps):
        faults |= _check_hint(at, question)
        name = question.get("field")
        if name is None:
            continue
        if name in bound:
            faults[f"{at}.field"] = ["duplicate"]
        bound.add(name)
        faults |= _check_field(at, question, name, own)
    if faults:
        raise FieldsInvalid(faults)


def _check_hint(at: str, question: Mapping[str, Any]) -> dict[str, list[str]]:
    hints = [name for name in ("suggests_zh", "suggests_en") if question.get(name) is not None]
    if hints and question["kind"] != "number":
        return {f"{at}.{name}": ["unknown"] for name in hints}
    return {f"{at}.{name}": ["required"] for name in ("suggests_zh", "suggests_en") if len(hints) == 1 and name not in hints}


def _check_field(at: str, question: Mapping[str, Any], name: str, own: Mapping[str, CustomField]) -> dict[str, list[str]]:
    if name in PLAIN:
        return {} if question["kind"] == "text" else {f"{at}.field": ["invalid"]}
    field = own.get(name.removeprefix("custom.")) if name.startswith("custom.") else None
    if field is None:
        return {f"{at}.field": ["unknown_reference"]}
    if field.kind not in _TAKEN_BY[question["kind"]]:
        return {f"{at}.field": ["invalid"]}
    if field.kind == "choice" and not set(question["choices"]) <= {choice["code"] for choice in field.choices}:
        return {f"{at}.choices": ["not_one_of"]}
    return {}
