"""What the office does with submissions that became no lead: mends them, dismisses them, tries them again; and their end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.db import among, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import fetch, hold, touch, transition
from app.lead_forms.intake import judge
from app.lead_forms.models import FormPhone, FormSubmission, LeadForm
from app.users.rights import Actor

MOST_TRIED = 100
_MOST_FORGOTTEN = 2000
_PHONES_KEPT = timedelta(days=1)


def mend(
    session: Session, settings: Settings, actor: Actor, submission: FormSubmission, values: Mapping[str, str]
) -> FormSubmission:
    """Put texts in the place of what was sent, and let it become a lead if it can be one now.

    Args:
        values: texts by form field; what was sent stays beside them.

    Raises:
        FieldsInvalid: ``unknown`` for what is no field of the form.
        Conflict: ``state_conflict`` unless it is faulty.
    """
    submission = _faulty(session, submission, "accepted")
    form = fetch(session, LeadForm, submission.form_id)
    if foreign := sorted(set(values) - {one["from"] for one in form.document["fields"]}):
        raise FieldsInvalid({f"values.{name}": ["unknown"] for name in foreign})
    about = Subject("form_submission", submission.id)
    before = last_entry(session, about)
    submission.mended = {**submission.mended, **values}
    touch(session, submission)
    cause = record(session, "form.mended", about, causes=[before], actor_id=actor.id, fields=sorted(values))
    judge(session, settings, form, submission, cause)
    return submission


def dismiss(session: Session, actor: Actor, submission: FormSubmission, reason: str) -> FormSubmission:
    """Say that nothing is to come of a submission, and why.

    Raises:
        Conflict: ``state_conflict`` unless it is faulty.
    """
    about = Subject("form_submission", submission.id)
    before = last_entry(session, about)
    transition(session, submission, "dismissed")
    record(session, "form.dismissed", about, causes=[before], actor_id=actor.id, reason=reason)
    return submission


def waiting(session: Session, form: LeadForm, after: str) -> tuple[list[str], str | None]:
    """Return the ids of faulty submissions of a form, the oldest first, at most 100.

    Args:
        after: the id to go on behind; empty for the first ones.

    Returns:
        The ids, and the one to go on behind, or None when that were all.
    """
    found = select(FormSubmission.id).where(
        FormSubmission.form_id == form.id,
        FormSubmission.state == "faulty",
        FormSubmission.deleted_at.is_(None),
        FormSubmission.id > after,
    )
    ids = list(session.scalars(found.order_by(FormSubmission.id).limit(MOST_TRIED + 1)))
    return ids[:MOST_TRIED], ids[MOST_TRIED - 1] if len(ids) > MOST_TRIED else None


def try_again(session: Session, settings: Settings, actor: Actor, form: LeadForm, submission_id: str) -> str | None:
    """Let a faulty submission become a lead by its form's present document; each in a transaction of its own.

    Who makes leads holds the series of their numbers until the commit, and people before leads: of two in one transaction the
    second would take them the other way round, and strangers would wait for all of them.

    Returns:
        Its state now; None where it is not faulty any more.
    """
    submission = hold(session, FormSubmission, submission_id)
    if submission.state != "faulty":
        return None
    about = Subject("form_submission", submission_id)
    causes = [last_entry(session, about), last_entry(session, Subject("lead_form", form.id))]
    cause = record(session, "form.tried_again", about, causes=causes, actor_id=actor.id, form=form.name)
    return judge(session, settings, form, submission, cause)


def _faulty(session: Session, submission: FormSubmission, wanted: str) -> FormSubmission:
    submission = hold(session, FormSubmission, submission.id)
    if submission.state != "faulty":
        raise Conflict("state_conflict", state=submission.state, wanted=wanted)
    return submission


def forget(session: Session, settings: Settings) -> int:
    """Delete what was sent, once it is done with and older than the setting ``lead_submission_days``; faulty ones stay.

    Of a submission only that there was one is left: who sent what is gone. At most ``_MOST_FORGOTTEN`` at a time.
    """
    present = now(session)
    old = (
        FormSubmission.state.in_(("accepted", "repeated", "dismissed")),
        FormSubmission.updated_at < present - timedelta(days=settings.lead_submission_days),
        FormSubmission.deleted_at.is_(None),
    )
    emptied: dict[str, Any] = {"sent": {}, "mended": {}, "errors": {}, "sent_id": None, "deleted_at": present}
    some = session.scalars(select(FormSubmission.id).where(*old).order_by(FormSubmission.id).limit(_MOST_FORGOTTEN)).all()
    if some:
        forgotten = update(FormSubmission).where(among(session, FormSubmission.id, some)).values(emptied)
        session.execute(forgotten.execution_options(synchronize_session=False))
    session.execute(delete(FormPhone).where(FormPhone.at < present - _PHONES_KEPT))
    return len(some)
