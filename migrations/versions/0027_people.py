"""contacts of customers and their relations, who was met at visits, and in whose story history is told"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0027'
down_revision = "0026"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TOLD = sa.text('customer_id IS NOT NULL')
# Kind of subject -> the customer it belongs to; {id} is the subject's.
_STORIES = {
    'customer': "{id}",
    'site': "(SELECT s.customer_id FROM sites s WHERE s.id = {id})",
    'asset': "(SELECT a.customer_id FROM assets a WHERE a.id = {id})",
    'component': "(SELECT a.customer_id FROM fittings f JOIN assets a ON a.id = f.asset_id WHERE f.component_id = {id}"
    " AND f.deleted_at IS NULL ORDER BY f.removed_at IS NOT NULL, f.fitted_at DESC LIMIT 1)",
    'device': "(SELECT a.customer_id FROM devices d JOIN assets a ON a.id = d.asset_id WHERE d.id = {id})",
    'fault_code': "(SELECT a.customer_id FROM fault_codes c JOIN assets a ON a.id = c.asset_id WHERE c.id = {id})",
    'visit': "(SELECT v.customer_id FROM visits v WHERE v.id = {id})",
    'check_in': "(SELECT v.customer_id FROM check_ins c JOIN visits v ON v.id = c.visit_id WHERE c.id = {id})",
    'work_order': "(SELECT o.customer_id FROM work_orders o WHERE o.id = {id})",
    'station_task': "(SELECT o.customer_id FROM station_tasks t JOIN work_orders o ON o.id = t.work_order_id WHERE t.id = {id})",
    'service_offer': "(SELECT o.customer_id FROM service_offers o WHERE o.id = {id})",
    'coupon': "(SELECT o.customer_id FROM coupons c JOIN service_offers o ON o.id = c.offer_id WHERE c.id = {id})",
    'alarm': "(SELECT a.customer_id FROM alarms l JOIN assets a ON a.id = l.asset_id WHERE l.id = {id})",
    'incident': "(SELECT a.customer_id FROM incidents i JOIN assets a ON a.id = i.asset_id WHERE i.id = {id})",
    'attachment': "(SELECT CASE t.subject_kind WHEN 'customer' THEN t.subject_id"
    " WHEN 'site' THEN (SELECT s.customer_id FROM sites s WHERE s.id = t.subject_id)"
    " WHEN 'asset' THEN (SELECT a.customer_id FROM assets a WHERE a.id = t.subject_id)"
    " ELSE (SELECT o.customer_id FROM work_orders o WHERE o.id = t.subject_id) END FROM attachments t WHERE t.id = {id})",
}


def upgrade() -> None:
    op.create_table('contact_schemes',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('document', _JSON, nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('draft', 'active', 'retired')", name=op.f('ck_contact_schemes_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contact_schemes')),
    sa.UniqueConstraint('number', name=op.f('uq_contact_schemes_number'))
    )
    with op.batch_alter_table('contact_schemes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_contact_schemes_change_no'), ['change_no'], unique=False)
        batch_op.create_index('uq_contact_schemes_active', ['state'], unique=True, postgresql_where=sa.text("state = 'active'"), sqlite_where=sa.text("state = 'active'"))

    op.create_table('contacts',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('name_key', sa.String(length=100), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('office_phone', sa.String(length=20), nullable=True),
    sa.Column('email', sa.String(length=200), nullable=True),
    sa.Column('job_title', sa.String(length=100), nullable=True),
    sa.Column('role', sa.String(length=40), nullable=True),
    sa.Column('note', sa.String(length=1000), nullable=False),
    sa.Column('locale', sa.String(length=10), nullable=True),
    sa.Column('do_not_call', sa.Boolean(), nullable=False),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('merged_into_id', sa.String(length=36), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('proposed', 'confirmed', 'rejected', 'merged')", name=op.f('ck_contacts_state')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_contacts_customer_id')),
    sa.ForeignKeyConstraint(['merged_into_id'], ['contacts.id'], name=op.f('fk_contacts_merged_into_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contacts'))
    )
    with op.batch_alter_table('contacts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_contacts_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_contacts_customer_id_name_key'), ['customer_id', 'name_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_contacts_customer_id_phone'), ['customer_id', 'phone'], unique=False)

    op.create_table('contact_relations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('from_id', sa.String(length=36), nullable=False),
    sa.Column('to_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('strength', sa.Integer(), nullable=False),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('from_id <> to_id', name=op.f('ck_contact_relations_ends')),
    sa.CheckConstraint('strength BETWEEN 1 AND 5', name=op.f('ck_contact_relations_strength')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_contact_relations_customer_id')),
    sa.ForeignKeyConstraint(['from_id'], ['contacts.id'], name=op.f('fk_contact_relations_from_id')),
    sa.ForeignKeyConstraint(['to_id'], ['contacts.id'], name=op.f('fk_contact_relations_to_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contact_relations'))
    )
    with op.batch_alter_table('contact_relations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_contact_relations_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_contact_relations_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_contact_relations_to_id'), ['to_id'], unique=False)
        batch_op.create_index('uq_contact_relations_live', ['from_id', 'to_id', 'kind'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'), sqlite_where=sa.text('deleted_at IS NULL'))

    op.create_table('visit_participants',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('visit_id', sa.String(length=36), nullable=False),
    sa.Column('contact_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('job_title', sa.String(length=100), nullable=True),
    sa.Column('added_by', sa.String(length=36), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['added_by'], ['users.id'], name=op.f('fk_visit_participants_added_by')),
    sa.ForeignKeyConstraint(['contact_id'], ['contacts.id'], name=op.f('fk_visit_participants_contact_id')),
    sa.ForeignKeyConstraint(['visit_id'], ['visits.id'], name=op.f('fk_visit_participants_visit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_participants')),
    sa.UniqueConstraint('visit_id', 'contact_id', name=op.f('uq_visit_participants_visit_id_contact_id'))
    )
    with op.batch_alter_table('visit_participants', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_visit_participants_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_participants_contact_id'), ['contact_id'], unique=False)

    # Not as a batch: SQLite would copy the whole table for a column that may be empty.
    op.add_column('history', sa.Column('customer_id', sa.String(length=36), nullable=True))
    for kind, customer in _STORIES.items():
        found = customer.format(id='history.subject_id')
        op.execute(f"UPDATE history SET customer_id = {found} WHERE subject_kind = '{kind}'")
    op.create_index('ix_history_story', 'history', ['customer_id', 'recorded_at', 'id'], postgresql_where=_TOLD, sqlite_where=_TOLD)
    op.create_index(
        'ix_history_story_of_kind',
        'history',
        ['customer_id', 'subject_kind', 'recorded_at', 'id'],
        postgresql_where=_TOLD,
        sqlite_where=_TOLD,
    )


def downgrade() -> None:
    op.drop_index('ix_history_story_of_kind', 'history')
    op.drop_index('ix_history_story', 'history')
    op.drop_column('history', 'customer_id')
    for name in ('visit_participants', 'contact_relations', 'contacts', 'contact_schemes'):
        op.drop_table(name)
