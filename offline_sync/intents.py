"""INTENTS: what a person may ask for while offline, as rows. Each runs the verb its REST route runs, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from app.contacts import operations as contacts
from app.contacts import queries as contact_queries
from app.core import fields, history, wire
from app.core.clock import EARLIEST, from_ms, to_ms
from app.core.db import now
from app.core.errors import Conflict, DomainError, FieldsInvalid, Forbidden
from app.core.settings import Settings
from app.core.tracked import one_of, touch
from app.customer_reports import operations as reports
from app.customer_reports import queries as report_queries
from app.customer_reports.schemas import FileReportSchema, ReportAnswerSchema
from app.day_plans import operations as day_plans
from app.day_plans import queries as day_plan_queries
from app.day_plans.schemas import PlanDaySchema
from app.entitlements import operations as entitlements
from app.entitlements import queries as entitlement_queries
from app.entitlements.models import EntitlementSpend
from app.entitlements.schemas import EntitlementReasonSchema, TellSpendSchema
from app.follow_ups import operations as follow_ups
from app.follow_ups import queries as follow_up_queries
from app.follow_ups import schemas as follow_up_schemas
from app.leads import assigning as lead_assigning
from app.leads import operations as leads
from app.leads import queries as lead_queries
from app.leads import schemas as lead_schemas
from app.leads.models import Lead
from app.participants import operations as participants
from app.participants import schemas as participant_schemas
from app.service_offers import operations as offers
from app.service_offers import queries as offer_queries
from app.tracks import consents, proposals, shifts
from app.tracks import queries as track_queries
from app.tracks import schemas as track_schemas
from app.tracks.models import TrackConsent, VisitProposal
from app.users.rights import Actor, allows
from app.visit_types.schemas import Code
from app.visits import check_ins
from app.visits import operations as visits
from app.visits import queries as visit_queries
from app.visits import schemas as visit_schemas
from app.visits import steps as visit_steps
from app.visits.results import read_result
from app.work_orders import operations as orders
from app.work_orders import queries as order_queries
from iot import closings, pauses
from iot import operations as alarms
from iot import queries as alarm_queries
from offline_sync.checks import checked
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
        makes: collection of the row it makes, which others may be about: it is carried out before those of its push, or
            ``in_turn`` with them where it may hang on one of them in turn.
        about: collection and id of the row it is about, where phones make such rows: it waits for one that is under way.
        timed: its verb takes beside the body ``skew_ms``, the phone's clock minus ours; ``asked_ms``, when the intent was made by
            that clock, 0 where that is nonsense; and ``came_at``, when it came.
    """

    right: str
    body: type[Schema]
    verb: Verb
    happened: bool = False
    makes: str | None = None
    in_turn: bool = False
    about: Callable[[Mapping[str, Any]], tuple[str, str]] | None = None
    timed: bool = False


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


class _CheckIn(_Visit, visit_schemas.BeginSchema):
    """Where and when; see ``POST /visits/<id>/check-in``."""


class _CheckOut(_Visit, visit_schemas.EndSchema):
    """The same with what came of it; see ``POST /visits/<id>/check-out``."""


class _NoShow(_Visit, visit_schemas.AbsenceSchema):
    """Where the rep stood, and what they found; see ``POST /visits/<id>/no-show``."""


class _MoveVisit(_Visit, visit_schemas.MoveSchema):
    """To what time, and why."""


class _RecordStep(_Visit, visit_schemas.StepBodySchema):
    """What came of a step; see ``POST /visits/<id>/steps/<step>``. The id keeps a result from counting twice."""

    id = fields.Id(required=True)
    made_ms = fields.Int(1, required=True)
    step = Code(required=True)


class _ExplainVisit(_Visit, visit_schemas.ExplainSchema):
    """Why something was left."""


class _CancelVisit(_Visit, visit_schemas.CancelVisitSchema):
    """Why."""


class _DayPlan(fields.Schema):
    day_plan_id = fields.Id(required=True)


class _PeopleMet(_Visit, participant_schemas.PeopleMetSchema):
    """Who was there."""


class _Contact(fields.Schema):
    contact_id = fields.Id(required=True)


class _MergeContacts(_Contact):
    other_id = fields.Id(required=True)


class _Appeal(visit_schemas.AppealSchema):
    check_in_id = fields.Id(required=True)


class _Lead(fields.Schema):
    lead_id = fields.Id(required=True)


class _LeadBack(_Lead, lead_schemas.LeadBackSchema):
    """Why; see ``POST /leads/<id>/lose``."""


def _of_lead(body: Mapping[str, Any]) -> tuple[str, str]:
    return "leads", body["lead_id"]


def _followed(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a follow-up hangs on that may come last: a contact waits for its customer itself."""
    if body.get("contact_id"):
        return "contacts", body["contact_id"]
    if body.get("visit_id"):
        return "visits", body["visit_id"]
    return ("leads", body["lead_id"]) if body.get("lead_id") else ("customers", body["customer_id"])


class _Done(follow_up_schemas.StepDoneSchema):
    follow_up_id = fields.Id(required=True)


class _WithdrawConsent(track_schemas.WithdrawConsentSchema):
    consent_id = fields.Id(required=True)


class _EndShift(track_schemas.WhenSchema):
    shift_id = fields.Id(required=True)


class _ConfirmVisit(track_schemas.ConfirmSchema):
    proposal_id = fields.Id(required=True)


class _RejectVisit(track_schemas.RejectSchema):
    proposal_id = fields.Id(required=True)


class _Report(fields.Schema):
    report_id = fields.Id(required=True)


class _AnswerReport(_Report, ReportAnswerSchema):
    """The note; see ``POST /customer-reports/<id>/answer``."""


class _ReturnSpend(EntitlementReasonSchema):
    spend_id = fields.Id(required=True)


# What nobody told a time of counts from when its intent was made, unless that is so long ago: then a clock was wrong.
_OLDEST_MS = 366 * 86_400_000
# A spend that is told again by another intent is the same within this: each push knows the phone's clock a little differently.
_ONE_TIME = timedelta(minutes=10)


def _spend(session: Session, settings: Settings, actor: Actor, body: dict[str, Any]) -> Any:
    values = dict(body)
    skew_ms, asked_ms, came_at = values.pop("skew_ms") or 0, values.pop("asked_ms"), values.pop("came_at")
    said = values.get("happened_at")
    at = _used_at(said, skew_ms, asked_ms, came_at)
    known = session.get(EntitlementSpend, values["id"])
    is_same = known is not None and (said in {None, known.happened_at} or abs(at - known.happened_at) <= _ONE_TIME)
    return entitlements.spend(session, settings, actor, values | {"happened_at": None if is_same else at})


def _used_at(said: datetime | None, skew_ms: int, asked_ms: int, came_at: datetime) -> datetime:
    """Return when something was used by our clock: as its phone says, else when it was told there; never after it came."""
    if said is not None and not skew_ms:
        return min(said, came_at)
    came_ms = to_ms(came_at)
    at_ms = (asked_ms if said is None else to_ms(said)) - skew_ms
    first_ms = came_ms - _OLDEST_MS if said is None else to_ms(EARLIEST)
    return from_ms(at_ms) if first_ms <= at_ms <= came_ms else came_at


def _spent(body: Mapping[str, Any]) -> tuple[str, str]:
    return ("visits", body["visit_id"]) if body.get("visit_id") else ("customers", body["customer_id"])


class _Notification(fields.Schema):
    notification_id = fields.Id(required=True)


def _task(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return order_queries.access_task(session, actor, body["task_id"])


def _visit(body: Mapping[str, Any]) -> tuple[str, str]:
    return "visits", body["visit_id"]


def _alarm(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return alarm_queries.access_alarm(session, actor, body["alarm_id"])


def _lead(session: Session, actor: Actor, body: dict[str, Any]) -> Lead:
    return lead_queries.access_lead(session, actor, body["lead_id"])


def _withdraw_consent(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    consent = one_of(session, track_queries.visible_consents(actor), TrackConsent, body["consent_id"])
    return consents.withdraw_consent(session, actor, consent, body, erase=body["erase"])


def _proposal(session: Session, actor: Actor, body: dict[str, Any]) -> VisitProposal:
    return one_of(session, track_queries.visible_proposals(actor), VisitProposal, body["proposal_id"])


def _report(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return report_queries.access_report(session, actor, body["report_id"])


def _snooze(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    alarm = _alarm(session, actor, body)
    if body["until"] <= now(session):
        raise Conflict("snooze_over")
    return pauses.snooze(session, actor, alarm, body["until"])


def _about_contact(body: Mapping[str, Any]) -> tuple[str, str]:
    return "contacts", body["contact_id"]


def _contact(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return contact_queries.access_contact(session, actor, body["contact_id"])


def _merge_contacts(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    keeper = _contact(session, actor, body)
    other = contacts.other_contact(session, actor, contact_queries.access_contact, body["other_id"])
    return contacts.merge_contacts(session, actor, keeper, other)


def _offer(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return offer_queries.access_offer(session, actor, body["offer_id"])


def _record_step(session: Session, settings: Settings, actor: Actor, body: dict[str, Any]) -> Any:
    visit = visit_queries.own_visit(session, actor, body["visit_id"])
    return visit_steps.record_step(session, actor, visit, read_result(body["step"], body, settings.currency))


def _move_visit(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    changes = {name: body[name] for name in ("planned_from", "planned_until", "reason")}
    return visits.move_visit(session, actor, visit_queries.writable_visit(session, actor, body["visit_id"]), changes)


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
    "alarm.wake": IntentKind("alarms.snooze", _Alarm, lambda s, _, a, b: pauses.end_snooze(s, a, _alarm(s, a, b))),
    "visit.plan": IntentKind(
        "visits.write",
        visit_schemas.VisitSchema,
        lambda s, _, a, b: visits.plan_visit(s, a, b),
        makes="visits",
        about=lambda b: ("sites", b["site_id"]),
    ),
    "visit.check_in": IntentKind(
        "visits.check_in",
        _CheckIn,
        lambda s, c, a, b: visits.begin_visit(s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b),
        happened=True,
        about=_visit,
    ),
    "visit.check_out": IntentKind(
        "visits.check_in",
        _CheckOut,
        lambda s, c, a, b: visits.end_visit(
            s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b, b["outcome"], b["next_step"], b["incomplete_reason"]
        ),
        happened=True,
        about=_visit,
    ),
    "visit.no_show": IntentKind(
        "visits.check_in",
        _NoShow,
        lambda s, c, a, b: visits.note_absence(s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b, b["reason"]),
        happened=True,
        about=_visit,
    ),
    "visit.record_step": IntentKind("visits.check_in", _RecordStep, _record_step, happened=True, about=_visit),
    "visit.explain": IntentKind(
        "visits.check_in",
        _ExplainVisit,
        lambda s, _, a, b: visits.explain_incomplete(s, a, visit_queries.own_visit(s, a, b["visit_id"]), b["reason"]),
        about=_visit,
    ),
    "visit.move": IntentKind("visits.write", _MoveVisit, lambda s, _, a, b: _move_visit(s, a, b), about=_visit),
    "visit.cancel": IntentKind(
        "visits.write",
        _CancelVisit,
        lambda s, _, a, b: visits.cancel_visit(s, a, visit_queries.writable_visit(s, a, b["visit_id"]), b["reason"]),
        about=_visit,
    ),
    "day.plan": IntentKind(
        "visits.write", PlanDaySchema, lambda s, c, a, b: day_plans.ask_for_plan(s, c, a, b), makes="day_plans"
    ),
    "day_plan.apply": IntentKind(
        "visits.write",
        _DayPlan,
        lambda s, _, a, b: day_plans.apply_plan(s, a, day_plan_queries.access_plan(s, a, b["day_plan_id"])),
    ),
    "visit.participants": IntentKind(
        "visits.write",
        _PeopleMet,
        lambda s, _, a, b: participants.add_participants(
            s, a, visit_queries.writable_visit(s, a, b["visit_id"]), b["participants"]
        ),
        happened=True,
        about=_visit,
    ),
    "contact.confirm": IntentKind(
        "contacts.write", _Contact, lambda s, _, a, b: contacts.confirm_contact(s, a, _contact(s, a, b)), about=_about_contact
    ),
    "contact.reject": IntentKind(
        "contacts.write", _Contact, lambda s, _, a, b: contacts.reject_contact(s, a, _contact(s, a, b)), about=_about_contact
    ),
    "contact.merge": IntentKind(
        "contacts.write", _MergeContacts, lambda s, _, a, b: _merge_contacts(s, a, b), about=_about_contact
    ),
    "check_in.appeal": IntentKind(
        "visits.check_in",
        _Appeal,
        lambda s, _, a, b: check_ins.appeal(s, a, visit_queries.access_check_in(s, a, b["check_in_id"]), b["text"]),
    ),
    "lead.claim": IntentKind("leads.claim", _Lead, lambda s, c, a, b: lead_assigning.claim(s, c, a, b["lead_id"])),
    "lead.give_back": IntentKind(
        "leads.write",
        _LeadBack,
        lambda s, _, a, b: lead_assigning.give_back(s, a, _lead(s, a, b), b["reason"]),
        about=_of_lead,
    ),
    "lead.qualify": IntentKind("leads.write", _Lead, lambda s, _, a, b: leads.qualify(s, a, _lead(s, a, b)), about=_of_lead),
    "lead.lose": IntentKind(
        "leads.write", _LeadBack, lambda s, _, a, b: leads.lose(s, a, _lead(s, a, b), b["reason"]), about=_of_lead
    ),
    # In the order in which they were done: a lead is claimed before it is called.
    "follow_up.log": IntentKind(
        "follow_ups.write",
        follow_up_schemas.FollowUpSchema,
        lambda s, _, a, b: follow_ups.log_follow_up(s, a, b),
        happened=True,
        about=_followed,
    ),
    "follow_up.done": IntentKind(
        "follow_ups.write",
        _Done,
        lambda s, _, a, b: follow_ups.finish_step(
            s, a, follow_up_queries.access_follow_up(s, a, b["follow_up_id"]), b.get("done_at")
        ),
        happened=True,
        about=lambda b: ("follow_ups", b["follow_up_id"]),
    ),
    # What a rep says of their own tracks is never the office's to decide: where a rule is against it, it is rejected.
    "track_consent.give": IntentKind(
        "tracks.record", track_schemas.GiveConsentSchema, lambda s, c, a, b: consents.give_consent(s, c, a, b)
    ),
    "track_consent.withdraw": IntentKind("tracks.record", _WithdrawConsent, lambda s, _, a, b: _withdraw_consent(s, a, b)),
    "track_shift.begin": IntentKind(
        "tracks.record",
        track_schemas.BeginShiftSchema,
        lambda s, c, a, b: shifts.begin_shift(s, c, a, b),
        makes="track_shifts",
        in_turn=True,  # after the consent of the same day
    ),
    "track_shift.end": IntentKind(
        "tracks.record",
        _EndShift,
        lambda s, _, a, b: shifts.end_shift(s, a, track_queries.own_shift(s, a, b["shift_id"]), b),
        about=lambda b: ("track_shifts", b["shift_id"]),
    ),
    "visit_proposal.confirm": IntentKind(
        "tracks.record", _ConfirmVisit, lambda s, _, a, b: proposals.confirm(s, a, _proposal(s, a, b), b)
    ),
    "visit_proposal.reject": IntentKind(
        "tracks.record", _RejectVisit, lambda s, _, a, b: proposals.reject(s, a, _proposal(s, a, b), b["reason"])
    ),
    "customer_report.file": IntentKind(
        "customer_reports.send",
        FileReportSchema,
        lambda s, c, a, b: reports.send_report(s, c, a, b, offline=True),
        happened=True,
        makes="customer_reports",
        timed=True,
    ),
    "customer_report.see": IntentKind(
        "customer_reports.answer", _Report, lambda s, _, a, b: reports.see_report(s, a, _report(s, a, b))
    ),
    "customer_report.answer": IntentKind(
        "customer_reports.answer", _AnswerReport, lambda s, _, a, b: reports.answer_report(s, a, _report(s, a, b), b["text"])
    ),
    # What was used is never too much to be told: where less was left, the row says so.
    "entitlement.spend": IntentKind(
        "entitlements.spend",
        TellSpendSchema,
        _spend,
        happened=True,
        makes="entitlement_spends",
        about=_spent,
        timed=True,
    ),
    "entitlement.return": IntentKind(
        "entitlements.spend",
        _ReturnSpend,
        lambda s, c, a, b: entitlements.give_back(s, c, a, entitlement_queries.access_spend(s, a, b["spend_id"]), b["reason"]),
        happened=True,
        about=lambda b: ("entitlement_spends", b["spend_id"]),
    ),
    "notification.open": IntentKind(
        "notifications.read",
        _Notification,
        lambda s, _, a, b: push.report_opened(s, a, push_queries.access_notification(s, a, b["notification_id"])),
    ),
}

# States of a station task that say: somebody else did it already. Telling it again needs no person.
_DONE = frozenset({"finished", "done"})
# So many fields that are wrong are named in a verdict.
_MOST_NAMED = 20


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
    return checked(INTENTS[kind].body, value, "body")


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
        if kind.timed:
            body |= {"skew_ms": intent.skew_ms, "asked_ms": intent.made_ms, "came_at": intent.created_at}
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
    facts: dict[str, Any] = {
        name: value if isinstance(value, int | float | bool) else str(value)[:200] for name, value in refusal.facts.items()
    }
    if isinstance(refusal, FieldsInvalid):
        facts["errors"] = dict(islice(refusal.errors.items(), _MOST_NAMED))
    told_before = refusal.code == "state_conflict" and refusal.facts.get("state") in _DONE
    review = kind.happened and isinstance(refusal, Conflict) and not told_before
    return "needs_review" if review else "rejected", refusal.code, facts
