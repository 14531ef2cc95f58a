"""Verbs on lead forms themselves: make, change, give another token, retire, try out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch, transition
from app.lead_forms import queries
from app.lead_forms.documents import Faults, faults_of, read_document
from app.lead_forms.models import FormTrap, LeadForm
from app.lead_forms.reading import is_trapped, read_submission
from app.users import secrets
from app.users.rights import Actor

MOST_FORMS = 200


def create_form(session: Session, actor: Actor, values: dict[str, Any]) -> tuple[LeadForm, str]:
    """Add a form; return it and its token, of which only the hash is kept.

    Args:
        values: ``name``, ``document``.

    Raises:
        FieldsInvalid: what is wrong with the document, by path; see ``documents.faults_of``.
        Conflict: ``too_many_lead_forms``.
    """
    _check(session, values["document"])
    if (session.scalar(select(func.count()).select_from(LeadForm).where(LeadForm.state == "active")) or 0) >= MOST_FORMS:
        raise Conflict("too_many_lead_forms", most=MOST_FORMS)
    token = secrets.random_token()
    form = add(session, LeadForm(state="active", token_hash=secrets.token_hash(token), **values))
    session.add(FormTrap(form_id=form.id, n=0))
    record(session, "lead_form.created", Subject("lead_form", form.id), actor_id=actor.id, name=form.name)
    return form, token


def _check(session: Session, document: dict[str, Any]) -> None:
    if faults := faults_of(document, queries.targets(session)):
        raise FieldsInvalid(faults)


def edit_form(session: Session, actor: Actor, form: LeadForm, changes: dict[str, Any]) -> LeadForm:
    """Change a form. What was sent before and is faulty stays so until somebody tries it again.

    Raises:
        FieldsInvalid: what is wrong with the document, by path.
    """
    if "document" in changes:
        _check(session, changes["document"])
    for name, value in changes.items():
        setattr(form, name, value)
    touch(session, form)
    about = Subject("lead_form", form.id)
    causes = [last_entry(session, about)]
    record(session, "lead_form.edited", about, causes=causes, actor_id=actor.id, name=form.name, fields=sorted(changes))
    return form


def renew_token(session: Session, actor: Actor, form: LeadForm) -> str:
    """Give a form another token; the one before ends at once.

    Raises:
        Conflict: ``state_conflict`` when it is retired.
    """
    token = secrets.random_token()
    transition(session, form, "active", expect={"active"}, token_hash=secrets.token_hash(token))
    about = Subject("lead_form", form.id)
    record(session, "lead_form.token_renewed", about, causes=[last_entry(session, about)], actor_id=actor.id, name=form.name)
    return token


def retire_form(session: Session, actor: Actor, form: LeadForm) -> LeadForm:
    """Let nothing come through a form any more. What came stays, and what is faulty can still be mended.

    Raises:
        Conflict: ``state_conflict`` when it is retired already.
    """
    transition(session, form, "retired")
    about = Subject("lead_form", form.id)
    record(session, "lead_form.retired", about, causes=[last_entry(session, about)], actor_id=actor.id, name=form.name)
    return form


def try_form(session: Session, document: dict[str, Any], sample: dict[str, str]) -> tuple[dict[str, Any] | None, Faults, bool]:
    """Return what lead would come of a sample, what is wrong with it, and whether the trap would catch it; writes nothing.

    Raises:
        FieldsInvalid: what is wrong with the document, by path.
    """
    _check(session, document)
    read = read_document(document)
    values, faults = read_submission(read, sample, queries.targets(session))
    return (None if faults else values), faults, is_trapped(read, sample)
