"""Verbs of an administrator on people: invite, edit, deactivate with hand-over, reactivate."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts import links
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, touch, transition
from app.core.wire import fold
from app.customers import queries as customers
from app.customers.models import Customer
from app.leads import assigning as leads
from app.stations import queries as stations
from app.stations.models import Station
from app.teams import queries as teams
from app.teams.models import Team
from app.territories import operations as assignments
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import auth
from app.users import queries as users
from app.users.models import Partner, User
from app.users.rights import ADMIN, CUSTOMER, REP, STAFF, Actor

Faults = dict[str, list[str]]


def invite(session: Session, settings: Settings, actor: Actor, values: dict[str, Any]) -> tuple[User, str | None]:
    """Add a person without a password and send them a link to choose one.

    A partner's administrator invites into that partner only, and nobody who signs in as a customer:
    what the partner sees of customers ends with its tasks, such an account would not. Station staff
    belong to their station's organisation.

    Args:
        values: login, name, role, and optionally locale, email, phone, partner_id, station_id,
            customer_id, territory_ids.

    Returns:
        The person, and the link's code when there is no address to mail it to.

    Raises:
        FieldsInvalid: ``already_exists``, ``unknown_reference``, ``required``, ``unknown``, ``invalid``
            or ``not_one_of``.
    """
    values = {"locale": settings.default_locale, "partner_id": actor.partner_id} | {
        name: value for name, value in values.items() if value is not None
    }
    territory_ids = values.pop("territory_ids", [])
    faults = _check_place(session, actor, values) | _check_territories(session, actor, territory_ids)
    if session.scalar(select(User.id).where(or_(User.login == values["login"], User.login_key == fold(values["login"])))):
        faults["login"] = ["already_exists"]
    if faults:
        raise FieldsInvalid(faults)
    user = add(session, User(**values, state="invited", valid_from=now(session)))
    invited = record(session, "user.invited", Subject("user", user.id), actor_id=actor.id, role=user.role)
    if territory_ids:
        assignments.assign_territories(session, actor, user, territory_ids)
    return user, links.send_link(session, settings, user, links.INVITATION, invited)


def _check_place(session: Session, actor: Actor, values: dict[str, Any]) -> Faults:
    """Check where a person belongs; put station staff into their station's organisation."""
    faults = _check_links(session, actor, values["role"], values)
    partner_id = values.get("partner_id")
    if partner_id is not None and session.scalar(users.visible_partners(actor).where(Partner.id == partner_id)) is None:
        faults["partner_id"] = ["unknown_reference"]
    if values["role"] == CUSTOMER and actor.partner_id is not None:
        faults["role"] = ["not_one_of"]
    elif values["role"] == CUSTOMER and partner_id is not None:
        faults["partner_id"] = ["unknown"]
    if values["role"] == STAFF and not faults:
        owner_id = session.get_one(Station, values["station_id"]).partner_id
        if partner_id not in {None, owner_id}:
            faults["partner_id"] = ["invalid"]
        values["partner_id"] = owner_id
    return faults


def _check_links(session: Session, actor: Actor, role: str, values: dict[str, Any]) -> Faults:
    """Check the station of station staff and the customer of customers; no other role has one."""
    faults: Faults = {}
    scopes = {
        "station_id": (STAFF, stations.visible_to(actor).where(Station.id == values.get("station_id"))),
        "customer_id": (CUSTOMER, customers.visible_to(actor).where(Customer.id == values.get("customer_id"))),
    }
    for name, (bound, found) in scopes.items():
        if role != bound:
            if name in values:
                faults[name] = ["unknown"]
        elif name not in values:
            faults[name] = ["required"]
        elif session.scalar(found) is None:
            faults[name] = ["unknown_reference"]
    return faults


def _check_territories(session: Session, actor: Actor, territory_ids: list[str]) -> Faults:
    seen = session.scalars(territories.visible_to(actor).with_only_columns(Territory.id).where(Territory.id.in_(territory_ids)))
    return {"territory_ids": ["unknown_reference"]} if set(territory_ids) - set(seen) else {}


def _check_team(session: Session, actor: Actor, user: User, team_id: str | None) -> Faults:
    """Check the team of a rep of the principal organisation; nobody else is in one."""
    if team_id is None:
        return {}
    if user.role != REP or user.partner_id is not None:
        return {"team_id": ["unknown"]}
    known = session.scalar(teams.visible_to(actor).where(Team.id == team_id)) is not None
    return {} if known else {"team_id": ["unknown_reference"]}


def invite_again(session: Session, settings: Settings, actor: Actor, user: User) -> str | None:
    """Send a new invitation to somebody who has not chosen a password yet; the old ones end.

    Returns:
        The link's code when there is no address to mail it to.

    Raises:
        Conflict: ``state_conflict`` when they have a password, or are deactivated.
    """
    if user.password_hash is not None or user.state == "deactivated":
        raise Conflict("state_conflict", state=user.state, wanted="invited")
    subject = Subject("user", user.id)
    first = last_entry(session, subject, "user.invited")
    again = record(session, "user.invited_again", subject, causes=[first], actor_id=actor.id)
    return links.send_link(session, settings, user, links.INVITATION, again)


def edit_person(session: Session, actor: Actor, user: User, changes: dict[str, Any]) -> User:
    """Change a person's name, language, addresses, station or customer, team, and territories.

    Links that were mailed to an address end with it. Staff who move to another organisation's station
    move there, too.

    Raises:
        FieldsInvalid: ``unknown_reference``; ``unknown`` for a station, customer or team that the role does not have.
    """
    changes = dict(changes)
    territory_ids = changes.pop("territory_ids", None)
    bound = {name: value for name, value in {"station_id": user.station_id, "customer_id": user.customer_id}.items() if value}
    faults = _check_links(session, actor, user.role, bound | changes) if {"station_id", "customer_id"} & set(changes) else {}
    faults |= _check_territories(session, actor, territory_ids or [])
    faults |= _check_team(session, actor, user, changes.get("team_id"))
    if faults:
        raise FieldsInvalid(faults)
    if "station_id" in changes:
        changes["partner_id"] = session.get_one(Station, changes["station_id"]).partner_id
    moved = bool(user.email) and changes.get("email", user.email) != user.email
    for name, value in changes.items():
        setattr(user, name, value)
    touch(session, user)
    if moved:
        links.end_links(session, user)
    if changes:
        record(session, "user.edited", Subject("user", user.id), actor_id=actor.id, fields=sorted(changes))
    if territory_ids is not None:
        assignments.assign_territories(session, actor, user, territory_ids)
    return user


def deactivate(session: Session, settings: Settings, actor: Actor, user: User, successor_id: str | None = None) -> User:
    """Let a person go: sessions and links end, their customers and leads go to the successor, leads without one to the pool.

    Tasks belong to a station and messages to the inbox; both stay.

    Args:
        successor_id: an active rep of the same organisation; needed while the person owns customers.

    Raises:
        Conflict: ``state_conflict`` when they are deactivated already; ``last_admin``; ``hand_over_needed``
            with how many customers are theirs.
        FieldsInvalid: ``unknown_reference`` for the successor.
    """
    successor = _lock_people(session, user, successor_id)
    owned = select(func.count()).select_from(Customer).where(Customer.owner_id == user.id, Customer.deleted_at.is_(None))
    count = session.scalar(owned) or 0
    if count and successor is None:
        raise Conflict("hand_over_needed", customers=count)
    transition(session, user, "deactivated")
    left = record(
        session,
        "user.deactivated",
        Subject("user", user.id),
        actor_id=actor.id,
        customers=count,
        successor_id=successor.id if successor and count else None,
    )
    if successor is not None:
        _hand_over(session, actor, user, successor, left)
    leads.hand_over(session, settings, actor, user, successor, left)
    auth.end_all_sessions(session, user, "deactivated")
    touch(session, user)
    links.end_links(session, user)
    return user


def _lock_people(session: Session, user: User, successor_id: str | None) -> User | None:
    """Lock whoever this decision rests on, in one order, and return the successor.

    Two administrators who deactivate each other, or a successor who is deactivated meanwhile, wait
    here and are then judged by what the other one left.
    """
    concerned: ColumnElement[bool] = User.id.in_([user.id, successor_id or user.id])
    if user.role == ADMIN and user.partner_id is None:
        concerned = or_(concerned, and_(User.role == ADMIN, User.state == "active", User.partner_id.is_(None)))
    locked = session.scalars(
        select(User)
        .where(concerned, User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if _keeps_office_open(user) and not any(_keeps_office_open(person) for person in locked if person.id != user.id):
        raise Conflict("last_admin")
    if successor_id is None:
        return None
    successor = next((person for person in locked if person.id == successor_id != user.id), None)
    if successor is None or successor.role != REP or successor.state != "active" or successor.partner_id != user.partner_id:
        raise FieldsInvalid({"successor_id": ["unknown_reference"]})
    return successor


def _keeps_office_open(person: User) -> bool:
    return person.role == ADMIN and person.state == "active" and person.partner_id is None


def _hand_over(session: Session, actor: Actor, user: User, successor: User, cause: HistoryEntry) -> None:
    handed = session.scalars(
        update(Customer)
        .where(Customer.owner_id == user.id, Customer.deleted_at.is_(None))
        .values(owner_id=successor.id, version=Customer.version + 1, updated_at=now(session))
        .returning(Customer.id)
        .execution_options(synchronize_session=False)
    ).all()
    for customer_id in sorted(handed):
        record(
            session,
            "customer.handed_over",
            Subject("customer", customer_id),
            causes=[cause],
            actor_id=actor.id,
            from_id=user.id,
            to_id=successor.id,
        )


def reactivate(session: Session, actor: Actor, user: User) -> User:
    """Let a person back in, with the password they had; ended sessions stay ended.

    Raises:
        Conflict: ``state_conflict`` unless they are deactivated.
    """
    transition(session, user, "active", expect={"deactivated"})
    subject = Subject("user", user.id)
    record(session, "user.reactivated", subject, causes=[last_entry(session, subject, "user.deactivated")], actor_id=actor.id)
    return user
