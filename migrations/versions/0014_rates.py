"""devices are held to a rate: what they owe, what was not taken of them, a profile's own rate; roll-ups by hour go in time"""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('device_presence', schema=None) as batch_op:
        batch_op.add_column(sa.Column('paid_us', sa.BigInteger(), server_default='0', nullable=False))
    with op.batch_alter_table('device_profiles', schema=None) as batch_op:
        batch_op.add_column(sa.Column('messages_per_minute', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('message_burst', sa.Integer(), nullable=True))
    with op.batch_alter_table('telemetry_horizon', schema=None) as batch_op:
        batch_op.add_column(sa.Column('hours_before_ms', sa.BigInteger(), server_default='0', nullable=False))
    op.create_table('device_storms',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('began_ms', sa.BigInteger(), nullable=True),
    sa.Column('last_ms', sa.BigInteger(), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('storm', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_device_storms_device_id_devices')),
    sa.PrimaryKeyConstraint('device_id', name=op.f('pk_device_storms'))
    )
    with op.batch_alter_table('device_storms', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_storms_began_ms'), ['began_ms'], unique=False)


def downgrade() -> None:
    op.drop_table('device_storms')
    with op.batch_alter_table('telemetry_horizon', schema=None) as batch_op:
        batch_op.drop_column('hours_before_ms')
    with op.batch_alter_table('device_profiles', schema=None) as batch_op:
        batch_op.drop_column('message_burst')
        batch_op.drop_column('messages_per_minute')
    with op.batch_alter_table('device_presence', schema=None) as batch_op:
        batch_op.drop_column('paid_us')
