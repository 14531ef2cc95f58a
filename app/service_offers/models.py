"""Service offers and their coupons."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Moment, Money
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import follows_customer, ways_by_customer
from app.work_orders.models import GIVEN

OFFER_STATES = ("issued", "viewed", "accepted", "redeemed", "declined", "expired", "withdrawn")
OPEN_STATES = ("issued", "viewed", "accepted")
_OPEN = text("state IN ('issued', 'viewed', 'accepted')")


class ServiceOffer(Tracked):
    """A personal offer to the owner of an asset, for one component and one kind of service."""

    __tablename__ = "service_offers"
    __table_args__ = (
        CheckConstraint(f"state IN {OFFER_STATES}", name="state"),
        Index("uq_service_offers_open", "component_id", "kind", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN),
        Index(None, "state", "valid_until"),
    )
    STATES = {
        "issued": frozenset({"viewed", "accepted", "declined", "expired", "withdrawn"}),
        "viewed": frozenset({"accepted", "declined", "expired", "withdrawn"}),
        "accepted": frozenset({"redeemed", "withdrawn"}),
    }

    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20), default="issued")
    alarm_id: Mapped[str] = mapped_column(String(36), unique=True)
    component_id: Mapped[str] = mapped_column(ForeignKey("components.id"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.id"), unique=True)
    price: Mapped[Decimal] = mapped_column(Money)
    discount: Mapped[Decimal] = mapped_column(Money)
    amount_due: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))
    under_warranty: Mapped[bool]
    valid_until: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    close_reason: Mapped[str | None] = mapped_column(String(200))


class Coupon(Tracked):
    """The coupon of one offer. Its code is derived from the id by the server's key; only the hash is stored."""

    __tablename__ = "coupons"
    __table_args__ = (CheckConstraint("state IN ('open', 'redeemed', 'void')", name="state"),)
    STATES = {"open": frozenset({"redeemed", "void"})}

    offer_id: Mapped[str] = mapped_column(ForeignKey("service_offers.id"), unique=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="open")
    redeemed_at: Mapped[datetime | None] = mapped_column(Moment)
    redeemed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    station_id: Mapped[str | None] = mapped_column(ForeignKey("stations.id"))


declare_belonging("service_offers", parent=("assets", "asset_id"))
declare_rows(
    "service_offers",
    (
        *ways_by_customer("service_offers", live=False),
        "SELECT r.id, 'station:' || t.station_id FROM service_offers r JOIN station_tasks t ON t.work_order_id = r.work_order_id"
        f" WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL AND {GIVEN}",
    ),
    {
        **follows_customer("service_offers"),
        "station_tasks": "SELECT r.id FROM service_offers r JOIN station_tasks t ON t.work_order_id = r.work_order_id"
        " WHERE t.change_no = :n",
    },
)
declare_story("service_offer", select(ServiceOffer.id, ServiceOffer.customer_id))
declare_story("coupon", select(Coupon.id, ServiceOffer.customer_id).join(ServiceOffer, ServiceOffer.id == Coupon.offer_id))
