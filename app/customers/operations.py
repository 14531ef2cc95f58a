"""Verbs on customers and sites."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import Base, among, now
from app.core.errors import Conflict, DomainError, FieldsInvalid, Forbidden, NotFound
from app.core.numbers import next_numbers
from app.core.scopes import send_away
from app.core.tracked import add_many, touch
from app.custom_fields.operations import checked_values
from app.customers import facts, merging, places, queries
from app.customers.belongings import BELONGINGS, KEEPERS
from app.customers.blocks import rekey
from app.customers.models import Customer, Site
from app.customers.sources import source_of, telling
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor


def create_customer(session: Session, actor: Actor, values: dict[str, Any]) -> Customer:
    """Add a customer. A rep's new customer is theirs, in a territory they work in.

    Args:
        values: name, territory_id, and optionally id, code (else the next number), phone, email, owner_id, credit_code, custom.

    Raises:
        FieldsInvalid: ``already_exists`` (code, id) or ``unknown_reference``; of ``custom`` see ``checked_values``.
    """
    return session.get_one(Customer, _one(create_customers(session, actor, [values])))


def create_customers(session: Session, actor: Actor, many: Sequence[dict[str, Any]]) -> list[str | DomainError]:
    """As ``create_customer``, of many; what is wrong with one does not keep the others out.

    Returns:
        For each its id, or what it is refused for.
    """
    faults: list[dict[str, list[str]]] = _faulty_references(session, actor, many)
    many = [_with_custom(session, values, fault) for values, fault in zip(many, faults, strict=True)]
    codes = _taken(session, Customer.code, [values["code"] for values in many if values.get("code")])
    ids = _taken(session, Customer.id, [values["id"] for values in many if values.get("id")])
    for values, fault in zip(many, faults, strict=True):
        if not fault:
            in_use = {"code": values.get("code") in codes, "id": values.get("id") in ids}
            fault.update({name: ["already_exists"] for name, found in in_use.items() if found})
        if not fault:
            codes |= {values["code"]} if values.get("code") else set()
            ids |= {values["id"]} if values.get("id") else set()
    good = [values for values, fault in zip(many, faults, strict=True) if not fault]
    unnumbered = sum(not values.get("code") for values in good)
    numbers = iter(next_numbers(session, "C", unnumbered) if unnumbered else ())
    own = {"owner_id": actor.id} if actor.role == REP else {}
    rows = [values | own | {"code": values.get("code") or next(numbers)} for values in good]
    made = iter(add_many(session, Customer, rows))
    answers: list[str | DomainError] = [FieldsInvalid(fault) if fault else next(made) for fault in faults]
    history.record_many(session, "customer.created", "customer", _made(answers), actor_id=actor.id)
    _keep_source(session, actor, _made(answers))
    rekey(session, _made(answers))
    return answers


def _with_custom(session: Session, values: dict[str, Any], fault: dict[str, list[str]]) -> dict[str, Any]:
    """Return the values of a new customer with checked values of the company's own fields; what is wrong goes to ``fault``."""
    given = values.get("custom") or {}
    try:
        custom = checked_values(session, "customer", values["territory_id"], given, {})
    except FieldsInvalid as wrong:
        fault.update(wrong.errors)
        custom = {}
    return values | {"custom": {key: value for key, value in custom.items() if value is not None}}


def _keep_source(session: Session, actor: Actor, ids: Sequence[str]) -> None:
    """Keep where new customers come from, where that is not the person who brings them: the causal log knows that one."""
    source = source_of(session, actor)
    if ids and source.ref != actor.id:
        rows = session.scalars(select(Customer).where(among(session, Customer.id, ids)))
        facts.keep_many(session, rows, source)


def _keep_source_of_sites(session: Session, actor: Actor, ids: Sequence[str]) -> None:
    """As ``_keep_source``, of new sites."""
    source = source_of(session, actor)
    if ids and source.ref != actor.id:
        facts.keep_many(session, session.scalars(select(Site).where(among(session, Site.id, ids))), source)


def _taken(session: Session, column: Any, values: Sequence[str]) -> set[str]:
    """Return which of some values are in use."""
    return set(session.scalars(select(column).where(among(session, column, values)))) if values else set()


def _made(answers: Iterable[str | DomainError]) -> list[str]:
    return [answer for answer in answers if isinstance(answer, str)]


def _one(answers: Sequence[str | DomainError]) -> str:
    answer = answers[0]
    if isinstance(answer, DomainError):
        raise answer
    return answer


def edit_customer(session: Session, actor: Actor, customer: Customer, changes: dict[str, Any]) -> Customer:
    """Change a customer's fields. Only the office moves a customer to another owner or territory.

    What the actor says of the other fields is kept as facts. ``customer.outranked`` names those where a better source's value
    stays.

    Raises:
        FieldsInvalid: ``unknown_reference``; of ``custom`` see ``checked_values``.
    """
    if actor.role == REP and {"owner_id", "territory_id"} & set(changes):
        raise FieldsInvalid({name: ["unknown"] for name in sorted({"owner_id", "territory_id"} & set(changes))})
    _check_references(session, actor, changes)
    moved = {name: value for name, value in changes.items() if name in {"owner_id", "territory_id"}}
    told = {name: value for name, value in changes.items() if name not in moved and name != "custom"}
    home = moved.get("territory_id", customer.territory_id)
    custom = checked_values(session, "customer", home, changes.get("custom", {}), customer.custom)
    told |= {f"custom.{key}": value for key, value in custom.items()}
    _tell(session, actor, customer, told, moved)
    return customer


def _tell(session: Session, actor: Actor, row: Customer | Site, told: dict[str, Any], others: dict[str, Any]) -> None:
    """Keep what an actor says of a row as facts, set its other fields, date it, and write down what came of it."""
    source = source_of(session, actor)
    if isinstance(row, Site) and source.unseen:  # doors know a site's fields by their own names
        source = replace(source, unseen=frozenset(name for name in told if set(_wired(name)) & source.unseen))
    outcome = facts.tell(session, row, told, source)
    for name, value in others.items():
        setattr(row, name, value)
    row.outranked = [part for name in outcome.outranked for part in _wired(name)]
    touch(session, row)
    subject = history.Subject("customer" if isinstance(row, Customer) else "site", row.id)
    taken = sorted({_logged(name) for name in {*told, *others} - set(outcome.outranked)})
    if taken or not told:
        history.record(
            session,
            "customer.edited" if isinstance(row, Customer) else "site.edited",
            subject,
            actor_id=actor.id,
            fields=taken,
        )
    home = row.id if isinstance(row, Customer) else row.customer_id
    facts.note_outranked(session, history.Subject("customer", home), actor.id, outcome.outranked, source.kind)
    rekey(session, [home])


def _wired(name: str) -> tuple[str, ...]:
    """Return what doors call a field of a fact."""
    return ("lat", "lon") if name.endswith(".position") else (_logged(name),)


def _logged(name: str) -> str:
    """Return what the causal log calls a field of a fact."""
    return name.rpartition(".")[2] if name.startswith("site.") else name


def edit_merged(session: Session, actor: Actor, gone: Customer, heir: Customer, changes: dict[str, Any]) -> Customer:
    """Write what somebody edited by the id of a merged customer: to that one, for an undone merge, and to the one it is now.

    Raises:
        FieldsInvalid: with what is wrong with each field.
    """
    merging.pass_on(session, actor, gone, changes, to_live=True)
    with telling(session, about_id=gone.id):
        return edit_customer(session, actor, heir, changes)


def delete_customer(session: Session, actor: Actor, customer: Customer) -> Customer:
    """Delete a customer with its sites. Their rows stay as tombstones, and ``undelete_customer`` brings them back.

    Raises:
        Forbidden: a rep deletes no customer that a colleague is in charge of.
        Conflict: ``in_use`` while an asset belongs to it, a visit is ahead, a next step open, or something owed or to decide.
    """
    if actor.role == REP and customer.owner_id not in (None, actor.id):
        raise Forbidden("forbidden")
    _refuse_used(session, customer, "customer_id")
    at = now(session)  # one instant for all of them: by it, undeleting knows what went together
    for site in session.scalars(select(Site).where(Site.customer_id == customer.id, Site.deleted_at.is_(None))):
        _bury_site(session, actor, site, at)
    _bury(session, customer, at)
    history.record(session, "customer.deleted", history.Subject("customer", customer.id), actor_id=actor.id)
    rekey(session, [customer.id])
    return customer


def undelete_customer(session: Session, actor: Actor, customer: Customer) -> Customer:
    """Bring a deleted customer back, with the sites that were deleted together with it.

    Raises:
        Conflict: ``state_conflict`` when it is not deleted.
    """
    together = customer.deleted_at
    _dig_out(session, customer)
    history.record(session, "customer.undeleted", history.Subject("customer", customer.id), actor_id=actor.id)
    for site in session.scalars(select(Site).where(Site.customer_id == customer.id, Site.deleted_at == together)):
        _dig_out_site(session, actor, site)
    rekey(session, [customer.id])
    return customer


def _check_references(session: Session, actor: Actor, values: dict[str, Any]) -> None:
    fault = _faulty_references(session, actor, [values])[0]
    if fault:
        raise FieldsInvalid(fault)


def _faulty_references(session: Session, actor: Actor, many: Sequence[dict[str, Any]]) -> list[dict[str, list[str]]]:
    """Return, for each, which of its territory and its owner the actor may not name."""
    places = {values["territory_id"] for values in many if "territory_id" in values}
    reps = {values["owner_id"] for values in many if values.get("owner_id")}
    if places:
        known = territories.visible_to(actor).where(among(session, Territory.id, sorted(places)))
        places -= set(session.scalars(known.with_only_columns(Territory.id)))
    if reps:
        known_reps = users.visible_to(actor).where(
            among(session, User.id, sorted(reps)), User.role == REP, User.state == "active", User.partner_id.is_(None)
        )
        # Locked against leaving: a rep who is being deactivated must not be given a customer meanwhile.
        reps -= set(session.scalars(known_reps.with_only_columns(User.id).order_by(User.id).with_for_update(read=True)))
    unknown = {"territory_id": places, "owner_id": reps}
    return [{name: ["unknown_reference"] for name, ids in unknown.items() if values.get(name) in ids} for values in many]


def create_site(session: Session, actor: Actor, customer: Customer, values: dict[str, Any]) -> Site:
    """Add a site of a customer; of one that was merged, to the one it is now.

    Args:
        values: name; lat and lon (WGS-84 degrees), an address, or all of them; and optionally id and opening_hours.

    Raises:
        FieldsInvalid: ``already_exists`` (id).
        Conflict: ``state_conflict`` when the customer is just being deleted.
    """
    return session.get_one(Site, _one(_add_sites(session, actor, [values | {"customer_id": customer.id}], {customer.id})))


def create_sites(session: Session, actor: Actor, many: Sequence[dict[str, Any]]) -> list[str | DomainError]:
    """As ``create_site``, of many, each with the ``customer_id`` of a customer the actor may add to.

    Returns:
        For each its id, or what it is refused for: ``not_found`` for such a customer.
    """
    named = queries.named_customers(session, actor, {values["customer_id"] for values in many})
    return _add_sites(session, actor, many, named)


def _add_sites(
    session: Session, actor: Actor, many: Sequence[dict[str, Any]], customers: Collection[str]
) -> list[str | DomainError]:
    ids = _taken(session, Site.id, [values["id"] for values in many if values.get("id")])
    homes = _homes(session, customers)
    answers: list[str | DomainError] = []
    for values in many:
        if values["customer_id"] not in customers:
            answers.append(NotFound())
        elif values["customer_id"] not in homes:
            answers.append(Conflict("state_conflict", state="deleted", wanted="live"))
        elif values.get("id") in ids:
            answers.append(FieldsInvalid({"id": ["already_exists"]}))
        else:
            answers.append("")
            ids |= {values["id"]} if values.get("id") else set()
    good = [values for values, answer in zip(many, answers, strict=True) if answer == ""]
    blank = {"address": "", "lat": None, "lon": None, "opening_hours": None}
    rows = [blank | values | {"customer_id": homes[values["customer_id"]]} for values in good]
    made = add_many(session, Site, [row | {"position_source": places.source_given(row)} for row in rows])
    history.record_many(session, "site.created", "site", made, actor_id=actor.id)
    _keep_source_of_sites(session, actor, made)
    _follow_merged(session, actor, homes, [(values["customer_id"], site) for values, site in zip(good, made, strict=True)])
    rekey(session, {homes[values["customer_id"]] for values in good})
    ids_made = iter(made)
    return [next(ids_made) if answer == "" else answer for answer in answers]


def _homes(session: Session, customers: Collection[str]) -> dict[str, str]:
    """Return, for those of some customers that live or were merged, the live one that each is now; keep these from deletion."""
    live = _keep_live(session, customers)
    heirs = queries.heirs(session, set(customers) - live)
    kept = _keep_live(session, set(heirs.values())) if heirs else set()
    return {customer: customer for customer in live} | {old: new for old, new in heirs.items() if new in kept}


def _follow_merged(session: Session, actor: Actor, homes: dict[str, str], sites: Sequence[tuple[str, str]]) -> None:
    """Note sites that were made for a merged customer; from the phone of who may not see the one it is now, they go away."""
    late = [(customer, site) for customer, site in sites if homes[customer] != customer]
    for customer, site in late:
        merging.note_late(session, customer, "sites", [site])
    named = among(session, Customer.id, sorted({homes[customer] for customer, _ in late}))
    seen = set(session.scalars(queries.visible_to(actor).where(named).with_only_columns(Customer.id))) if late else set()
    for customer, site in late:
        if homes[customer] not in seen:
            send_away(session, actor.id, "sites", site)


def edit_site(session: Session, actor: Actor, site: Site, changes: dict[str, Any]) -> Site:
    """Change a site's name, address, place or hours.

    Raises:
        FieldsInvalid: ``required`` for half a position, ``address_or_position`` where neither would be left.
    """
    after = places.after_edit(session, site, changes)
    told: dict[str, Any] = {f"site.{site.id}.address": after.address} if "address" in changes else {}
    others: dict[str, Any] = {name: changes[name] for name in ("name", "opening_hours") if name in changes}
    if {"lat", "lon"} & set(changes):
        if after.position is None:
            others |= places.UNPLACED
        else:
            told[f"site.{site.id}.position"] = {"lat": after.position.lat, "lon": after.position.lon}
    _tell(session, actor, site, told, others)
    return site


def delete_site(session: Session, actor: Actor, site: Site) -> Site:
    """Delete a site; its row stays as a tombstone.

    Raises:
        Conflict: ``in_use`` while an asset stands there. A visit that is planned there tells that the site is gone.
    """
    _refuse_used(session, site, "site_id")
    _bury_site(session, actor, site, now(session))
    rekey(session, [site.customer_id])
    return site


def undelete_site(session: Session, actor: Actor, site: Site) -> Site:
    """Bring a deleted site back.

    Raises:
        Conflict: ``state_conflict`` when it is not deleted, or its customer is.
    """
    if not _keep_live(session, {site.customer_id}):
        raise Conflict("state_conflict", state="deleted", wanted="live")
    _dig_out_site(session, actor, site)
    rekey(session, [site.customer_id])
    return site


def _keep_live(session: Session, customers: Collection[str]) -> set[str]:
    """Return those of some customers that live, and let nobody delete them meanwhile: a site of one would be seen by nobody."""
    live = select(Customer.id).where(among(session, Customer.id, sorted(customers)), Customer.deleted_at.is_(None))
    return set(session.scalars(live.order_by(Customer.id).with_for_update(read=True, key_share=True)))


def _refuse_used(session: Session, row: Customer | Site, column: str) -> None:
    session.refresh(row, with_for_update=True)  # nothing may be put there meanwhile
    assets = Base.metadata.tables["assets"]  # by name: assets lie in a room above
    used: list[tuple[Table, ColumnElement[bool]]] = [(assets, assets.c.deleted_at.is_(None))]
    for belonging in BELONGINGS:
        if belonging.keeps is not None and column == belonging.column:
            state, values = belonging.keeps
            used.append((belonging.rows, belonging.rows.c.deleted_at.is_(None) & belonging.rows.c[state].in_(values)))
    for name, of, (state, values) in KEEPERS:
        if column == of:
            table = Base.metadata.tables[name]
            used.append((table, table.c.deleted_at.is_(None) & table.c[state].in_(values)))
    for table, lives in used:
        if session.execute(select(table.c.id).where(table.c[column] == row.id, lives).limit(1)).first():
            raise Conflict("in_use")


def _bury(session: Session, row: Customer | Site, at: datetime) -> None:
    row.deleted_at = at
    touch(session, row)


def _bury_site(session: Session, actor: Actor, site: Site, at: datetime) -> None:
    _bury(session, site, at)
    history.record(session, "site.deleted", history.Subject("site", site.id), actor_id=actor.id)


def _dig_out(session: Session, row: Customer | Site) -> None:
    if row.deleted_at is None:
        raise Conflict("state_conflict", state="live", wanted="live")
    row.deleted_at = None
    touch(session, row)


def _dig_out_site(session: Session, actor: Actor, site: Site) -> None:
    _dig_out(session, site)
    history.record(session, "site.undeleted", history.Subject("site", site.id), actor_id=actor.id)
