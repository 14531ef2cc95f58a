"""A row of a customer with a site, written through the verbs of their room, as the word of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.customers import operations, queries
from app.customers.models import Customer, Site
from app.customers.sources import source_of, telling
from app.facts.codes import known_codes
from app.facts.models import CodeMapping
from app.facts.operations import keep_code
from app.imports.kinds.base import Effect, Judged, took_effect
from app.imports.kinds.customer_undoing import value_of
from app.imports.models import Import
from app.imports.own import PREFIX, differing
from app.users.rights import Actor


def write_customer(
    session: Session, _settings: Settings, actor: Actor, upload: Import, found: Judged, begun: HistoryEntry | None
) -> list[Effect]:
    """Write one row; see ``base.Kind``."""
    with telling(session, kind="import", ref=upload.number):
        return _write(session, actor, upload, found, begun)


def _write(session: Session, actor: Actor, upload: Import, found: Judged, begun: HistoryEntry | None) -> list[Effect]:
    known = queries.access_customer(session, actor, found.subject_id) if found.subject_id is not None else None
    mappings = _understand(session, upload, found, known)
    effects = []
    if known is None:
        customer = operations.create_customer(session, actor, found.values)
        effects.append(_effect("customer", customer, None, found.values))
    else:
        customer = known
        if found.values or found.waiting:
            before = _present(customer, found.values) | {name: value_of(customer, name) for name in found.waiting}
            if found.values:
                operations.edit_customer(session, actor, customer, found.values)
            effects.append(_effect("customer", customer, before, found.values))
    _keep_codes(session, actor, customer, mappings)
    if found.waiting:
        effects[0]["waiting"] = found.waiting
    if found.site is not None and found.site_id is None:
        site = operations.create_site(session, actor, customer, found.site)
        effects.append(_effect("site", site, None, found.site))
    elif found.site is not None and found.site_id is not None:
        site = queries.access_site(session, actor, found.site_id)
        before = _present(site, found.site)
        operations.edit_site(session, actor, site, found.site)
        effects.append(_effect("site", site, before, found.site))
    if any(map(took_effect, effects)):
        about = Subject("customer", customer.id)
        causes = [begun, last_entry(session, about)]
        record(session, "customer.imported", about, causes=causes, actor_id=actor.id, row=found.number)
    return effects


def _understand(session: Session, upload: Import, found: Judged, customer: Customer | None) -> dict[str, CodeMapping]:
    """Take what codes of another system stand for this instant into the row's values; one nobody ever met becomes a task.

    Returns:
        The codes by field; those that stand for nothing yet are the row's ``waiting``.
    """
    if upload.system is None or not found.codes:
        return {}
    pairs = {name: (name.removeprefix(PREFIX), code) for name, code in found.codes.items()}
    met = known_codes(session, upload.system, set(pairs.values()))
    mappings = {name: met[pair] for name, pair in pairs.items()}
    found.waiting = sorted(name for name, mapping in mappings.items() if mapping.ours is None)
    ours = {name.removeprefix(PREFIX): mapping.ours for name, mapping in mappings.items() if mapping.ours is not None}
    listed = {name.removeprefix(PREFIX) for name in pairs}
    others = {key: value for key, value in found.values.pop("custom", {}).items() if key not in listed}
    custom = others | differing(ours, customer.custom if customer is not None else {})
    if custom:
        found.values["custom"] = custom
    return mappings


def _keep_codes(session: Session, actor: Actor, customer: Customer, mappings: Mapping[str, CodeMapping]) -> None:
    source = source_of(session, actor)
    for name, mapping in mappings.items():
        keep_code(session, customer, name, mapping, source)


def _effect(kind: str, row: Customer | Site, before: Mapping[str, Any] | None, values: Mapping[str, Any]) -> Effect:
    outranked = row.outranked if before is not None and values else []
    return {"kind": kind, "id": row.id, "before": before, "after": _present(row, values), "outranked": outranked}


def _present(row: Customer | Site, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row holds of some fields; of the company's own each by itself, as ``custom.<key>``."""
    names = [name for name in values if name != "custom"] + [f"{PREFIX}{key}" for key in values.get("custom", {})]
    return {name: value_of(row, name) for name in names}
