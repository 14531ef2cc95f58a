"""What reps ask for of contacts and leads, and what they did for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.contacts import operations as contacts
from app.contacts import queries as contact_queries
from app.core import fields
from app.follow_ups import operations as follow_ups
from app.follow_ups import queries as follow_up_queries
from app.follow_ups import schemas as follow_up_schemas
from app.leads import assigning as lead_assigning
from app.leads import operations as leads
from app.leads import queries as lead_queries
from app.leads import schemas as lead_schemas
from app.leads.models import Lead
from app.users.rights import Actor
from offline_sync.intent_kinds.base import IntentKind


class _Contact(fields.Schema):
    contact_id = fields.Id(required=True)


class _MergeContacts(_Contact):
    other_id = fields.Id(required=True)


class _Lead(fields.Schema):
    lead_id = fields.Id(required=True)


class _LeadBack(_Lead, lead_schemas.LeadBackSchema):
    """Why; see ``POST /leads/<id>/lose``."""


def _of_lead(body: Mapping[str, Any]) -> tuple[str, str]:
    return "leads", body["lead_id"]


def _followed(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a follow-up hangs on that may come last: a contact waits for its customer itself."""
    if body.get("contact_id"):
        return "contacts", body["contact_id"]
    if body.get("visit_id"):
        return "visits", body["visit_id"]
    return ("leads", body["lead_id"]) if body.get("lead_id") else ("customers", body["customer_id"])


class _Done(follow_up_schemas.StepDoneSchema):
    follow_up_id = fields.Id(required=True)


def _lead(session: Session, actor: Actor, body: dict[str, Any]) -> Lead:
    return lead_queries.access_lead(session, actor, body["lead_id"])


def _about_contact(body: Mapping[str, Any]) -> tuple[str, str]:
    return "contacts", body["contact_id"]


def _contact(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return contact_queries.access_contact(session, actor, body["contact_id"])


def _merge_contacts(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    keeper = _contact(session, actor, body)
    other = contacts.other_contact(session, actor, contact_queries.access_contact, body["other_id"])
    return contacts.merge_contacts(session, actor, keeper, other)


SALES: dict[str, IntentKind] = {
    "contact.confirm": IntentKind(
        "contacts.write", _Contact, lambda s, _, a, b: contacts.confirm_contact(s, a, _contact(s, a, b)), about=_about_contact
    ),
    "contact.reject": IntentKind(
        "contacts.write", _Contact, lambda s, _, a, b: contacts.reject_contact(s, a, _contact(s, a, b)), about=_about_contact
    ),
    "contact.merge": IntentKind(
        "contacts.write", _MergeContacts, lambda s, _, a, b: _merge_contacts(s, a, b), about=_about_contact
    ),
    "lead.claim": IntentKind("leads.claim", _Lead, lambda s, c, a, b: lead_assigning.claim(s, c, a, b["lead_id"])),
    "lead.give_back": IntentKind(
        "leads.write",
        _LeadBack,
        lambda s, _, a, b: lead_assigning.give_back(s, a, _lead(s, a, b), b["reason"]),
        about=_of_lead,
    ),
    "lead.qualify": IntentKind("leads.write", _Lead, lambda s, _, a, b: leads.qualify(s, a, _lead(s, a, b)), about=_of_lead),
    "lead.lose": IntentKind(
        "leads.write", _LeadBack, lambda s, _, a, b: leads.lose(s, a, _lead(s, a, b), b["reason"]), about=_of_lead
    ),
    # In the order in which they were done: a lead is claimed before it is called.
    "follow_up.log": IntentKind(
        "follow_ups.write",
        follow_up_schemas.FollowUpSchema,
        lambda s, _, a, b: follow_ups.log_follow_up(s, a, b),
        happened=True,
        about=_followed,
    ),
    "follow_up.done": IntentKind(
        "follow_ups.write",
        _Done,
        lambda s, _, a, b: follow_ups.finish_step(
            s, a, follow_up_queries.access_follow_up(s, a, b["follow_up_id"]), b.get("done_at")
        ),
        happened=True,
        about=lambda b: ("follow_ups", b["follow_up_id"]),
    ),
}
