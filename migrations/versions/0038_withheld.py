"""values of the company's own fields leave the phones of owners and stations, who hold them from before they were kept from them"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_CONCERNED = (
    "collection = 'customers' AND NOT gone AND (scope LIKE 'customer:%' OR scope LIKE 'station:%')"
    " AND EXISTS (SELECT 1 FROM customers c WHERE c.id = scope_entries.row_id AND CAST(c.custom AS text) <> '{}')"
)


def upgrade() -> None:
    op.execute(f"UPDATE change_counter SET n = n + 1 WHERE id = 1 AND EXISTS (SELECT 1 FROM scope_entries WHERE {_CONCERNED})")
    op.execute(f"UPDATE scope_entries SET change_no = (SELECT n FROM change_counter WHERE id = 1) WHERE {_CONCERNED}")


def downgrade() -> None:
    pass
