"""Who has a lead: found by the rules, claimed from the pool, given by the office, given back.

Whoever decides on a rep and a lead locks the rep first, then the lead, so that none waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.db import among, insert_once, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import hold, touch
from app.leads import queries
from app.leads.clocks import due_of
from app.leads.deriving import follow_pool
from app.leads.models import LIVE_STATES, Lead, LeadHolding, LeadTurn
from app.leads.routings import Rule, rule_for
from app.users.models import User, UserTerritory
from app.users.rights import REP, Actor
from push.outbox import enqueue

_MOST_IN_CHARGE = 200
How = Literal["assigned", "claimed", "kept"]


class Found(NamedTuple):
    """Whom the rules give a lead, the code of the rule that decided, and why the pool where it is nobody."""

    user: User | None
    rule: str | None
    because: str = ""


def find_rep(session: Session, settings: Settings, lead: Lead) -> Found:
    """Return the rep whom the rules in force give a lead; nobody: the pool."""
    rule = rule_for(queries.routing_in_force(session), queries.facts_of(lead))
    if rule is None:
        return Found(None, None, "no_rule")
    if rule.pool:
        return Found(None, rule.code, "by_rule")
    if rule.in_charge and lead.territory_id is None:
        return Found(None, rule.code, "no_territory")
    key, ids = _candidates(session, lead, rule)
    user = _in_turn(session, settings, key, ids)
    return Found(user, rule.code, "" if user is not None else "no_room" if ids else "nobody_in_charge")


def _candidates(session: Session, lead: Lead, rule: Rule) -> tuple[str, list[str]]:
    """Return under which key the turns of a rule are counted, and among whom, in a fixed order."""
    if not rule.in_charge:
        return f"rule:{rule.code}", rule.reps
    in_charge = (
        select(User.id)
        .join(UserTerritory, UserTerritory.user_id == User.id)
        .where(UserTerritory.territory_id == lead.territory_id, User.role == REP, User.partner_id.is_(None))
        .order_by(User.id)
        .limit(_MOST_IN_CHARGE)
    )
    return f"territory:{lead.territory_id}", list(session.scalars(in_charge)) if lead.territory_id else []


def _in_turn(session: Session, settings: Settings, key: str, ids: Sequence[str]) -> User | None:
    """Return the next able rep of some, and note that it was their turn. Two at once wait for each other here."""
    if not ids:
        return None
    insert_once(session, LeadTurn, key=key, n=0)
    turn = session.scalars(
        select(LeadTurn).where(LeadTurn.key == key).with_for_update().execution_options(populate_existing=True)
    ).one()
    able = _able(session, settings, ids)
    for step in range(len(ids)):
        user = able.get(ids[(turn.n + step) % len(ids)])
        if user is not None:
            turn.n += step + 1
            session.flush()
            return user
    return None


def _able(session: Session, settings: Settings, ids: Sequence[str]) -> dict[str, User]:
    """Return the active reps among some who have room for another lead; they cannot leave before the commit."""
    active = select(User).where(
        among(session, User.id, sorted(ids)), User.role == REP, User.state == "active", User.partner_id.is_(None),
        User.deleted_at.is_(None),
    )  # fmt: skip
    found = session.scalars(active.order_by(User.id).with_for_update(read=True)).all()
    return {user.id: user for user in found if queries.live_count(session, user.id) < settings.lead_cap}


def route(session: Session, settings: Settings, lead: Lead, cause: HistoryEntry) -> None:
    """Give a new lead to whom the rules say, else leave it in the pool."""
    found = find_rep(session, settings, lead)
    if found.user is None:
        pooled(session, lead, found.because, [cause], rule=found.rule)
    else:
        take_charge(session, settings, lead, found.user, "assigned", [cause], rule=found.rule)


def take_charge(
    session: Session,
    settings: Settings | None,
    lead: Lead,
    user: User,
    how: How,
    causes: Sequence[HistoryEntry | None],
    *,
    actor_id: str | None = None,
    rule: str | None = None,
) -> HistoryEntry:
    """Let a rep have a lead, and start the clock of its first touch.

    Args:
        settings: of the clock; None: none is started, the lead was touched already.
        lead: held by the caller, and nobody's.
        how: they came to have it.
        causes: entries it follows from.
        actor_id: who did it; None for the product itself. The rep is told of what others did.
        rule: the code of the rule that found the rep.
    """
    present = now(session)
    due = due_of(session, settings, present) if settings is not None else (None, None, None)
    lead.owner_id, lead.assigned_at, lead.assignments = user.id, present, lead.assignments + 1
    lead.first_touch_at = lead.reminded_at = lead.escalated_at = None
    lead.first_touch_due_at, lead.escalate_at, lead.recycle_at = due
    session.add(LeadHolding(id=new_id(), lead_id=lead.id, user_id=user.id, number=lead.assignments, began_at=present))
    touch(session, lead)
    follow_pool(session, lead)
    entry = record(
        session,
        "lead.claimed" if how == "claimed" else "lead.kept" if how == "kept" else "lead.assigned",
        Subject("lead", lead.id),
        causes=causes,
        actor_id=actor_id,
        to_id=user.id,
        name=user.name,
        due_at=due[0].isoformat() if due[0] is not None else "–",
        rule=rule or "–",
    )
    if actor_id != user.id:
        _tell(session, lead, user, entry)
    return entry


def _tell(session: Session, lead: Lead, user: User, cause: HistoryEntry) -> None:
    enqueue(
        session,
        [user],
        "lead_assigned",
        Subject("lead", lead.id),
        dedupe=f"lead:{lead.id}:{lead.assignments}:assigned",
        causes=[cause],
        lead_number=lead.number,
        lead_name=lead.name,
        interest=lead.interest,
        due_at=lead.first_touch_due_at.isoformat() if lead.first_touch_due_at else None,
    )


def pooled(
    session: Session,
    lead: Lead,
    because: str,
    causes: Sequence[HistoryEntry | None],
    *,
    actor_id: str | None = None,
    note: str | None = None,
    rule: str | None = None,
) -> HistoryEntry:
    """Put a lead into the pool; where somebody had it, they have it no more.

    Args:
        lead: held by the caller.
        because: a row of ``CODED`` in ``app/pages/codes.py``.
        causes: entries it follows from.
        actor_id: who did it; None for the product itself.
        note: what they said.
        rule: the code of the rule that decided.
    """
    end_holding(session, lead, because)
    lead.owner_id = lead.assigned_at = lead.first_touch_at = None
    lead.first_touch_due_at = lead.escalate_at = lead.recycle_at = lead.reminded_at = lead.escalated_at = None
    touch(session, lead)
    follow_pool(session, lead)
    return record(
        session,
        "lead.pooled",
        Subject("lead", lead.id),
        causes=causes,
        actor_id=actor_id,
        because=because,
        reason=note or "–",
        rule=rule or "–",
    )


def end_holding(session: Session, lead: Lead, because: str) -> None:
    """Note that whoever had a lead has it no more."""
    session.execute(
        update(LeadHolding)
        .where(LeadHolding.lead_id == lead.id, LeadHolding.ended_at.is_(None))
        .values(ended_at=now(session), end_reason=because, touched_at=lead.first_touch_at)
        .execution_options(synchronize_session=False)
    )


def claim(session: Session, settings: Settings, actor: Actor, lead_id: str) -> Lead:
    """Take a lead out of the pool. Of two who claim it at once, one gets it.

    Raises:
        NotFound: when it never was in the actor's pool.
        Conflict: ``lead_taken``; ``lead_cap_reached`` with how many live leads one may have.
    """
    queries.claimable(session, actor, lead_id)
    user = session.scalars(
        select(User).where(User.id == actor.id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one()
    lead = hold(session, Lead, lead_id)
    if lead.owner_id == actor.id and lead.state in LIVE_STATES:
        return lead  # asked twice
    if not lead.in_pool:
        raise Conflict("lead_taken")
    if queries.live_count(session, actor.id) >= settings.lead_cap:
        raise Conflict("lead_cap_reached", most=settings.lead_cap)
    before = last_entry(session, Subject("lead", lead.id))
    take_charge(session, settings, lead, user, "claimed", [before], actor_id=actor.id)
    return lead


def give_back(session: Session, actor: Actor, lead: Lead, reason: str, *, causes: Sequence[HistoryEntry | None] = ()) -> Lead:
    """Put one's lead back into the pool.

    Args:
        causes: entries it follows from, beside the lead's own last one.

    Raises:
        Conflict: ``state_conflict`` unless it is live and somebody's.
    """
    lead = hold(session, Lead, lead.id)
    if lead.state not in LIVE_STATES or lead.owner_id is None or not (actor.sees_all or lead.owner_id == actor.id):
        raise Conflict("state_conflict", state="in_pool" if lead.in_pool else lead.state, wanted="in_pool")
    before = last_entry(session, Subject("lead", lead.id))
    pooled(session, lead, "given_back", [before, *causes], actor_id=actor.id, note=reason)
    return lead


def assign(
    session: Session, settings: Settings, actor: Actor, lead: Lead, user_id: str, *, causes: Sequence[HistoryEntry | None] = ()
) -> Lead:
    """Give a lead to a rep, as the office; it may give one more than a rep may take.

    Args:
        causes: entries it follows from, beside the lead's own last one.

    Raises:
        FieldsInvalid: ``unknown_reference`` for who is no active rep.
        Conflict: ``state_conflict`` unless it is live.
    """
    user = session.scalar(
        select(User)
        .where(User.id == user_id, User.role == REP, User.state == "active", User.partner_id.is_(None), User.deleted_at.is_(None))
        .with_for_update(read=True)
    )
    if user is None:
        raise FieldsInvalid({"user_id": ["unknown_reference"]})
    lead = hold(session, Lead, lead.id)
    if lead.state not in LIVE_STATES:
        raise Conflict("state_conflict", state=lead.state, wanted="assigned")
    if lead.owner_id == user.id:
        return lead
    before = last_entry(session, Subject("lead", lead.id))
    end_holding(session, lead, "reassigned")
    take_charge(session, settings, lead, user, "assigned", [before, *causes], actor_id=actor.id, rule=None)
    return lead


def hand_over(session: Session, settings: Settings, actor: Actor, user: User, successor: User | None, cause: HistoryEntry) -> int:
    """Give the live leads of a rep who leaves to the successor, or put them back into the pool; return how many.

    Both people are locked by the caller.
    """
    theirs = select(Lead.id).where(Lead.owner_id == user.id, Lead.state.in_(LIVE_STATES), Lead.deleted_at.is_(None))
    ids = list(session.scalars(theirs.order_by(Lead.id)))
    for lead_id in ids:
        lead = hold(session, Lead, lead_id)
        if successor is None:
            pooled(session, lead, "rep_left", [cause], actor_id=actor.id)
        else:
            end_holding(session, lead, "rep_left")
            take_charge(session, settings, lead, successor, "assigned", [cause], actor_id=actor.id)
    return len(ids)
