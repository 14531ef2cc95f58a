"""Sections of the home page for sales: what a rep agreed to do, leads that wait, gaps to fill, visits a track shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from sqlalchemy import func, select

from app.completeness import queries as completeness
from app.completeness.models import RepairTask
from app.core.locales import EN
from app.custom_fields.queries import labels_of
from app.customers.models import Customer, Site
from app.follow_ups.models import FollowUp
from app.leads import queries as leads
from app.leads.models import LIVE_STATES, Lead
from app.pages.looks import Found, Look, counted, row
from app.pages.story import FIELDS
from app.tracks import queries as tracks
from app.tracks.models import VisitProposal

# So many of the fields that a customer lacks are named.
_MOST_MISSING = 5


def next_steps(look: Look, most: int) -> Found:
    """Find a person's own next steps that are due today or were before, the oldest first."""
    today = look.at.astimezone(look.settings.time_zone).date()
    query = (
        select(FollowUp, func.coalesce(Customer.name, Lead.name))
        .outerjoin(Customer, Customer.id == FollowUp.customer_id)
        .outerjoin(Lead, Lead.id == FollowUp.lead_id)
        .where(
            FollowUp.user_id == look.actor.id,
            FollowUp.state == "open",
            FollowUp.deleted_at.is_(None),
            FollowUp.next_due <= today,
        )
        .order_by(FollowUp.next_due, FollowUp.id)
    )
    total, found = counted(look, query, most)
    rows = []
    for follow_up, name, _ in found:
        words = (
            ("Due today: {step}", "今日到期：{step}")
            if follow_up.next_due == today
            else ("Due {day}: {step}", "{day} 到期：{step}")
        )
        line = look.say(words, day=follow_up.next_due.isoformat(), step=follow_up.next_step)
        rows.append(row("follow_up", follow_up.id, name, line, _beginning(look, follow_up.next_due)))
    return Found(total, rows)


def _beginning(look: Look, day: date) -> datetime:
    return datetime.combine(day, time(), look.settings.time_zone).astimezone(UTC)


def untouched_leads(look: Look, most: int) -> Found:
    """Find leads whose clock runs: a rep's own; for the office those whose time is over."""
    query = (
        leads.visible_to(look.actor)
        .where(
            Lead.state.in_(LIVE_STATES),
            Lead.owner_id.is_not(None),
            Lead.first_touch_at.is_(None),
            Lead.first_touch_due_at.is_not(None),
        )
        .order_by(Lead.first_touch_due_at, Lead.id)
    )
    if look.actor.sees_all:
        query = query.where(Lead.first_touch_due_at <= look.at)
    total, found = counted(look, query, most)
    rows = []
    for lead, _ in found:
        due = lead.first_touch_due_at
        late = ("First contact was due {due}: {interest}", "首次跟进已超时（应于 {due} 前）：{interest}")
        words = late if due <= look.at else ("First contact by {due}: {interest}", "请于 {due} 前首次跟进：{interest}")
        rows.append(row("lead", lead.id, lead.name, look.say(words, due=look.day_and_time(due), interest=lead.interest), due))
    return Found(total, rows)


def repairs(look: Look, most: int) -> Found:
    """Find customers that lack much, the least complete first: a rep's own tasks; the office everybody's."""
    wanted = {"state": "open"} | ({} if look.actor.sees_all else {"user_id": look.actor.id})
    query = completeness.visible_tasks(look.actor, wanted).add_columns(Customer.name).order_by(RepairTask.score, RepairTask.id)
    total, found = counted(look, query, most)
    side = 0 if look.actor.locale == EN else 1
    names = {name: words[side] for name, words in FIELDS.items()}
    if any(field.startswith("custom.") for task, _, _ in found for field in task.missing):
        names |= labels_of(look.session, "customer", look.actor.locale)
    words = ("{score} % complete; missing: {fields}", "资料完整度 {score}%，缺少：{fields}")
    rows = []
    for task, name, _ in found:
        missing = [names.get(field, field) for field in task.missing]
        told = [*missing[:_MOST_MISSING], *(["…"] if len(missing) > _MOST_MISSING else [])]
        rows.append(row("customer", task.customer_id, name, look.say(words, score=task.score, fields=told), task.updated_at))
    return Found(total, rows)


def proposals(look: Look, most: int) -> Found:
    """Find visits that a rep's own track shows and that nobody has decided on, the last first. Nobody else finds them."""
    query = (
        tracks.visible_proposals(look.actor)
        .where(VisitProposal.state == "proposed")
        .join(Customer, Customer.id == VisitProposal.customer_id)
        .join(Site, Site.id == VisitProposal.site_id)
        .add_columns(Customer.name, Site.name)
        .order_by(VisitProposal.came_at.desc(), VisitProposal.id)
    )
    total, found = counted(look, query, most)
    words = ("{came}–{left}, {site}: was it a visit?", "{came}–{left}，{site}：是否为一次拜访？")
    rows = []
    for one, customer, site, _ in found:
        line = look.say(words, came=look.day_and_time(one.came_at), left=look.time_of_day(one.left_at), site=site)
        rows.append(row("visit_proposal", one.id, customer, line, one.came_at))
    return Found(total, rows)
