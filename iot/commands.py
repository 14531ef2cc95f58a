"""Asking a device for something: a command goes out, an answer comes back, or its time runs out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.core.db import now
from app.core.errors import Conflict
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, try_transition
from app.users.rights import Actor
from iot.adapters import Answer
from iot.models import DeviceCommand


def ask_device(session: Session, actor: Actor, device: Device, body: dict[str, Any], timeout_s: int) -> DeviceCommand:
    """Queue a command; the ingest process of the device's shard publishes it.

    Raises:
        Conflict: ``state_conflict`` for a revoked device, or one whose convention takes no commands.
    """
    if device.state != "active" or device.adapter != "native":
        raise Conflict("state_conflict", state=device.state, wanted="queued")
    command = add(
        session,
        DeviceCommand(device_id=device.id, body=body, state="queued", expires_at=now(session) + timedelta(seconds=timeout_s)),
    )
    record(session, "device_command.queued", Subject("device_command", command.id), actor_id=actor.id, device_id=device.id)
    return command


def take_queued(session: Session, shards: Sequence[int], limit: int = 50) -> list[tuple[DeviceCommand, int]]:
    """Mark the queued commands of some shards as sent and return them with their shard, for publishing.

    A crash before the publish leaves a command that times out: asked at most once.
    """
    rows = session.execute(
        select(DeviceCommand, Device.shard)
        .join(Device, Device.id == DeviceCommand.device_id)
        .where(DeviceCommand.state == "queued", Device.shard.in_(list(shards)), DeviceCommand.expires_at > now(session))
        .order_by(DeviceCommand.id)
        .limit(limit)
    ).all()
    return [(command, shard) for command, shard in rows if try_transition(session, command, "sent")]


def note_answers(session: Session, answers: Sequence[tuple[str, Answer]]) -> None:
    """Write devices' answers to their commands; an answer to another device's command, or a second one, is dropped."""
    for device_id, answer in answers:
        command = session.get(DeviceCommand, answer.command_id)
        if command is None or command.device_id != device_id:
            continue
        if try_transition(session, command, "answered", answer=answer.body):
            about = Subject("device_command", command.id)
            record(session, "device_command.answered", about, causes=[last_entry(session, about)], device_id=device_id)


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
