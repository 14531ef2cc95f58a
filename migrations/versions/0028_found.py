"""found: leads and contacts are found, and rows of imports tell which values a better source's outranked"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0028'
down_revision = "0027"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_FOUND = (('lead', 'leads'), ('pool_lead', 'pool_leads'), ('contact', 'contacts'))


def upgrade() -> None:
    with op.batch_alter_table('import_rows', schema=None) as batch_op:
        batch_op.add_column(sa.Column('outranked', _JSON, nullable=True))
    # Terms are made of texts by the program: the job that keeps them goes on with these.
    for kind, table in _FOUND:
        op.execute(
            f"INSERT INTO search_rows (kind, row_id, digest, stale) SELECT '{kind}', id, '', true FROM {table} WHERE deleted_at IS NULL"
        )
    # And with what has telephone numbers: landlines are found with the 0 before their area's number, too.
    op.execute("UPDATE search_rows SET digest = '', stale = true WHERE kind = 'customer'")


def downgrade() -> None:
    kinds = "('lead', 'pool_lead', 'contact')"
    op.execute(f"DELETE FROM search_terms WHERE kind IN {kinds}")
    op.execute(f"DELETE FROM search_rows WHERE kind IN {kinds}")
    with op.batch_alter_table('import_rows', schema=None) as batch_op:
        batch_op.drop_column('outranked')
