"""The only readers of completeness and repair tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, aliased

from app.completeness.models import CompletenessRule, CompletenessScan, RepairTask
from app.completeness.scores import DEFAULT, DEFAULT_LEAST
from app.core.db import among
from app.customers import queries as customers
from app.customers.facts import PLAIN
from app.customers.models import Customer, Site
from app.users.rights import Actor


def rule_of(session: Session) -> tuple[int, Sequence[Mapping[str, Any]], int]:
    """Return the version of the rule in force (0: the default), what counts, and below which score a task is made."""
    row = session.scalar(select(CompletenessRule).order_by(CompletenessRule.version.desc()).limit(1))
    return (row.version, row.fields, row.least) if row else (0, DEFAULT, DEFAULT_LEAST)


def present_in(session: Session, rows: Collection[Customer]) -> dict[str, set[str]]:
    """Return, by customer, which of the things that may count are there."""
    ids = sorted(row.id for row in rows)
    sites = select(Site.customer_id).where(among(session, Site.customer_id, ids), Site.deleted_at.is_(None)).distinct()
    placed = set(session.scalars(sites))
    found = {}
    for row in rows:
        there = {name for name in (*PLAIN, "owner_id") if getattr(row, name)}
        there |= {f"custom.{key}" for key, value in row.custom.items() if value is not None}
        found[row.id] = there | ({"site"} if row.id in placed else set())
    return found


def unscanned(session: Session, version: int, limit: int) -> list[str]:
    """Return customers that changed, or whose sites did, since they were scanned by this version of the rule."""
    site = aliased(Site)
    moved = select(site.id).where(site.customer_id == Customer.id, site.change_no > CompletenessScan.seen_no).exists()
    stale = or_(
        CompletenessScan.customer_id.is_(None),
        CompletenessScan.rule_version != version,
        Customer.change_no > CompletenessScan.seen_no,
        moved,
    )
    query = select(Customer.id).outerjoin(CompletenessScan, CompletenessScan.customer_id == Customer.id)
    gone = Customer.deleted_at.is_(None) | CompletenessScan.customer_id.is_not(None)
    return list(session.scalars(query.where(stale, gone).order_by(Customer.id).limit(limit)))


def open_task(session: Session, customer_id: str) -> RepairTask | None:
    """Return a customer's open repair task."""
    return session.scalar(select(RepairTask).where(RepairTask.customer_id == customer_id, RepairTask.state == "open"))


def visible_tasks(actor: Actor, wanted: Mapping[str, Any]) -> Select[RepairTask]:
    """Return the repair tasks of the customers an actor may see."""
    query = select(RepairTask).join(Customer, Customer.id == RepairTask.customer_id)
    query = query.where(RepairTask.deleted_at.is_(None), Customer.deleted_at.is_(None), customers.in_scope(actor))
    for name in ("state", "user_id"):
        if wanted.get(name):
            query = query.where(getattr(RepairTask, name) == wanted[name])
    return query
