"""rows deleted before they arrived are remembered by person, and rows that came early wait; tokens know their parents

What was remembered of rows so far had no person, and goes.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table('deleted_ids')
    op.create_table('deleted_ids',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_deleted_ids_user_id_users')),
    sa.PrimaryKeyConstraint('user_id', 'collection', 'row_id', name=op.f('pk_deleted_ids'))
    )
    with op.batch_alter_table('deleted_ids', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_deleted_ids_at'), ['at'], unique=False)
    with op.batch_alter_table('refresh_tokens', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent_hash', sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f('ix_refresh_tokens_parent_hash'), ['parent_hash'], unique=False)
    op.create_table('early_rows',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('installation_id', sa.String(length=36), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('parent_collection', sa.String(length=40), nullable=False),
    sa.Column('parent_id', sa.String(length=36), nullable=False),
    sa.Column('sent', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_early_rows_user_id_users')),
    sa.PrimaryKeyConstraint('user_id', 'installation_id', 'collection', 'row_id', name=op.f('pk_early_rows'))
    )
    with op.batch_alter_table('early_rows', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_early_rows_at'), ['at'], unique=False)
    with op.batch_alter_table('sync_problems', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_sync_problems_state'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_sync_problems_state'), "state IN ('open', 'mended', 'replayed', 'dismissed')")


def downgrade() -> None:
    op.execute("UPDATE sync_problems SET state = 'dismissed' WHERE state = 'mended'")
    with op.batch_alter_table('sync_problems', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_sync_problems_state'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_sync_problems_state'), "state IN ('open', 'replayed', 'dismissed')")
    op.drop_table('early_rows')
    with op.batch_alter_table('refresh_tokens', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_refresh_tokens_parent_hash'))
        batch_op.drop_column('parent_hash')
    op.drop_table('deleted_ids')
    op.create_table('deleted_ids',
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('collection', 'row_id', name=op.f('pk_deleted_ids'))
    )
    with op.batch_alter_table('deleted_ids', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_deleted_ids_at'), ['at'], unique=False)
