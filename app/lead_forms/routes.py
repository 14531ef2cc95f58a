"""Lead forms over HTTP, and the public door that takes what is sent through them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from flask import Response, g, request
from sqlalchemy.orm import Session

from app.core.edge import edge_database, edge_settings
from app.core.errors import TooMany, Unauthenticated
from app.core.http import PUBLIC, Routes, check_version, past_deadlocks
from app.core.paging import page, page_of
from app.core.problems import Malformed, Unsupported
from app.core.texts import field_text
from app.core.wire import WireError
from app.lead_forms import bodies, intake, mending, operations, queries, schemas
from app.lead_forms.documents import Faults
from app.lead_forms.models import FormSubmission, LeadForm
from app.users.rights import Actor

routes = Routes("lead_forms", __name__, description="Forms of web pages whose senders become leads")
_FIELDS = ("id", "version", "created_at", "updated_at", "name", "document", "state")
_SUBMISSION = ("id", "version", "created_at", "updated_at", "form_id", "state", "sent", "mended", "lead_id")
_COUNTED = ("accepted", "repeated", "faulty", "dismissed", "trapped")


def _shown(session: Session, forms: Iterable[LeadForm]) -> list[dict[str, Any]]:
    forms = list(forms)
    counts = queries.counts_of(session, [form.id for form in forms])
    return [
        {name: getattr(form, name) for name in _FIELDS} | {"counts": {name: counts[form.id].get(name, 0) for name in _COUNTED}}
        for form in forms
    ]


def _one(session: Session, form: LeadForm) -> dict[str, Any]:
    return _shown(session, [form])[0]


def _with_token(session: Session, form: LeadForm, token: str) -> dict[str, Any]:
    return _one(session, form) | {"token": token, "path": f"/api/v1/form-submissions/{token}"}


def _errors(faults: Faults, locale: str) -> list[dict[str, str]]:
    return [{"field": name, "code": code, "text": field_text(code, locale)} for name, codes in faults.items() for code in codes]


def _sent(actor: Actor, row: FormSubmission) -> dict[str, Any]:
    told = {"submission_id": row.sent_id, "errors": _errors(row.errors, actor.locale)}
    return {name: getattr(row, name) for name in _SUBMISSION} | told


@routes.door("GET", "/lead-forms", policy="leads.manage", query=schemas.LeadFormQuery, answer=page_of(schemas.LeadFormSchema))
def list_forms(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List forms, each with how many submissions are in which state."""
    found = queries.visible_to(actor)
    if "state" in query:
        found = found.where(LeadForm.state == query["state"])
    listed = page(session, found, LeadForm, query)
    return listed | {"items": _shown(session, listed["items"])}


@routes.door(
    "POST",
    "/lead-forms",
    policy="leads.manage",
    body=schemas.LeadFormSchema,
    answer=schemas.LeadFormWithTokenSchema,
    status=201,
    idempotent=False,
)
def create_form(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Add a form; the answer shows its token this once."""
    return _with_token(session, *operations.create_form(session, actor, body))


@routes.door("GET", "/lead-forms/<lead_form_id>", policy="leads.manage", answer=schemas.LeadFormSchema)
def read_form(session: Session, actor: Actor, lead_form_id: str) -> dict[str, Any]:
    """Read one form."""
    return _one(session, queries.access_form(session, actor, lead_form_id))


@routes.door(
    "PATCH",
    "/lead-forms/<lead_form_id>",
    policy="leads.manage",
    body=schemas.LeadFormEditSchema,
    answer=schemas.LeadFormSchema,
)
def edit_form(session: Session, actor: Actor, body: dict[str, Any], lead_form_id: str) -> dict[str, Any]:
    """Change a form; what is faulty stays so until it is tried again."""
    form = queries.access_form(session, actor, lead_form_id)
    check_version(form)
    return _one(session, operations.edit_form(session, actor, form, body))


@routes.door(
    "POST",
    "/lead-forms/<lead_form_id>/token",
    policy="leads.manage",
    answer=schemas.LeadFormWithTokenSchema,
    idempotent=False,
)
def renew_token(session: Session, actor: Actor, lead_form_id: str) -> dict[str, Any]:
    """Give a form another token, shown this once; the one before ends at once."""
    form = queries.access_form(session, actor, lead_form_id)
    return _with_token(session, form, operations.renew_token(session, actor, form))


@routes.door("POST", "/lead-forms/<lead_form_id>/retire", policy="leads.manage", answer=schemas.LeadFormSchema)
def retire_form(session: Session, actor: Actor, lead_form_id: str) -> dict[str, Any]:
    """Let nothing come through a form any more."""
    return _one(session, operations.retire_form(session, actor, queries.access_form(session, actor, lead_form_id)))


@routes.door(
    "GET",
    "/lead-forms/<lead_form_id>/submissions",
    policy="leads.manage",
    query=schemas.SubmissionQuery,
    answer=page_of(schemas.SubmissionSchema),
)
def list_submissions(session: Session, actor: Actor, query: dict[str, Any], lead_form_id: str) -> dict[str, Any]:
    """List what was sent through a form, and what is wrong with what became no lead."""
    form = queries.access_form(session, actor, lead_form_id)
    found = queries.visible_submissions(actor).where(FormSubmission.form_id == form.id)
    if "state" in query:
        found = found.where(FormSubmission.state == query["state"])
    listed = page(session, found, FormSubmission, query)
    return listed | {"items": [_sent(actor, row) for row in listed["items"]]}


@routes.door(
    "POST",
    "/lead-forms/<lead_form_id>/retry",
    policy="leads.manage",
    body=schemas.RetrySchema,
    answer=schemas.RetriedSchema,
    idempotent=False,
    own_transactions=True,
)
def try_again(actor: Actor, body: dict[str, Any], lead_form_id: str) -> dict[str, Any]:
    """Try faulty submissions again by the form as it is now, at most 100, one by one; ``next`` goes on.

    Asked again, it tries those that are faulty still.
    """
    database, settings = edge_database(), edge_settings()
    with database.reading() as session:
        ids, following = mending.waiting(session, queries.access_form(session, actor, lead_form_id), body.get("after", ""))
    found = dict.fromkeys(("accepted", "repeated", "faulty"), 0)

    def once(submission_id: str) -> str | None:
        with database.transaction() as session:
            form = queries.access_form(session, actor, lead_form_id)
            return mending.try_again(session, settings, actor, form, submission_id)

    for submission_id in ids:
        state = past_deadlocks(partial(once, submission_id))
        if state is not None:
            found[state] += 1
    return {**found, "next": following}


@routes.door(
    "POST",
    "/lead-form-submissions/<submission_id>/mend",
    policy="leads.manage",
    body=schemas.MendSchema,
    answer=schemas.SubmissionSchema,
)
def mend(session: Session, actor: Actor, body: dict[str, Any], submission_id: str) -> dict[str, Any]:
    """Put texts in the place of what was sent; it becomes a lead, or says what is still wrong."""
    row = queries.access_submission(session, actor, submission_id)
    return _sent(actor, mending.mend(session, edge_settings(), actor, row, body["values"]))


@routes.door(
    "POST",
    "/lead-form-submissions/<submission_id>/dismiss",
    policy="leads.manage",
    body=schemas.DismissSchema,
    answer=schemas.SubmissionSchema,
)
def dismiss(session: Session, actor: Actor, body: dict[str, Any], submission_id: str) -> dict[str, Any]:
    """Say that nothing is to come of a faulty submission."""
    row = queries.access_submission(session, actor, submission_id)
    return _sent(actor, mending.dismiss(session, actor, row, body["reason"]))


@routes.door(
    "POST",
    "/lead-form-trials",
    policy="leads.manage",
    body=schemas.FormTrialSchema,
    answer=schemas.FormTrialAnswerSchema,
    idempotent=False,
    own_transactions=True,
)
def try_form(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Try a draft on a sample: what lead would come of it, or what is wrong. Nothing is saved."""
    with edge_database().reading() as session:
        values, faults, trapped = operations.try_form(session, body["document"], body["sample"])
    if values is not None and "budget" in values:
        values["budget"] = f"{values['budget']:.2f}"
    return {"lead": values, "errors": _errors(faults, actor.locale), "trapped": trapped}


def tell_origin(answer: Response) -> Response:
    """Let the page that sent read the answer, refusals among them, where the form names its origin."""
    if request.path.startswith("/api/v1/form-submissions/"):
        answer.headers.add("Vary", "Origin")
        if "form_origin" in g:
            answer.headers["Access-Control-Allow-Origin"] = g.form_origin
    return answer


routes.after_request(tell_origin)


def _form(token: str) -> LeadForm:
    """Return the form of a token, and note the origin that may read the answer."""
    form = intake.form_of_token(edge_database(), token, request.remote_addr or "-")
    origin = request.headers.get("Origin")
    if origin is not None and intake.is_allowed(form, origin):
        g.form_origin = origin
    return form


# Before the other: Flask would answer OPTIONS by itself for that.
@routes.door("OPTIONS", "/form-submissions/<token>", policy=PUBLIC, status=204, idempotent=False, own_transactions=True)
def describe_intake(_actor: None, token: str) -> Response:
    """Tell a browser whether the page it shows may send."""
    answer = Response(status=204)
    try:
        _form(token)
    except (Unauthenticated, TooMany):
        return answer  # without the headers the browser sends nothing
    if "form_origin" in g:
        answer.headers["Access-Control-Allow-Methods"] = "POST"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        answer.headers["Access-Control-Max-Age"] = "600"
    return answer


@routes.door(
    "POST",
    "/form-submissions/<token>",
    policy=PUBLIC,
    answer=schemas.TakenSchema,
    status=202,
    idempotent=False,
    own_transactions=True,
)
def take_submission(_actor: None, token: str) -> dict[str, Any]:
    """Take in what somebody filled in; the token is the form's.

    A JSON object, ``application/x-www-form-urlencoded`` or ``multipart/form-data``, flat, of at most 60 fields of 2,000
    characters, without files. ``submission_id`` is the sender's own id: the same one again changes nothing. The answer is the
    same whatever comes of it. 401: no such token; 403 ``origin_refused``: a page that the form does not name; 429: too often
    within a minute.
    """
    form, origin = _form(token), request.headers.get("Origin")
    database, settings = edge_database(), edge_settings()
    intake.check_origin(form, origin)
    with database.transaction(durable=False) as session:
        intake.count_call(session, settings, form, request.remote_addr or "-")
    if request.mimetype not in {bodies.JSON, bodies.FORM, bodies.PARTS}:
        raise Unsupported("unsupported_media_type")
    request.max_content_length = bodies.MOST_BYTES
    try:
        boundary = request.mimetype_params.get("boundary", "")
        sent_id, sent = bodies.read_body(request.get_data(cache=False), request.mimetype, boundary)
    except WireError as fault:
        raise Malformed("malformed", reason=fault.reason) from None

    def once() -> None:
        with database.transaction() as session:
            intake.submit(session, settings, token, sent_id, sent)

    past_deadlocks(once)
    return {"status": "accepted"}
