"""Customers and sites."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.geo import Position
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.trust import SOURCE_KINDS

POSITION_SOURCES = ("surveyed", "given", "geocoded", "district")
LOOKUP_OUTCOMES = ("found", "district", "nothing", "unavailable")
_UNPLACED = text("deleted_at IS NULL AND (lat IS NULL OR position_source = 'district')")


class _Told(Tracked):
    """A row of which facts are kept."""

    __abstract__ = True
    __allow_unmapped__ = True
    _outranked: list[str] | None = None

    @property
    def outranked(self) -> list[str]:
        """The fields of which this request said something that did not survive.

        Raises:
            AttributeError: when this request said nothing, so that no answer tells of it.
        """
        if self._outranked is None:
            raise AttributeError("outranked")
        return self._outranked

    @outranked.setter
    def outranked(self, names: list[str]) -> None:
        self._outranked = sorted(names)


class Customer(_Told):
    """A person or company that owns equipment. ``owner_id`` is the rep in charge; ``code`` is unique.

    ``credit_code``: of a Chinese organisation. ``merged_into_id``: a tombstone that says which customer it turned out to be.
    ``custom``: values of the company's own fields, by key.
    """

    __tablename__ = "customers"
    MERGED = frozenset({"name", "phone", "email", "custom"})
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(200))
    territory_id: Mapped[str] = mapped_column(ForeignKey("territories.id"), index=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    credit_code: Mapped[str | None] = mapped_column(String(18))
    merged_into_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"), index=True)
    custom: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict, server_default="{}")


class Site(_Told):
    """A place where a customer's equipment stands, in WGS-84 degrees.

    ``opening_hours``: in OpenStreetMap's syntax, read in the organisation's time zone; None: nobody said, so it is always open.
    ``position_source``: how the position came: somebody was there, gave it, or it was found by the address, exactly or as the
    centre of the district; ``position_confirmed_at``: when somebody there found it right. Without a position only its address
    is known.
    """

    __tablename__ = "sites"
    MERGED = frozenset({"name", "address", "lat", "lon", "opening_hours"})
    __table_args__ = (
        CheckConstraint("lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180", name="place"),
        CheckConstraint("(lat IS NULL) = (lon IS NULL)", name="both"),
        CheckConstraint(f"position_source IN {POSITION_SOURCES}", name="source"),
        Index("ix_sites_unplaced", "id", postgresql_where=_UNPLACED, sqlite_where=_UNPLACED),
    )
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(300), default="")
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    opening_hours: Mapped[str | None] = mapped_column(String(300))
    position_source: Mapped[str | None] = mapped_column(String(12))
    position_confirmed_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def is_confirmed(self) -> bool:
        """Whether its position may be trusted: a person gave it, or somebody was there."""
        return self.position_confirmed_at is not None or self.position_source in {"surveyed", "given"}

    @property
    def position(self) -> Position | None:
        """Where it is, as far as it is known."""
        return None if self.lat is None or self.lon is None else Position(self.lat, self.lon)

    @property
    def doubt(self) -> str | None:
        """Why a distance to it says little: ``site_unplaced``, ``site_at_district``; None where it says what it should."""
        if self.position is None:
            return "site_unplaced"
        return "site_at_district" if self.position_source == "district" else None


class SiteLookup(Base):
    """A site whose address was looked up. ``due_at``: when it is tried again; never, until the address changes."""

    __tablename__ = "site_lookups"
    __table_args__ = (CheckConstraint(f"outcome IN {LOOKUP_OUTCOMES}", name="outcome"),)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    address: Mapped[str] = mapped_column(String(300))
    outcome: Mapped[str] = mapped_column(String(12))
    tries: Mapped[int] = mapped_column(default=1)
    at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime | None] = mapped_column(Moment, index=True)


class StationGrant(Tracked):
    """A station may see one customer and one asset because it was given a task on it; ended when it loses the task."""

    __tablename__ = "station_grants"
    __table_args__ = (Index(None, "station_id", "ended_at"),)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    task_id: Mapped[str] = mapped_column(String(36), unique=True)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class CustomerFact(Base):
    """What one source said of one field of a customer or of one of its sites; see ``trust.py`` for which survives.

    Attributes:
        about_id: the customer it was said of; another than ``customer_id`` while that one is merged into this one.
        site_id: of a field of a site.
        field: ``phone``, ``custom.grade``, ``site.<id>.address``.
        source_kind, source_ref: who said it: a person's id, a system's name, a file's.
        said_at: event time; ``told_at``: when it came.
        code: what another system said, before it was mapped; ``code_system``: that system, which a file's word may name, too;
            ``waiting``: it is not mapped yet, and does not count.
        pinned: somebody chose it, and said why (``reason``).
        aside: it came with a merge.
    """

    __tablename__ = "customer_facts"
    __table_args__ = (
        CheckConstraint(f"source_kind IN {SOURCE_KINDS}", name="source_kind"),
        Index(None, "customer_id", "field"),
        Index(
            "ix_customer_facts_code",
            "field",
            "code_system",
            "code",
            postgresql_where=text("code IS NOT NULL"),
            sqlite_where=text("code IS NOT NULL"),
        ),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    about_id: Mapped[str] = mapped_column(String(36))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("sites.id"), index=True)
    field: Mapped[str] = mapped_column(String(60))
    value: Mapped[Any] = mapped_column(JsonValue, nullable=True)
    source_kind: Mapped[str] = mapped_column(String(20))
    source_ref: Mapped[str] = mapped_column(String(60))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    said_at: Mapped[datetime] = mapped_column(Moment)
    told_at: Mapped[datetime] = mapped_column(Moment)
    code: Mapped[str | None] = mapped_column(String(60))
    code_system: Mapped[str | None] = mapped_column(String(40))
    waiting: Mapped[bool] = mapped_column(default=False)
    pinned: Mapped[bool] = mapped_column(default=False)
    aside: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(String(200))


class FactRule(Base):
    """How facts are decided, from one version on. ``settled_to``: customers up to this id were decided by it; None: all."""

    __tablename__ = "fact_rules"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    made_by: Mapped[str] = mapped_column(String(36))
    made_at: Mapped[datetime] = mapped_column(Moment)
    settled_to: Mapped[str | None] = mapped_column(String(36))


class CustomerKey(Base):
    """A key under which a live customer meets others that may be the same one; see ``keys.py``."""

    __tablename__ = "customer_keys"
    __table_args__ = ({"sqlite_with_rowid": False},)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True, index=True)


class CustomerPrint(Base):
    """What of a live customer is compared, as a digest. ``searched``: its pairs were looked for since it last changed."""

    __tablename__ = "customer_prints"
    __table_args__ = (
        Index(
            "ix_customer_prints_unsearched",
            "customer_id",
            postgresql_where=text("NOT searched"),
            sqlite_where=text("NOT searched"),
        ),
    )
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))
    searched: Mapped[bool] = mapped_column(default=False)


class DuplicatePair(Tracked):
    """Two customers that may be one, ``first_id`` the smaller id. ``signs``: what the score is made of.

    ``first_digest``, ``second_digest``: what was compared; a dismissed pair opens again when one of them is another.
    """

    __tablename__ = "duplicate_pairs"
    __table_args__ = (
        UniqueConstraint("first_id", "second_id"),
        CheckConstraint("first_id < second_id", name="order"),
        CheckConstraint("state IN ('open', 'dismissed', 'merged')", name="state"),
        Index(None, "state", "score"),
    )
    STATES = {
        "open": frozenset({"dismissed", "merged"}),
        "dismissed": frozenset({"open", "merged"}),
        "merged": frozenset({"dismissed"}),
    }
    first_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    second_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    score: Mapped[int]
    signs: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    state: Mapped[str] = mapped_column(String(20), default="open")
    first_digest: Mapped[str] = mapped_column(String(32))
    second_digest: Mapped[str] = mapped_column(String(32))
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)


class CustomerMerge(Tracked):
    """Two customers were found to be one. ``rivals``: the other one's values then.

    ``taken``: by field, what the survivor had before (``before``) and got by this merge (``after``), at once or by edits of the
    other one that came later.
    """

    __tablename__ = "customer_merges"
    __table_args__ = (
        CheckConstraint("state IN ('merged', 'undone')", name="state"),
        Index(
            "uq_customer_merges_other",
            "other_id",
            unique=True,
            postgresql_where=text("state = 'merged'"),
            sqlite_where=text("state = 'merged'"),
        ),
    )
    STATES = {"merged": frozenset({"undone"})}
    survivor_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    other_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    rivals: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    taken: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    state: Mapped[str] = mapped_column(String(20), default="merged")
    merged_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    undone_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))


class MergedRow(Base):
    """A row that went to the survivor with a merge, or came for the other one since, and goes back with it."""

    __tablename__ = "merged_rows"
    __table_args__ = ({"sqlite_with_rowid": False},)
    merge_id: Mapped[str] = mapped_column(ForeignKey("customer_merges.id"), primary_key=True)
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)


# Whoever has a visit ahead at a customer holds what belongs to it that day, be they in charge or not. The table is named
# only: visits lie in a room above.
_VISITED = "JOIN visits v ON v.customer_id = c.id AND v.user_id <> coalesce(c.owner_id, '')"
_AHEAD = "v.state IN ('planned', 'in_progress') AND v.deleted_at IS NULL"


def _joined(path: str) -> str:
    return path or "JOIN customers c ON c.id = r.customer_id"


def ways_by_customer(table: str, path: str = "", *, live: bool = True, itself: bool = True) -> tuple[str, ...]:
    """Return the ways by which rows that belong to a customer lie in scopes: its territory, its rep, itself, who visits it.

    Args:
        table: whose rows ``r`` they are.
        path: joins from ``r`` to ``customers c``; by default over ``r.customer_id``.
        live: only while the customer is not deleted.
        itself: also to who signs in as the customer.
    """
    joined = _joined(path)
    where = "WHERE r.id IN ({ids}) AND r.deleted_at IS NULL" + (" AND c.deleted_at IS NULL" if live else "")
    return (
        f"SELECT r.id, 'territory:' || c.territory_id FROM {table} r {joined} {where}",
        f"SELECT r.id, 'owner:' || c.owner_id FROM {table} r {joined} {where} AND c.owner_id IS NOT NULL",
        *([f"SELECT r.id, 'customer:' || c.id FROM {table} r {joined} {where}"] if itself else []),
        f"SELECT r.id, 'user:' || v.user_id FROM {table} r {joined} {_VISITED} {where} AND {_AHEAD}",
    )


def follows_customer(table: str, *paths: str) -> dict[str, str]:
    """Return which rows of a table move with a customer, and with a visit to it; for ``declare_rows``.

    Args:
        table: whose rows ``r`` they are.
        paths: as for ``ways_by_customer``; several where there are several.
    """
    joins = [f"SELECT r.id FROM {table} r {_joined(path)}" for path in (paths or ("",))]
    return {
        "customers": " UNION ALL ".join(f"{join} WHERE c.change_no = :n" for join in joins),
        "visits": " UNION ALL ".join(f"{join} {_VISITED} WHERE v.change_no = :n" for join in joins),
    }


declare_belonging("sites")
declare_belonging("users")
declare_rows(
    "customers",
    (
        *ways_by_customer("customers", "JOIN customers c ON c.id = r.id"),
        "SELECT r.id, 'station:' || g.station_id FROM customers r JOIN station_grants g ON g.customer_id = r.id"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND g.ended_at IS NULL",
    ),
    {
        "visits": follows_customer("customers", "JOIN customers c ON c.id = r.id")["visits"],
        "station_grants": "SELECT customer_id FROM station_grants WHERE change_no = :n",
    },
)
declare_rows(
    "sites",
    (
        *ways_by_customer("sites"),
        "SELECT r.id, 'station:' || g.station_id FROM sites r JOIN customers c ON c.id = r.customer_id"
        " JOIN station_grants g ON g.customer_id = c.id"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND c.deleted_at IS NULL AND g.ended_at IS NULL",
    ),
    {
        **follows_customer("sites"),
        "station_grants": "SELECT r.id FROM sites r JOIN station_grants g ON g.customer_id = r.customer_id"
        " WHERE g.change_no = :n",
    },
)
declare_story("site", select(Site.id, Site.customer_id))
