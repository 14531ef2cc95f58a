"""alarms: people are reminded of them, close them and put them off; how severe they are by their readings alone; the calendar"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


_STATES = "'raised', 'acknowledged', 'cleared', 'closed', 'withdrawn'"
_STATES_BEFORE = "'raised', 'acknowledged', 'cleared', 'withdrawn'"


def _states(states: str) -> None:
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_alarms_state'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_alarms_state'), f'state IN ({states})')


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
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.add_column(sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('closed_by', sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column('close_reason', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('snoozed_until', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('snoozed_by', sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f('ix_alarms_snoozed_until'), ['snoozed_until'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_alarms_closed_by'), 'users', ['closed_by'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_alarms_snoozed_by'), 'users', ['snoozed_by'], ['id'])
    _states(_STATES)
    op.create_table('calendar_days',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('name_zh', sa.String(length=100), nullable=False),
    sa.Column('name_en', sa.String(length=100), nullable=False),
    sa.CheckConstraint("kind IN ('holiday', 'school_holiday', 'workday')", name=op.f('ck_calendar_days_kind')),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_calendar_days'))
    )
    op.create_table('alarm_closings',
    sa.Column('subject_id', sa.String(length=36), nullable=False),
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_alarm_closings_rule_id')),
    sa.PrimaryKeyConstraint('subject_id', 'rule_id', 'at_ms', name=op.f('pk_alarm_closings'))
    )


def downgrade() -> None:
    op.drop_table('alarm_closings')
    op.drop_table('calendar_days')
    op.execute("UPDATE alarms SET state = 'cleared' WHERE state = 'closed'")
    _states(_STATES_BEFORE)
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_alarms_snoozed_by'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_alarms_closed_by'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_alarms_snoozed_until'))
        for name in ('snoozed_by', 'snoozed_until', 'close_reason', 'closed_by', 'closed_at'):
            batch_op.drop_column(name)
        batch_op.drop_column('reached')
    op.drop_table('alarm_reminders')
