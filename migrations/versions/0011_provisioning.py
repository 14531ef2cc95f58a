"""a device's old secret stays valid for a while beside its new one; devices are prepared for customers to claim"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('secret_no', sa.Integer(), server_default='1', nullable=False))
        batch_op.add_column(sa.Column('old_secret_hash', sa.String(length=200), server_default='', nullable=False))
        batch_op.add_column(sa.Column('old_token_hash', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('old_secret_until', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_unique_constraint(op.f('uq_devices_old_token_hash'), ['old_token_hash'])
        batch_op.create_index(op.f('ix_devices_old_secret_until'), ['old_secret_until'], unique=False)
        batch_op.create_check_constraint(op.f('ck_devices_secret_no'), 'secret_no IN (1, 2)')
    op.create_table('device_claims',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('profile_id', sa.String(length=36), nullable=False),
    sa.Column('address', sa.String(length=120), nullable=False),
    sa.Column('shard', sa.Integer(), nullable=False),
    sa.Column('secret_hash', sa.String(length=200), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=True),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('prepared_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('claimed_by', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['claimed_by'], ['users.id'], name=op.f('fk_device_claims_claimed_by')),
    sa.ForeignKeyConstraint(['profile_id'], ['device_profiles.id'], name=op.f('fk_device_claims_profile_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_claims')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_device_claims_code_hash'))
    )
    with op.batch_alter_table('device_claims', schema=None) as batch_op:
        batch_op.create_index(op.f('ix_device_claims_profile_id'), ['profile_id'], unique=False)


def downgrade() -> None:
    op.drop_table('device_claims')
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_devices_secret_no'), type_='check')
        batch_op.drop_index(op.f('ix_devices_old_secret_until'))
        batch_op.drop_constraint(op.f('uq_devices_old_token_hash'), type_='unique')
        batch_op.drop_column('old_secret_until')
        batch_op.drop_column('old_token_hash')
        batch_op.drop_column('old_secret_hash')
        batch_op.drop_column('secret_no')
