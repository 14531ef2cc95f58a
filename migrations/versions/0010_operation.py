"""the outbox may be held back; job runs know how often they are to be; old readings become roll-ups and checkpoints"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('outbox_holds',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_holds'))
    )
    with op.batch_alter_table('job_runs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('every_s', sa.Float(), nullable=False, server_default='0'))
    with op.batch_alter_table('job_runs', schema=None) as batch_op:
        batch_op.alter_column('every_s', server_default=None)
    with op.batch_alter_table('subject_states', schema=None) as batch_op:
        batch_op.add_column(sa.Column('before_ms', sa.BigInteger(), server_default='0', nullable=False))
    op.create_table('subject_checkpoints',
    sa.Column('subject_id', sa.String(length=36), nullable=False),
    sa.Column('folds', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('subject_id', name=op.f('pk_subject_checkpoints'))
    )
    op.create_table('telemetry_horizon',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('before_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_telemetry_horizon'))
    )
    op.create_table('telemetry_rollups',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('metric', sa.String(length=60), nullable=False),
    sa.Column('span', sa.String(length=4), nullable=False),
    sa.Column('from_ms', sa.BigInteger(), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.Column('total', sa.Float(), nullable=False),
    sa.Column('least', sa.Float(), nullable=False),
    sa.Column('most', sa.Float(), nullable=False),
    sa.Column('first_ms', sa.BigInteger(), nullable=False),
    sa.Column('first', sa.Float(), nullable=False),
    sa.Column('last_ms', sa.BigInteger(), nullable=False),
    sa.Column('last', sa.Float(), nullable=False),
    sa.CheckConstraint("span IN ('hour', 'day')", name=op.f('ck_telemetry_rollups_span')),
    sa.PrimaryKeyConstraint('device_id', 'metric', 'span', 'from_ms', name=op.f('pk_telemetry_rollups')),
    sqlite_with_rowid=False
    )


def downgrade() -> None:
    op.drop_table('telemetry_rollups')
    op.drop_table('telemetry_horizon')
    op.drop_table('subject_checkpoints')
    with op.batch_alter_table('subject_states', schema=None) as batch_op:
        batch_op.drop_column('before_ms')
    with op.batch_alter_table('job_runs', schema=None) as batch_op:
        batch_op.drop_column('every_s')
    op.drop_table('outbox_holds')
