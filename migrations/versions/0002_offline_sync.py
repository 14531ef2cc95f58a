"""offline sync"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('change_times',
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('at', name=op.f('pk_change_times'))
    )
    op.create_table('forgotten_removals',
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('upto', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('collection', name=op.f('pk_forgotten_removals'))
    )
    op.create_table('deleted_ids',
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('collection', 'row_id', name=op.f('pk_deleted_ids'))
    )
    with op.batch_alter_table('deleted_ids', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_deleted_ids_at'), ['at'], unique=False)

    op.create_table('field_marks',
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('field', sa.String(length=40), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('installation_id', sa.String(length=36), nullable=False),
    sa.PrimaryKeyConstraint('collection', 'row_id', 'field', name=op.f('pk_field_marks'))
    )
    with op.batch_alter_table('field_marks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_field_marks_change_no'), ['change_no'], unique=False)

    op.create_table('scope_entries',
    sa.Column('scope', sa.String(length=60), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('gone', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('scope', 'collection', 'row_id', name=op.f('pk_scope_entries')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('scope_entries', schema=None) as batch_op:
        batch_op.create_index('ix_scope_entries_change_no', ['change_no'], unique=False, postgresql_where=sa.text('change_no IS NULL'), sqlite_where=sa.text('change_no IS NULL'))
        batch_op.create_index('ix_scope_entries_delta', ['scope', 'change_no'], unique=False)
        batch_op.create_index('ix_scope_entries_row', ['collection', 'row_id'], unique=False)

    op.create_table('scope_grants',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('scope', sa.String(length=60), nullable=False),
    sa.Column('entered_no', sa.BigInteger(), nullable=False),
    sa.Column('left_no', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('user_id', 'scope', 'entered_no', name=op.f('pk_scope_grants'))
    )
    with op.batch_alter_table('scope_grants', schema=None) as batch_op:
        batch_op.create_index('ix_scope_grants_scope', ['scope'], unique=False)

    op.create_table('sync_receipts',
    sa.Column('installation_id', sa.String(length=36), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('digests', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('installation_id', 'collection', 'row_id', name=op.f('pk_sync_receipts'))
    )
    with op.batch_alter_table('sync_receipts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sync_receipts_at'), ['at'], unique=False)

    op.create_table('installations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('protocol', sa.String(length=20), nullable=False),
    sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('pulled_no', sa.BigInteger(), nullable=True),
    sa.Column('pushed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('queue_age_ms', sa.BigInteger(), nullable=True),
    sa.Column('skew_ms', sa.BigInteger(), nullable=True),
    sa.Column('app_version', sa.String(length=40), nullable=True),
    sa.Column('schema_version', sa.Integer(), nullable=True),
    sa.Column('last_error', sa.String(length=60), nullable=True),
    sa.Column('wipe_asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('wiped_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_installations_user_id')),
    sa.PrimaryKeyConstraint('id', 'user_id', name=op.f('pk_installations'))
    )
    op.create_table('intents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('installation_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('made_ms', sa.BigInteger(), nullable=False),
    sa.Column('verdict', sa.String(length=20), nullable=True),
    sa.Column('code', sa.String(length=60), nullable=True),
    sa.Column('facts', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("verdict IN ('accepted', 'needs_review', 'rejected')", name=op.f('ck_intents_verdict')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_intents_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_intents'))
    )
    with op.batch_alter_table('intents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_intents_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_intents_user_id'), ['user_id'], unique=False)

    op.create_table('sync_conflicts',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('field', sa.String(length=40), nullable=False),
    sa.Column('kept', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=True),
    sa.Column('lost', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=True),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('installation_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'restored')", name=op.f('ck_sync_conflicts_state')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sync_conflicts_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_conflicts'))
    )
    with op.batch_alter_table('sync_conflicts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sync_conflicts_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_sync_conflicts_collection_row_id'), ['collection', 'row_id'], unique=False)

    op.create_table('sync_problems',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('installation_id', sa.String(length=36), nullable=False),
    sa.Column('collection', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.String(length=60), nullable=False),
    sa.Column('reasons', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('content_hash', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'replayed', 'dismissed')", name=op.f('ck_sync_problems_state')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sync_problems_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_problems')),
    sa.UniqueConstraint('installation_id', 'collection', 'row_id', 'content_hash', name=op.f('uq_sync_problems_sent'))
    )
    with op.batch_alter_table('sync_problems', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sync_problems_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_sync_problems_user_id'), ['user_id'], unique=False)

    with op.batch_alter_table('change_counter', schema=None) as batch_op:
        batch_op.add_column(sa.Column('epoch', sa.Integer(), server_default='1', nullable=False))

