"""Telemetry, latest values, detector states, alarms, dead letters, commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.assets.models import Asset
from app.core.db import Base, JsonValue, Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.models import follows_customer, ways_by_customer

ALARM_STATES = ("raised", "acknowledged", "cleared", "closed", "withdrawn")
OPEN_STATES = ("raised", "acknowledged")
_OPEN = text("state IN ('raised', 'acknowledged')")


class Telemetry(Base):
    """One reading: one metric of one message. Its key makes a message sent twice one message.

    ``ahead``: it came more than 5 minutes before its own time by our clock, and that time has not come yet: no rule and no
    latest value looks at it until then, see ``iot.ahead``.
    """

    __tablename__ = "telemetry"
    __table_args__ = (
        Index("ix_telemetry_device_metric_at", "device_id", "metric", "at_ms"),
        # As the dialects write the condition: other words for the same, and the index is not used.
        Index("ix_telemetry_ahead", "at_ms", postgresql_where=text("ahead IS true"), sqlite_where=text("ahead IS 1")),
        {"sqlite_with_rowid": False},
    )
    device_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    message_key: Mapped[str] = mapped_column(String(80), primary_key=True)
    metric: Mapped[str] = mapped_column(String(60), primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[float] = mapped_column(Float)
    received_ms: Mapped[int] = mapped_column(BigInteger)
    ahead: Mapped[bool] = mapped_column(default=False)


class DeviceLatest(Base):
    """The newest reading of one metric by event time; it only moves forward."""

    __tablename__ = "device_latest"
    device_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    metric: Mapped[str] = mapped_column(String(60), primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    message_key: Mapped[str] = mapped_column(String(80))
    value: Mapped[float] = mapped_column(Float)
    received_ms: Mapped[int] = mapped_column(BigInteger)


class DevicePresence(Base):
    """When a device was last heard, by our clock, and until when its messages are paid for; see ``iot.rates``."""

    __tablename__ = "device_presence"
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    heard_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    paid_us: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class DeviceStorm(Base):
    """What a device sent beyond its rate. There is a row once there was a storm.

    ``began_ms``: the arrival of the first message of a storm that goes on that was not taken. ``last_ms``: of the last one.
    ``total``, ``storm``: how many were not taken, ever and in the latest storm.
    """

    __tablename__ = "device_storms"
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    began_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)
    last_ms: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    storm: Mapped[int] = mapped_column(BigInteger)


class SubjectState(Base):
    """What the last folds over one component or asset left, under all rules.

    ``states``: by rule; see ``iot.folds``. ``due_ms``: when the first of its held values will have stood long enough.
    ``before_ms``: what was measured before this is settled: folds begin here, from the checkpoint.
    """

    __tablename__ = "subject_states"
    subject_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    states: Mapped[str] = mapped_column(Text)
    due_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)
    before_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class SubjectCheckpoint(Base):
    """What the folds over one subject were when all before ``SubjectState.before_ms`` had been folded; see ``iot.folds``."""

    __tablename__ = "subject_checkpoints"
    subject_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    folds: Mapped[str] = mapped_column(Text)


class TelemetryHorizon(Base):
    """One row: readings of before ``before_ms`` are not taken any more, roll-ups by hour of before ``hours_before_ms`` are gone.

    Both only move forward.
    """

    __tablename__ = "telemetry_horizon"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    before_ms: Mapped[int] = mapped_column(BigInteger)
    hours_before_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class TelemetryRollup(Base):
    """What is left of the readings of one metric of a device in one hour or one local day, once they are deleted.

    A reading is in its roll-up or in ``telemetry``, never in both: it moves in one transaction.
    """

    __tablename__ = "telemetry_rollups"
    __table_args__ = (CheckConstraint("span IN ('hour', 'day')", name="span"), {"sqlite_with_rowid": False})
    device_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    metric: Mapped[str] = mapped_column(String(60), primary_key=True)
    span: Mapped[str] = mapped_column(String(4), primary_key=True)
    from_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[float] = mapped_column(Float)
    least: Mapped[float] = mapped_column(Float)
    most: Mapped[float] = mapped_column(Float)
    first_ms: Mapped[int] = mapped_column(BigInteger)
    first: Mapped[float] = mapped_column(Float)
    last_ms: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[float] = mapped_column(Float)


class Incident(Tracked):
    """All alarms of one asset that stand at the same time: several symptoms, one matter, at most one work order.

    ``severity``: the highest of its alarms so far. ``work_order_id``: what its first alarm with a service led to.
    """

    __tablename__ = "incidents"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        Index(
            "uq_incidents_open",
            "asset_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
    )
    STATES = {"open": frozenset({"closed"}), "closed": frozenset({"open"})}

    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="open")
    severity: Mapped[str] = mapped_column(String(20))
    opened_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    work_order_id: Mapped[str | None] = mapped_column(ForeignKey("work_orders.id"))


class Alarm(Tracked):
    """One episode of one rule on one subject: a component, an asset, or a device that is silent.

    Times are event time. ``acted_at``: when people were told; None for an episode that is history only. ``reached``: how
    severe it is by its readings alone, whatever time it has stood. ``cleared_at``: when its condition ended; an alarm of a rule
    that latches stands on, and one that a person closed may have been closed before. ``closed_at``: our clock. ``held_until``:
    when the cool-down of its rule is over, which alone keeps people from hearing of it; see ``iot.cool_downs``.
    """

    __tablename__ = "alarms"
    __table_args__ = (
        CheckConstraint(f"state IN {ALARM_STATES}", name="state"),
        CheckConstraint("subject_kind IN ('component', 'asset', 'device')", name="subject_kind"),
        UniqueConstraint("rule_id", "subject_id", "episode"),
        Index("uq_alarms_open", "rule_id", "subject_id", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN),
        Index(None, "subject_id", "state"),
    )
    STATES = {
        "raised": frozenset({"acknowledged", "cleared", "closed", "withdrawn"}),
        "acknowledged": frozenset({"cleared", "closed", "withdrawn"}),
        "cleared": frozenset({"raised", "closed", "withdrawn"}),
        "closed": frozenset({"raised", "cleared", "withdrawn"}),
    }

    rule_id: Mapped[str] = mapped_column(ForeignKey("rules.id"))
    rule_number: Mapped[int]
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[str] = mapped_column(String(36))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    episode: Mapped[int]
    state: Mapped[str] = mapped_column(String(20), default="raised")
    severity: Mapped[str] = mapped_column(String(20))
    reached: Mapped[str] = mapped_column(String(20))
    metric: Mapped[str] = mapped_column(String(60))
    raised_at: Mapped[datetime] = mapped_column(Moment)
    first_value: Mapped[float] = mapped_column(Float)
    last_at: Mapped[datetime] = mapped_column(Moment)
    last_value: Mapped[float] = mapped_column(Float)
    readings: Mapped[int]
    cleared_at: Mapped[datetime | None] = mapped_column(Moment)
    end_reason: Mapped[str | None] = mapped_column(String(60))
    acknowledged_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    acted_at: Mapped[datetime | None] = mapped_column(Moment)
    incident_id: Mapped[str | None] = mapped_column(ForeignKey("incidents.id"), index=True)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    closed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    close_reason: Mapped[str | None] = mapped_column(String(200))
    snoozed_until: Mapped[datetime | None] = mapped_column(Moment, index=True)
    snoozed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    held_until: Mapped[datetime | None] = mapped_column(Moment, index=True)


class AlarmClosing(Base):
    """An instant at which a person closed what stood of one rule on one subject. Never changed, never deleted."""

    __tablename__ = "alarm_closings"
    subject_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    rule_id: Mapped[str] = mapped_column(ForeignKey("rules.id"), primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class AlarmReminder(Base):
    """The reminders of one alarm: how many were sent, and when the next one is due; None: no more are."""

    __tablename__ = "alarm_reminders"
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarms.id"), primary_key=True)
    step: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None] = mapped_column(Moment, index=True)


class DeadLetter(Base):
    """A message that could not be used: why, and its first bytes. The same bytes on the same topic are one row.

    ``source``: who sent it, see ``iot.adapters.source_of``; empty for what came before sources were told apart.
    """

    __tablename__ = "dead_letters"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'replayed', 'dismissed')", name="state"),
        Index(None, "source", "state"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[str] = mapped_column(String(160), default="", server_default="")
    topic: Mapped[str] = mapped_column(String(300))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int]
    whole: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(60), index=True)
    detail: Mapped[str] = mapped_column(String(300))
    received_at: Mapped[datetime] = mapped_column(Moment)
    last_at: Mapped[datetime] = mapped_column(Moment)
    times: Mapped[int]
    state: Mapped[str] = mapped_column(String(20), default="open")


class IngestCounter(Base):
    """How many messages met one fate, over all processes and restarts. Names are fixed by the program."""

    __tablename__ = "ingest_counters"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class BrokerFilter(Base):
    """A topic filter of other makers' devices that the ingest asked the broker for, or is about to."""

    __tablename__ = "broker_filters"
    topic: Mapped[str] = mapped_column(String(250), primary_key=True)


class SparkplugNode(Base):
    """What was heard of a Sparkplug node: whether and as what it was born, and how far its messages are numbered.

    ``births``: name and data type by alias, by device below the node; see ``iot.nodes``. ``gaps``: how often messages were
    missed. ``heard_ms``: the arrival of its newest message. ``asked_ms``: when its births were asked for, until they come.
    """

    __tablename__ = "sparkplug_nodes"
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    born: Mapped[bool] = mapped_column(default=False)
    births: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    bd_seq: Mapped[int | None] = mapped_column(BigInteger)
    seq: Mapped[int | None]
    gaps: Mapped[int] = mapped_column(BigInteger, default=0)
    heard_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    asked_ms: Mapped[int | None] = mapped_column(BigInteger)


class DeviceCommand(Tracked):
    """Something the server asks of a device, and what came of it.

    ``number``: what it is known by where a convention takes no other id; no two commands of this deployment share one.
    """

    __tablename__ = "device_commands"
    __table_args__ = (CheckConstraint("state IN ('queued', 'sent', 'answered', 'timed_out')", name="state"),)
    STATES = {
        "queued": frozenset({"sent", "timed_out"}),
        "sent": frozenset({"answered", "timed_out"}),
        "timed_out": frozenset({"answered"}),
    }

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    body: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    answer: Mapped[Any | None] = mapped_column(JsonValue)
    number: Mapped[int | None] = mapped_column(BigInteger, unique=True)


class DevicePoll(Base):
    """A device that fetches its commands over HTTP, since it first did so, and until a gateway connects it."""

    __tablename__ = "device_polls"
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(Moment)


_OF_ASSET = "JOIN assets a ON a.id = r.asset_id JOIN customers c ON c.id = a.customer_id"
declare_rows(
    "alarms",
    (
        *ways_by_customer("alarms", _OF_ASSET),
        "SELECT r.id, 'station:' || g.station_id FROM alarms r JOIN station_grants g ON g.asset_id = r.asset_id"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND g.ended_at IS NULL",
    ),
    {
        "assets": "SELECT r.id FROM alarms r JOIN assets a ON a.id = r.asset_id WHERE a.change_no = :n",
        **follows_customer("alarms", _OF_ASSET),
        "station_grants": "SELECT r.id FROM alarms r JOIN station_grants g ON g.asset_id = r.asset_id WHERE g.change_no = :n",
    },
)
declare_story("alarm", select(Alarm.id, Asset.customer_id).join(Asset, Asset.id == Alarm.asset_id))
declare_story("incident", select(Incident.id, Asset.customer_id).join(Asset, Asset.id == Incident.asset_id))
