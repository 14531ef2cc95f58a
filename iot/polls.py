"""Devices that fetch their commands over HTTP, as ThingsBoard's "HTTP Device API" has it: a GET that waits for a command.

From its first call on such a device is asked in no other way, until a gateway connects it: what is fetched was published
nowhere, so it is asked once.

``GET /api/v1/<token>/rpc?timeout=<ms>`` is answered ``{"id": 1, "method": "toggle", "params": {}}``, or with status 408 and no
body when nothing came in time; ``POST /api/v1/<token>/rpc/1`` brings the answer.
Source: ThingsBoard's documentation, "HTTP Device API", server-side RPC; the statuses are those of its ``DeviceApiController``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from app.assets.models import SettingsState
from app.core.db import Database, among, insert_once, now
from app.core.tracked import try_transition
from iot.models import DeviceCommand, DevicePoll


@dataclass(frozen=True, eq=False)
class Poll:
    """A device that waits for a command. ``user_id``: the device, for the server counts who waits."""

    database: Database
    user_id: str

    @classmethod
    def look(cls, polls: Sequence[Self]) -> list[bytes]:
        """Tell of each whether there is a command for it now."""
        with polls[0].database.reading() as session:
            ids = {poll.user_id for poll in polls}
            query = select(DeviceCommand.device_id).where(
                among(session, DeviceCommand.device_id, sorted(ids)),
                DeviceCommand.state == "queued",
                DeviceCommand.expires_at > now(session),
            )
            asked = set(session.scalars(query))
        return [b"asked" if poll.user_id in asked else b"" for poll in polls]


def take_one(database: Database, device_id: str) -> dict[str, Any] | None:
    """Return the oldest command a device has not been asked yet, now sent; None where there is none.

    A crash before the answer has left leaves a command that times out: asked at most once.
    """
    with database.reading() as session:
        if session.get(DevicePoll, device_id) is not None and session.scalar(_queued(session, device_id).limit(1)) is None:
            return None
    with database.transaction() as session:
        insert_once(session, DevicePoll, device_id=device_id, since=now(session))
        for command in session.scalars(_queued(session, device_id)):
            if try_transition(session, command, "sent"):
                return {"id": command.number, **command.body}
    return None


def _queued(session: Session, device_id: str) -> Select[DeviceCommand]:
    query = select(DeviceCommand).where(DeviceCommand.device_id == device_id, DeviceCommand.state == "queued")
    return query.where(DeviceCommand.expires_at > now(session)).order_by(DeviceCommand.id)


def connected(session: Session, device_ids: Collection[str]) -> None:
    """A gateway has connected some devices: they are asked through it from now on, and get their settings anew."""
    some = sorted(set(device_ids))
    session.execute(delete(DevicePoll).where(DevicePoll.device_id.in_(some)))
    told = update(SettingsState).where(SettingsState.device_id.in_(some), SettingsState.published_no.is_not(None))
    session.execute(told.values(published_no=0).execution_options(synchronize_session=False))
