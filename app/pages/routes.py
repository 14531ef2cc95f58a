"""Reads across rooms over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core import wire
from app.core.edge import edge_settings
from app.core.errors import NotFound
from app.core.http import Routes, revalidate
from app.pages import history, home, schemas, search
from app.pages import why as reasons_why
from app.users.rights import Actor

routes = Routes("pages", __name__, description="The causal log")


@routes.door("GET", "/history/<kind>/<subject>", policy="history.read", answer=schemas.ChainSchema)
def read_history(session: Session, actor: Actor, kind: str, subject: str) -> dict[str, Any]:
    """Read why something happened and what followed, as far as you may see.

    ``kind`` is the noun: coupon, service_offer, work_order, station_task, alarm, reading, component,
    asset, customer, ... Each entry says its reason and the entries it followed from.
    """
    try:
        wire.check_text(kind, 30)
        wire.check_id(subject)
    except wire.WireError:
        raise NotFound from None
    return history.chain_of(session, actor, kind, subject, edge_settings().time_zone)


@routes.door("GET", "/mobile/home", policy="self", query=schemas.HomeQuery, answer=schemas.HomeSchema)
def read_home(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Read the home page of a phone: today's visits, news of customers, what to confirm, tasks, unread messages.

    Who sends the ``ETag`` of the last answer in ``If-None-Match`` gets 304 while it says the same.
    """
    page = home.home_of(session, actor, edge_settings(), query.get("since"))
    revalidate(home.tag_of(page))
    return page


@routes.door("GET", "/notifications/<notification_id>/why", policy="notifications.read", answer=schemas.WhySchema)
def explain_notification(session: Session, actor: Actor, notification_id: str) -> dict[str, Any]:
    """Read why a message came to oneself, which ways it took or did not take, and how it fared on each.

    Administrators read it of the messages of everybody they see.
    """
    return reasons_why.why(session, actor, notification_id, edge_settings())


@routes.door("GET", "/search", policy="search.read", query=schemas.SearchQuery, answer=schemas.HitsSchema)
def search_rows(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Find customers, sites, contacts, leads and assets by a part of a name, its pinyin, a number or its end.

    Only what you may see is found, a lead in the pool by what the pool shows of it.
    ``kinds``: customer, site, contact, lead, pool_lead, asset; with commas between them.
    Matches of whole texts come first, then beginnings, then inner parts; names before other fields. At most 50 in a
    page, 500 in all.
    """
    return search.found(session, actor, query)
