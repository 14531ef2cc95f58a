"""tracks of reps: consents, shifts, fixes, proposed visits, looks, proofs of deletion"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0025'
down_revision = "0024"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table('track_batches',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('answer', _JSON, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_track_batches_user_id')),
    sa.PrimaryKeyConstraint('user_id', 'id', name=op.f('pk_track_batches'))
    )
    with op.batch_alter_table('track_batches', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_track_batches_at'), ['at'], unique=False)

    op.create_table('track_consents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('text_version', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('erased', sa.Boolean(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('given', 'replaced', 'withdrawn')", name=op.f('ck_track_consents_state')),
    sa.CheckConstraint('ended_at IS NULL OR given_at <= ended_at', name=op.f('ck_track_consents_span')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_track_consents_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_track_consents'))
    )
    with op.batch_alter_table('track_consents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_track_consents_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_track_consents_user_id_given_at'), ['user_id', 'given_at'], unique=False)
        batch_op.create_index('uq_track_consents_given', ['user_id'], unique=True, postgresql_where=sa.text("state = 'given'"), sqlite_where=sa.text("state = 'given'"))

    op.create_table('track_deletions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('cause', sa.String(length=20), nullable=False),
    sa.Column('setting', sa.String(length=60), nullable=True),
    sa.Column('from_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('to_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('shifts', sa.Integer(), nullable=False),
    sa.Column('chunks', sa.Integer(), nullable=False),
    sa.Column('fixes', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("cause IN ('retention', 'consent_withdrawn', 'after_the_end')", name=op.f('ck_track_deletions_cause')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_track_deletions_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_track_deletions'))
    )
    with op.batch_alter_table('track_deletions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_track_deletions_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_track_deletions_user_id'), ['user_id'], unique=False)

    op.create_table('track_shifts',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('latest_end_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('latest_end', sa.String(length=20), nullable=False),
    sa.Column('keep_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('end_reason', sa.String(length=20), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('fixes', sa.Integer(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('figured', sa.Integer(), nullable=False),
    sa.Column('distance_m', sa.Float(), nullable=True),
    sa.Column('unseen_m', sa.Float(), nullable=True),
    sa.Column('score', sa.Integer(), nullable=True),
    sa.Column('grade', sa.String(length=12), nullable=True),
    sa.Column('findings', _JSON, nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("end_reason IN ('by_rep', 'by_calendar', 'too_long', 'consent_withdrawn')", name=op.f('ck_track_shifts_end_reason')),
    sa.CheckConstraint("grade IN ('clear', 'doubtful', 'implausible')", name=op.f('ck_track_shifts_grade')),
    sa.CheckConstraint("state IN ('running', 'finished')", name=op.f('ck_track_shifts_state')),
    sa.CheckConstraint('ended_at IS NULL OR began_at <= ended_at', name=op.f('ck_track_shifts_span')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_track_shifts_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_track_shifts'))
    )
    with op.batch_alter_table('track_shifts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_track_shifts_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_track_shifts_user_id_began_at'), ['user_id', 'began_at'], unique=False)
        batch_op.create_index('uq_track_shifts_running', ['user_id'], unique=True, postgresql_where=sa.text("state = 'running'"), sqlite_where=sa.text("state = 'running'"))

    op.create_table('track_chunks',
    sa.Column('shift_id', sa.String(length=36), nullable=False),
    sa.Column('hour', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('fixes', sa.Integer(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['shift_id'], ['track_shifts.id'], name=op.f('fk_track_chunks_shift_id')),
    sa.PrimaryKeyConstraint('shift_id', 'hour', name=op.f('pk_track_chunks'))
    )
    op.create_table('track_looks',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('shift_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('looked_by', sa.String(length=36), nullable=False),
    sa.Column('purpose', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('fixes', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("purpose IN ('mileage', 'visits', 'safety', 'complaint')", name=op.f('ck_track_looks_purpose')),
    sa.ForeignKeyConstraint(['looked_by'], ['users.id'], name=op.f('fk_track_looks_looked_by')),
    sa.ForeignKeyConstraint(['shift_id'], ['track_shifts.id'], name=op.f('fk_track_looks_shift_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_track_looks_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_track_looks'))
    )
    with op.batch_alter_table('track_looks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_track_looks_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_track_looks_shift_id'), ['shift_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_track_looks_user_id'), ['user_id'], unique=False)

    op.create_table('visit_proposals',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('shift_id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('site_id', sa.String(length=36), nullable=False),
    sa.Column('came_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('distance_m', sa.Float(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('visit_id', sa.String(length=36), nullable=True),
    sa.Column('reason', sa.String(length=200), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('proposed', 'confirmed', 'rejected', 'withdrawn')", name=op.f('ck_visit_proposals_state')),
    sa.CheckConstraint('came_at <= left_at', name=op.f('ck_visit_proposals_span')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_visit_proposals_customer_id')),
    sa.ForeignKeyConstraint(['shift_id'], ['track_shifts.id'], name=op.f('fk_visit_proposals_shift_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_visit_proposals_site_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_visit_proposals_user_id')),
    sa.ForeignKeyConstraint(['visit_id'], ['visits.id'], name=op.f('fk_visit_proposals_visit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_proposals'))
    )
    with op.batch_alter_table('visit_proposals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_visit_proposals_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_proposals_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_proposals_shift_id'), ['shift_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_proposals_site_id'), ['site_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_proposals_user_id_came_at'), ['user_id', 'came_at'], unique=False)

    with op.batch_alter_table('visits', schema=None) as batch_op:
        batch_op.add_column(sa.Column('source', sa.String(length=10), server_default='plan', nullable=False))
        batch_op.create_check_constraint(batch_op.f('ck_visits_source'), "source IN ('plan', 'track')")


def downgrade() -> None:
    with op.batch_alter_table('visits', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_visits_source'), type_='check')
        batch_op.drop_column('source')
    for name in ('visit_proposals', 'track_looks', 'track_chunks', 'track_shifts', 'track_deletions', 'track_consents', 'track_batches'):
        op.drop_table(name)
