"""plans of a day; opening hours of sites, length of visits"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0026'
down_revision = "0025"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table('sites', schema=None) as batch_op:
        batch_op.add_column(sa.Column('opening_hours', sa.String(length=300), nullable=True))
    with op.batch_alter_table('visits', schema=None) as batch_op:
        batch_op.add_column(sa.Column('length_minutes', sa.Integer(), nullable=True))
        batch_op.create_check_constraint(batch_op.f('ck_visits_length'), 'length_minutes BETWEEN 5 AND 720')
    op.create_table('day_plans',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('start_lat', sa.Float(), nullable=False),
    sa.Column('start_lon', sa.Float(), nullable=False),
    sa.Column('end_lat', sa.Float(), nullable=True),
    sa.Column('end_lon', sa.Float(), nullable=True),
    sa.Column('breaks', _JSON, nullable=False),
    sa.Column('whole_day', sa.Boolean(), nullable=False),
    sa.Column('keep_windows', sa.Boolean(), nullable=False),
    sa.Column('grace_minutes', sa.Integer(), nullable=False),
    sa.Column('given', _JSON, nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('answer', _JSON, nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('queued', 'running', 'ready', 'failed', 'applied')", name=op.f('ck_day_plans_state')),
    sa.CheckConstraint('starts_at < ends_at', name=op.f('ck_day_plans_span')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_day_plans_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_day_plans'))
    )
    with op.batch_alter_table('day_plans', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_day_plans_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_day_plans_state_created_at'), ['state', 'created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_day_plans_user_id_day'), ['user_id', 'day'], unique=False)


def downgrade() -> None:
    op.drop_table('day_plans')
    with op.batch_alter_table('visits', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_visits_length'), type_='check')
        batch_op.drop_column('length_minutes')
    with op.batch_alter_table('sites', schema=None) as batch_op:
        batch_op.drop_column('opening_hours')
