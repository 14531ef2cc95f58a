"""Rows of customers with their sites, judged: what each would make or change, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from app.custom_fields.values import checked_value
from app.customers import queries
from app.customers.foreseeing import foreseen
from app.customers.models import Customer, Site
from app.customers.schemas import CustomerSchema, SiteEditSchema, SiteSchema
from app.customers.sources import Source
from app.facts import codes
from app.imports.cells import rows_by, taken
from app.imports.kinds.base import Judged
from app.imports.models import Import
from app.imports.own import PREFIX, differing
from app.imports.reading import Read, Reader, References
from app.imports.spreadsheets import Cell
from app.users.rights import Actor

CUSTOMER = ("code", "name", "phone", "email", "credit_code")
SITE = {"site_name": "name", "site_address": "address", "lat": "lat", "lon": "lon"}
_CREATE, _NEW_SITE, _EDIT_SITE = CustomerSchema(), SiteSchema(), SiteEditSchema()


def reader_of(session: Session, upload: Import) -> Reader:
    """Return what reads rows of customers."""
    return Reader(session, upload, _CREATE, CUSTOMER)


class CustomerJudge:
    """See ``base.Judge``."""

    def __init__(self, session: Session, actor: Actor, upload: Import, rows: Sequence[tuple[int, Mapping[str, Cell]]]) -> None:
        self._session, self._actor, self._file = session, actor, upload.number
        self.reader = reader_of(session, upload)
        self.read = [self.reader.read(row_number, cells) for row_number, cells in rows]
        self._references = References(session, actor, self.read)
        column = getattr(Customer, self.reader.key)
        self._known = rows_by(session, queries.visible_to(actor), column, (one.key for one in self.read))
        self._codes = taken(session, Customer.code, (one.values.get("code") for one in self.read))
        ids = [row.id for rows in self._known.values() for row in rows]
        self._sites = rows_by(session, queries.visible_sites(actor), Site.customer_id, ids)
        met = {(name.removeprefix(PREFIX), code) for one in self.read for name, code in one.codes.items()}
        self._mapped = codes.find_codes(session, upload.system, met) if upload.system and met else {}

    def judge(self, one: Read, brought: Mapping[str, Any] | None = None) -> Judged:
        """See ``base.Judge``."""
        found = Judged(one.number, one.key, faults=dict(one.faults))
        known = self._known.get(one.key or "", [])
        if one.key is None:
            self.reader.require(found.faults, self.reader.key)
        if len(known) > 1:
            self.reader.refuse(found.faults, self.reader.key, "ambiguous")
        customer = known[0] if len(known) == 1 else None
        follows = customer is not None or bool(brought)
        # Of a further row of a customer an empty cell says nothing at all, for the row above has said it.
        values = one.given if brought is not None and follows else one.values
        found.values = {name: values[name] for name in CUSTOMER if name in values}
        found.values |= self._references.resolve(self.reader, values, found.faults)
        if customer is not None:
            self._judge_known(found, customer)
        elif not brought:
            self._judge_new(found)
        self._judge_own(one, found, customer, brought or {})
        found.values = _less(found.values, brought or {})
        self._judge_site(values, found, customer, brought or {})
        found.settle_plan(known=follows)
        return found

    def _judge_new(self, found: Judged) -> None:
        for name, target in (("name", "name"), ("territory_code", "territory_id")):
            if target not in found.values:
                self.reader.require(found.faults, name)
        if found.values.get("code") in self._codes:  # of a customer the actor does not see, or one known by another key
            self.reader.refuse(found.faults, "code", "already_exists")

    def _judge_known(self, found: Judged, customer: Customer) -> None:
        found.subject_id = customer.id
        changed = {name: value for name, value in found.values.items() if getattr(customer, name) != value}
        if "code" in changed:  # a code is never another one
            self.reader.refuse(found.faults, "code", "already_exists")
        found.values = changed

    def _judge_own(self, one: Read, found: Judged, customer: Customer | None, brought: Mapping[str, Any]) -> None:
        """Take values of the company's own fields, as far as customers of that territory have these."""
        given = {name: one.given[name] for name in self.reader.own if name in one.given} | self._understood(one, found)
        home = found.values.get("territory_id") or brought.get("territory_id") or (customer.territory_id if customer else None)
        for name in (*given, *found.waiting):
            if self.reader.own[name].territory_id not in (None, home):
                self.reader.refuse(found.faults, name, "unknown")
        told = {name.removeprefix(PREFIX): value for name, value in given.items()}
        changed = differing(told, customer.custom) if customer else told
        if changed:
            found.values["custom"] = changed

    def _understood(self, one: Read, found: Judged) -> dict[str, Any]:
        """Return what codes of another system stand for, by field; those that stand for nothing yet are noted."""
        found.codes = dict(one.codes)
        values = {}
        for name, code in one.codes.items():
            mapping = self._mapped.get((name.removeprefix(PREFIX), code))
            if mapping is None or mapping.ours is None:
                found.waiting.append(name)
                found.ignored += [name] if mapping is not None and mapping.state == "ignored" else []
                continue
            try:
                values[name] = checked_value(self.reader.own[name], mapping.ours)
            except ValidationError as wrong:
                self.reader.refuse(found.faults, name, str(wrong.messages[0]))
        return values

    def _judge_site(
        self, values: Mapping[str, Any], found: Judged, customer: Customer | None, brought: Mapping[str, Any]
    ) -> None:
        given = {name: values[name] for name in SITE if name in values}
        if not given:
            return
        if "site_name" not in given:
            given["site_name"] = values.get("name") or (customer.name if customer else brought.get("name", ""))
        same = [site for site in self._sites.get(customer.id, []) if site.name == given["site_name"]] if customer else []
        if len(same) > 1:
            self.reader.refuse(found.faults, "site_name", "ambiguous")
        elif same:
            told = self.reader.checked(_EDIT_SITE, given, SITE, found.faults)
            changed = {name: value for name, value in told.items() if getattr(same[0], name) != value}
            found.site_id, found.site = same[0].id, changed or None
        else:
            found.site = self.reader.checked(_NEW_SITE, given, SITE, found.faults)
            if found.site.get("lat") is None and not found.site.get("address"):
                self.reader.refuse(found.faults, "site_address", "address_or_position")

    def foresee(self, rows: Sequence[Judged]) -> None:
        """See ``base.Judge``."""
        customers = {row.id: row for found in self._known.values() for row in found}
        sites = {row.id: row for found in self._sites.values() for row in found}
        asked: list[tuple[Judged, Customer | Site, dict[str, Any]]] = []
        for one in rows:
            if one.faults or one.subject_id is None:
                continue
            if one.values:
                asked.append((one, customers[one.subject_id], one.values))
            if one.site and one.site_id:
                asked.append((one, sites[one.site_id], one.site))
        source = Source("import", self._file, self._actor.id)
        answers = foreseen(self._session, [(row, values) for _, row, values in asked], source)
        for (one, _, _), outranked in zip(asked, answers, strict=True):
            one.outranked += outranked
        for one in rows:
            if one.plan == "update" and one.outranked and not _left(one):
                one.plan = "unchanged"


def _less(values: Mapping[str, Any], brought: Mapping[str, Any]) -> dict[str, Any]:
    """Return values without those that are brought already."""
    left = {name: value for name, value in values.items() if name != "custom" and brought.get(name) != value}
    custom = differing(values.get("custom", {}), brought.get("custom", {}))
    return left | ({"custom": custom} if custom else {})


def _left(one: Judged) -> set[str]:
    """Return the fields a run would write."""
    custom = {f"{PREFIX}{key}" for key in one.values.get("custom", {})}
    named = {name for name in one.values if name != "custom"} | custom
    if one.site and one.site_id is None:
        return {"site"}
    return (named | set(one.site or {})) - set(one.outranked)
