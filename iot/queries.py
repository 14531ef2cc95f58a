"""The only readers of telemetry, alarms, dead letters and commands for people."""

from __future__ import annotations

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset, Device, DeviceProfile
from app.core.tracked import one_of
from app.users.rights import Actor
from iot.models import Alarm, DeadLetter, DeviceCommand, DeviceLatest, DevicePresence, Incident, Telemetry
from iot.rates import Bucket


def visible_alarms(actor: Actor) -> Select[Alarm]:
    """Return the alarms on the assets an actor may see."""
    return select(Alarm).where(Alarm.deleted_at.is_(None), Alarm.asset_id.in_(select(Asset.id).where(assets.in_scope(actor))))


def access_alarm(session: Session, actor: Actor, alarm_id: str) -> Alarm:
    """Load one alarm the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_alarms(actor), Alarm, alarm_id)


def visible_incidents(actor: Actor) -> Select[Incident]:
    """Return the incidents on the assets an actor may see."""
    mine = select(Asset.id).where(assets.in_scope(actor))
    return select(Incident).where(Incident.deleted_at.is_(None), Incident.asset_id.in_(mine))


def access_incident(session: Session, actor: Actor, incident_id: str) -> Incident:
    """Load one incident the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_incidents(actor), Incident, incident_id)


def visible_commands(actor: Actor) -> Select[DeviceCommand]:
    """Return the commands to devices an actor may see.

    Of a device that was moved, who does not see all sees those since it came to where it is: those before, and what it answered
    to them, may be another customer's.
    """
    commands = select(DeviceCommand).where(
        DeviceCommand.device_id.in_(assets.visible_devices(actor).with_only_columns(Device.id))
    )
    if actor.sees_all:
        return commands
    came = select(Device.placed_at).where(Device.id == DeviceCommand.device_id).scalar_subquery()
    return commands.where(or_(came.is_(None), DeviceCommand.created_at >= came))


def readings_of(session: Session, device: Device, metric: str, from_ms: int, until_ms: int, limit: int) -> list[Telemetry]:
    """Return the stored readings of one metric of a device in [from_ms, until_ms), newest first."""
    query = select(Telemetry).where(
        Telemetry.device_id == device.id, Telemetry.metric == metric, Telemetry.at_ms >= from_ms, Telemetry.at_ms < until_ms
    )
    return list(session.scalars(query.order_by(Telemetry.at_ms.desc(), Telemetry.message_key.desc()).limit(limit)))


def latest_of(session: Session, device: Device) -> list[DeviceLatest]:
    """Return the newest reading of every metric of a device."""
    return list(session.scalars(select(DeviceLatest).where(DeviceLatest.device_id == device.id).order_by(DeviceLatest.metric)))


def bucket_of(session: Session, device: Device) -> Bucket:
    """Return how much a device may still send."""
    row = session.execute(
        select(DeviceProfile.messages_per_minute, DeviceProfile.message_burst, DevicePresence.heard_ms, DevicePresence.paid_us)
        .join_from(Device, DeviceProfile, DeviceProfile.id == Device.profile_id)
        .outerjoin(DevicePresence, DevicePresence.device_id == Device.id)
        .where(Device.id == device.id)
    ).one()
    return Bucket.of(*row)


def dead_letters() -> Select[DeadLetter]:
    """Return the dead letters; whoever may read them may read all."""
    return select(DeadLetter)
