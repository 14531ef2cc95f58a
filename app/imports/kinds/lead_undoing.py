"""Taking back what rows of leads wrote, where nobody did anything with the lead since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import Base
from app.core.errors import DomainError, FieldsInvalid, NotFound
from app.core.settings import Settings
from app.core.tracked import hold
from app.imports.cells import Faults
from app.imports.kinds.base import Effect
from app.imports.kinds.lead_writing import value_of
from app.imports.models import Import
from app.imports.own import PREFIX
from app.leads import assigning, operations, queries
from app.leads.models import LIVE_STATES, Lead
from app.users.rights import Actor

# What becomes of a lead by itself: what the pool shows, and who had it.
_OWN = frozenset({"pool_leads", "lead_holdings"})
_UNDONE = "import_undone"


class LeadUndoing:
    """See ``base.Undoing``. A lead the file made is lost, for no lead is ever deleted: what was told of it stays."""

    def __init__(self, session: Session, settings: Settings, actor: Actor, upload: Import) -> None:
        self._session, self._settings, self._actor = session, settings, actor
        self._causes = [history.last_entry(session, history.Subject("import", upload.id), "import.undo_started")]

    def take_back(self, effects: list[Effect]) -> Faults:
        """See ``base.Undoing``."""
        faults: Faults = {}
        for effect in effects:
            self._take_back(effect, faults)
        return faults

    def _take_back(self, effect: Mapping[str, Any], faults: Faults) -> None:
        try:
            lead = queries.access_lead(self._session, self._actor, effect["id"])
            if effect["before"] is not None and "owner_id" in effect["after"]:
                self._give_back(lead, effect, faults)
            lead = hold(self._session, Lead, lead.id)
        except NotFound:
            faults["lead"] = ["gone_since"]
            return
        touched = [name for name, value in effect["after"].items() if name != "owner_id" and value_of(lead, name) != value]
        for name in touched:
            faults.setdefault(name, []).append("changed_since")
        try:
            with self._session.begin_nested():
                if effect["before"] is not None:
                    self._set_back(lead, effect, touched, faults)
                elif self._was_touched(lead, effect):
                    faults.setdefault("lead", []).append("used_since")
                elif not faults:
                    operations.lose(self._session, self._actor, lead, _UNDONE, causes=self._causes)
        except FieldsInvalid as fault:
            faults |= fault.errors
        except DomainError:
            faults.setdefault("lead", []).append("used_since")

    def _give_back(self, lead: Lead, effect: Mapping[str, Any], faults: Faults) -> None:
        """Let whoever had a lead before the file gave it away have it again, or the pool; the person is held before the lead."""
        before, given = effect["before"]["owner_id"], effect["after"]["owner_id"]
        if lead.state not in LIVE_STATES or lead.owner_id != given or lead.assignments > effect["assignments"]:
            faults["owner_id"] = ["changed_since"]
            return
        try:
            with self._session.begin_nested():
                if before is None:
                    assigning.give_back(self._session, self._actor, lead, _UNDONE, causes=self._causes)
                else:
                    assigning.assign(self._session, self._settings, self._actor, lead, before, causes=self._causes)
        except FieldsInvalid:  # that rep is gone
            faults["owner_id"] = ["gone_since"]
        except DomainError:
            faults["owner_id"] = ["changed_since"]

    def _set_back(self, lead: Lead, effect: Mapping[str, Any], touched: list[str], faults: Faults) -> None:
        if lead.state not in LIVE_STATES:
            faults.setdefault("lead", []).append("used_since")
            return
        names = [name for name in effect["before"] if name not in {"owner_id", *touched}]
        while names:
            try:
                with self._session.begin_nested():
                    changes = _changes(effect["before"], names)
                    operations.edit_lead(self._session, self._actor, lead, changes, causes=self._causes)
                return
            except FieldsInvalid as fault:  # what a lead cannot hold any more stays, and the rest goes back without it
                faults |= fault.errors
                asked, names = names, [name for name in names if name not in fault.errors]
                if names == asked:
                    return

    def _was_touched(self, lead: Lead, effect: Mapping[str, Any]) -> bool:
        """Tell whether anybody did anything with a lead since: took it, gave it away, spoke with them, hung anything on it."""
        if lead.state != "open" or lead.first_touch_at is not None or lead.assignments > effect["assignments"]:
            return True
        ends = {holding.end_reason for holding in queries.holdings_of(self._session, lead.id)}
        return bool(ends - {None, "untouched"}) or self._is_used(lead)

    def _is_used(self, lead: Lead) -> bool:
        for table in Base.metadata.sorted_tables:
            for key in table.foreign_keys:
                if key.column.table.name != "leads" or table.name in _OWN:
                    continue
                live = [table.c.deleted_at.is_(None)] if "deleted_at" in table.c else []
                if self._session.execute(select(key.parent).where(key.parent == lead.id, *live).limit(1)).first() is not None:
                    return True
        return False


def _changes(before: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what fields held before, as the verb that edits a lead takes it."""
    changes: dict[str, Any] = {}
    for name in names:
        value = before[name]
        if name.startswith(PREFIX):
            changes.setdefault("custom", {})[name.removeprefix(PREFIX)] = value
        else:
            changes[name] = Decimal(value) if name == "budget" and value is not None else value
    return changes
