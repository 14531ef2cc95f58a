"""customers that are one: credit codes, keys to find them by, pairs, merges that can be undone"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def _tracked() -> list[sa.Column]:
    return [
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    ]


def upgrade() -> None:
    with op.batch_alter_table('customers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('credit_code', sa.String(length=18), nullable=True))
        batch_op.add_column(sa.Column('merged_into_id', sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f('ix_customers_merged_into_id'), ['merged_into_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_customers_merged_into_id'), 'customers', ['merged_into_id'], ['id'])
    op.create_table('customer_keys',
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_keys_customer_id')),
    sa.PrimaryKeyConstraint('key', 'customer_id', name=op.f('pk_customer_keys')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('customer_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_customer_keys_customer_id'), ['customer_id'], unique=False)
    op.create_table('customer_prints',
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('digest', sa.String(length=32), nullable=False),
    sa.Column('searched', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_prints_customer_id')),
    sa.PrimaryKeyConstraint('customer_id', name=op.f('pk_customer_prints'))
    )
    with op.batch_alter_table('customer_prints', schema=None) as batch_op:
        batch_op.create_index('ix_customer_prints_unsearched', ['customer_id'], unique=False,
            postgresql_where=sa.text('NOT searched'), sqlite_where=sa.text('NOT searched'))
    # Keys are made of names by the program: the job that looks for pairs begins with those that have no digest yet.
    op.execute("INSERT INTO customer_prints (customer_id, digest, searched) SELECT id, '', false FROM customers WHERE deleted_at IS NULL")
    op.create_table('duplicate_pairs',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('first_id', sa.String(length=36), nullable=False),
    sa.Column('second_id', sa.String(length=36), nullable=False),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('signs', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), 'postgresql'), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('first_digest', sa.String(length=32), nullable=False),
    sa.Column('second_digest', sa.String(length=32), nullable=False),
    sa.Column('decided_by', sa.String(length=36), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    *_tracked(),
    sa.CheckConstraint('first_id < second_id', name=op.f('ck_duplicate_pairs_order')),
    sa.CheckConstraint("state IN ('open', 'dismissed', 'merged')", name=op.f('ck_duplicate_pairs_state')),
    sa.ForeignKeyConstraint(['decided_by'], ['users.id'], name=op.f('fk_duplicate_pairs_decided_by')),
    sa.ForeignKeyConstraint(['first_id'], ['customers.id'], name=op.f('fk_duplicate_pairs_first_id')),
    sa.ForeignKeyConstraint(['second_id'], ['customers.id'], name=op.f('fk_duplicate_pairs_second_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_duplicate_pairs')),
    sa.UniqueConstraint('first_id', 'second_id', name=op.f('uq_duplicate_pairs_first_id_second_id'))
    )
    with op.batch_alter_table('duplicate_pairs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_duplicate_pairs_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_duplicate_pairs_second_id'), ['second_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_duplicate_pairs_state_score'), ['state', 'score'], unique=False)
    op.create_table('customer_merges',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('survivor_id', sa.String(length=36), nullable=False),
    sa.Column('other_id', sa.String(length=36), nullable=False),
    sa.Column('rivals', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), 'postgresql'), nullable=False),
    sa.Column('taken', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), 'postgresql'), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('merged_by', sa.String(length=36), nullable=False),
    sa.Column('undone_by', sa.String(length=36), nullable=True),
    *_tracked(),
    sa.CheckConstraint("state IN ('merged', 'undone')", name=op.f('ck_customer_merges_state')),
    sa.ForeignKeyConstraint(['merged_by'], ['users.id'], name=op.f('fk_customer_merges_merged_by')),
    sa.ForeignKeyConstraint(['other_id'], ['customers.id'], name=op.f('fk_customer_merges_other_id')),
    sa.ForeignKeyConstraint(['survivor_id'], ['customers.id'], name=op.f('fk_customer_merges_survivor_id')),
    sa.ForeignKeyConstraint(['undone_by'], ['users.id'], name=op.f('fk_customer_merges_undone_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer_merges'))
    )
    with op.batch_alter_table('customer_merges', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_customer_merges_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_customer_merges_survivor_id'), ['survivor_id'], unique=False)
        batch_op.create_index('uq_customer_merges_other', ['other_id'], unique=True,
            postgresql_where=sa.text("state = 'merged'"), sqlite_where=sa.text("state = 'merged'"))
    op.create_table('merged_rows',
    sa.Column('merge_id', sa.String(length=36), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['merge_id'], ['customer_merges.id'], name=op.f('fk_merged_rows_merge_id')),
    sa.PrimaryKeyConstraint('merge_id', 'collection', 'row_id', name=op.f('pk_merged_rows')),
    sqlite_with_rowid=False
    )


def downgrade() -> None:
    op.drop_table('merged_rows')
    op.drop_table('customer_merges')
    op.drop_table('duplicate_pairs')
    op.drop_table('customer_prints')
    op.drop_table('customer_keys')
    with op.batch_alter_table('customers', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_customers_merged_into_id'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_customers_merged_into_id'))
        batch_op.drop_column('merged_into_id')
        batch_op.drop_column('credit_code')
