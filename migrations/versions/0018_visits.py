"""visits of reps to customers, and the check-ins that show they were there"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('visits',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('site_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('purpose', sa.String(length=200), nullable=False),
    sa.Column('planned_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('planned_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=2000), nullable=True),
    sa.Column('next_step', sa.String(length=500), nullable=True),
    sa.Column('cancel_reason', sa.String(length=200), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('planned', 'in_progress', 'finished', 'cancelled')", name=op.f('ck_visits_state')),
    sa.CheckConstraint('planned_from <= planned_until', name=op.f('ck_visits_window')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_visits_customer_id_customers')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_visits_site_id_sites')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_visits_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visits')),
    sa.UniqueConstraint('number', name=op.f('uq_visits_number'))
    )
    with op.batch_alter_table('visits', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_visits_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_visits_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visits_site_id'), ['site_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visits_user_id_planned_from'), ['user_id', 'planned_from'], unique=False)
        batch_op.create_index('uq_visits_in_progress', ['user_id'], unique=True, postgresql_where=sa.text("state = 'in_progress'"), sqlite_where=sa.text("state = 'in_progress'"))

    op.create_table('check_ins',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('visit_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('leaving', sa.Boolean(), nullable=False),
    sa.Column('told_lat', sa.Float(), nullable=False),
    sa.Column('told_lon', sa.Float(), nullable=False),
    sa.Column('datum', sa.String(length=10), nullable=False),
    sa.Column('accuracy_m', sa.Float(), nullable=True),
    sa.Column('provider', sa.String(length=20), nullable=True),
    sa.Column('mocked', sa.Boolean(), nullable=True),
    sa.Column('told_ms', sa.BigInteger(), nullable=False),
    sa.Column('sent_ms', sa.BigInteger(), nullable=True),
    sa.Column('skew_ms', sa.BigInteger(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lat', sa.Float(), nullable=False),
    sa.Column('lon', sa.Float(), nullable=False),
    sa.Column('distance_m', sa.Float(), nullable=False),
    sa.Column('nearness', sa.String(length=10), nullable=False),
    sa.Column('reasons', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('photo_id', sa.String(length=36), nullable=True),
    sa.Column('note', sa.String(length=500), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('appeal', sa.String(length=500), nullable=True),
    sa.Column('decided_by', sa.String(length=36), nullable=True),
    sa.Column('decision', sa.String(length=500), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("datum IN ('wgs84', 'gcj02', 'bd09', 'unknown')", name=op.f('ck_check_ins_datum')),
    sa.CheckConstraint("nearness IN ('inside', 'near', 'outside', 'unsure')", name=op.f('ck_check_ins_nearness')),
    sa.CheckConstraint("state IN ('accepted', 'needs_review', 'refused')", name=op.f('ck_check_ins_state')),
    sa.ForeignKeyConstraint(['decided_by'], ['users.id'], name=op.f('fk_check_ins_decided_by_users')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_check_ins_user_id_users')),
    sa.ForeignKeyConstraint(['visit_id'], ['visits.id'], name=op.f('fk_check_ins_visit_id_visits')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_check_ins'))
    )
    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_check_ins_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_check_ins_user_id_at'), ['user_id', 'at'], unique=False)
        batch_op.create_index('uq_check_ins_visit', ['visit_id', 'leaving'], unique=True)


def downgrade() -> None:
    op.drop_table('check_ins')
    op.drop_table('visits')
