"""The only readers of leads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select, true
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.errors import NotFound
from app.core.locales import EN
from app.core.tracked import one_of
from app.custom_fields.models import CustomField
from app.custom_fields.queries import fields_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.leads import routings, scoring
from app.leads.conditions import OWN
from app.leads.models import LIVE_STATES, Lead, LeadHolding, LeadRouting, LeadScoreVersion, PoolLead
from app.leads.routings import Routing, read_routing
from app.leads.scoring import ScoreDocument, read_score
from app.territories.models import Territory
from app.users.rights import REP, Actor

# What scores are made by before the office wrote a document.
BUILT_IN = "built-in"
EVERYWHERE = ""


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``Lead``: a rep's own; the office's all. What is in the pool is a ``PoolLead`` to reps."""
    if actor.sees_all:
        return true()
    if actor.role != REP or actor.partner_id is not None:
        return false()
    return Lead.owner_id == actor.id


def visible_to(actor: Actor) -> Select[Lead]:
    """Return the leads an actor may see in full."""
    return select(Lead).where(Lead.deleted_at.is_(None), in_scope(actor))


def told_to(actor: Actor) -> Select[Lead]:
    """Return the leads whose story an actor may read: those they see in full, and those that became a customer they see."""
    became = Lead.customer_id.in_(select(Customer.id).where(customers.in_scope(actor)))
    known = or_(in_scope(actor), became) if actor.role == REP and actor.partner_id is None else in_scope(actor)
    return select(Lead).where(Lead.deleted_at.is_(None), known)


def access_lead(session: Session, actor: Actor, lead_id: str) -> Lead:
    """Load one lead the actor may see in full.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Lead, lead_id)


def held_lead(session: Session, actor: Actor, lead_id: str) -> Lead:
    """Load one lead the actor has, or had: what they did with it then still comes from their phone.

    Raises:
        NotFound: when there is none, or they never had it.
    """
    had = select(LeadHolding.lead_id).where(LeadHolding.user_id == actor.id)
    lead = session.scalar(
        select(Lead).where(Lead.id == lead_id, Lead.deleted_at.is_(None), or_(in_scope(actor), Lead.id.in_(had)))
    )
    if lead is None:
        raise NotFound
    return lead


def pool_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``PoolLead``: those of a rep's territories, and those of none; the office's all."""
    if actor.sees_all:
        return true()
    if actor.role != REP or actor.partner_id is not None:
        return false()
    return or_(PoolLead.territory_id.is_(None), PoolLead.territory_id.in_(sorted(actor.territory_ids)))


def visible_pool(actor: Actor) -> Select[PoolLead]:
    """Return what an actor may see of the pool."""
    return select(PoolLead).where(PoolLead.deleted_at.is_(None), pool_in_scope(actor))


def claimable(session: Session, actor: Actor, lead_id: str) -> str:
    """Return the id of a lead that is in an actor's pool, or was: who comes too late is told so.

    Raises:
        NotFound: when it never was.
    """
    found = session.scalar(select(PoolLead.id).where(PoolLead.id == lead_id, pool_in_scope(actor)))
    if found is None:
        raise NotFound
    return found


def holdings_of(session: Session, lead_id: str) -> list[LeadHolding]:
    """Return who had a lead, the last one first."""
    rows = select(LeadHolding).where(LeadHolding.lead_id == lead_id)
    return list(session.scalars(rows.order_by(LeadHolding.number.desc()).limit(100)))


def live_count(session: Session, user_id: str) -> int:
    """Return how many live leads a rep has."""
    mine = select(func.count()).select_from(Lead).where(Lead.owner_id == user_id, Lead.state.in_(LIVE_STATES))
    return session.scalar(mine.where(Lead.deleted_at.is_(None))) or 0


def facts_of(lead: Lead) -> dict[str, Any]:
    """Return what conditions are held against."""
    names = ("name", "phone", "interest", "company", "email", "address", "territory_id", "source", "budget", "custom")
    return {name: getattr(lead, name) for name in names} | {"completeness": lead.completeness}


def newest_score(session: Session, area: str) -> LeadScoreVersion | None:
    """Return the newest version of an area's score: a territory's id, or ``EVERYWHERE``."""
    rows = select(LeadScoreVersion).where(LeadScoreVersion.area == area)
    return session.scalar(rows.order_by(LeadScoreVersion.number.desc()).limit(1))


def score_in_force(session: Session, territory_id: str | None) -> tuple[str, ScoreDocument]:
    """Return the id of the version that scores leads of a territory, and its document."""
    for area in dict.fromkeys((territory_id or EVERYWHERE, EVERYWHERE)):
        found = newest_score(session, area)
        if found is not None and found.document is not None:
            return found.id, read_score(found.document)
    return BUILT_IN, read_score(scoring.DEFAULT)


def own_areas(session: Session) -> set[str]:
    """Return the territories that have a score of their own."""
    areas = session.scalars(select(LeadScoreVersion.area).where(LeadScoreVersion.area != EVERYWHERE).distinct())
    newest = [newest_score(session, area) for area in areas]
    return {version.area for version in newest if version is not None and version.document is not None}


def routing_in_force(session: Session) -> Routing:
    """Return the rules by which new leads find their rep."""
    found = session.scalar(select(LeadRouting).order_by(LeadRouting.number.desc()).limit(1))
    return read_routing(routings.DEFAULT if found is None else found.document)


def own_fields(session: Session, *, retired: bool = False) -> dict[str, CustomField]:
    """Return the fields that the company added to leads, by ``custom.<key>``.

    Args:
        retired: those that take no new values, too.
    """
    return {f"{OWN}{key}": field for key, field in fields_of(session, "lead", retired=retired).items()}


def names_in(session: Session, leads: Iterable[Lead], locale: str) -> dict[str, str]:
    """Return what is named in the reasons of some leads' scores, as ``in_words`` wants it: territories, own fields, choices."""
    reasons = [reason for lead in leads for reason in lead.score_reasons]
    areas = {str(one) for reason in reasons if reason["field"] == "territory_id" for one in _listed(reason.get("value"))}
    rows = select(Territory.id, Territory.name).where(among(session, Territory.id, sorted(areas)))
    names = {f"territory_id={row.id}": row.name for row in session.execute(rows)} if areas else {}
    if any(reason["field"].startswith(OWN) for reason in reasons):
        label = "label_en" if locale == EN else "label_zh"
        for name, field in own_fields(session, retired=True).items():
            names[name] = getattr(field, label)
            names |= {f"{name}={choice['code']}": choice[label] for choice in field.choices}
    return names


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def same_phone(session: Session, actor: Actor, lead: Lead) -> list[Lead]:
    """Return other leads with a lead's phone number that the actor may see, the newest first; at most 20."""
    others = visible_to(actor).where(Lead.phone == lead.phone, Lead.id != lead.id)
    return list(session.scalars(others.order_by(Lead.id.desc()).limit(20)))
