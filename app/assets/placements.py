"""In which asset a device was, and when: a reading belongs to the asset where its device was at the reading's own time.

A device says where it is now and since when; ``Placement`` holds where it was before. So one that never moved has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from app.assets import queries
from app.assets.models import Asset, Device, Placement
from app.core import history
from app.core.clock import to_ms
from app.core.db import among, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.ids import new_id
from app.core.tracked import hold, touch
from app.users.rights import Actor

_AHEAD = timedelta(minutes=5)
# Longer than a batch of readings takes that was begun before a move was recorded.
_SETTLED = timedelta(minutes=1)
_AT_ONCE = 50


class Stay(NamedTuple):
    """A device in an asset: event time from ``from_ms`` up to, not including, ``until_ms``. 0: from the first on."""

    device_id: str
    asset_id: str
    from_ms: int
    until_ms: int | None


def place_device(session: Session, actor: Actor, device: Device, asset: Asset, at: datetime) -> Device:
    """Record that a device went from the asset it is in to another one at an instant.

    What it measured from then on is the other asset's, also what is stored already. The worker brings the alarms of both in
    line within seconds. What was measured before the horizon of telemetry stays where it was counted.

    Raises:
        FieldsInvalid: ``in_future`` for an instant more than 5 minutes ahead of our clock.
        Conflict: ``overlap`` when it is in that asset already, or was moved then or later.
    """
    if at > now(session) + _AHEAD:
        raise FieldsInvalid({"at": ["in_future"]})
    device = hold(session, Device, device.id)
    if device.asset_id == asset.id or (device.placed_at is not None and at <= device.placed_at):
        raise Conflict("overlap")
    session.add(
        Placement(
            id=new_id(),
            device_id=device.id,
            asset_id=device.asset_id,
            placed_at=device.placed_at,
            removed_at=at,
            recorded_at=now(session),
            followed=False,
        )
    )
    device.asset_id, device.placed_at = asset.id, at
    touch(session, device)
    about = history.Subject("device", device.id)
    before = history.last_entry(session, about)
    history.record(session, "device.placed", about, causes=[before], actor_id=actor.id, occurred_at=at, at=at.isoformat())
    return device


def former_stays(session: Session, *, device_ids: Collection[str] = (), asset_ids: Collection[str] = ()) -> list[Stay]:
    """Return where some devices were before they came to where they are; or which were in some assets. By time."""
    query = select(Placement.device_id, Placement.asset_id, Placement.placed_at, Placement.removed_at)
    if device_ids:
        query = query.where(among(session, Placement.device_id, sorted(device_ids)))
    if asset_ids:
        query = query.where(among(session, Placement.asset_id, sorted(asset_ids)))
    rows = session.execute(query.order_by(Placement.removed_at, Placement.id))
    return [Stay(device, asset, to_ms(placed_at) if placed_at else 0, to_ms(ended)) for device, asset, placed_at, ended in rows]


def stays_of(session: Session, device_ids: Collection[str]) -> dict[str, list[Stay]]:
    """Return the former stays of those of some devices that ever moved, by time."""
    stays: dict[str, list[Stay]] = defaultdict(list)
    for stay in former_stays(session, device_ids=device_ids) if device_ids else ():
        stays[stay.device_id].append(stay)
    return stays


def asset_then(stays: Sequence[Stay], asset_id: str, at_ms: int) -> str:
    """Return the asset a device was in at an instant of event time.

    Args:
        stays: its former ones, by time.
        asset_id: where it is now.
    """
    return next((stay.asset_id for stay in stays if stay.until_ms is not None and at_ms < stay.until_ms), asset_id)


def stays_to_see(session: Session, actor: Actor, device: Device) -> list[Placement]:
    """Return where a device was, oldest first, the present stay last: of it what was in assets the actor may see."""
    query = select(Placement).where(Placement.device_id == device.id, Placement.asset_id.in_(_seen(actor)))
    present = Placement(device_id=device.id, asset_id=device.asset_id, placed_at=device.placed_at, removed_at=None)
    return [*session.scalars(query.order_by(Placement.removed_at)), present]


def seen_since(session: Session, actor: Actor, device: Device) -> datetime | None:
    """Return since when a device has been in assets the actor may see, without a break; None: from the first on.

    What it measured before that may be another customer's.
    """
    if actor.sees_all or device.placed_at is None:
        return None
    seen = set(session.scalars(_seen(actor)))
    since: datetime | None = device.placed_at
    query = select(Placement).where(Placement.device_id == device.id).order_by(Placement.removed_at.desc())
    for placement in session.scalars(query):
        if placement.asset_id not in seen:
            return since
        since = placement.placed_at
    return since


def _seen(actor: Actor) -> Select[str]:
    return queries.visible_to(actor).with_only_columns(Asset.id)


def unfollowed(session: Session) -> Sequence[Placement]:
    """Return the moves after which alarms are still to be brought in line, the first recorded first."""
    query = select(Placement).where(Placement.followed.is_(False)).order_by(Placement.recorded_at, Placement.id)
    return session.scalars(query.limit(_AT_ONCE)).all()


def mark_followed(session: Session, moves: Sequence[Placement]) -> None:
    """Note that alarms are in line with some moves: those that no batch of readings can have missed any more."""
    past = now(session) - _SETTLED
    ids = [move.id for move in moves if move.recorded_at < past]
    if ids:
        session.execute(update(Placement).where(Placement.id.in_(ids)).values(followed=True))
