"""INTENTS: what a person may ask for while offline, as rows. Each runs the verb its REST route runs, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from app.core import fields, history, wire
from app.core.db import now
from app.core.errors import Conflict, DomainError, FieldsInvalid, Forbidden
from app.core.settings import Settings
from app.core.tracked import touch
from app.service_offers import operations as offers
from app.service_offers import queries as offer_queries
from app.users.rights import Actor, allows
from app.visits import check_ins
from app.visits import operations as visits
from app.visits import queries as visit_queries
from app.visits import schemas as visit_schemas
from app.work_orders import operations as orders
from app.work_orders import queries as order_queries
from iot import closings, pauses
from iot import operations as alarms
from iot import queries as alarm_queries
from offline_sync.models import Intent
from push import operations as push
from push import queries as push_queries

Verb = Callable[[Session, Settings, Actor, dict[str, Any]], Any]


@dataclass(frozen=True)
class IntentKind:
    """One thing that can be asked for.

    Attributes:
        right: what the actor must be allowed.
        body: schema of the row's body.
        verb: carries it out.
        happened: the row tells of something done in the world; where the state of things does not
            allow it any more, a person decides, and it is not simply refused.
    """

    right: str
    body: type[Schema]
    verb: Verb
    happened: bool = False


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


class _Visit(fields.Schema):
    visit_id = fields.Id(required=True)


class _CheckIn(_Visit, visit_schemas.FixSchema):
    """Where and when; see ``POST /visits/<id>/check-in``."""


class _CheckOut(_Visit, visit_schemas.EndSchema):
    """The same with what came of it; see ``POST /visits/<id>/check-out``."""


class _CancelVisit(_Visit, visit_schemas.CancelVisitSchema):
    """Why."""


class _Appeal(visit_schemas.AppealSchema):
    check_in_id = fields.Id(required=True)


class _Notification(fields.Schema):
    notification_id = fields.Id(required=True)


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


INTENTS: dict[str, IntentKind] = {
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
    "visit.plan": IntentKind("visits.write", visit_schemas.VisitSchema, lambda s, _, a, b: visits.plan_visit(s, a, b)),
    "visit.check_in": IntentKind(
        "visits.check_in",
        _CheckIn,
        lambda s, c, a, b: visits.begin_visit(s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b),
        happened=True,
    ),
    "visit.check_out": IntentKind(
        "visits.check_in",
        _CheckOut,
        lambda s, c, a, b: visits.end_visit(
            s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b, b["outcome"], b["next_step"]
        ),
        happened=True,
    ),
    "visit.cancel": IntentKind(
        "visits.write",
        _CancelVisit,
        lambda s, _, a, b: visits.cancel_visit(s, a, visit_queries.writable_visit(s, a, b["visit_id"]), b["reason"]),
    ),
    "check_in.appeal": IntentKind(
        "visits.check_in",
        _Appeal,
        lambda s, _, a, b: check_ins.appeal(s, a, visit_queries.access_check_in(s, a, b["check_in_id"]), b["text"]),
    ),
    "notification.open": IntentKind(
        "notifications.read",
        _Notification,
        lambda s, _, a, b: push.report_opened(s, a, push_queries.access_notification(s, a, b["notification_id"])),
    ),
}

# States of a station task that say: somebody else did it already. Telling it again needs no person.
_DONE = frozenset({"finished"})


def read_body(kind: str, text: str) -> dict[str, Any]:
    """Return the body of an intent, checked.

    Raises:
        FieldsInvalid: ``unknown_kind``, or what is wrong with each of its fields.
    """
    if kind not in INTENTS:
        raise FieldsInvalid({"kind": ["unknown_kind"]})
    try:
        value = wire.parse_json(text.encode())
    except (wire.WireError, UnicodeEncodeError):
        raise FieldsInvalid({"body": ["invalid"]}) from None
    if not isinstance(value, dict):
        raise FieldsInvalid({"body": ["not_object"]})
    schema = INTENTS[kind].body()
    faults = schema.validate(value)
    if faults:
        raise FieldsInvalid({f"body.{name}": [str(code) for code in codes] for name, codes in faults.items()})
    return dict(schema.load(value))


def decide(session: Session, settings: Settings, actor: Actor, intent: Intent) -> DomainError | None:
    """Carry an intent out, once, and write its verdict into it.

    Returns:
        The refusal, when there was one; what it must leave behind (``trace``) is the caller's to write.
    """
    kind = INTENTS[intent.kind]
    refusal: DomainError | None = None
    try:
        if not allows(actor, kind.right):
            raise Forbidden("forbidden")
        body = read_body(intent.kind, intent.body)
        with session.begin_nested():
            kind.verb(session, settings, actor, body)
    except DomainError as fault:
        refusal = fault
    intent.verdict, intent.code, intent.facts = _verdict(kind, refusal)
    intent.decided_at = now(session)
    touch(session, intent)
    subject = history.Subject("intent", intent.id)
    history.record(
        session, "intent.decided", subject, actor_id=actor.id, verdict=intent.verdict, what=intent.kind, code=intent.code
    )
    return refusal


def _verdict(kind: IntentKind, refusal: DomainError | None) -> tuple[str, str | None, dict[str, Any] | None]:
    if refusal is None:
        return "accepted", None, None
    facts = {name: value if isinstance(value, int | float | bool) else str(value)[:200] for name, value in refusal.facts.items()}
    told_before = refusal.code == "state_conflict" and refusal.facts.get("state") in _DONE
    review = kind.happened and isinstance(refusal, Conflict) and not told_before
    return "needs_review" if review else "rejected", refusal.code, facts
