"""Assets, their components over time, fault codes, devices and device profiles."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.assets.mappings import ADAPTERS
from app.core.db import Base, JsonValue, Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import StationGrant, follows_customer, ways_by_customer


class Asset(Tracked):
    """A customer's machine or vehicle, by its own serial number (a vehicle's VIN). ``limits``: levels of rules, by name."""

    __tablename__ = "assets"
    serial: Mapped[str] = mapped_column(String(60), unique=True)
    model: Mapped[str] = mapped_column(String(100))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    warranty_until: Mapped[date | None] = mapped_column(Date)
    limits: Mapped[dict[str, float]] = mapped_column(JsonValue, default=dict)


class Component(Tracked):
    """A part with a serial of its own, such as a battery pack. ``part_no`` is what replaces it."""

    __tablename__ = "components"
    serial: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    part_no: Mapped[str] = mapped_column(String(60))
    warranty_until: Mapped[date | None] = mapped_column(Date)


class Fitting(Tracked):
    """A component in an asset from one instant to another; open while it is in there. A tombstone was taken back."""

    __tablename__ = "fittings"
    __table_args__ = (
        CheckConstraint("removed_at IS NULL OR removed_at > fitted_at", name="order"),
        Index(
            "uq_fittings_open",
            "component_id",
            unique=True,
            postgresql_where=text("removed_at IS NULL AND deleted_at IS NULL"),
            sqlite_where=text("removed_at IS NULL AND deleted_at IS NULL"),
        ),
        Index(None, "asset_id", "fitted_at"),
    )
    component_id: Mapped[str] = mapped_column(ForeignKey("components.id"), index=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"))
    fitted_at: Mapped[datetime] = mapped_column(Moment)
    removed_at: Mapped[datetime | None] = mapped_column(Moment)


class DeviceProfile(Tracked):
    """How devices of one kind speak and what their values mean.

    ``metrics``: ``{name: {"unit": "%", "component": "battery_pack", "source": "v/b/soh", "scale": 1, "offset": 0}}``.
    ``mapping``: of the adapter "mapped", how its messages are read; see ``app.assets.mappings``.
    ``soh_reference`` says what 100 % is: "rated" or "first_cycle" capacity.
    ``limits``: levels of rules, by name, where the asset has none of its own.
    ``messages_per_minute``, ``message_burst``: the rate of each device, where it is not the deployment's; 0 a minute: no limit.
    ``settings``: what its devices are to be set to; ``settings_no`` grows with each change. See ``app.assets.device_settings``.
    """

    __tablename__ = "device_profiles"
    __table_args__ = (
        CheckConstraint(f"adapter IN {ADAPTERS}", name="adapter"),
        CheckConstraint("soh_reference IN ('rated', 'first_cycle')", name="soh_reference"),
    )
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    adapter: Mapped[str] = mapped_column(String(20))
    soh_reference: Mapped[str] = mapped_column(String(20), default="rated")
    sends_only_changes: Mapped[bool] = mapped_column(default=False)
    metrics: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JsonValue)
    limits: Mapped[dict[str, float]] = mapped_column(JsonValue, default=dict)
    messages_per_minute: Mapped[int | None]
    message_burst: Mapped[int | None]
    settings: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    settings_no: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class Device(Tracked):
    """A source of telemetry in an asset, since ``placed_at``, or from the first on.

    ``address`` is its name in topics: the id, or an adapter's own.

    ``gateway``: its broker account may speak for all devices of its convention. ``token_hash``: SHA-256 of the secret, for
    conventions that bring the secret over HTTP. ``secret_no``: which of its two user names the secret belongs to; the other
    one belongs to the old secret until ``old_secret_until``. See ``app.assets.credentials``. ``settings``: what it is to be set
    to over its profile's; ``settings_no`` grows with each change.
    """

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("adapter", "address"),
        CheckConstraint("state IN ('active', 'revoked')", name="state"),
        CheckConstraint("shard BETWEEN 0 AND 255", name="shard"),
        CheckConstraint("secret_no IN (1, 2)", name="secret_no"),
    )
    STATES = {"active": frozenset({"revoked"}), "revoked": frozenset({"active"})}

    adapter: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(120))
    profile_id: Mapped[str] = mapped_column(ForeignKey("device_profiles.id"), index=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    installed_at: Mapped[datetime] = mapped_column(Moment)
    shard: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(20), default="active")
    secret_hash: Mapped[str] = mapped_column(String(200), default="")
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    gateway: Mapped[bool] = mapped_column(default=False)
    placed_at: Mapped[datetime | None] = mapped_column(Moment)
    secret_no: Mapped[int] = mapped_column(default=1, server_default="1")
    old_secret_hash: Mapped[str] = mapped_column(String(200), default="", server_default="")
    old_token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    old_secret_until: Mapped[datetime | None] = mapped_column(Moment, index=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    settings_no: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    @property
    def username(self) -> str:
        """Return the user name the newest secret belongs to. No id has a ``~``, so it is nobody else's."""
        return self.id if self.secret_no == 1 else f"{self.id}~2"

    @property
    def old_username(self) -> str:
        """Return the user name the old secret belongs to."""
        return f"{self.id}~2" if self.secret_no == 1 else self.id


class SettingsState(Base):
    """How far the settings of one device have come: what the broker was handed, and what the device says it has taken over.

    ``published_no``: the number the broker has confirmed; 0: it may have forgotten; None: there is nothing at the broker.
    ``overtook``: by so much the device's number was raised, since the device knew a higher one.
    ``told``: every name the device was ever sent. ``reported_at``: by the device's clock, never later than its arrival.
    ``as_wanted``: the values it reported were those that were wanted under that number.
    """

    __tablename__ = "settings_states"
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    published_no: Mapped[int | None] = mapped_column(BigInteger)
    overtook: Mapped[int] = mapped_column(BigInteger, default=0)
    told: Mapped[list[str]] = mapped_column(JsonValue, default=list)
    reported_no: Mapped[int | None] = mapped_column(BigInteger)
    reported: Mapped[dict[str, Any] | None] = mapped_column(JsonValue)
    reported_at: Mapped[datetime | None] = mapped_column(Moment)
    as_wanted: Mapped[bool] = mapped_column(default=False)


class Placement(Base):
    """A stay of a device in an asset that has ended. ``placed_at``: None for its first one, which has no beginning.

    ``followed``: alarms were brought in line with the move that ended it.
    """

    __tablename__ = "placements"
    __table_args__ = (
        CheckConstraint("placed_at IS NULL OR removed_at > placed_at", name="order"),
        Index(
            "ix_placements_unfollowed",
            "recorded_at",
            postgresql_where=text("NOT followed"),
            sqlite_where=text("NOT followed"),
        ),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), index=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    placed_at: Mapped[datetime | None] = mapped_column(Moment)
    removed_at: Mapped[datetime] = mapped_column(Moment)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    followed: Mapped[bool] = mapped_column(default=False)


class DeviceClaim(Base):
    """A device that was prepared for a customer to claim; its id is the device's. Of its code and secret hashes are kept."""

    __tablename__ = "device_claims"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    profile_id: Mapped[str] = mapped_column(ForeignKey("device_profiles.id"), index=True)
    address: Mapped[str] = mapped_column(String(120))
    shard: Mapped[int]
    secret_hash: Mapped[str] = mapped_column(String(200))
    token_hash: Mapped[str | None] = mapped_column(String(64))
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    prepared_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    claimed_at: Mapped[datetime | None] = mapped_column(Moment)
    claimed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))


class FaultCode(Tracked):
    """A fault code an asset reported; the history a technician reads. ``message_key`` makes it unique."""

    __tablename__ = "fault_codes"
    __table_args__ = (UniqueConstraint("device_id", "message_key", "code"), Index(None, "asset_id", "occurred_at"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"))
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    message_key: Mapped[str] = mapped_column(String(80))
    code: Mapped[str] = mapped_column(String(40))
    severity: Mapped[str] = mapped_column(String(20))
    description: Mapped[str] = mapped_column(String(300), default="")
    occurred_at: Mapped[datetime] = mapped_column(Moment)
    received_at: Mapped[datetime] = mapped_column(Moment)


declare_belonging("assets", parent=("sites", "site_id"))
declare_belonging(StationGrant.__tablename__, parent=("assets", "asset_id"))
declare_rows(
    "assets",
    (
        *ways_by_customer("assets"),
        "SELECT r.id, 'station:' || g.station_id FROM assets r JOIN station_grants g ON g.asset_id = r.id"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND g.ended_at IS NULL",
    ),
    {
        **follows_customer("assets"),
        "station_grants": "SELECT asset_id FROM station_grants WHERE change_no = :n",
    },
)
declare_story("asset", select(Asset.id, Asset.customer_id))
declare_story(
    "component",
    select(Fitting.component_id, Asset.customer_id)
    .join(Asset, Asset.id == Fitting.asset_id)
    .where(Fitting.deleted_at.is_(None))
    .order_by(Fitting.removed_at.is_not(None), Fitting.fitted_at.desc()),  # the one it is in, else the last one
)
declare_story("device", select(Device.id, Asset.customer_id).join(Asset, Asset.id == Device.asset_id))
declare_story("fault_code", select(FaultCode.id, Asset.customer_id).join(Asset, Asset.id == FaultCode.asset_id))
