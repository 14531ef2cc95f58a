"""A row of a lead, written through the verbs of its room: the rules say who gets it, unless the row does."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import hold
from app.imports.kinds.base import Effect, Judged
from app.imports.models import Import
from app.imports.own import PREFIX
from app.leads import assigning, operations
from app.leads.models import LIVE_STATES, Lead
from app.users.rights import Actor


def write_lead(
    session: Session, settings: Settings, actor: Actor, _upload: Import, found: Judged, begun: HistoryEntry | None
) -> list[Effect]:
    """Write one row; see ``base.Kind``."""
    if found.subject_id is not None and not found.values:
        return []
    if found.subject_id is None:
        lead = operations.create_lead(session, settings, actor, found.values, causes=[begun])
        before = None
    else:
        lead, before = _change(session, settings, actor, found.subject_id, found.values, begun)
    about = Subject("lead", lead.id)
    causes = [begun, last_entry(session, about)]
    record(session, "lead.imported", about, causes=causes, actor_id=actor.id, row=found.number)
    after = present(lead, found.values)
    return [{"kind": "lead", "id": lead.id, "before": before, "after": after, "outranked": [], "assignments": lead.assignments}]


def _change(
    session: Session, settings: Settings, actor: Actor, lead_id: str, values: Mapping[str, Any], begun: HistoryEntry | None
) -> tuple[Lead, dict[str, Any]]:
    """Change a live lead; return it, with what it held before."""
    lead = session.get_one(Lead, lead_id)
    before = present(lead, values)
    if "owner_id" in values:  # first of all: whoever gives leads holds the person before the lead
        assigning.assign(session, settings, actor, lead, values["owner_id"], causes=[begun])
    lead = hold(session, Lead, lead_id)
    if lead.state not in LIVE_STATES:  # overtaken
        raise FieldsInvalid({"phone": ["changed_since"]})
    changes = {name: value for name, value in values.items() if name != "owner_id"}
    if changes:
        operations.edit_lead(session, actor, lead, changes, causes=[begun])
    return lead, before


def present(lead: Lead, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a lead holds of some fields, as it is kept with an import; of the company's own each by itself."""
    names = [name for name in values if name != "custom"] + [f"{PREFIX}{key}" for key in values.get("custom", {})]
    return {name: value_of(lead, name) for name in names}


def value_of(lead: Lead, name: str) -> Any:
    """Return a lead's value of a field as it is kept with an import: an amount is a text."""
    value = lead.custom.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else getattr(lead, name)
    return f"{value:.2f}" if isinstance(value, Decimal) else value
