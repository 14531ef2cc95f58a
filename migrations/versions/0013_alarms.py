"""people are reminded of alarms that nobody acknowledges"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('alarm_reminders',
    sa.Column('alarm_id', sa.String(length=36), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['alarm_id'], ['alarms.id'], name=op.f('fk_alarm_reminders_alarm_id')),
    sa.PrimaryKeyConstraint('alarm_id', name=op.f('pk_alarm_reminders'))
    )
    with op.batch_alter_table('alarm_reminders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarm_reminders_due_at'), ['due_at'], unique=False)
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reached', sa.String(length=20), nullable=False, server_default=''))
    op.execute("UPDATE alarms SET reached = severity")
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.alter_column('reached', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_column('reached')
    op.drop_table('alarm_reminders')
