"""The sections of the home page, each with one query of its own. Another room adds a row to ``SECTIONS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, case, or_, select
from sqlalchemy.orm import aliased

from app.assets.models import Asset
from app.core.locales import semicolon
from app.core.texts.facts import FACTS, POSITIONS
from app.customers import queries as customers
from app.customers.matching import POSSIBLE
from app.customers.models import Customer, DuplicatePair, Site
from app.day_plans.models import DayPlan
from app.pages import owed, own_work
from app.pages.looks import Found, Look, counted, row, side
from app.pages.updates import updates
from app.rules.severity import RANK
from app.service_offers import queries as offers
from app.service_offers.models import ServiceOffer
from app.users.models import User
from app.users.rights import CUSTOMER, REP, STAFF
from app.visits import queries as visits
from app.visits.models import CheckIn, Visit
from app.work_orders import queries as orders
from app.work_orders.models import LIVE_TASK_STATES, StationTask, WorkOrder
from iot import queries as iot
from iot.models import Alarm
from push import queries as push
from push.models import Notification

PARTS = ("today", "updates", "confirm", "tasks", "unread")
_ENDS_SOON = timedelta(days=3)


@dataclass(frozen=True)
class Section:
    """One list of the home page.

    Attributes:
        part: of the page; one of ``PARTS``.
        title: English, Chinese.
        right: what a person must be allowed to have it.
        find: its query.
        most: so many rows are shown; the others are counted.
        roles: whose it is, where the right alone does not say it.
    """

    name: str
    part: str
    title: tuple[str, str]
    right: str
    find: Callable[[Look, int], Found]
    most: int = 5
    roles: frozenset[str] | None = None


def _visits(look: Look, most: int) -> Found:
    """Find today's visits, planned for it or begun on it: a rep's own, the office everybody's."""
    actor = look.actor
    query = (
        select(Visit, Customer.name, Site.name, User.name)
        .join(Customer, Customer.id == Visit.customer_id)
        .join(Site, Site.id == Visit.site_id)
        .join(User, User.id == Visit.user_id)
        .where(
            visits.in_scope(actor) if actor.sees_all else Visit.user_id == actor.id,
            Visit.deleted_at.is_(None),
            Visit.state != "cancelled",
            or_(
                and_(Visit.planned_from < look.day_ends, Visit.planned_until >= look.day_begins),
                and_(Visit.began_at >= look.day_begins, Visit.began_at < look.day_ends),
            ),
        )
        .order_by(case({"in_progress": 0, "planned": 1}, value=Visit.state, else_=2), Visit.planned_from, Visit.id)
    )
    total, found = counted(look, query, most)
    rows = []
    for visit, customer, site, rep, _ in found:
        state = side(FACTS, visit.state, actor.locale) if visit.state != "finished" else look.say(("done", "已完成"))
        window = f"{look.time_of_day(visit.planned_from)}–{look.time_of_day(visit.planned_until)}"
        parts = (window, state, "" if rep is None or visit.user_id == actor.id else rep, site, visit.purpose)
        rows.append(row("visit", visit.id, customer, " · ".join(part for part in parts if part), visit.planned_from))
    return Found(total, rows)


def _check_ins(look: Look, most: int) -> Found:
    """Find check-ins that wait: for the office those to decide on, for a rep those they have not said anything to."""
    own = and_(CheckIn.state.in_(("needs_review", "refused")), CheckIn.appeal.is_(None))
    query = (
        visits.visible_check_ins(look.actor)
        .where(CheckIn.state == "needs_review" if look.actor.sees_all else own)
        .join(Visit, Visit.id == CheckIn.visit_id)
        .join(Customer, Customer.id == Visit.customer_id)
        .add_columns(Customer.name)
        .order_by(CheckIn.at.desc(), CheckIn.id)
    )
    total, found = counted(look, query, most)
    rows = []
    for check_in, customer, _ in found:
        told = semicolon(look.actor.locale).join(side(POSITIONS, code, look.actor.locale) for code in check_in.reasons)
        line = look.say(
            ("Check-in {state}: {told}", "签到{state}：{told}"), state=side(FACTS, check_in.state, look.actor.locale), told=told
        )
        rows.append(row("check_in", check_in.id, customer, line, check_in.at))
    return Found(total, rows)


def _alarms(look: Look, most: int) -> Found:
    """Find alarms nobody took charge of: of a rep's own customers, of the office's."""
    query = (
        iot.visible_alarms(look.actor)
        .where(Alarm.state == "raised")
        .join(Asset, Asset.id == Alarm.asset_id)
        .join(Customer, Customer.id == Asset.customer_id)
        .add_columns(Customer.name, Asset.model)
        .order_by(case(RANK, value=Alarm.severity).desc(), Alarm.raised_at.desc(), Alarm.id)
    )
    if look.actor.role == REP:
        query = query.where(Customer.owner_id == look.actor.id)
    total, found = counted(look, query, most)
    words = (
        "Alarm nobody has taken charge of ({severity}): {asset}, {metric} = {value}",
        "告警无人受理（{severity}）：{asset}，{metric} = {value}",
    )
    rows = []
    for alarm, customer, asset, _ in found:
        line = look.say(words, severity=alarm.severity, asset=asset, metric=alarm.metric, value=alarm.last_value)
        rows.append(row("alarm", alarm.id, customer, line, alarm.raised_at))
    return Found(total, rows)


def _duplicates(look: Look, most: int) -> Found:
    """Find pairs that may be one customer: of a rep where both are theirs, of the office all."""
    first, second = aliased(Customer), aliased(Customer)
    query = (
        customers.open_pairs(POSSIBLE)
        .join(first, first.id == DuplicatePair.first_id)
        .join(second, second.id == DuplicatePair.second_id)
        .add_columns(first.name, second.name)
        .order_by(DuplicatePair.score.desc(), DuplicatePair.id)
    )
    if look.actor.role == REP:
        query = query.where(first.owner_id == look.actor.id, second.owner_id == look.actor.id)
    total, found = counted(look, query, most)
    words = ("May be the same customer as {other} ({score} %)", "可能与“{other}”是同一客户（{score}%）")
    rows = [
        row("customer", pair.first_id, name, look.say(words, other=other, score=pair.score), pair.updated_at)
        for pair, name, other, _ in found
    ]
    return Found(total, rows)


def _offers(look: Look, most: int) -> Found:
    """Find offers that wait for their owner's answer: the owner's own; of a rep's customers those that end soon."""
    query = (
        offers.visible_to(look.actor)
        .where(ServiceOffer.state.in_(("issued", "viewed")), ServiceOffer.valid_until > look.at)
        .join(Customer, Customer.id == ServiceOffer.customer_id)
        .join(Asset, Asset.id == ServiceOffer.asset_id)
        .add_columns(Customer.name, Asset.model)
        .order_by(ServiceOffer.valid_until, ServiceOffer.id)
    )
    if look.actor.role != CUSTOMER:
        query = query.where(ServiceOffer.valid_until <= look.at + _ENDS_SOON)
    if look.actor.role == REP:
        query = query.where(Customer.owner_id == look.actor.id)
    total, found = counted(look, query, most)
    words = (
        "Offer for {service} of {asset}, not answered, ends {until}: {due} {currency}",
        "{asset} 的{service}优惠尚未答复，{until} 到期：{due} {currency}",
    )
    rows = []
    for offer, customer, asset, _ in found:
        facts = {"service": offer.kind, "asset": asset, "due": f"{offer.amount_due:.2f}", "currency": offer.currency}
        line = look.say(words, until=look.day_and_time(offer.valid_until), **facts)
        rows.append(row("service_offer", offer.id, customer, line, offer.valid_until))
    return Found(total, rows)


def _day_plans(look: Look, most: int) -> Found:
    """Find a rep's plans that are ready and not taken over, of today and later."""
    query = (
        select(DayPlan)
        .where(
            DayPlan.user_id == look.actor.id,
            DayPlan.deleted_at.is_(None),
            DayPlan.state == "ready",
            DayPlan.day >= look.at.astimezone(look.settings.time_zone).date(),
        )
        .order_by(DayPlan.day, DayPlan.id.desc())
    )
    total, found = counted(look, query, most)
    title, words = (
        ("Route of {day}", "{day} 的路线"),
        ("{stops} visits fit, {left} do not", "可安排 {stops} 次拜访，{left} 次无法安排"),
    )
    rows = []
    for plan, _ in found:
        answer = plan.answer or {"stops": [], "left_out": []}
        line = look.say(words, stops=len(answer["stops"]), left=len(answer["left_out"]))
        rows.append(row("day_plan", plan.id, look.say(title, day=plan.day.isoformat()), line, plan.updated_at))
    return Found(total, rows)


def _unassigned(look: Look, most: int) -> Found:
    """Find work orders that no station has: the office finds one."""
    query = (
        orders.visible_to(look.actor)
        .where(WorkOrder.state == "unassigned")
        .join(Customer, Customer.id == WorkOrder.customer_id)
        .add_columns(Customer.name)
        .order_by(WorkOrder.created_at, WorkOrder.id)
    )
    total, found = counted(look, query, most)
    words = ("{number}: no station for {job}", "{number}：{job} 尚无服务站承接")
    rows = [
        row("work_order", order.id, customer, look.say(words, number=order.number, job=order.job), order.created_at)
        for order, customer, _ in found
    ]
    return Found(total, rows)


def _station_tasks(look: Look, most: int) -> Found:
    """Find a station's tasks: those to answer first, then by appointment."""
    query = (
        orders.visible_tasks(look.actor)
        .where(StationTask.state.in_(LIVE_TASK_STATES))
        .join(WorkOrder, WorkOrder.id == StationTask.work_order_id)
        .join(Asset, Asset.id == WorkOrder.asset_id)
        .add_columns(WorkOrder, Asset.model)
        .order_by(case((StationTask.state == "offered", 0), else_=1), WorkOrder.slot_at, StationTask.answer_by, StationTask.id)
    )
    total, found = counted(look, query, most)
    rows = []
    for task, order, asset, _ in found:
        if task.state == "offered":
            due, words = task.answer_by, ("Answer by {at}: {job}, {part}", "请于 {at} 前答复：{job}，{part}")
        elif order.slot_at is not None:
            due, words = order.slot_at, ("Appointment {at}: {job}, {part}", "预约时间 {at}：{job}，{part}")
        else:
            due, words = task.updated_at, ("No appointment yet: {job}, {part}", "尚未预约：{job}，{part}")
        line = look.say(words, at=look.day_and_time(due), job=order.job, part=task.part_no)
        rows.append(row("station_task", task.id, f"{order.number} · {asset}", line, due))
    return Found(total, rows)


def _unread(look: Look, most: int) -> Found:
    """Find messages that were not opened, the newest first."""
    query = push.visible_to(look.actor).where(Notification.opened_at.is_(None)).order_by(Notification.id.desc())
    total, found = counted(look, query, most)
    rows = []
    for message, _ in found:
        words = push.in_words(message, look.actor.locale, look.settings)
        rows.append(row("notification", message.id, words["title"], words["body"], message.created_at))
    return Found(total, rows)


SECTIONS: tuple[Section, ...] = (
    Section("visits", "today", ("Today's visits", "今日拜访"), "visits.read", _visits, 15),
    Section("updates", "updates", ("News of your customers", "客户动态"), "customers.write", updates, 10),
    Section("alarms", "confirm", ("Alarms to take charge of", "待受理告警"), "alarms.acknowledge", _alarms),
    Section("check_ins", "confirm", ("Check-ins to look at", "待核实签到"), "visits.read", _check_ins),
    Section("beyond", "confirm", ("Used beyond what is owed", "超出权益额度的使用"), "entitlements.manage", owed.beyond),
    Section("unassigned", "confirm", ("Orders without a station", "待分配工单"), "work_orders.assign", _unassigned),
    Section("day_plans", "confirm", ("Routes to take over", "待采用路线"), "visits.check_in", _day_plans, 3),
    Section(
        "offers", "confirm", ("Offers without an answer", "待答复优惠"), "offers.read", _offers, roles=frozenset({REP, CUSTOMER})
    ),
    Section("proposals", "confirm", ("Visits your track shows", "行踪识别的拜访"), "tracks.record", own_work.proposals),
    Section("duplicates", "confirm", ("May be one customer", "疑似重复客户"), "customers.write", _duplicates),
    Section("leads", "tasks", ("Leads to contact first", "待首次跟进的线索"), "leads.write", own_work.untouched_leads),
    Section("next_steps", "tasks", ("Next steps due", "到期的下一步"), "follow_ups.write", own_work.next_steps),
    Section("repairs", "tasks", ("Customer records to complete", "待完善的客户资料"), "completeness.read", own_work.repairs, 3),
    Section("station_tasks", "tasks", ("Tasks", "任务"), "station_tasks.answer", _station_tasks, 10, frozenset({STAFF})),
    Section("unread", "unread", ("Unread messages", "未读消息"), "notifications.read", _unread, 8),
)
