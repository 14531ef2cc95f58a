"""leads, the pool, who held them, scores and routings; follow-ups"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0021'
down_revision = "0020"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table('lead_turns',
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_lead_turns'))
    )
    op.create_table('lead_routings',
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('document', _JSON, nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('author_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['users.id'], name=op.f('fk_lead_routings_author_id')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_lead_routings'))
    )
    op.create_table('lead_score_versions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('area', sa.String(length=36), nullable=False),
    sa.Column('territory_id', sa.String(length=36), nullable=True),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('document', _JSON, nullable=True),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('author_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['users.id'], name=op.f('fk_lead_score_versions_author_id')),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_lead_score_versions_territory_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lead_score_versions')),
    sa.UniqueConstraint('area', 'number', name=op.f('uq_lead_score_versions_area_number'))
    )
    op.create_table('leads',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('interest', sa.String(length=500), nullable=False),
    sa.Column('company', sa.String(length=200), nullable=True),
    sa.Column('email', sa.String(length=200), nullable=True),
    sa.Column('address', sa.String(length=300), nullable=True),
    sa.Column('territory_id', sa.String(length=36), nullable=True),
    sa.Column('source', sa.String(length=60), nullable=True),
    sa.Column('budget', sa.Numeric(14, 2).with_variant(sa.String(20), 'sqlite'), nullable=True),
    sa.Column('custom', _JSON, server_default='{}', nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('owner_id', sa.String(length=36), nullable=True),
    sa.Column('completeness', sa.Integer(), nullable=False),
    sa.Column('missing', _JSON, nullable=False),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('score_reasons', _JSON, nullable=False),
    sa.Column('scored_by', sa.String(length=36), nullable=False),
    sa.Column('assignments', sa.Integer(), nullable=False),
    sa.Column('assigned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('first_touch_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('first_touch_due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('escalate_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('recycle_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reminded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('escalated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('customer_id', sa.String(length=36), nullable=True),
    sa.Column('lost_reason', sa.String(length=200), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'contacted', 'qualified', 'converted', 'lost')", name=op.f('ck_leads_state')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_leads_customer_id')),
    sa.ForeignKeyConstraint(['owner_id'], ['users.id'], name=op.f('fk_leads_owner_id')),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_leads_territory_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_leads')),
    sa.UniqueConstraint('number', name=op.f('uq_leads_number'))
    )
    with op.batch_alter_table('leads', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_leads_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_leads_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index('ix_leads_due', ['first_touch_due_at'], unique=False, postgresql_where=sa.text('first_touch_at IS NULL AND owner_id IS NOT NULL'), sqlite_where=sa.text('first_touch_at IS NULL AND owner_id IS NOT NULL'))
        batch_op.create_index(batch_op.f('ix_leads_owner_id_state'), ['owner_id', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_leads_phone'), ['phone'], unique=False)
        batch_op.create_index(batch_op.f('ix_leads_scored_by_state'), ['scored_by', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_leads_territory_id'), ['territory_id'], unique=False)

    op.create_table('follow_ups',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=True),
    sa.Column('lead_id', sa.String(length=36), nullable=True),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('summary', sa.String(length=2000), nullable=False),
    sa.Column('duration_s', sa.Integer(), nullable=True),
    sa.Column('next_step', sa.String(length=500), nullable=True),
    sa.Column('next_due', sa.Date(), nullable=True),
    sa.Column('contact_id', sa.String(length=36), nullable=True),
    sa.Column('visit_id', sa.String(length=36), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('done_by', sa.String(length=36), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('call', 'message', 'meeting', 'note')", name=op.f('ck_follow_ups_kind')),
    sa.CheckConstraint("state IN ('logged', 'open', 'done')", name=op.f('ck_follow_ups_state')),
    sa.CheckConstraint('customer_id IS NOT NULL OR lead_id IS NOT NULL', name=op.f('ck_follow_ups_subject')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_follow_ups_customer_id')),
    sa.ForeignKeyConstraint(['done_by'], ['users.id'], name=op.f('fk_follow_ups_done_by')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_follow_ups_lead_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_follow_ups_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_follow_ups'))
    )
    with op.batch_alter_table('follow_ups', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_follow_ups_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_ups_contact_id'), ['contact_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_ups_customer_id_happened_at'), ['customer_id', 'happened_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_ups_lead_id_happened_at'), ['lead_id', 'happened_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_ups_user_id_state_next_due'), ['user_id', 'state', 'next_due'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_ups_visit_id'), ['visit_id'], unique=False)

    op.create_table('lead_holdings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('lead_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('end_reason', sa.String(length=30), nullable=True),
    sa.Column('touched_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_lead_holdings_lead_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_lead_holdings_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lead_holdings'))
    )
    with op.batch_alter_table('lead_holdings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lead_holdings_lead_id_number'), ['lead_id', 'number'], unique=True)
        batch_op.create_index(batch_op.f('ix_lead_holdings_user_id'), ['user_id'], unique=False)

    op.create_table('pool_leads',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('name_start', sa.String(length=4), nullable=False),
    sa.Column('phone_end', sa.String(length=2), nullable=False),
    sa.Column('interest', sa.String(length=500), nullable=False),
    sa.Column('territory_id', sa.String(length=36), nullable=True),
    sa.Column('source', sa.String(length=60), nullable=True),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('completeness', sa.Integer(), nullable=False),
    sa.Column('pooled_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['id'], ['leads.id'], name=op.f('fk_pool_leads_id')),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_pool_leads_territory_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pool_leads'))
    )
    with op.batch_alter_table('pool_leads', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_pool_leads_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_pool_leads_territory_id'), ['territory_id'], unique=False)

    # The office holds a scope of its own from now on. A database without any grants gets all of them afterwards.
    op.execute("UPDATE change_counter SET n = n + 1 WHERE id = 1 AND EXISTS (SELECT 1 FROM scope_grants)")
    op.execute(
        "INSERT INTO scope_grants (user_id, scope, entered_no, left_no)"
        " SELECT u.id, 'office:all', (SELECT n FROM change_counter WHERE id = 1), NULL FROM users u"
        " WHERE u.state = 'active' AND u.deleted_at IS NULL AND u.role IN ('admin', 'manager') AND u.partner_id IS NULL"
        " AND EXISTS (SELECT 1 FROM scope_grants)"
        " AND NOT EXISTS (SELECT 1 FROM scope_grants g WHERE g.user_id = u.id AND g.scope = 'office:all' AND g.left_no IS NULL)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM scope_grants WHERE scope = 'office:all'")
    for table in ('pool_leads', 'lead_holdings', 'follow_ups', 'leads', 'lead_score_versions', 'lead_routings', 'lead_turns'):
        op.execute(f"DELETE FROM scope_entries WHERE collection = '{table}'")
        op.drop_table(table)
