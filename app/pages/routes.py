"""Reads across rooms over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core import wire
from app.core.edge import edge_settings
from app.core.errors import NotFound
from app.core.http import Routes
from app.pages import history, schemas
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


@routes.door("GET", "/notifications/<notification_id>/why", policy="notifications.read", answer=schemas.WhySchema)
def explain_notification(session: Session, actor: Actor, notification_id: str) -> dict[str, Any]:
    """Read why a message came to oneself, which ways it took or did not take, and how it fared on each.

    Administrators read it of the messages of everybody they see.
    """
    return reasons_why.why(session, actor, notification_id, edge_settings())
