"""leads of the pool without a territory are every rep's to claim: those that are there come to their phones"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_SHOWN = "FROM pool_leads p WHERE p.deleted_at IS NULL AND p.territory_id IS NULL AND EXISTS (SELECT 1 FROM scope_grants)"


def upgrade() -> None:
    # A database without any grants gets all entries afterwards.
    op.execute(f"UPDATE change_counter SET n = n + 1 WHERE id = 1 AND EXISTS (SELECT 1 {_SHOWN})")
    op.execute(
        "INSERT INTO scope_entries (scope, collection, row_id, change_no, gone)"
        f" SELECT 'stations:all', 'pool_leads', p.id, (SELECT n FROM change_counter WHERE id = 1), FALSE {_SHOWN}"
    )


def downgrade() -> None:
    op.execute("DELETE FROM scope_entries WHERE scope = 'stations:all' AND collection = 'pool_leads'")
