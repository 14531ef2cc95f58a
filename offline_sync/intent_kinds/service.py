"""What stations, owners of equipment and the office ask for: tasks, coupons, offers, alarms."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core import fields
from app.core.db import now
from app.core.errors import Conflict
from app.service_offers import operations as offers
from app.service_offers import queries as offer_queries
from app.users.rights import Actor
from app.work_orders import operations as orders
from app.work_orders import queries as order_queries
from iot import closings, pauses
from iot import operations as alarms
from iot import queries as alarm_queries
from offline_sync.intent_kinds.base import IntentKind


class _Task(fields.Schema):
    task_id = fields.Id(required=True)


class _Reject(_Task):
    reason = fields.Lines(200, 1, required=True)


class _Finish(_Task):
    serial = fields.Text(60, 1, required=True)
    warranty_until = fields.Day(allow_none=True)


class _Redeem(fields.Schema):
    # The code, or the whole content of the QR code.
    code = fields.Text(2000, 1, required=True)


class _Offer(fields.Schema):
    offer_id = fields.Id(required=True)


class _Accept(_Offer):
    slot_at = fields.Instant(required=True)


class _Decline(_Offer):
    reason = fields.Lines(200, load_default="")


class _Alarm(fields.Schema):
    alarm_id = fields.Id(required=True)


class _Close(_Alarm):
    reason = fields.Text(200, 1, required=True)


class _Snooze(_Alarm):
    # An instant only: hours would begin when the row arrives, and not when the person asked for quiet.
    until = fields.Instant(required=True)


def _task(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return order_queries.access_task(session, actor, body["task_id"])


def _alarm(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return alarm_queries.access_alarm(session, actor, body["alarm_id"])


def _snooze(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    alarm = _alarm(session, actor, body)
    if body["until"] <= now(session):
        raise Conflict("snooze_over")
    return pauses.snooze(session, actor, alarm, body["until"])


def _offer(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return offer_queries.access_offer(session, actor, body["offer_id"])


SERVICE: dict[str, IntentKind] = {
    "station_task.accept": IntentKind("station_tasks.answer", _Task, lambda s, _, a, b: orders.accept_task(s, a, _task(s, a, b))),
    "station_task.reject": IntentKind(
        "station_tasks.answer", _Reject, lambda s, c, a, b: orders.reject_task(s, c, a, _task(s, a, b), b["reason"])
    ),
    "station_task.begin": IntentKind(
        "station_tasks.answer", _Task, lambda s, _, a, b: orders.begin_task(s, a, _task(s, a, b)), happened=True
    ),
    "station_task.finish": IntentKind(
        "station_tasks.answer",
        _Finish,
        lambda s, _, a, b: orders.finish_task(s, a, _task(s, a, b), b["serial"], b.get("warranty_until")),
        happened=True,
    ),
    "coupon.redeem": IntentKind("coupons.redeem", _Redeem, lambda s, c, a, b: offers.redeem(s, c, a, b["code"])),
    "service_offer.view": IntentKind("offers.answer", _Offer, lambda s, _, a, b: offers.view_offer(s, a, _offer(s, a, b))),
    "service_offer.accept": IntentKind(
        "offers.answer", _Accept, lambda s, c, a, b: offers.accept_offer(s, c, a, _offer(s, a, b), b["slot_at"])
    ),
    "service_offer.decline": IntentKind(
        "offers.answer", _Decline, lambda s, _, a, b: offers.decline_offer(s, a, _offer(s, a, b), b["reason"])
    ),
    # What people ask of alarms is a wish and no work done: where the alarm is over meanwhile, nothing is left to decide.
    "alarm.acknowledge": IntentKind("alarms.acknowledge", _Alarm, lambda s, _, a, b: alarms.acknowledge(s, a, _alarm(s, a, b))),
    "alarm.close": IntentKind("alarms.close", _Close, lambda s, _, a, b: closings.close(s, a, _alarm(s, a, b), b["reason"])),
    "alarm.snooze": IntentKind("alarms.snooze", _Snooze, lambda s, _, a, b: _snooze(s, a, b)),
    "alarm.wake": IntentKind("alarms.snooze", _Alarm, lambda s, _, a, b: pauses.end_snooze(s, a, _alarm(s, a, b))),
}
