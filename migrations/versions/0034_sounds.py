"""sounds: names are found by how their characters are read in the words they stand in; words that missed their code follow"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Terms are made of texts by the program: the job that keeps them makes those of names anew, and the old ones serve until then.
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind IN ('customer', 'site', 'contact', 'lead')")
    # What another system said while its code was being mapped was looked at by nobody: the job that settles codes does so now.
    op.execute(
        "UPDATE code_mappings SET settled_at = NULL WHERE state = 'mapped' AND EXISTS (SELECT 1 FROM customer_facts f WHERE f.waiting"
        " AND f.field = 'custom.' || code_mappings.list_name AND f.code_system = code_mappings.system"
        " AND f.code = code_mappings.theirs)"
    )


def downgrade() -> None:
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind IN ('customer', 'site', 'contact', 'lead')")
