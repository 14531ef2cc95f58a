"""files hold codes of other systems, and several rows of one customer; a fact's code names its system"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_CODED = sa.text('code IS NOT NULL')


def _index(*columns: str) -> None:
    op.drop_index('ix_customer_facts_code', table_name='customer_facts')
    op.create_index('ix_customer_facts_code', 'customer_facts', columns, unique=False, postgresql_where=_CODED, sqlite_where=_CODED)


def upgrade() -> None:
    op.add_column('customer_facts', sa.Column('code_system', sa.String(length=40), nullable=True))
    op.execute("UPDATE customer_facts SET code_system = substr(source_ref, 1, 40) WHERE code IS NOT NULL")
    _index('field', 'code_system', 'code')
    op.add_column('imports', sa.Column('system', sa.String(length=40), nullable=True))
    op.add_column('imports', sa.Column('unmapped', _JSON, nullable=True))
    op.add_column('import_mappings', sa.Column('system', sa.String(length=40), nullable=True))
    op.add_column('import_rows', sa.Column('waiting', _JSON, nullable=True))
    op.add_column('import_rows', sa.Column('follows', sa.Integer(), nullable=True))


def downgrade() -> None:
    for table, column in (
        ('import_rows', 'follows'), ('import_rows', 'waiting'), ('import_mappings', 'system'), ('imports', 'unmapped'), ('imports', 'system'),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
    _index('field', 'source_ref', 'code')
    with op.batch_alter_table('customer_facts', schema=None) as batch_op:
        batch_op.drop_column('code_system')
