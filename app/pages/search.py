"""Search over all kinds of rows a caller may see."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.assets import finding as _assets
from app.contacts import finding as _contacts
from app.core.errors import FieldsInvalid
from app.customers import finding as _customers
from app.leads import finding as _leads
from app.search.queries import MOST_FOUND, Hit, find
from app.search.searchables import SEARCHABLES, Searchable
from app.users.rights import Actor, allows

# They declare what they are found by when they are imported; whoever comes after them in the product, too.
_ROOMS = (_customers, _contacts, _leads, _assets)


def found(session: Session, actor: Actor, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of what was found.

    Raises:
        FieldsInvalid: for a kind that is unknown, a cursor that is not ours, or too little to look for.
    """
    start, limit = _start(wanted.get("cursor")), wanted["limit"]
    hits = find(session, actor, wanted["q"], _kinds(actor, wanted.get("kinds")), min(start + limit + 1, MOST_FOUND))
    more = len(hits) > start + limit
    following = base64.urlsafe_b64encode(str(start + limit).encode()).decode() if more else None
    return {"items": [_shown(hit) for hit in hits[start : start + limit]], "next": following}


def _kinds(actor: Actor, wanted: str | None) -> list[Searchable]:
    """Return the kinds that are asked for, without those whose rows the actor's role may not read."""
    names = list(SEARCHABLES) if wanted is None else [name.strip() for name in wanted.split(",")]
    if not set(names) <= set(SEARCHABLES):
        raise FieldsInvalid({"kinds": ["not_one_of"]})
    return [kind for name, kind in SEARCHABLES.items() if name in names and allows(actor, kind.right)]


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        start = int(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode("ascii"))
    except (ValueError, binascii.Error):
        raise FieldsInvalid({"cursor": ["invalid"]}) from None
    if not 0 < start < MOST_FOUND:
        raise FieldsInvalid({"cursor": ["invalid"]})
    return start


def _shown(hit: Hit) -> dict[str, Any]:
    title, detail = SEARCHABLES[hit.kind].shown(hit.row)
    return {
        "kind": hit.kind,
        "id": hit.row.id,
        "title": title,
        "detail": detail,
        "customer_id": getattr(hit.row, "customer_id", None),
        "matched": {"field": hit.matched.field, "text": hit.matched.text, "place": hit.place},
    }
