"""Verbs on a lead itself: make, edit, qualify, lose, open again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.numbers import next_number
from app.core.settings import Settings
from app.core.tracked import add, hold, mark_fields, renumber, touch, transition
from app.custom_fields.operations import checked_values, same_value
from app.leads.assigning import assign, end_holding, pooled, route, take_charge
from app.leads.deriving import derive, follow_pool
from app.leads.finding import keep_findable
from app.leads.models import LIVE_STATES, Lead
from app.territories import queries as territories
from app.territories.models import Territory
from app.users.models import User
from app.users.rights import REP, Actor


def create_lead(
    session: Session,
    settings: Settings,
    actor: Actor | None,
    values: Mapping[str, Any],
    *,
    causes: Sequence[HistoryEntry | None] = (),
) -> Lead:
    """Add a lead. A rep's own is theirs; one of the office goes to whom it names, else where the rules say.

    Args:
        actor: None for the product itself: it goes where the rules say.
        causes: entries it follows from.
        values: ``name``, ``phone`` (E.164), ``interest``; optionally ``id``, ``company``, ``email``, ``address``,
            ``territory_id``, ``source``, ``budget``, ``custom`` (values of the company's own fields by key), and for the office
            ``owner_id``.

    Raises:
        FieldsInvalid: ``already_exists`` (id), ``unknown_reference`` (territory_id, owner_id), ``unknown`` (owner_id of a rep);
            of ``custom`` see ``checked_values``.
    """
    given = dict(values)
    owner_id = given.pop("owner_id", None)
    rep = actor if actor is not None and actor.role == REP else None
    if owner_id is not None and (actor is None or rep is not None):
        raise FieldsInvalid({"owner_id": ["unknown"]})
    if given.get("id") and session.get(Lead, given["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    _check_territory(session, actor, given)
    custom = checked_values(session, "lead", given.get("territory_id"), given.pop("custom", {}), {})
    lead = Lead(number=next_number(session, "L"), state="open", assignments=0, custom=_filled(custom), **given)
    derive(session, lead)
    add(session, lead)
    keep_findable(session, lead)
    about, by = Subject("lead", lead.id), actor.id if actor is not None else None
    made = record(session, "lead.created", about, causes=causes, actor_id=by, number=lead.number)
    if rep is not None:
        take_charge(session, settings, lead, session.get_one(User, rep.id), "assigned", [made], actor_id=rep.id)
    elif actor is not None and owner_id is not None:
        try:
            assign(session, settings, actor, lead, owner_id)
        except FieldsInvalid:
            raise FieldsInvalid({"owner_id": ["unknown_reference"]}) from None
    else:
        route(session, settings, lead, made)
    return lead


def _check_territory(session: Session, actor: Actor | None, values: Mapping[str, Any]) -> None:
    named = values.get("territory_id")
    known = territories.visible_to(actor) if actor is not None else territories.every()
    if named and session.scalar(known.where(Territory.id == named)) is None:
        raise FieldsInvalid({"territory_id": ["unknown_reference"]})


def _filled(custom: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in custom.items() if value is not None}


def edit_lead(
    session: Session, actor: Actor, lead: Lead, changes: Mapping[str, Any], *, causes: Sequence[HistoryEntry | None] = ()
) -> Lead:
    """Change what is known of a lead; completeness and score follow.

    Args:
        changes: by field; of ``custom`` the keys that are named are written, None takes one away.
        causes: entries it follows from.

    Raises:
        FieldsInvalid: ``unknown_reference`` (territory_id); of ``custom`` see ``checked_values``.
    """
    _check_territory(session, actor, changes)
    home = changes.get("territory_id", lead.territory_id)
    custom = checked_values(session, "lead", home, changes.get("custom", {}), lead.custom)
    told = {name: value for name, value in changes.items() if name != "custom"}
    changed = [f"custom.{key}" for key, value in sorted(custom.items()) if not same_value(lead.custom.get(key), value)]
    with session.no_autoflush:  # ``touch`` is to see what changed
        for name, value in told.items():
            setattr(lead, name, value)
        if changed:
            lead.custom = _filled(lead.custom | custom)
        derive(session, lead)
        touch(session, lead)
    if changed:
        mark_fields(session, lead, changed)
    keep_findable(session, lead)
    follow_pool(session, lead)
    written = sorted({*told, *(f"custom.{key}" for key in custom)})
    record(session, "lead.edited", Subject("lead", lead.id), causes=causes, actor_id=actor.id, fields=written)
    return lead


def qualify(session: Session, actor: Actor, lead: Lead) -> Lead:
    """Say that a lead is worth going on with.

    Raises:
        Conflict: ``state_conflict`` unless it was contacted.
    """
    about = Subject("lead", lead.id)
    before = last_entry(session, about)
    transition(session, lead, "qualified")
    record(session, "lead.qualified", about, causes=[before], actor_id=actor.id)
    return lead


def lose(session: Session, actor: Actor, lead: Lead, reason: str, *, causes: Sequence[HistoryEntry | None] = ()) -> Lead:
    """Say that nothing comes of a lead, and why. Its rep keeps it as it was.

    Args:
        causes: entries it follows from, beside the lead's own last one.

    Raises:
        Conflict: ``state_conflict`` when it is lost or converted.
    """
    lead = hold(session, Lead, lead.id)
    about = Subject("lead", lead.id)
    before = last_entry(session, about)
    transition(session, lead, "lost", lost_reason=reason)
    end_holding(session, lead, "lost")
    follow_pool(session, lead)
    record(session, "lead.lost", about, causes=[before, *causes], actor_id=actor.id, reason=reason)
    return lead


def drop(session: Session, actor: Actor, lead: Lead) -> Lead:
    """What a phone deletes is lost, not gone: the row comes back to it as a lost lead, or as the customer it became."""
    if lead.state in LIVE_STATES:
        return lose(session, actor, lead, "deleted_on_phone")
    renumber(session, lead)
    return lead


def reopen(session: Session, settings: Settings, actor: Actor, lead: Lead) -> Lead:
    """Open a lost lead again: it goes to the rep who had it, while they are there, else into the pool.

    Raises:
        Conflict: ``state_conflict`` unless it is lost.
    """
    user = session.scalar(
        select(User).where(User.id == lead.owner_id, User.role == REP, User.state == "active").with_for_update(read=True)
    )
    lead = hold(session, Lead, lead.id)
    about = Subject("lead", lead.id)
    before = last_entry(session, about)
    if lead.state != "lost":
        raise Conflict("state_conflict", state=lead.state, wanted="open")
    transition(session, lead, "open", lost_reason=None)
    derive(session, lead)
    opened = record(session, "lead.reopened", about, causes=[before], actor_id=actor.id)
    if user is None:
        pooled(session, lead, "rep_left", [opened], actor_id=actor.id)
    else:
        take_charge(session, settings, lead, user, "assigned", [opened], actor_id=actor.id)
    return lead
