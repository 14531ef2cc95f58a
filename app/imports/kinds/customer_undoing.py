"""Taking back what rows of customers wrote, where nobody touched it since, and what the file said, in any case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import history
from app.core.errors import DomainError, FieldsInvalid, NotFound
from app.core.settings import Settings
from app.customers import operations, queries
from app.customers.belongings import BELONGINGS
from app.customers.facts import PLAIN
from app.customers.models import Customer, Site
from app.customers.withdrawing import withdraw
from app.imports.cells import Faults
from app.imports.kinds.base import Effect
from app.imports.models import Import
from app.users.rights import Actor


class CustomerUndoing:
    """See ``base.Undoing``."""

    def __init__(self, session: Session, _settings: Settings, actor: Actor, upload: Import) -> None:
        self._session, self._actor = session, actor
        self._source = ("import", upload.number)
        self._begun = history.last_entry(session, history.Subject("import", upload.id), "import.undo_started")

    def take_back(self, effects: list[Effect]) -> Faults:
        """See ``base.Undoing``."""
        faults: Faults = {}
        for effect in reversed(effects):
            self._take_back(effect, faults)
        return faults

    def _take_back(self, effect: Mapping[str, Any], faults: Faults) -> None:
        """Delete a row that was made, or set back fields that were changed, where nobody touched them since."""
        reach = queries.access_customer if effect["kind"] == "customer" else queries.access_site
        try:
            row: Any = reach(self._session, self._actor, effect["id"])
        except NotFound:
            if effect["before"] is not None:  # deleted or merged since; what was made and is gone is as it should be
                faults.setdefault(effect["kind"], []).append("gone_since")
            return
        # Whoever speaks of the row waits: what they say is seen here, or sees what is left.
        self._session.refresh(row, with_for_update={"key_share": True})
        written = {name: value for name, value in effect["after"].items() if name not in effect["outranked"]}
        touched = [name for name, value in written.items() if value_of(row, name) != value]
        for name in touched:
            faults.setdefault(name, []).append("changed_since")
        try:
            with self._session.begin_nested():
                if effect["before"] is not None:
                    self._set_back(row, effect, [name for name in written if name not in touched], faults)
                else:
                    self._unmake(row, touched, faults)
        except FieldsInvalid as fault:
            faults |= fault.errors
        except DomainError:
            faults.setdefault(effect["kind"], []).append("used_since")

    def _set_back(self, row: Customer | Site, effect: Mapping[str, Any], written: list[str], faults: Faults) -> None:
        self._withdraw(row, effect["before"])
        others = {name: effect["before"][name] for name in written if fact_field(row, name) is None}
        for name in written:
            if name not in others and value_of(row, name) == effect["after"][name]:  # somebody else says the same by now
                faults.setdefault(name, []).append("changed_since")
        if isinstance(row, Customer) and others:
            operations.edit_customer(self._session, self._actor, row, others)
        elif isinstance(row, Site) and others:
            operations.edit_site(self._session, self._actor, row, others)

    def _unmake(self, row: Customer | Site, touched: list[str], faults: Faults) -> None:
        if touched:
            self._withdraw(row, dict.fromkeys(touched))
        elif not faults and self._is_used(row):
            faults.setdefault("customer" if isinstance(row, Customer) else "site", []).append("used_since")
        elif isinstance(row, Customer) and not faults:
            operations.delete_customer(self._session, self._actor, row)
        elif isinstance(row, Site) and not faults:
            operations.delete_site(self._session, self._actor, row)

    def _withdraw(self, row: Customer | Site, before: Mapping[str, Any]) -> None:
        """Take back what the file said of some fields, also where another value stayed."""
        named = {fact_field(row, name): value for name, value in before.items()}
        told = {name: value for name, value in named.items() if name is not None}
        withdraw(self._session, self._actor, row, self._source, told, [self._begun])

    def _is_used(self, row: Customer | Site) -> bool:
        """Tell whether anything hangs on a row by now, in whatever room."""
        for belonging in BELONGINGS:
            table = belonging.rows
            if isinstance(row, Customer):
                hangs = belonging.of(row.id)
            elif belonging.parent is not None and belonging.parent[0] == "sites":
                hangs = table.c[belonging.parent[1]] == row.id
            else:
                continue
            live = [table.c.deleted_at.is_(None)] if "deleted_at" in table.c else []
            if self._session.execute(select(table.c.id).where(hangs, *live).limit(1)).first() is not None:
                return True
        return False


def fact_field(row: Customer | Site, name: str) -> str | None:
    """Return the field of a fact that a field of a row is; None for one of which none are kept."""
    if isinstance(row, Customer):
        return name if name in PLAIN or name.startswith("custom.") else None
    part = {"address": "address", "lat": "position", "lon": "position"}.get(name)
    return None if part is None else f"site.{row.id}.{part}"


def value_of(row: Customer | Site, name: str) -> Any:
    """Return a row's value of a field; of one of the company's own, ``custom.<key>``, by its key."""
    if isinstance(row, Customer) and name.startswith("custom."):
        return row.custom.get(name.removeprefix("custom."))
    return getattr(row, name)
