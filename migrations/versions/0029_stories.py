"""what happened to leads and with follow-ups is told in the story of their customer"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# Kind of subject -> the customer it belongs to; {id} is the subject's. Of a lead, the one it became.
_STORIES = {
    "lead": "(SELECT l.customer_id FROM leads l WHERE l.id = {id})",
    "follow_up": "(SELECT COALESCE(f.customer_id, l.customer_id) FROM follow_ups f LEFT JOIN leads l ON l.id = f.lead_id"
    " WHERE f.id = {id})",
}


def upgrade() -> None:
    for kind, customer in _STORIES.items():
        found = customer.format(id="history.subject_id")
        op.execute(f"UPDATE history SET customer_id = {found} WHERE subject_kind = '{kind}' AND customer_id IS NULL")


def downgrade() -> None:
    # Whose story an entry is told in does no harm to what reads none.
    kinds = ", ".join(f"'{kind}'" for kind in _STORIES)
    op.execute(f"UPDATE history SET customer_id = NULL WHERE subject_kind IN ({kinds})")
