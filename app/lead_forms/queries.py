"""The only readers of lead forms and what was sent through them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.tracked import one_of
from app.custom_fields.queries import fields_of
from app.lead_forms.models import FormSubmission, FormTrap, LeadForm
from app.lead_forms.targets import Targets
from app.leads import queries as leads
from app.leads.models import Lead
from app.territories import queries as territories
from app.territories.models import Territory
from app.users.rights import REP, Actor


def visible_to(actor: Actor) -> Select[LeadForm]:
    """Return the forms an actor may see: the office all, others none."""
    found = select(LeadForm).where(LeadForm.deleted_at.is_(None))
    return found if actor.sees_all else found.where(false())


def access_form(session: Session, actor: Actor, form_id: str) -> LeadForm:
    """Load one form the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), LeadForm, form_id)


def visible_submissions(actor: Actor) -> Select[FormSubmission]:
    """Return the submissions an actor may see: the office all, others none."""
    found = select(FormSubmission).where(FormSubmission.deleted_at.is_(None))
    return found if actor.sees_all else found.where(false())


def told_to(actor: Actor) -> Select[FormSubmission]:
    """Return the submissions whose story an actor may read: the office all, a rep those of leads whose story they may read."""
    if actor.sees_all or actor.role != REP:
        return visible_submissions(actor)
    known = leads.told_to(actor).with_only_columns(Lead.id)
    return select(FormSubmission).where(FormSubmission.deleted_at.is_(None), FormSubmission.lead_id.in_(known))


def access_submission(session: Session, actor: Actor, submission_id: str) -> FormSubmission:
    """Load one submission the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_submissions(actor), FormSubmission, submission_id)


def counts_of(session: Session, form_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Return how many submissions of each form are in each state, and how many its trap caught (``trapped``)."""
    found: dict[str, dict[str, int]] = {form_id: {} for form_id in form_ids}
    rows = select(FormSubmission.form_id, FormSubmission.state, func.count()).where(
        among(session, FormSubmission.form_id, sorted(form_ids)), FormSubmission.deleted_at.is_(None)
    )
    for form_id, state, count in session.execute(rows.group_by(FormSubmission.form_id, FormSubmission.state)):
        found[form_id][state] = count
    for trap in session.scalars(select(FormTrap).where(among(session, FormTrap.form_id, sorted(form_ids)))):
        found[trap.form_id]["trapped"] = trap.n
    return found


def targets(session: Session) -> Targets:
    """Return what of a lead a form may fill."""
    areas = session.scalars(territories.every().with_only_columns(Territory.id))
    return Targets(frozenset(areas), fields_of(session, "lead"))
