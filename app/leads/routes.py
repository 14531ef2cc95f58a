"""Leads over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.paging import page, page_of
from app.customers.duplicates import likeness_shown
from app.leads import assigning, conversion, figures, operations, queries, schemas, scores
from app.leads.models import LIVE_STATES, Lead, LeadRouting, LeadScoreVersion, PoolLead
from app.leads.scoring import told
from app.users.rights import Actor

routes = Routes("leads", __name__, description="Leads, the pool, scores and routing")
_FIELDS = tuple(schemas.LeadSchema().fields)
_MOST_VERSIONS = 100


def _shown(session: Session, actor: Actor, leads: Iterable[Lead]) -> list[dict[str, Any]]:
    """Return leads with what their scores are made of in the reader's language."""
    leads = list(leads)
    names = queries.names_in(session, leads, actor.locale)
    return [
        {name: getattr(lead, name) for name in _FIELDS} | {"score_reasons": told(lead.score_reasons, actor.locale, names)}
        for lead in leads
    ]


def _one(session: Session, actor: Actor, lead: Lead) -> dict[str, Any]:
    return _shown(session, actor, [lead])[0]


@routes.door("GET", "/leads", policy="leads.read", query=schemas.LeadQuery, answer=page_of(schemas.LeadSchema))
def list_leads(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List leads: a rep their own, the office all."""
    found: Select[Lead] = figures.narrowed(edge_settings(), queries.visible_to(actor), query)
    if "figure" in query:
        found = found.where(figures.FIGURES[query["figure"]])
    if "state" in query:
        found = found.where(Lead.state == query["state"])
    if "at_least" in query:
        found = found.where(Lead.score >= query["at_least"])
    if query.get("list") == "pool":
        found = found.where(Lead.owner_id.is_(None), Lead.state.in_(LIVE_STATES))
    if query.get("list") == "overdue":
        found = found.where(Lead.first_touch_due_at <= now(session), Lead.first_touch_at.is_(None), Lead.state.in_(LIVE_STATES))
    listed = page(session, found, Lead, query)
    return listed | {"items": _shown(session, actor, listed["items"])}


@routes.door("POST", "/leads", policy="leads.write", body=schemas.LeadSchema, answer=schemas.LeadSchema, status=201)
def create_lead(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Add a lead: a rep's is theirs, one of the office goes where the rules say."""
    return _one(session, actor, operations.create_lead(session, edge_settings(), actor, body))


@routes.door("GET", "/leads/<lead_id>", policy="leads.read", answer=schemas.LeadSchema)
def read_lead(session: Session, actor: Actor, lead_id: str) -> dict[str, Any]:
    """Read one lead."""
    return _one(session, actor, queries.access_lead(session, actor, lead_id))


@routes.door("PATCH", "/leads/<lead_id>", policy="leads.write", body=schemas.LeadEditSchema, answer=schemas.LeadSchema)
def edit_lead(session: Session, actor: Actor, body: dict[str, Any], lead_id: str) -> dict[str, Any]:
    """Change what is known of a lead."""
    lead = queries.access_lead(session, actor, lead_id)
    check_version(lead)
    return _one(session, actor, operations.edit_lead(session, actor, lead, body))


@routes.door("GET", "/pool-leads", policy="leads.read", query=schemas.PoolQuery, answer=page_of(schemas.PoolLeadSchema))
def list_pool(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List what may be claimed: a rep sees the pool of their territories and of none, without name and number."""
    found: Select[PoolLead] = queries.visible_pool(actor)
    if "territory_id" in query:
        found = found.where(PoolLead.territory_id == query["territory_id"])
    if "at_least" in query:
        found = found.where(PoolLead.score >= query["at_least"])
    return page(session, found, PoolLead, query)


@routes.door("POST", "/leads/<lead_id>/claim", policy="leads.claim", answer=schemas.LeadSchema)
def claim_lead(session: Session, actor: Actor, lead_id: str) -> dict[str, Any]:
    """Take a lead out of the pool; of two who do so at once, one gets it."""
    return _one(session, actor, assigning.claim(session, edge_settings(), actor, lead_id))


@routes.door("POST", "/leads/<lead_id>/give-back", policy="leads.write", body=schemas.LeadBackSchema, status=204)
def give_back_lead(session: Session, actor: Actor, body: dict[str, Any], lead_id: str) -> None:
    """Put a lead back into the pool."""
    assigning.give_back(session, actor, queries.access_lead(session, actor, lead_id), body["reason"])


@routes.door("POST", "/leads/<lead_id>/assign", policy="leads.manage", body=schemas.LeadAssignSchema, answer=schemas.LeadSchema)
def assign_lead(session: Session, actor: Actor, body: dict[str, Any], lead_id: str) -> dict[str, Any]:
    """Give a lead to a rep."""
    lead = queries.access_lead(session, actor, lead_id)
    return _one(session, actor, assigning.assign(session, edge_settings(), actor, lead, body["user_id"]))


@routes.door("POST", "/leads/<lead_id>/qualify", policy="leads.write", answer=schemas.LeadSchema)
def qualify_lead(session: Session, actor: Actor, lead_id: str) -> dict[str, Any]:
    """Say that a lead is worth going on with."""
    return _one(session, actor, operations.qualify(session, actor, queries.access_lead(session, actor, lead_id)))


@routes.door("POST", "/leads/<lead_id>/lose", policy="leads.write", body=schemas.LeadBackSchema, answer=schemas.LeadSchema)
def lose_lead(session: Session, actor: Actor, body: dict[str, Any], lead_id: str) -> dict[str, Any]:
    """Say that nothing comes of a lead, and why."""
    lead = queries.access_lead(session, actor, lead_id)
    return _one(session, actor, operations.lose(session, actor, lead, body["reason"]))


@routes.door("POST", "/leads/<lead_id>/reopen", policy="leads.manage", answer=schemas.LeadSchema)
def reopen_lead(session: Session, actor: Actor, lead_id: str) -> dict[str, Any]:
    """Open a lost lead again."""
    lead = queries.access_lead(session, actor, lead_id)
    return _one(session, actor, operations.reopen(session, edge_settings(), actor, lead))


@routes.door("GET", "/leads/<lead_id>/duplicates", policy="leads.read", answer=schemas.LeadLikenessesSchema)
def list_duplicates(session: Session, actor: Actor, lead_id: str) -> dict[str, Any]:
    """List the customers a lead may be already, and other leads with its phone number."""
    lead = queries.access_lead(session, actor, lead_id)
    found = conversion.likely_customers(session, actor, lead)
    return {
        "customers": [likeness_shown(one, actor.locale) for one in found],
        "leads": queries.same_phone(session, actor, lead),
    }


@routes.door("POST", "/leads/<lead_id>/convert", policy="leads.write", body=schemas.ConvertSchema, answer=schemas.ConvertedSchema)
def convert_lead(session: Session, actor: Actor, body: dict[str, Any], lead_id: str) -> dict[str, Any]:
    """Turn a qualified lead into a customer: the one it is already, or a new one made of its fields. Safe to repeat."""
    lead = queries.access_lead(session, actor, lead_id)
    made = conversion.convert(session, actor, lead, body.get("customer_id"), body.get("values"))
    return _one(session, actor, made) | {"left_behind": conversion.left_behind(session, made)}


@routes.door("GET", "/leads/<lead_id>/holdings", policy="leads.manage", answer=schemas.HoldingsSchema)
def list_holdings(session: Session, actor: Actor, lead_id: str) -> dict[str, Any]:
    """List who had a lead, and when they first touched it."""
    return {"items": queries.holdings_of(session, queries.access_lead(session, actor, lead_id).id)}


def _score_shown(session: Session, version: LeadScoreVersion) -> dict[str, Any]:
    newest = queries.newest_score(session, version.area)
    names = ("id", "territory_id", "number", "document", "since", "author_id")
    in_force = newest is not None and newest.id == version.id and version.document is not None
    return {name: getattr(version, name) for name in names} | {"in_force": in_force}


@routes.door("GET", "/lead-scores", policy="leads.manage", answer=schemas.ScoresSchema)
def list_scores(session: Session, actor: Actor) -> dict[str, Any]:
    """List the versions of scores, newest first, at most 100."""
    rows = session.scalars(select(LeadScoreVersion).order_by(LeadScoreVersion.id.desc()).limit(_MOST_VERSIONS))
    return {"items": [_score_shown(session, row) for row in rows]}


@routes.door("POST", "/lead-scores", policy="leads.manage", body=schemas.ScoreSchema, answer=schemas.ScoreSchema, status=201)
def set_score(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Switch a new version of a score on, everywhere or in one territory; the worker then scores its leads anew."""
    return _score_shown(session, scores.set_score(session, actor, body["territory_id"], body["document"]))


@routes.door(
    "POST",
    "/lead-score-trials",
    policy="leads.manage",
    body=schemas.ScoreTrialSchema,
    answer=schemas.ScoreTrialAnswerSchema,
    idempotent=False,
)
def try_score(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Show what a draft would make of the newest 2,000 live leads; nothing is written."""
    return scores.try_score(session, actor, body["territory_id"], body["document"])


@routes.door("GET", "/lead-routings", policy="leads.manage", answer=schemas.RoutingsSchema)
def list_routings(session: Session, actor: Actor) -> dict[str, Any]:
    """List the versions of the rules by which new leads find their rep, newest first, at most 100."""
    return {"items": list(session.scalars(select(LeadRouting).order_by(LeadRouting.number.desc()).limit(_MOST_VERSIONS)))}


@routes.door(
    "POST", "/lead-routings", policy="leads.manage", body=schemas.RoutingSchema, answer=schemas.RoutingSchema, status=201
)
def set_routing(session: Session, actor: Actor, body: dict[str, Any]) -> LeadRouting:
    """Switch a new version of these rules on; leads that have a rep stay with them."""
    return scores.set_routing(session, actor, body["document"])
