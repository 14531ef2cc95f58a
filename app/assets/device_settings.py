"""What devices are to be set to: a profile's settings, and a device's own over them, under one number that only grows.

The number of a device is that of its profile plus its own. Each grows with each change of its part, and a device keeps its
profile, so a device's number grows with every change of what it is to be set to, and no change of a profile writes to
thousands of devices.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.orm import Session

from app.assets.models import Device, DeviceProfile, SettingsState
from app.core import history
from app.core.db import insert_once
from app.core.errors import FieldsInvalid
from app.core.tracked import touch
from app.users.rights import Actor

SETTABLE = ("native", "thingsboard")
"""Adapters whose devices can be set."""

MOST_NUMBER = 10**9
"""A device that claims to know a higher number than this is not overtaken."""

Values = dict[str, Any]


def wanted(profile: DeviceProfile, device: Device, state: SettingsState | None) -> tuple[int, Values]:
    """Return the number of what a device is to be set to, and the values; 0 where nothing was ever said."""
    return profile.settings_no + device.settings_no + (state.overtook if state else 0), profile.settings | device.settings


def wanted_no() -> ColumnElement[int]:
    """Return the number of ``wanted`` in SQL, of devices joined with their profiles and outer joined with their states."""
    return DeviceProfile.settings_no + Device.settings_no + func.coalesce(SettingsState.overtook, 0)


def in_step(number: int, state: SettingsState | None) -> bool | None:
    """Tell whether a device has taken over what is wanted under ``number``; None where nothing was ever wanted."""
    if not number:
        return None
    return state is not None and state.reported_no == number and state.as_wanted


def is_behind() -> ColumnElement[bool]:
    """Return the condition on active devices, joined with profiles and outer joined with states, that are not in step."""
    other = or_(SettingsState.reported_no.is_(None), SettingsState.reported_no != wanted_no(), SettingsState.as_wanted.is_(False))
    return and_(wanted_no() > 0, Device.state == "active", other)


def is_in_step() -> ColumnElement[bool]:
    """Return the condition, as ``is_behind``, on active devices that are in step."""
    same = and_(SettingsState.reported_no == wanted_no(), SettingsState.as_wanted.is_(True))
    return and_(wanted_no() > 0, Device.state == "active", same)


def are_same(one: Values, other: Values) -> bool:
    """Tell whether two are written alike: to Python 1 and true are the same."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def check_adapter(adapter: str, settings: Values, field: str) -> None:
    """Refuse settings for devices that nothing can be sent to.

    Raises:
        FieldsInvalid: ``no_settings``.
    """
    if settings and adapter not in SETTABLE:
        raise FieldsInvalid({field: ["no_settings"]})


def set_device(session: Session, actor: Actor, device: Device, values: Values) -> Device:
    """Give a device settings of its own, in place of those it had; they go over its profile's.

    Raises:
        FieldsInvalid: ``no_settings`` for a device that nothing can be sent to.
    """
    check_adapter(device.adapter, values, "settings")
    if are_same(values, device.settings):
        return device
    device.settings = values
    device.settings_no += 1
    touch(session, device)
    number, _ = wanted(session.get_one(DeviceProfile, device.profile_id), device, session.get(SettingsState, device.id))
    about = history.Subject("device", device.id)
    history.record(session, "device.settings_set", about, actor_id=actor.id, number=number, settings=values)
    return device


def _fits(present: Values, told: Values, whole: bool) -> bool:
    return all(told[name] == value if name in told else not whole for name, value in present.items())


def note_report(
    session: Session, device_id: str, number: int, values: Values | None, at: datetime, *, whole: bool = True
) -> None:
    """Note what a device says it has taken over; of two reports the later one by the device's clock stands.

    A device that knows a higher number than ours had it before a backup was restored here: it would take over nothing that we
    say. So its number is overtaken, and what is wanted goes out anew.

    Args:
        number: of what it has taken over.
        values: what it is set to now; None where it does not say.
        at: when it said so.
        whole: it is not set to what it does not name.
    """
    insert_once(session, SettingsState, device_id=device_id, overtook=0, told=[], as_wanted=False)
    state = session.get_one(SettingsState, device_id, with_for_update=True, populate_existing=True)
    if state.reported_at is not None and (at, number) < (state.reported_at, state.reported_no or 0):
        return
    device = session.get_one(Device, device_id)
    profile = session.get_one(DeviceProfile, device.profile_id)
    present_no, present = wanted(profile, device, state)
    as_wanted = number == present_no and (values is None or _fits(present, values, whole))
    news = (number, as_wanted) != (state.reported_no, state.as_wanted)
    state.reported_no, state.reported, state.reported_at, state.as_wanted = number, values, at, as_wanted
    if not news:
        return
    about = history.Subject("device", device_id)
    causes = [
        history.last_entry(session, about, "device.settings_set", "device.settings_overtaken"),
        history.last_entry(session, history.Subject("device_profile", profile.id)),
    ]
    told = history.record(
        session,
        "device.settings_differ" if number == present_no and not as_wanted else "device.settings_applied",
        about,
        causes=causes,
        occurred_at=at,
        number=number,
        wanted=present_no,
    )
    if present_no < number <= MOST_NUMBER:
        state.overtook += number + 1 - present_no
        history.record(session, "device.settings_overtaken", about, causes=[told], number=number + 1, reported=number)
