"""where devices were before they came to where they are"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('placed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table('placements',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('placed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('followed', sa.Boolean(), nullable=False),
    sa.CheckConstraint('placed_at IS NULL OR removed_at > placed_at', name=op.f('ck_placements_order')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_placements_asset_id')),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_placements_device_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_placements'))
    )
    with op.batch_alter_table('placements', schema=None) as batch_op:
        batch_op.create_index(op.f('ix_placements_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(op.f('ix_placements_device_id'), ['device_id'], unique=False)
        batch_op.create_index('ix_placements_unfollowed', ['recorded_at'], unique=False, postgresql_where=sa.text('NOT followed'), sqlite_where=sa.text('NOT followed'))


def downgrade() -> None:
    op.drop_table('placements')
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_column('placed_at')
