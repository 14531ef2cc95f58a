"""Asking a device for something: a command goes out, an answer comes back, or its time runs out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.core import wire
from app.core.clock import to_ms
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, try_transition
from app.users.rights import Actor
from iot.adapters import Answer, sparkplug, thingsboard
from iot.models import DeviceCommand, DevicePoll

_LONGEST_METHOD = 100
# Within what an adapter reads: we hear ourselves what we ask a gateway.
_CALL_LIMITS = wire.Limits(size=64_000, depth=12, values=2_000, text=4_000)


def ask_device(session: Session, actor: Actor, device: Device, body: dict[str, Any], timeout_s: int) -> DeviceCommand:
    """Queue a command; the ingest process of the device's shard publishes it, or the device fetches it.

    Raises:
        Conflict: ``state_conflict`` for a revoked device, or one whose convention takes no commands.
        FieldsInvalid: what a ThingsBoard device is asked is no ``method`` with its ``params``, or longer than 64,000 bytes.
    """
    if device.state != "active" or device.adapter not in ("native", "thingsboard"):
        raise Conflict("state_conflict", state=device.state, wanted="queued")
    if device.adapter == "native":
        return queue(session, device.id, body, timeout_s, actor.id)
    return queue(session, device.id, _checked_call(body), timeout_s, actor.id, number=_free_number(session))


def _checked_call(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a ThingsBoard device is asked: a method by name, and its parameters, {} by default."""
    faults = {f"body.{name}": ["unknown"] for name in body if name not in ("method", "params")}
    method = body.get("method")
    if method is None:
        faults["body.method"] = ["required"]
    elif not isinstance(method, str):
        faults["body.method"] = ["not_text"]
    elif not 1 <= len(method) <= _LONGEST_METHOD:
        faults["body.method"] = ["too_long" if method else "too_short"]
    if faults:
        raise FieldsInvalid(faults)
    call = {"method": method, "params": body.get("params", {})}
    try:
        wire.parse_json(msgspec.json.encode(call), _CALL_LIMITS)
    except wire.WireError:
        raise FieldsInvalid({"body.params": ["too_large"]}) from None
    return call


def _free_number(session: Session) -> int:
    """Return a number no other command has. By chance: an answer to what was asked before a restore answers nothing new."""
    while True:
        number = 1 + secrets.randbelow(2**31 - 1)
        if session.scalar(select(DeviceCommand.id).where(DeviceCommand.number == number)) is None:
            return number


def queue(
    session: Session,
    device_id: str,
    body: dict[str, Any],
    timeout_s: int,
    actor_id: str | None = None,
    number: int | None = None,
) -> DeviceCommand:
    """Queue a command; without an actor it is the product itself that asks."""
    until = now(session) + timedelta(seconds=timeout_s)
    command = add(session, DeviceCommand(device_id=device_id, body=body, state="queued", expires_at=until, number=number))
    record(session, "device_command.queued", Subject("device_command", command.id), actor_id=actor_id, device_id=device_id)
    return command


class Outgoing(NamedTuple):
    """A command as it is published."""

    topic: str
    payload: bytes
    qos: int


def take_queued(session: Session, shards: Sequence[int], limit: int = 50) -> list[Outgoing]:
    """Mark the queued commands of some shards as sent and return them for publishing.

    A crash before the publish leaves a command that times out: asked at most once. A device that polls is left to ``iot.polls``.
    """
    rows = session.execute(
        select(DeviceCommand, Device)
        .join(Device, Device.id == DeviceCommand.device_id)
        .where(DeviceCommand.state == "queued", Device.shard.in_(list(shards)), DeviceCommand.expires_at > now(session))
        .where(~exists().where(DevicePoll.device_id == Device.id))
        .order_by(DeviceCommand.id)
        .limit(limit)
    ).all()
    present_ms = to_ms(now(session))
    return [_written(command, device, present_ms) for command, device in rows if try_transition(session, command, "sent")]


def _written(command: DeviceCommand, device: Device, present_ms: int) -> Outgoing:
    """Return a command in the words of the device's convention. The one to a Sparkplug node asks for its births.

    Source: Eclipse Sparkplug 3.0.0, 6.4.20: NCMD at QoS 0.
    """
    if device.adapter == "sparkplug":
        group, node = device.address.split("/")[:2]
        return Outgoing(f"spBv1.0/{group}/NCMD/{node}", sparkplug.rebirth(present_ms), 0)
    if command.number is not None:
        return Outgoing(thingsboard.RPC, thingsboard.rpc_request(device.address, command.number, command.body), 1)
    return Outgoing(f"devices/{device.shard}/{device.id}/commands/{command.id}", msgspec.json.encode(command.body), 1)


def unanswered(session: Session, device_id: str) -> list[str]:
    """Return the ids of the commands a device was sent and has not answered."""
    query = select(DeviceCommand.id).where(DeviceCommand.device_id == device_id, DeviceCommand.state == "sent")
    return list(session.scalars(query.order_by(DeviceCommand.id)))


def note_answers(session: Session, answers: Sequence[tuple[str, Answer]]) -> None:
    """Write devices' answers to their commands.

    Dropped are an answer to another device's command or to none, a second one, and one to what was not sent yet.
    """
    for device_id, answer in answers:
        command = _asked(session, device_id, answer)
        if command is None:
            continue
        if try_transition(session, command, "answered", answer=answer.body):
            about = Subject("device_command", command.id)
            record(session, "device_command.answered", about, causes=[last_entry(session, about)], device_id=device_id)


def _asked(session: Session, device_id: str, answer: Answer) -> DeviceCommand | None:
    """Return the device's own command that an answer is to."""
    known_by = DeviceCommand.number if isinstance(answer.command_id, int) else DeviceCommand.id
    return session.scalar(select(DeviceCommand).where(known_by == answer.command_id, DeviceCommand.device_id == device_id))


def time_out_commands(session: Session) -> int:
    """Close the commands nobody answered in time; return how many."""
    late = session.scalars(
        select(DeviceCommand)
        .where(DeviceCommand.state.in_(("queued", "sent")), DeviceCommand.expires_at <= now(session))
        .limit(200)
    ).all()
    closed = 0
    for command in late:
        if try_transition(session, command, "timed_out"):
            closed += 1
            about = Subject("device_command", command.id)
            record(session, "device_command.timed_out", about, causes=[last_entry(session, about)], device_id=command.device_id)
    return closed
