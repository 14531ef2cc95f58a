"""devices are set from the office: settings of profiles and devices, how far they have come; commands known by a number"""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), 'postgresql')


def upgrade() -> None:
    for table in ('device_profiles', 'devices'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('settings', _JSON, nullable=False, server_default=json.dumps({})))
            batch_op.add_column(sa.Column('settings_no', sa.BigInteger(), nullable=False, server_default='0'))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column('settings', server_default=None)
    op.create_table('settings_states',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('published_no', sa.BigInteger(), nullable=True),
    sa.Column('overtook', sa.BigInteger(), nullable=False),
    sa.Column('told', _JSON, nullable=False),
    sa.Column('reported_no', sa.BigInteger(), nullable=True),
    sa.Column('reported', _JSON, nullable=True),
    sa.Column('reported_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('as_wanted', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_settings_states_device_id')),
    sa.PrimaryKeyConstraint('device_id', name=op.f('pk_settings_states'))
    )
    op.create_table('device_polls',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_device_polls_device_id')),
    sa.PrimaryKeyConstraint('device_id', name=op.f('pk_device_polls'))
    )
    with op.batch_alter_table('device_commands', schema=None) as batch_op:
        batch_op.add_column(sa.Column('number', sa.BigInteger(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_device_commands_number'), ['number'])


def downgrade() -> None:
    with op.batch_alter_table('device_commands', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_device_commands_number'), type_='unique')
        batch_op.drop_column('number')
    op.drop_table('device_polls')
    op.drop_table('settings_states')
    for table in ('devices', 'device_profiles'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('settings_no')
            batch_op.drop_column('settings')
