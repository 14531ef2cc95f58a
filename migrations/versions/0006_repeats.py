"""rows deleted before they arrived are remembered by person; refresh tokens know what they were exchanged for

What was remembered of rows so far had no person, and goes.
"""

import sqlalchemy as sa
from alembic import op

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


def downgrade() -> None:
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
