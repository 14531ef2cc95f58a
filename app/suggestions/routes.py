"""Suggestions over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes
from app.customers.queries import access_customer
from app.suggestions import queries, schemas
from app.suggestions.fields import known_to
from app.users.rights import Actor

routes = Routes("suggestions", __name__, description="What was entered before, while somebody types")


@routes.door("GET", "/suggestions", policy="suggestions.read", query=schemas.SuggestionQuery, answer=schemas.SuggestionsSchema)
def suggest(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Suggest up to 10 values for a field of a form, from what was entered in rows you see; without a field, list the fields."""
    name = query.get("field")
    if not name:
        return {"field": None, "items": [], "known": list(known_to(session, actor))}
    customer_id = query.get("customer_id")
    if customer_id is not None:
        access_customer(session, actor, customer_id)
    items = queries.suggestions(session, actor, name, query["prefix"], customer_id)
    return {"field": name, "items": items, "known": []}
