"""visits in depth: types with kits of steps, their results, plans of the office, what to bring, sites whose position is unsure"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0024'
down_revision = "0023"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_PLANNED, _STANDING, _INCOMPLETE = sa.text("state = 'planned'"), sa.text('standing'), sa.text('incomplete')
_OF_PLAN, _FIX = sa.text('plan_id IS NOT NULL'), sa.text('site_fix IS NOT NULL')

_STATES = "state IN ('planned', 'in_progress', 'finished', 'cancelled', 'no_show', 'missed')"
_TABLES = ('bring_rules', 'visit_types', 'visit_kits', 'visit_plans', 'step_results')


def _tracked() -> list[sa.Column]:
    return [
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    ]


def upgrade() -> None:
    op.create_table('bring_rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('change', sa.String(length=20), nullable=False),
    sa.Column('any_of', _JSON, nullable=False),
    sa.Column('least', sa.Integer(), nullable=False),
    sa.Column('advice_zh', sa.String(length=500), nullable=False),
    sa.Column('advice_en', sa.String(length=500), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    *_tracked(),
    sa.CheckConstraint("change IN ('asset_added', 'asset_edited', 'alarm_stands', 'customer_edited', 'site_edited')", name=op.f('ck_bring_rules_change')),
    sa.CheckConstraint('least >= 1', name=op.f('ck_bring_rules_least')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bring_rules'))
    )
    op.create_table('visit_types',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name_zh', sa.String(length=100), nullable=False),
    sa.Column('name_en', sa.String(length=100), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    *_tracked(),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_types')),
    sa.UniqueConstraint('code', name=op.f('uq_visit_types_code'))
    )
    op.create_table('visit_kits',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('type_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('steps', _JSON, nullable=False),
    *_tracked(),
    sa.ForeignKeyConstraint(['type_id'], ['visit_types.id'], name=op.f('fk_visit_kits_type_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_kits')),
    sa.UniqueConstraint('type_id', 'number', name=op.f('uq_visit_kits_type_id_number'))
    )
    op.create_table('visit_plans',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('conditions', _JSON, nullable=False),
    sa.Column('type_id', sa.String(length=36), nullable=True),
    sa.Column('purpose', sa.String(length=200), nullable=False),
    sa.Column('every_days', sa.Integer(), nullable=True),
    sa.Column('times_per_month', sa.Integer(), nullable=True),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('from_time', sa.String(length=5), nullable=False),
    sa.Column('until_time', sa.String(length=5), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    *_tracked(),
    sa.CheckConstraint('(every_days IS NULL) <> (times_per_month IS NULL)', name=op.f('ck_visit_plans_frequency')),
    sa.CheckConstraint('from_time <= until_time', name=op.f('ck_visit_plans_span')),
    sa.ForeignKeyConstraint(['type_id'], ['visit_types.id'], name=op.f('fk_visit_plans_type_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_plans'))
    )
    op.create_table('step_results',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('visit_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('step', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('content', _JSON, nullable=False),
    sa.Column('made_ms', sa.BigInteger(), nullable=False),
    sa.Column('standing', sa.Boolean(), nullable=False),
    *_tracked(),
    sa.CheckConstraint("kind IN ('photo', 'stock', 'form', 'order')", name=op.f('ck_step_results_kind')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_step_results_user_id')),
    sa.ForeignKeyConstraint(['visit_id'], ['visits.id'], name=op.f('fk_step_results_visit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_step_results'))
    )
    with op.batch_alter_table('step_results', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_step_results_visit_id_step'), ['visit_id', 'step'], unique=False)
        batch_op.create_index('uq_step_results_standing', ['visit_id', 'step'], unique=True, postgresql_where=_STANDING, sqlite_where=_STANDING)
    for name in _TABLES:
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.create_index(batch_op.f(f'ix_{name}_change_no'), ['change_no'], unique=False)
    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.add_column(sa.Column('site_fix', sa.String(length=12), nullable=True))
        batch_op.create_check_constraint(batch_op.f('ck_check_ins_site_fix'), "site_fix IN ('waiting', 'proposed', 'set', 'overtaken')")
        batch_op.create_index('ix_check_ins_site_fix', ['site_fix'], unique=False, postgresql_where=_FIX, sqlite_where=_FIX)
    with op.batch_alter_table('visits', schema=None) as batch_op:
        batch_op.add_column(sa.Column('type_id', sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column('kit_id', sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column('plan_id', sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column('period', sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column('moved_count', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('move_reason', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('absence', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('incomplete', sa.Boolean(), server_default=sa.text('false'), nullable=False))
        batch_op.add_column(sa.Column('lacking', _JSON, server_default='[]', nullable=False))
        batch_op.add_column(sa.Column('incomplete_reason', sa.String(length=500), nullable=True))
        batch_op.drop_constraint(batch_op.f('ck_visits_state'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_visits_state'), _STATES)
        batch_op.create_index('ix_visits_incomplete', ['ended_at'], unique=False, postgresql_where=_INCOMPLETE, sqlite_where=_INCOMPLETE)
        batch_op.create_index('ix_visits_planned', ['planned_until'], unique=False, postgresql_where=_PLANNED, sqlite_where=_PLANNED)
        batch_op.create_index('uq_visits_period', ['plan_id', 'site_id', 'period'], unique=True, postgresql_where=_OF_PLAN, sqlite_where=_OF_PLAN)
        batch_op.create_foreign_key(batch_op.f('fk_visits_kit_id'), 'visit_kits', ['kit_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_visits_type_id'), 'visit_types', ['type_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_visits_plan_id'), 'visit_plans', ['plan_id'], ['id'], use_alter=True)
    # Whoever reads visits holds their types; who signs in later gets it as they are written.
    op.execute(
        "INSERT INTO scope_grants (user_id, scope, entered_no, left_no)"
        " SELECT u.id, 'visits:all', (SELECT n FROM change_counter WHERE id = 1), NULL FROM users u WHERE u.state = 'active'"
        " AND u.deleted_at IS NULL AND u.partner_id IS NULL AND u.role IN ('admin', 'manager', 'rep')"
        " AND EXISTS (SELECT 1 FROM scope_grants)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM scope_grants WHERE scope = 'visits:all'")
    op.execute("DELETE FROM scope_entries WHERE collection IN ('visit_types', 'visit_kits', 'step_results')")
    op.execute("UPDATE visits SET state = 'cancelled' WHERE state IN ('no_show', 'missed')")
    with op.batch_alter_table('visits', schema=None) as batch_op:
        for name in ('fk_visits_plan_id', 'fk_visits_type_id', 'fk_visits_kit_id'):
            batch_op.drop_constraint(batch_op.f(name), type_='foreignkey')
        for name in ('uq_visits_period', 'ix_visits_planned', 'ix_visits_incomplete'):
            batch_op.drop_index(name)
        batch_op.drop_constraint(batch_op.f('ck_visits_state'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_visits_state'), "state IN ('planned', 'in_progress', 'finished', 'cancelled')")
        for name in ('incomplete_reason', 'lacking', 'incomplete', 'absence', 'move_reason', 'moved_count', 'period', 'plan_id', 'kit_id', 'type_id'):
            batch_op.drop_column(name)
    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_check_ins_site_fix'), type_='check')
        batch_op.drop_index('ix_check_ins_site_fix')
        batch_op.drop_column('site_fix')
    for name in reversed(_TABLES):
        op.drop_table(name)
