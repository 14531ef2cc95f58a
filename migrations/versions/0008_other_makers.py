"""devices of other makers: what a profile says of their messages, the topics the ingest asked for, tokens over HTTP, gateways"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), 'postgresql')


def _adapters(names: str) -> None:
    with op.batch_alter_table('device_profiles', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_device_profiles_adapter'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_device_profiles_adapter'), f'adapter IN ({names})')


def upgrade() -> None:
    with op.batch_alter_table('device_profiles', schema=None) as batch_op:
        batch_op.add_column(sa.Column('mapping', _JSON, nullable=True))
    _adapters("'native', 'ovms', 'mapped', 'thingsboard', 'teslamate', 'sparkplug'")
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('token_hash', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('gateway', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_unique_constraint(batch_op.f('uq_devices_token_hash'), ['token_hash'])
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.alter_column('gateway', server_default=None)
    op.create_table('broker_filters',
    sa.Column('topic', sa.String(length=250), nullable=False),
    sa.PrimaryKeyConstraint('topic', name=op.f('pk_broker_filters'))
    )
    op.create_table('sparkplug_nodes',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('born', sa.Boolean(), nullable=False),
    sa.Column('births', _JSON, nullable=False),
    sa.Column('bd_seq', sa.BigInteger(), nullable=True),
    sa.Column('seq', sa.Integer(), nullable=True),
    sa.Column('gaps', sa.BigInteger(), nullable=False),
    sa.Column('heard_ms', sa.BigInteger(), nullable=False),
    sa.Column('asked_ms', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_sparkplug_nodes_device_id')),
    sa.PrimaryKeyConstraint('device_id', name=op.f('pk_sparkplug_nodes'))
    )


def downgrade() -> None:
    op.drop_table('sparkplug_nodes')
    op.drop_table('broker_filters')
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_devices_token_hash'), type_='unique')
        batch_op.drop_column('gateway')
        batch_op.drop_column('token_hash')
    # Their devices stay, silent: no earlier version knows the topics they speak on.
    op.execute("UPDATE device_profiles SET adapter = 'native' WHERE adapter NOT IN ('native', 'ovms')")
    _adapters("'native', 'ovms'")
    with op.batch_alter_table('device_profiles', schema=None) as batch_op:
        batch_op.drop_column('mapping')
