"""Fields of a company's own, facts with their sources, codes of other systems, completeness"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0022'
down_revision = "0021"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table('completeness_rules',
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('fields', _JSON, nullable=False),
        sa.Column('least', sa.Integer(), nullable=False),
        sa.Column('made_by', sa.String(length=36), nullable=False),
        sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('version', name=op.f('pk_completeness_rules'))
    )
    op.create_table('fact_rules',
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('document', _JSON, nullable=False),
        sa.Column('made_by', sa.String(length=36), nullable=False),
        sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('settled_to', sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint('version', name=op.f('pk_fact_rules'))
    )
    op.create_table('custom_fields',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('subject_kind', sa.String(length=20), nullable=False),
        sa.Column('key', sa.String(length=30), nullable=False),
        sa.Column('kind', sa.String(length=20), nullable=False),
        sa.Column('label_zh', sa.String(length=60), nullable=False),
        sa.Column('label_en', sa.String(length=60), nullable=False),
        sa.Column('choices', _JSON, nullable=False),
        sa.Column('territory_id', sa.String(length=36), nullable=True),
        sa.Column('retired', sa.Boolean(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('text', 'number', 'flag', 'day', 'choice', 'phone')", name=op.f('ck_custom_fields_kind')),
        sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_custom_fields_territory_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_custom_fields')),
        sa.UniqueConstraint('subject_kind', 'key', name=op.f('uq_custom_fields_subject_kind_key'))
    )
    with op.batch_alter_table('custom_fields', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_custom_fields_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_custom_fields_territory_id'), ['territory_id'], unique=False)

    op.create_table('code_mappings',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('list_name', sa.String(length=30), nullable=False),
        sa.Column('system', sa.String(length=40), nullable=False),
        sa.Column('theirs', sa.String(length=60), nullable=False),
        sa.Column('ours', sa.String(length=60), nullable=True),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('decided_by', sa.String(length=36), nullable=True),
        sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'mapped' AND ours IS NOT NULL) OR (state <> 'mapped' AND ours IS NULL)", name=op.f('ck_code_mappings_ours')),
        sa.CheckConstraint("state IN ('open', 'mapped', 'ignored')", name=op.f('ck_code_mappings_state')),
        sa.ForeignKeyConstraint(['decided_by'], ['users.id'], name=op.f('fk_code_mappings_decided_by')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_code_mappings')),
        sa.UniqueConstraint('list_name', 'system', 'theirs', name=op.f('uq_code_mappings_list_name_system_theirs'))
    )
    with op.batch_alter_table('code_mappings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_code_mappings_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_code_mappings_state_settled_at'), ['state', 'settled_at'], unique=False)

    op.create_table('completeness_scans',
        sa.Column('customer_id', sa.String(length=36), nullable=False),
        sa.Column('score', sa.Integer(), nullable=False),
        sa.Column('missing', _JSON, nullable=False),
        sa.Column('rule_version', sa.Integer(), nullable=False),
        sa.Column('seen_no', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_completeness_scans_customer_id')),
        sa.PrimaryKeyConstraint('customer_id', name=op.f('pk_completeness_scans'))
    )
    with op.batch_alter_table('completeness_scans', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_completeness_scans_score'), ['score'], unique=False)

    op.create_table('repair_tasks',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('customer_id', sa.String(length=36), nullable=False),
        sa.Column('user_id', sa.String(length=36), nullable=True),
        sa.Column('missing', _JSON, nullable=False),
        sa.Column('score', sa.Integer(), nullable=False),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'done', 'dropped')", name=op.f('ck_repair_tasks_state')),
        sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_repair_tasks_customer_id')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_repair_tasks_user_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_tasks'))
    )
    with op.batch_alter_table('repair_tasks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_repair_tasks_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_repair_tasks_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_repair_tasks_user_id_state'), ['user_id', 'state'], unique=False)
        batch_op.create_index('uq_repair_tasks_open', ['customer_id'], unique=True, postgresql_where=sa.text("state = 'open'"), sqlite_where=sa.text("state = 'open'"))

    op.create_table('customer_facts',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('customer_id', sa.String(length=36), nullable=False),
        sa.Column('about_id', sa.String(length=36), nullable=False),
        sa.Column('site_id', sa.String(length=36), nullable=True),
        sa.Column('field', sa.String(length=60), nullable=False),
        sa.Column('value', _JSON, nullable=True),
        sa.Column('source_kind', sa.String(length=20), nullable=False),
        sa.Column('source_ref', sa.String(length=60), nullable=False),
        sa.Column('actor_id', sa.String(length=36), nullable=True),
        sa.Column('said_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('told_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('code', sa.String(length=60), nullable=True),
        sa.Column('waiting', sa.Boolean(), nullable=False),
        sa.Column('pinned', sa.Boolean(), nullable=False),
        sa.Column('aside', sa.Boolean(), nullable=False),
        sa.Column('reason', sa.String(length=200), nullable=True),
        sa.CheckConstraint("source_kind IN ('owner_portal', 'rep', 'office', 'erp', 'device', 'import')", name=op.f('ck_customer_facts_source_kind')),
        sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_facts_customer_id')),
        sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_customer_facts_site_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_customer_facts'))
    )
    with op.batch_alter_table('customer_facts', schema=None) as batch_op:
        batch_op.create_index('ix_customer_facts_code', ['field', 'source_ref', 'code'], unique=False, postgresql_where=sa.text('code IS NOT NULL'), sqlite_where=sa.text('code IS NOT NULL'))
        batch_op.create_index(batch_op.f('ix_customer_facts_customer_id_field'), ['customer_id', 'field'], unique=False)
        batch_op.create_index(batch_op.f('ix_customer_facts_site_id'), ['site_id'], unique=False)

    with op.batch_alter_table('customers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('custom', _JSON, server_default='{}', nullable=False))


def downgrade() -> None:
    for name in ('customer_facts', 'repair_tasks', 'completeness_scans', 'code_mappings', 'custom_fields', 'fact_rules', 'completeness_rules'):
        op.drop_table(name)
    with op.batch_alter_table('customers', schema=None) as batch_op:
        batch_op.drop_column('custom')
