"""incidents; assets are subjects of rules, too, with levels of their own; the states of all rules on one subject are one row"""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), 'postgresql')


def _subject_kinds(kinds: str) -> None:
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_alarms_subject_kind'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_alarms_subject_kind'), f'subject_kind IN ({kinds})')


def upgrade() -> None:
    op.create_table('subject_states',
    sa.Column('subject_id', sa.String(length=36), nullable=False),
    sa.Column('states', sa.Text(), nullable=False),
    sa.Column('due_ms', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('subject_id', name=op.f('pk_subject_states'))
    )
    with op.batch_alter_table('subject_states', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_subject_states_due_ms'), ['due_ms'], unique=False)
    # On what a fold was based is told otherwise now. So each subject is folded afresh at its next reading, or when a value that
    # it held is due, and ends in the alarms it has.
    op.execute(
        "INSERT INTO subject_states (subject_id, states, due_ms)"
        " SELECT component_id, '{}', MIN(due_ms) FROM detector_states GROUP BY component_id"
    )
    op.drop_table('detector_states')
    for table in ('assets', 'device_profiles'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('limits', _JSON, nullable=False, server_default=json.dumps({})))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column('limits', server_default=None)
    _subject_kinds("'component', 'asset', 'device'")
    op.create_table('incidents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('severity', sa.String(length=20), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('work_order_id', sa.String(length=36), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'closed')", name=op.f('ck_incidents_state')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_incidents_asset_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_incidents_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_incidents'))
    )
    with op.batch_alter_table('incidents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_incidents_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_incidents_change_no'), ['change_no'], unique=False)
        batch_op.create_index('uq_incidents_open', ['asset_id'], unique=True, postgresql_where=sa.text("state = 'open'"), sqlite_where=sa.text("state = 'open'"))
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.add_column(sa.Column('incident_id', sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f('ix_alarms_incident_id'), ['incident_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_alarms_incident_id'), 'incidents', ['incident_id'], ['id'])


def downgrade() -> None:
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_alarms_incident_id'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_alarms_incident_id'))
        batch_op.drop_column('incident_id')
    op.drop_table('incidents')
    op.execute("DELETE FROM alarms WHERE subject_kind = 'asset'")
    _subject_kinds("'component', 'device'")
    for table in ('device_profiles', 'assets'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('limits')
    op.create_table('detector_states',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('component_id', sa.String(length=36), nullable=False),
    sa.Column('rule_number', sa.Integer(), nullable=False),
    sa.Column('fittings', sa.String(length=64), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('due_ms', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['component_id'], ['components.id'], name=op.f('fk_detector_states_component_id')),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_detector_states_rule_id')),
    sa.PrimaryKeyConstraint('rule_id', 'component_id', name=op.f('pk_detector_states'))
    )
    with op.batch_alter_table('detector_states', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_detector_states_due_ms'), ['due_ms'], unique=False)
    op.drop_table('subject_states')
