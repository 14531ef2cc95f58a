"""Fields that the office adds to a noun of the product, such as a customer."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue
from app.core.scopes import declare_rows
from app.core.tracked import Tracked

FIELD_KINDS = ("text", "number", "flag", "day", "choice", "phone")
SUBJECTS = ("customer", "lead")
# Of one kind of subject, that are not retired.
MOST_FIELDS = 100
MOST_CHOICES = 100
LONGEST_KEY = 30


class CustomField(Tracked):
    """A field of a company's own. ``key`` is its name in values and never changes; a retired one takes no new values.

    ``territory_id``: only rows there have it; ``choices``: ``{"code", "label_zh", "label_en"}`` of the kind ``choice``.
    """

    __tablename__ = "custom_fields"
    __table_args__ = (
        UniqueConstraint("subject_kind", "key"),
        CheckConstraint(f"kind IN {FIELD_KINDS}", name="kind"),
    )
    subject_kind: Mapped[str] = mapped_column(String(20), default="customer")
    key: Mapped[str] = mapped_column(String(LONGEST_KEY))
    kind: Mapped[str] = mapped_column(String(20))
    label_zh: Mapped[str] = mapped_column(String(60))
    label_en: Mapped[str] = mapped_column(String(60))
    choices: Mapped[list[dict[str, str]]] = mapped_column(JsonValue, default=list)
    territory_id: Mapped[str | None] = mapped_column(ForeignKey("territories.id"), index=True)
    retired: Mapped[bool] = mapped_column(default=False)


# ``stations:all`` is what all people of the principal organisation share; who of them holds the collection is its right's
# business.
declare_rows(
    "custom_fields",
    (
        "SELECT r.id, 'stations:all' FROM custom_fields r"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND r.territory_id IS NULL",
        "SELECT r.id, 'territory:' || r.territory_id FROM custom_fields r"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND r.territory_id IS NOT NULL",
    ),
)
