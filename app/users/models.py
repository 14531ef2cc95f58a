"""Tables of people, partner organisations, sessions and failed sign-ins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from app.core.db import Base, Moment
from app.core.scopes import declare_holders
from app.core.tracked import Tracked
from app.core.wire import fold

ROLES = ("admin", "manager", "rep", "station_staff", "customer")


class Partner(Tracked):
    """Another company inside the deployment: a dealer or a service station's owner; a hard boundary."""

    __tablename__ = "partners"
    name: Mapped[str] = mapped_column(String(200), unique=True)


class User(Tracked):
    """A person who signs in. ``valid_from``: access tokens issued before it are refused.

    ``login_key`` is the folded login, or the login itself where another one folds the same since before it was kept.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", name="role"),
        CheckConstraint("state IN ('invited', 'active', 'deactivated')", name="state"),
        CheckConstraint("role <> 'station_staff' OR station_id IS NOT NULL", name="staff_station"),
        CheckConstraint("role <> 'customer' OR customer_id IS NOT NULL", name="customer_link"),
    )
    STATES = {
        "invited": frozenset({"active", "deactivated"}),
        "active": frozenset({"deactivated"}),
        "deactivated": frozenset({"active"}),
    }

    login: Mapped[str] = mapped_column(String(200), unique=True)
    login_key: Mapped[str] = mapped_column(String(200), index=True, unique=True, server_default="")
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="invited")
    locale: Mapped[str] = mapped_column(String(10))
    email: Mapped[str | None] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    partner_id: Mapped[str | None] = mapped_column(ForeignKey("partners.id"))
    station_id: Mapped[str | None] = mapped_column(ForeignKey("stations.id", use_alter=True), index=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id", use_alter=True), index=True)
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id"), index=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    valid_from: Mapped[datetime] = mapped_column(Moment)

    @validates("login")
    def _fold_login(self, _name: str, login: str) -> str:
        self.login_key = fold(login)
        return login


class UserTerritory(Base):
    """A territory this person works in."""

    __tablename__ = "user_territories"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    territory_id: Mapped[str] = mapped_column(ForeignKey("territories.id"), primary_key=True, index=True)


class SignInSession(Base):
    """One signed-in installation: the family of its refresh tokens. Ended once, for ever."""

    __tablename__ = "sign_in_sessions"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    began_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    end_reason: Mapped[str | None] = mapped_column(String(30))
    label: Mapped[str] = mapped_column(String(100), default="")


class RefreshToken(Base):
    """One refresh token by its hash. ``used_at``: when it was first exchanged, for one with this ``parent_hash``."""

    __tablename__ = "refresh_tokens"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sign_in_sessions.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
    parent_hash: Mapped[str | None] = mapped_column(String(64), index=True)


class OneTimeLink(Base):
    """An invitation or a password reset. Its secret is derived from the server's key; only the hash is kept."""

    __tablename__ = "one_time_links"
    __table_args__ = (CheckConstraint("kind IN ('invitation', 'password_reset')", name="kind"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class FailedTry(Base):
    """Failed tries at a door, counted over all workers: sign-in by account and address, coupon codes by person,
    tokens of devices by address."""

    __tablename__ = "failed_tries"
    __table_args__ = (Index("ix_failed_tries_locked", "locked_until", postgresql_where=text("locked_until IS NOT NULL")),)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(Moment, index=True)
    locked_until: Mapped[datetime | None] = mapped_column(Moment)


_PRESENT = "u.id IN ({ids}) AND u.state = 'active' AND u.deleted_at IS NULL"
_OFFICE = "u.role IN ('admin', 'manager')"
# As ``Actor`` and each room's ``visible_to`` decide; tests compare the two.
declare_holders(
    "users",
    (
        f"SELECT u.id, 'user:' || u.id FROM users u WHERE {_PRESENT}",
        f"SELECT u.id, 'owner:' || u.id FROM users u WHERE {_PRESENT} AND u.role = 'rep' AND u.partner_id IS NULL",
        "SELECT u.id, 'territory:' || t.territory_id FROM users u JOIN user_territories t ON t.user_id = u.id"
        f" WHERE {_PRESENT} AND u.role = 'rep' AND u.partner_id IS NULL",
        "SELECT u.id, 'territory:' || t.id FROM users u CROSS JOIN territories t"
        f" WHERE {_PRESENT} AND {_OFFICE} AND u.partner_id IS NULL",
        f"SELECT u.id, 'office:all' FROM users u WHERE {_PRESENT} AND {_OFFICE} AND u.partner_id IS NULL",
        f"SELECT u.id, 'customer:' || u.customer_id FROM users u WHERE {_PRESENT} AND u.role = 'customer'",
        f"SELECT u.id, 'station:' || u.station_id FROM users u WHERE {_PRESENT} AND u.role = 'station_staff'",
        "SELECT u.id, 'station:' || s.id FROM users u JOIN stations s ON s.partner_id = u.partner_id"
        f" WHERE {_PRESENT} AND {_OFFICE}",
        f"SELECT u.id, 'visits:all' FROM users u WHERE {_PRESENT} AND u.partner_id IS NULL AND ({_OFFICE} OR u.role = 'rep')",
        f"SELECT u.id, 'reports:all' FROM users u WHERE {_PRESENT} AND u.partner_id IS NULL AND u.role IN ('rep', 'customer')",
        f"SELECT u.id, 'stations:all' FROM users u WHERE {_PRESENT} AND u.partner_id IS NULL AND u.role <> 'station_staff'",
    ),
    {
        "territories": "SELECT id FROM users WHERE role IN ('admin', 'manager') AND partner_id IS NULL"
        " AND EXISTS (SELECT 1 FROM territories WHERE change_no = :n)",
        "stations": "SELECT id FROM users WHERE role IN ('admin', 'manager') AND partner_id IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM stations WHERE change_no = :n)",
    },
)
