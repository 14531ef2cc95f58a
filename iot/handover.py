"""Settings on their way to devices: handed to the broker until it confirms them, the newest last, and again when it may forget.

What is wanted is read anew each time. One process serves a shard, over one connection, in order; so the last that a broker
gets of a device is what was wanted last. A crash between handing over and noting it repeats the same. A broker that was
restarted may have lost what it had confirmed (the embedded one keeps nothing, Mosquitto's snapshot may be a minute old): after
each connection of ours everything goes out once more.

To a native device goes one retained message. ThingsBoard's topic is shared by all devices behind gateways, so nothing can be
retained there; a gateway that connects a device gets them anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.assets.device_settings import SETTABLE, wanted, wanted_no
from app.assets.models import Device, DeviceProfile, SettingsState
from app.core.db import insert_once
from iot.adapters import thingsboard

_AT_ONCE = 200
# Looks at the database without a sign that anything has changed.
_LOOK_EVERY = 10


class Handed(NamedTuple):
    """Settings of a device that were handed to the broker over one connection; number 0: that there are none any more."""

    device_id: str
    number: int
    names: tuple[str, ...]
    connection: int


class Outgoing(NamedTuple):
    """A message to the broker, and what its confirmation would confirm."""

    topic: str
    payload: bytes
    retain: bool
    handed: Handed


class Handover:
    """What one ingest process has handed over and the broker has not confirmed yet."""

    def __init__(self, shard: int) -> None:
        """Prepare for the devices of a shard."""
        self._shard = shard
        self._connection = 0
        self._flying: dict[str, int] = {}
        self._quiet_at: int | None = None
        self._looks = 0

    def take(self, session: Session, connection: int, confirmed: Sequence[Handed]) -> list[Outgoing]:
        """Note what the broker has confirmed, and return what is to be published once this transaction is committed.

        Args:
            connection: the number of the present connection to the broker.
            confirmed: since the last call. What went over an earlier connection confirms nothing.
        """
        if connection != self._connection:
            forget_published(session, self._shard)
            self._connection, self._quiet_at = connection, None
            self._flying.clear()
        valid = [one for one in confirmed if one.connection == connection]
        note_published(session, valid)
        for one in valid:
            if self._flying.get(one.device_id) == one.number:
                del self._flying[one.device_id]
        newest = _newest_change(session)
        self._looks += 1
        if newest == self._quiet_at and self._looks % _LOOK_EVERY:
            return []
        found = unpublished(session, self._shard, self._flying, connection)
        self._quiet_at = None if found else newest
        self._flying.update({one.handed.device_id: one.handed.number for one in found})
        return found

    def start_over(self) -> None:
        """Hand everything over again: nobody knows what became of the last transaction."""
        self._connection = 0


def _newest_change(session: Session) -> int:
    return max(session.scalar(select(func.coalesce(func.max(of.change_no), 0))) or 0 for of in (Device, DeviceProfile))


def unpublished(session: Session, shard: int, flying: Mapping[str, int], connection: int) -> list[Outgoing]:
    """Return the messages to devices of a shard whose newest settings the broker has not confirmed, at most 200.

    Args:
        flying: by device, the number that was handed over and is not confirmed yet; not again.
        connection: over which they will be handed over.
    """
    held = SettingsState.published_no
    stale = and_(Device.state == "active", Device.adapter.in_(SETTABLE), wanted_no() > 0, func.coalesce(held, -1) != wanted_no())
    # What is retained would stay at the broker for ever.
    gone = and_(Device.state != "active", Device.adapter == "native", held.is_not(None))
    rows = session.execute(
        select(Device, DeviceProfile, SettingsState)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .outerjoin(SettingsState, SettingsState.device_id == Device.id)
        .where(Device.shard == shard, or_(stale, gone))
        .order_by(Device.id)
        .limit(_AT_ONCE + len(flying))
    )
    found = [_written(device, profile, state, connection) for device, profile, state in rows]
    return [one for one in found if flying.get(one.handed.device_id) != one.handed.number][:_AT_ONCE]


def _written(device: Device, profile: DeviceProfile, state: SettingsState | None, connection: int) -> Outgoing:
    number, values = wanted(profile, device, state)
    if device.state != "active":
        # An empty payload ends what is retained: MQTT 3.1.1, 3.3.1.3.
        return Outgoing(_topic(device), b"", True, Handed(device.id, 0, (), connection))
    handed = Handed(device.id, number, tuple(sorted(values)), connection)
    if device.adapter == "thingsboard":
        ended = sorted(set(state.told if state else ()) - set(values))
        return Outgoing(thingsboard.ATTRIBUTES, thingsboard.settings_update(device.address, number, values, ended), False, handed)
    return Outgoing(_topic(device), msgspec.json.encode({"no": number, "settings": values}), True, handed)


def _topic(device: Device) -> str:
    return f"devices/{device.shard}/{device.id}/settings"


def note_published(session: Session, confirmed: Sequence[Handed]) -> None:
    """Note what the broker has confirmed."""
    for one in sorted(confirmed):
        insert_once(session, SettingsState, device_id=one.device_id, overtook=0, told=[], as_wanted=False)
        state = session.get_one(SettingsState, one.device_id, with_for_update=True, populate_existing=True)
        state.published_no = one.number or None
        state.told = sorted({*state.told, *one.names})
    session.flush()


def forget_published(session: Session, shard: int) -> None:
    """Say of a shard's devices that the broker may hold nothing for them any more."""
    own = select(Device.id).where(Device.shard == shard)
    some = update(SettingsState).where(SettingsState.published_no.is_not(None), SettingsState.device_id.in_(own))
    session.execute(some.values(published_no=0).execution_options(synchronize_session=False))
