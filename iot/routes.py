"""Telemetry, alarms, dead letters and commands over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from app.assets import placements
from app.assets import queries as assets
from app.core.clock import EARLIEST, LATEST, from_ms, to_ms
from app.core.db import now
from app.core.edge import edge_database, edge_settings
from app.core.errors import FieldsInvalid, Invalid, NotFound
from app.core.http import PUBLIC, Routes
from app.core.paging import PageQuery, page, page_of
from app.core.problems import Malformed
from app.core.streams import wait
from app.core.wire import WireError
from app.rules import queries as rules
from app.rules.documents import Document
from app.rules.operations import check_document
from app.users.rights import Actor
from iot import closings, commands, emqx, operations, pauses, polls, profile_trials, queries, rule_trials, schemas, steps
from iot.alarms import reading_id
from iot.models import Alarm, DeadLetter, DeviceCommand, DeviceLatest, DeviceStorm, Incident, Telemetry
from iot.store import Rollup

routes = Routes("iot", __name__, description="Telemetry, alarms, dead letters, commands")


def _reading(row: Telemetry | DeviceLatest) -> dict[str, Any]:
    return {
        "id": reading_id(row.device_id, row.message_key, row.metric),
        "device_id": row.device_id,
        "metric": row.metric,
        "at": from_ms(row.at_ms),
        "received_at": from_ms(row.received_ms),
        "value": row.value,
        "ahead": getattr(row, "ahead", False),
    }


@routes.door(
    "GET", "/devices/<device_id>/telemetry", policy="telemetry.read", query=schemas.TelemetryQuery, answer=schemas.TelemetrySchema
)
def list_readings(session: Session, actor: Actor, query: dict[str, Any], device_id: str) -> dict[str, Any]:
    """List a device's readings of one metric, newest first; or their sums by hour, day or step, also of what was deleted.

    A ``step`` is made longer where what is left of old readings is coarser, or where there would be more than ``limit`` sums.
    """
    device = assets.access_device(session, actor, device_id)
    seen_since = placements.seen_since(session, actor, device) or EARLIEST
    since, until = to_ms(max(query.get("since", EARLIEST), seen_since)), to_ms(query.get("until", LATEST))
    metric, limit = query["metric"], query["limit"]
    if "step" in query:
        if "since" not in query:
            raise FieldsInvalid({"since": ["required"]})
        until = min(until, to_ms(now(session)) + 1)
        step = steps.finest_step(session, query["step"], since, max(since, until), limit)
    elif query["resolution"] == "raw":
        found = queries.readings_of(session, device, metric, since, until, limit)
        return {"items": [_reading(row) for row in found], "rollups": [], "step": None}
    else:
        step = steps.Step(query["resolution"])
    sums = steps.sums_of(session, device.id, metric, step, since, until, limit, edge_settings().time_zone)
    return {"items": [], "rollups": [_rollup(one) for one in sums], "step": step.seconds}


def _rollup(one: Rollup) -> dict[str, Any]:
    return {
        "since": from_ms(one.from_ms),
        "n": one.n,
        "sum": one.total,
        "least": one.least,
        "greatest": one.most,
        "first_at": from_ms(one.first_ms),
        "first": one.first,
        "last_at": from_ms(one.last_ms),
        "last": one.last,
    }


@routes.door("GET", "/devices/<device_id>/latest", policy="telemetry.read", answer=schemas.ReadingsSchema)
def list_latest(session: Session, actor: Actor, device_id: str) -> dict[str, Any]:
    """List the newest reading of every metric of a device, by event time."""
    device = assets.access_device(session, actor, device_id)
    seen_ms = to_ms(placements.seen_since(session, actor, device) or EARLIEST)
    return {"items": [_reading(row) for row in queries.latest_of(session, device) if row.at_ms >= seen_ms]}


@routes.door("GET", "/devices/<device_id>/rate", policy="telemetry.read", answer=schemas.DeviceRateSchema)
def read_rate(session: Session, actor: Actor, device_id: str) -> dict[str, Any]:
    """Read how often a device may speak, and how many of its messages were not taken because it spoke more often."""
    device = assets.access_device(session, actor, device_id)
    bucket = queries.bucket_of(session, device)
    rate = bucket.rate(edge_settings())
    storm = session.get(DeviceStorm, device.id)
    return {
        "messages_per_minute": rate.per_minute,
        "burst": rate.burst,
        "room": bucket.room(rate, to_ms(now(session))) if rate.per_minute else None,
        "not_taken": storm.total if storm else 0,
        "storm_not_taken": storm.storm if storm else 0,
        "storm_since": from_ms(storm.began_ms) if storm and storm.began_ms is not None else None,
        "last_not_taken_at": from_ms(storm.last_ms) if storm else None,
    }


@routes.door("GET", "/alarms", policy="alarms.read", query=schemas.AlarmQuery, answer=page_of(schemas.AlarmSchema))
def list_alarms(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List alarms."""
    alarms = queries.visible_alarms(actor)
    for name in ("state", "asset_id", "incident_id"):
        if name in query:
            alarms = alarms.where(getattr(Alarm, name) == query[name])
    return page(session, alarms, Alarm, query)


@routes.door("GET", "/alarms/<alarm_id>", policy="alarms.read", answer=schemas.AlarmSchema)
def read_alarm(session: Session, actor: Actor, alarm_id: str) -> Alarm:
    """Read one alarm."""
    return queries.access_alarm(session, actor, alarm_id)


@routes.door("POST", "/alarms/<alarm_id>/acknowledge", policy="alarms.acknowledge", answer=schemas.AlarmSchema)
def acknowledge(session: Session, actor: Actor, alarm_id: str) -> Alarm:
    """Say that somebody looks after an alarm."""
    return operations.acknowledge(session, actor, queries.access_alarm(session, actor, alarm_id))


@routes.door("POST", "/alarms/<alarm_id>/close", policy="alarms.close", body=schemas.CloseAlarmSchema, answer=schemas.AlarmSchema)
def close_alarm(session: Session, actor: Actor, body: dict[str, Any], alarm_id: str) -> Alarm:
    """Close an alarm that stands, whatever its readings say.

    Its rule raises again when the condition has ended and holds anew. What the alarm had led to, such as an offer, stays.
    """
    return closings.close(session, actor, queries.access_alarm(session, actor, alarm_id), body["reason"])


@routes.door(
    "POST", "/alarms/<alarm_id>/snooze", policy="alarms.snooze", body=schemas.SnoozeAlarmSchema, answer=schemas.AlarmSchema
)
def snooze_alarm(session: Session, actor: Actor, body: dict[str, Any], alarm_id: str) -> Alarm:
    """Let an alarm tell nobody anything for a while; it stays, and wakes by itself if it still stands then."""
    if ("until" in body) == ("hours" in body):
        raise FieldsInvalid({"until": ["until_or_hours"]})
    alarm = queries.access_alarm(session, actor, alarm_id)
    until = body["until"] if "until" in body else now(session) + timedelta(hours=body["hours"])
    return pauses.snooze(session, actor, alarm, until)


@routes.door("POST", "/alarms/<alarm_id>/wake", policy="alarms.snooze", answer=schemas.AlarmSchema)
def wake_alarm(session: Session, actor: Actor, alarm_id: str) -> Alarm:
    """End the snooze of an alarm now: the rep and whoever asked for quiet are told, and the reminders go on."""
    return pauses.end_snooze(session, actor, queries.access_alarm(session, actor, alarm_id))


@routes.door("GET", "/incidents", policy="alarms.read", query=schemas.IncidentQuery, answer=page_of(schemas.IncidentSchema))
def list_incidents(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List incidents; ``GET /alarms?incident_id=`` lists the alarms of one."""
    incidents = queries.visible_incidents(actor)
    for name in ("state", "asset_id"):
        if name in query:
            incidents = incidents.where(getattr(Incident, name) == query[name])
    return page(session, incidents, Incident, query)


@routes.door("GET", "/incidents/<incident_id>", policy="alarms.read", answer=schemas.IncidentSchema)
def read_incident(session: Session, actor: Actor, incident_id: str) -> Incident:
    """Read one incident."""
    return queries.access_incident(session, actor, incident_id)


def _trial(session: Session, document: Document, span: dict[str, Any], since: datetime, rule_id: str = "") -> dict[str, Any]:
    if document.watches == "device":
        raise Invalid("rule_invalid", reason="silence is judged by arrival: there is nothing stored to try it on")
    until = min(span.get("until", LATEST), now(session))
    with rule_trials.taking_turns():
        found = rule_trials.try_out(
            session,
            document,
            edge_settings().time_zone,
            since=span.get("since", since),
            until=until,
            after=span["after"],
            rule_id=rule_id,
        )
    return {
        "items": [
            {
                "subject_kind": raised.subject_kind,
                "subject_id": raised.subject_id,
                "asset_id": raised.asset_id,
                "severity": raised.severity,
                "state": raised.state,
                "closed_at": None if raised.closed_ms is None else from_ms(raised.closed_ms),
                "raised_at": from_ms(raised.episode.raised_at_ms),
                "cleared_at": None if raised.episode.cleared_at_ms is None else from_ms(raised.episode.cleared_at_ms),
                "end_reason": raised.episode.clear_reason,
                "first_value": raised.episode.causes[0].value,
                "last_value": raised.episode.last.value,
                "readings": raised.episode.count,
            }
            for raised in found.raised
        ],
        "subjects": found.subjects,
        "readings": found.readings,
        "next": found.following,
    }


@routes.door(
    "POST",
    "/rule-trials",
    policy="rules.manage",
    body=schemas.TrialBodySchema,
    answer=schemas.TrialSchema,
    idempotent=False,
    own_transactions=True,
)
def try_document(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Try a document on the stored readings: what would it have raised?

    Nothing is saved, nobody is told. At most about a million readings are looked at in one call; ``next`` goes on.
    """
    document = check_document(body["document"])
    with edge_database().reading() as session:
        return _trial(session, document, body, EARLIEST)


@routes.door("GET", "/rules/<rule_id>/trial", policy="rules.manage", query=schemas.TrialSpanSchema, answer=schemas.TrialSchema)
def try_rule(session: Session, actor: Actor, query: dict[str, Any], rule_id: str) -> dict[str, Any]:
    """Try a rule, such as one that is not switched on yet, on what has arrived since it was saved: its dry run."""
    version = rules.version_of(session, rules.access_rule(session, rule_id))
    return _trial(session, check_document(version.document), query, version.since, rule_id)


@routes.door("POST", "/<token>/telemetry", policy=PUBLIC, idempotent=False, own_transactions=True)
def take_telemetry(actor: None, token: str) -> None:
    """Take in a device's readings in ThingsBoard's form; the token is the device's secret.

    The body is ``{"k": v}``, ``{"ts": ms, "values": {"k": v}}``, or a list of those, of at most as many bytes as an MQTT
    message. It is stored when the answer comes, and the same entry with the same ``ts`` counts once. After 30 wrong tokens an
    address gets 429 for further wrong ones, for a minute, then longer, at most 15 minutes; right ones are always heard. 429
    with ``rate_limited``: the device sends more than its rate.
    """
    body = request.get_data(cache=False)
    try:
        operations.take_telemetry(edge_database(), edge_settings(), token, body, request.remote_addr or "-")
    except WireError as fault:
        raise Malformed("malformed", reason=fault.reason) from None


@routes.door(
    "GET",
    "/<token>/rpc",
    policy=PUBLIC,
    query=schemas.PollQuery,
    answer=schemas.AskedSchema,
    idempotent=False,
    own_transactions=True,
)
def fetch_command(actor: None, query: dict[str, Any], token: str) -> Any:
    """Wait for a command, in ThingsBoard's form; the token is the device's secret.

    Answered at once when there is one, else when one comes within ``timeout`` milliseconds, else with 408 and no body. A
    command is fetched once. Who asks too often at a time is answered 408 at once, and may come again.
    """
    device = operations.device_of_token(edge_database(), token, request.remote_addr or "-")
    asked = polls.take_one(edge_database(), device.id)
    if asked is None:
        wait(polls.Poll(edge_database(), device.id), query["timeout"] / 1000)
        return Response(status=408)
    return asked


@routes.door("POST", "/<token>/rpc/<number>", policy=PUBLIC, idempotent=False, own_transactions=True)
def take_answer(actor: None, token: str, number: str) -> None:
    """Take in a device's answer to the command of this number, in ThingsBoard's form: any JSON of at most 64,000 bytes.

    An answer that comes twice, or to what this device was not asked, is passed over.
    """
    body, origin = request.get_data(cache=False), request.remote_addr or "-"
    if not (number.isascii() and number.isdigit() and len(number) <= 10):
        operations.device_of_token(edge_database(), token, origin)
        raise NotFound
    try:
        operations.take_answer(edge_database(), edge_settings(), token, int(number), body, origin)
    except WireError as fault:
        raise Malformed("malformed", reason=fault.reason) from None


@routes.door(
    "POST",
    "/broker/emqx/authentication",
    policy=PUBLIC,
    answer=schemas.SignInVerdictSchema,
    idempotent=False,
    own_transactions=True,
)
def authenticate_client(actor: None) -> dict[str, Any]:
    """Tell EMQX whether an MQTT client may sign in, and what it may say and hear.

    The broker shows the deployment's token in the header ``X-Broker-Token``. The body holds ``username``, ``password``,
    ``clientid`` and ``peerhost``. A client that may not is answered 200 and
    ``deny``. Only a broker that does not show the token is refused.
    """
    token = request.headers.get("X-Broker-Token", "")
    return emqx.authenticate(edge_database(), edge_settings(), token, request.get_data(cache=False))


@routes.door(
    "POST",
    "/device-profile-trials",
    policy="devices.manage",
    body=schemas.ReadingTrialBodySchema,
    answer=schemas.ReadingTrialSchema,
    idempotent=False,
    own_transactions=True,
)
def try_profile(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Try a device profile on one message: what would be stored, or why not.

    Nothing is saved. The profile need not exist, and no device need be registered.
    """
    with edge_database().reading() as session:
        return profile_trials.try_message(body, to_ms(now(session)))


@routes.door(
    "GET", "/dead-letters", policy="dead_letters.read", query=schemas.DeadLetterQuery, answer=page_of(schemas.DeadLetterSchema)
)
def list_dead_letters(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List messages that could not be used, with the reason and their first bytes."""
    wanted = {name: query[name] for name in ("state", "reason", "source") if name in query}
    found = page(session, queries.dead_letters().filter_by(**wanted), DeadLetter, query)
    return {"items": [_letter(row) for row in found["items"]], "next": found["next"]}


def _letter(row: DeadLetter) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in schemas.DeadLetterSchema().fields if name != "head"}
    return shown | {"head": row.payload[:4096].decode(errors="backslashreplace")[:8000].replace("\x00", "\\x00")}


@routes.door(
    "POST",
    "/dead-letters/<letter_id>/replay",
    policy="dead_letters.replay",
    answer=schemas.DeadLetterSchema,
    own_transactions=True,
)
def replay(actor: Actor, letter_id: str) -> dict[str, Any]:
    """Send a dead letter through the ingest again; still refused, it is open again with the new reason."""
    return _letter(operations.replay(edge_database(), edge_settings(), actor, letter_id))


@routes.door("POST", "/dead-letters/<letter_id>/dismiss", policy="dead_letters.replay", answer=schemas.DeadLetterSchema)
def dismiss(session: Session, actor: Actor, letter_id: str) -> dict[str, Any]:
    """Close a dead letter that is of no use."""
    return _letter(operations.dismiss(session, actor, letter_id))


@routes.door(
    "POST", "/dead-letters/dismiss", policy="dead_letters.replay", body=schemas.DismissalSchema, answer=schemas.DismissedSchema
)
def dismiss_all(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Close all open dead letters of a source that are of no use; it has room for new ones then."""
    return {"dismissed": operations.dismiss_all(session, actor, body["source"], body.get("reason"))}


@routes.door(
    "POST",
    "/devices/<device_id>/commands",
    policy="devices.command",
    body=schemas.CommandSchema,
    answer=schemas.CommandSchema,
    status=201,
)
def ask_device(session: Session, actor: Actor, body: dict[str, Any], device_id: str) -> DeviceCommand:
    """Send a command to a device; its answer, or the time-out, appears in it."""
    return commands.ask_device(session, actor, assets.access_device(session, actor, device_id), body["body"], body["timeout_s"])


@routes.door("GET", "/device-commands/<command_id>", policy="devices.read", answer=schemas.CommandSchema)
def read_command(session: Session, actor: Actor, command_id: str) -> DeviceCommand:
    """Read one command."""
    command = session.scalar(queries.visible_commands(actor).where(DeviceCommand.id == command_id))
    if command is None:
        raise NotFound
    return command


@routes.door(
    "GET", "/devices/<device_id>/commands", policy="devices.read", query=PageQuery, answer=page_of(schemas.CommandSchema)
)
def list_commands(session: Session, actor: Actor, query: dict[str, Any], device_id: str) -> dict[str, Any]:
    """List the commands to a device."""
    device = assets.access_device(session, actor, device_id)
    commands = queries.visible_commands(actor).where(DeviceCommand.device_id == device.id)
    return page(session, commands, DeviceCommand, query)
