"""alarms that a cool-down holds back know until when; readings from ahead of our clock are found when it has come to their time"""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.add_column(sa.Column('held_until', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_alarms_held_until'), ['held_until'], unique=False)
    op.create_index(
        'ix_telemetry_ahead', 'telemetry', ['at_ms'], unique=False,
        postgresql_where=sa.text('ahead IS true'), sqlite_where=sa.text('ahead IS 1'),
    )


def downgrade() -> None:
    op.drop_index('ix_telemetry_ahead', table_name='telemetry')
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alarms_held_until'))
        batch_op.drop_column('held_until')
