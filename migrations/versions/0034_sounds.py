"""sounds: names are found by how their characters are read in the words they stand in"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Terms are made of texts by the program: the job that keeps them makes those of names anew, and the old ones serve until then.
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind IN ('customer', 'site', 'contact', 'lead')")


def downgrade() -> None:
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind IN ('customer', 'site', 'contact', 'lead')")
