"""Attachments: what a phone says of a file, and whether its bytes are here."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, ScalarSelect, String, case, select
from sqlalchemy.orm import Mapped, mapped_column

from app.assets.models import Asset
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import Site, follows_customer, ways_by_customer
from app.work_orders.models import GIVEN, WorkOrder

SUBJECT_KINDS = ("customer", "site", "asset", "work_order")


class Attachment(Tracked):
    """A file about something. ``sha256``: of the bytes as the phone has them; ``stored_sha256``: as they are kept here.

    The row comes by sync and waits for its bytes. ``code``: why they were refused. ``keep_location``: its maker wants the
    place a photograph was taken to stay in it.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint(f"subject_kind IN {SUBJECT_KINDS}", name="subject_kind"),
        CheckConstraint("state IN ('waiting', 'stored', 'refused')", name="state"),
        CheckConstraint("state <> 'stored' OR stored_sha256 IS NOT NULL", name="stored"),
        # The kind is not in it: a planner without statistics would go through all attachments of a kind.
        Index(None, "subject_id"),
    )
    STATES = {"waiting": frozenset({"stored", "refused"})}
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    installation_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(200))
    mime: Mapped[str] = mapped_column(String(60))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    stored_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    keep_location: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    code: Mapped[str | None] = mapped_column(String(60))
    made_ms: Mapped[int] = mapped_column(BigInteger)


def _of(kind: str, joins: str) -> str:
    """Return joins from attachments ``r`` of one kind of subject."""
    return joins.replace("ON ", f"ON r.subject_kind = '{kind}' AND ", 1)


_CUSTOMER = _of("customer", "JOIN customers c ON c.id = r.subject_id")
_SITE = _of("site", "JOIN sites s ON s.id = r.subject_id AND s.deleted_at IS NULL JOIN customers c ON c.id = s.customer_id")
_ASSET = _of("asset", "JOIN assets a ON a.id = r.subject_id AND a.deleted_at IS NULL JOIN customers c ON c.id = a.customer_id")
_ORDER = _of(
    "work_order", "JOIN work_orders o ON o.id = r.subject_id AND o.deleted_at IS NULL JOIN customers c ON c.id = o.customer_id"
)
_GRANT = _of("asset", "JOIN station_grants g ON g.asset_id = r.subject_id")
_GRANTED_ASSET = f"{_GRANT} JOIN assets a ON a.id = g.asset_id AND a.deleted_at IS NULL"
_TASK = _of("work_order", "JOIN station_tasks t ON t.work_order_id = r.subject_id")
_GIVEN_ORDER = f"{_TASK} JOIN work_orders o ON o.id = t.work_order_id AND o.deleted_at IS NULL"
_LIVE = "WHERE r.id IN ({ids}) AND r.deleted_at IS NULL"

declare_belonging("attachments", "subject_id", only=("subject_kind", "customer"))
declare_rows(
    "attachments",
    (
        *ways_by_customer("attachments", _CUSTOMER),
        *ways_by_customer("attachments", _SITE),
        *ways_by_customer("attachments", _ASSET),
        *ways_by_customer("attachments", _ORDER, live=False),
        f"SELECT r.id, 'station:' || g.station_id FROM attachments r {_GRANTED_ASSET} {_LIVE} AND g.ended_at IS NULL",
        f"SELECT r.id, 'station:' || t.station_id FROM attachments r {_GIVEN_ORDER} {_LIVE} AND {GIVEN}",
        f"SELECT r.id, 'user:' || r.user_id FROM attachments r {_LIVE}",
    ),
    {
        **follows_customer("attachments", _CUSTOMER, _SITE, _ASSET, _ORDER),
        "sites": f"SELECT r.id FROM attachments r {_of('site', 'JOIN sites s ON s.id = r.subject_id')} WHERE s.change_no = :n",
        "assets": f"SELECT r.id FROM attachments r {_of('asset', 'JOIN assets a ON a.id = r.subject_id')} WHERE a.change_no = :n",
        "work_orders": f"SELECT r.id FROM attachments r {_of('work_order', 'JOIN work_orders o ON o.id = r.subject_id')}"
        " WHERE o.change_no = :n",
        "station_grants": f"SELECT r.id FROM attachments r {_GRANT} WHERE g.change_no = :n",
        "station_tasks": f"SELECT r.id FROM attachments r {_TASK} WHERE t.change_no = :n",
    },
)


def _customer_of(model: type[Site | Asset | WorkOrder]) -> ScalarSelect[str]:
    return select(model.customer_id).where(model.id == Attachment.subject_id).scalar_subquery()


declare_story(
    "attachment",
    select(
        Attachment.id,
        case(
            (Attachment.subject_kind == "customer", Attachment.subject_id),
            (Attachment.subject_kind == "site", _customer_of(Site)),
            (Attachment.subject_kind == "asset", _customer_of(Asset)),
            else_=_customer_of(WorkOrder),
        ),
    ),
)
