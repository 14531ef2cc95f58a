"""Rows of leads, judged: what each would make or change, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.imports.cells import rows_by
from app.imports.kinds.base import Judged
from app.imports.models import Import
from app.imports.own import PREFIX, differing
from app.imports.reading import Read, Reader, References
from app.imports.spreadsheets import Cell
from app.leads import queries
from app.leads.models import LIVE_STATES, Lead
from app.leads.schemas import LeadSchema
from app.users.rights import Actor

LEAD = ("name", "phone", "interest", "company", "email", "address", "source", "budget")
_NEEDED = ("name", "phone", "interest")
_CREATE = LeadSchema()


def reader_of(session: Session, upload: Import) -> Reader:
    """Return what reads rows of leads."""
    return Reader(session, upload, _CREATE, LEAD)


class LeadJudge:
    """See ``base.Judge``. A lead that was lost or became a customer is not known again: its number makes a new one."""

    def __init__(self, session: Session, actor: Actor, upload: Import, rows: Sequence[tuple[int, Mapping[str, Cell]]]) -> None:
        self.reader = reader_of(session, upload)
        self.read = [self.reader.read(row_number, cells) for row_number, cells in rows]
        self._references = References(session, actor, self.read)
        live = queries.visible_to(actor).where(Lead.state.in_(LIVE_STATES))
        self._known = rows_by(session, live, Lead.phone, (one.key for one in self.read))

    def judge(self, one: Read, brought: Mapping[str, Any] | None = None) -> Judged:
        """See ``base.Judge``."""
        found = Judged(one.number, one.key, faults=dict(one.faults))
        known = self._known.get(one.key or "", [])
        if len(known) > 1:
            self.reader.refuse(found.faults, self.reader.key, "ambiguous")
        lead = known[0] if len(known) == 1 else None
        # Defaults are for new leads: what is known of one says more than they do.
        values = one.values if lead is None else one.given
        found.values = {name: values[name] for name in LEAD if name in values}
        found.values |= self._references.resolve(self.reader, values, found.faults)
        for name in _NEEDED:
            if name not in found.values and lead is None:
                self.reader.require(found.faults, name)
        if lead is not None:
            found.subject_id = lead.id
            found.values = {name: value for name, value in found.values.items() if getattr(lead, name) != value}
        self._judge_own(one, found, lead)
        found.settle_plan(known=lead is not None)
        return found

    def _judge_own(self, one: Read, found: Judged, lead: Lead | None) -> None:
        """Take values of the company's own fields, as far as leads of that territory have these."""
        given = {name: one.given[name] for name in self.reader.own if name in one.given}
        home = found.values.get("territory_id") or (lead.territory_id if lead else None)
        for name in given:
            if self.reader.own[name].territory_id not in (None, home):
                self.reader.refuse(found.faults, name, "unknown")
        told = {name.removeprefix(PREFIX): value for name, value in given.items()}
        changed = differing(told, lead.custom) if lead else told
        if changed:
            found.values["custom"] = changed

    def foresee(self, rows: Sequence[Judged]) -> None:
        """See ``base.Judge``: nothing of a lead is a fact, the last word holds."""
