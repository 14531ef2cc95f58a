"""late: names are found by how words are read, words that missed their code follow, a shift ends as the next one begins"""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def _shifts_end(*reasons: str) -> None:
    with op.batch_alter_table('track_shifts', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_track_shifts_end_reason'), type_='check')
        batch_op.create_check_constraint(op.f('ck_track_shifts_end_reason'), f'end_reason IN {reasons}')


def upgrade() -> None:
    # Terms are made of texts by the program: the job that keeps them makes those of names anew, and the old ones serve until then.
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind IN ('customer', 'site', 'contact', 'lead')")
    # What another system said while its code was being mapped was looked at by nobody: the job that settles codes does so now.
    op.execute(
        "UPDATE code_mappings SET settled_at = NULL WHERE state = 'mapped' AND EXISTS (SELECT 1 FROM customer_facts f WHERE f.waiting"
        " AND f.field = 'custom.' || code_mappings.list_name AND f.code_system = code_mappings.system"
        " AND f.code = code_mappings.theirs)"
    )
    _shifts_end('by_rep', 'by_calendar', 'too_long', 'consent_withdrawn', 'next_began')


def downgrade() -> None:
    op.execute("UPDATE track_shifts SET end_reason = 'by_rep' WHERE end_reason = 'next_began'")
    _shifts_end('by_rep', 'by_calendar', 'too_long', 'consent_withdrawn')
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind IN ('customer', 'site', 'contact', 'lead')")
