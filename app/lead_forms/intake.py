"""What comes through a form: whose token it is, how often, and what becomes of it: a lead, a note on one, or a faulty row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from app.core.db import Database, insert_once, now
from app.core.errors import FieldsInvalid, Forbidden, TooMany, Unauthenticated
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import fetch, hold, transition
from app.lead_forms import queries
from app.lead_forms.documents import Document, Faults, read_document
from app.lead_forms.models import FormPhone, FormSubmission, FormTrap, LeadForm
from app.lead_forms.reading import is_trapped, read_submission
from app.leads.models import LIVE_STATES, Lead
from app.leads.operations import create_lead
from app.users import queries as users
from app.users import secrets, tries
from push.outbox import enqueue

_TOKEN_TRIES = 30
_MINUTE_S = 60


def form_of_token(database: Database, token: str, address: str) -> LeadForm:
    """Return the form a token is of.

    Wrong tokens are counted by the network address they come from; a right one is never held up by them.

    Raises:
        Unauthenticated: ``unauthenticated`` for a token that is no active form's; its trace counts the failure.
        TooMany: ``too_many_requests`` instead, while the address is locked.
    """
    subject = tries.subject_of("lead-form-address", address)
    with database.reading() as session:
        form = session.scalar(_of_token(token))
        if form is not None:
            return form
        left_s = tries.locked_for_s(session, subject)
    if left_s is not None:
        raise TooMany("too_many_requests", retry_after_s=left_s)
    raise Unauthenticated("unauthenticated", trace=lambda own: tries.count_failure(own, subject, _TOKEN_TRIES))


def _of_token(token: str) -> Select[LeadForm]:
    return select(LeadForm).where(
        LeadForm.token_hash == secrets.token_hash(token), LeadForm.state == "active", LeadForm.deleted_at.is_(None)
    )


def is_allowed(form: LeadForm, origin: str) -> bool:
    """Tell whether a form names the origin of a page."""
    return origin in form.document["origins"]


def check_origin(form: LeadForm, origin: str | None) -> None:
    """Refuse a browser on a page that the form does not name; programs send no origin.

    Raises:
        Forbidden: ``origin_refused``.
    """
    if origin is not None and not is_allowed(form, origin):
        raise Forbidden("origin_refused")


def count_call(session: Session, settings: Settings, form: LeadForm, address: str) -> None:
    """Count one call of a form from a network address, whatever comes of it.

    Raises:
        TooMany: ``too_many_requests`` beyond the setting ``lead_form_per_minute`` within one minute of the clock.
    """
    present_s = int(now(session).timestamp())
    subject = tries.subject_of("lead-form", form.id, address, str(present_s // _MINUTE_S))
    tries.count_failure(session, subject, settings.lead_form_per_minute + 1, first_lock_s=_MINUTE_S)
    if tries.locked_until(session, subject) is not None:
        raise TooMany("too_many_requests", retry_after_s=_MINUTE_S - present_s % _MINUTE_S)


def submit(session: Session, settings: Settings, token: str, sent_id: str | None, sent: Mapping[str, str]) -> None:
    """Take in a submission. The same ``sent_id`` again changes nothing; what fills the trap is only counted.

    Args:
        token: the form's; it is asked again, for it may have ended since.
        sent_id: the sender's own id of the submission, if any.
        sent: texts by form field.

    Raises:
        Unauthenticated: ``unauthenticated`` when the token has just ended.
    """
    form = session.scalar(_of_token(token).with_for_update(read=True).execution_options(populate_existing=True))
    if form is None:
        raise Unauthenticated("unauthenticated")
    document = read_document(form.document)
    if is_trapped(document, sent):
        session.execute(update(FormTrap).where(FormTrap.form_id == form.id).values(n=FormTrap.n + 1))
        return
    row_id, present = new_id(), now(session)
    dates = {"version": 1, "created_at": present, "updated_at": present}
    values = {"form_id": form.id, "sent_id": sent_id, "sent": dict(sent), "mended": {}, "errors": {}, "state": "received"}
    if not insert_once(session, FormSubmission, id=row_id, **values, **dates):
        return
    submission = fetch(session, FormSubmission, row_id)
    about = Subject("form_submission", submission.id)
    formed = last_entry(session, Subject("lead_form", form.id))
    cause = record(session, "form.submitted", about, causes=[formed], form=form.name)
    judge(session, settings, form, submission, cause)


def judge(session: Session, settings: Settings, form: LeadForm, submission: FormSubmission, cause: HistoryEntry) -> str:
    """Let a submission become a lead, or a note on a live one, or say what is wrong with it; return its state then.

    Args:
        form: as it is now.
        submission: received, or faulty and held by the caller.
        cause: the entry it follows from.

    Raises:
        Conflict: ``state_conflict`` when it is neither any more.
    """
    document = read_document(form.document)
    values, faults = read_submission(document, {**submission.sent, **submission.mended}, queries.targets(session))
    if faults:
        return _hold_back(session, submission, faults, cause)
    live = _live_lead(session, settings, values["phone"])
    if live is not None:
        transition(session, submission, "repeated", errors={}, lead_id=live.id)
        _note(session, form, submission, live, values["interest"], cause)
        return submission.state
    try:
        with session.begin_nested():
            lead = create_lead(session, settings, None, values, causes=[cause])
    except FieldsInvalid as refusal:
        return _hold_back(session, submission, _by_source(document, refusal.errors), cause)
    transition(session, submission, "accepted", errors={}, lead_id=lead.id)
    return submission.state


def _by_source(document: Document, faults: Faults) -> Faults:
    """Return faults of a lead's fields by the form field that gave them."""
    return {document.sources.get(name, name): codes for name, codes in faults.items()}


def _hold_back(session: Session, submission: FormSubmission, faults: Faults, cause: HistoryEntry) -> str:
    told = sorted(faults)
    known = submission.errors == faults
    transition(session, submission, "faulty", errors=faults)
    if not known:
        about = Subject("form_submission", submission.id)
        record(session, "form.held_back", about, causes=[cause], fields=told)
    return submission.state


def _live_lead(session: Session, settings: Settings, phone: str) -> Lead | None:
    """Return the newest live lead with a number, held, if it is young enough; whoever else brings the number waits here."""
    hashed = tries.subject_of("lead-form-phone", phone)
    insert_once(session, FormPhone, phone_hash=hashed, at=now(session))
    session.execute(update(FormPhone).where(FormPhone.phone_hash == hashed).values(at=now(session)))
    since = now(session) - timedelta(days=settings.lead_repeat_days)
    same = select(Lead.id).where(
        Lead.phone == phone, Lead.state.in_(LIVE_STATES), Lead.deleted_at.is_(None), Lead.created_at > since
    )
    for lead_id in session.scalars(same.order_by(Lead.id.desc()).limit(5)).all():
        lead = hold(session, Lead, lead_id)
        if lead.state in LIVE_STATES:  # as it is now that nobody else changes it
            return lead
    return None


def _note(
    session: Session, form: LeadForm, submission: FormSubmission, lead: Lead, interest: str, cause: HistoryEntry
) -> HistoryEntry:
    """Write on a lead's story that its person filled in a form again, and tell its rep."""
    about = Subject("lead", lead.id)
    causes: Sequence[HistoryEntry | None] = [cause, last_entry(session, about)]
    entry = record(session, "lead.asked_again", about, causes=causes, form=form.name, interest=interest)
    enqueue(
        session,
        users.still_there(session, lead.owner_id),
        "lead_asked_again",
        about,
        dedupe=f"lead:{lead.id}:asked:{submission.id}",
        causes=[entry],
        lead_number=lead.number,
        lead_name=lead.name,
        interest=interest,
        form_name=form.name,
    )
    return entry
