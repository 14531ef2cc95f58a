"""what customers are still owed: kinds, grants, spends, balances"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TABLES = ('entitlement_kinds', 'entitlement_grants', 'entitlement_spends', 'entitlements')
_OF_VISIT = sa.text("source = 'visit'")
_RECENT = sa.text('recent')


def _tracked() -> list[sa.Column]:
    return [
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    ]


def _amount(name: str) -> sa.Column:
    return sa.Column(name, sa.Numeric(14, 2).with_variant(sa.String(20), 'sqlite'), nullable=False)


def upgrade() -> None:
    op.create_table('entitlement_kinds',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name_zh', sa.String(length=100), nullable=False),
    sa.Column('name_en', sa.String(length=100), nullable=False),
    sa.Column('unit', sa.String(length=10), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('visit_type_id', sa.String(length=36), nullable=True),
    sa.Column('per_visit', sa.String(length=20), nullable=True),
    sa.Column('step_minutes', sa.Integer(), nullable=False),
    *_tracked(),
    sa.CheckConstraint("unit IN ('hour', 'visit', 'piece')", name=op.f('ck_entitlement_kinds_unit')),
    sa.CheckConstraint('(visit_type_id IS NULL) = (per_visit IS NULL)', name=op.f('ck_entitlement_kinds_per_visit')),
    sa.ForeignKeyConstraint(['visit_type_id'], ['visit_types.id'], name=op.f('fk_entitlement_kinds_visit_type_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entitlement_kinds')),
    sa.UniqueConstraint('code', name=op.f('uq_entitlement_kinds_code'))
    )
    op.create_table('entitlement_grants',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('kind_id', sa.String(length=36), nullable=False),
    _amount('amount'),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=True),
    sa.Column('reference', sa.String(length=100), nullable=False),
    sa.Column('given_by', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('withdrawn_reason', sa.String(length=200), nullable=True),
    *_tracked(),
    sa.CheckConstraint("state IN ('granted', 'withdrawn')", name=op.f('ck_entitlement_grants_state')),
    sa.CheckConstraint('valid_until IS NULL OR valid_from <= valid_until', name=op.f('ck_entitlement_grants_days')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_entitlement_grants_customer_id')),
    sa.ForeignKeyConstraint(['kind_id'], ['entitlement_kinds.id'], name=op.f('fk_entitlement_grants_kind_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entitlement_grants'))
    )
    op.create_table('entitlement_spends',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('kind_id', sa.String(length=36), nullable=False),
    _amount('amount'),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('visit_id', sa.String(length=36), nullable=True),
    sa.Column('note', sa.String(length=500), nullable=True),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    _amount('covered'),
    sa.Column('cover', _JSON, nullable=False),
    sa.Column('lack', sa.String(length=20), nullable=True),
    sa.Column('settled_reason', sa.String(length=200), nullable=True),
    sa.Column('settled_by', sa.String(length=36), nullable=True),
    sa.Column('recent', sa.Boolean(), nullable=False),
    *_tracked(),
    sa.CheckConstraint("state IN ('covered', 'beyond', 'forgiven', 'returned')", name=op.f('ck_entitlement_spends_state')),
    sa.CheckConstraint("source IN ('rep', 'visit')", name=op.f('ck_entitlement_spends_source')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_entitlement_spends_customer_id')),
    sa.ForeignKeyConstraint(['kind_id'], ['entitlement_kinds.id'], name=op.f('fk_entitlement_spends_kind_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_entitlement_spends_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entitlement_spends'))
    )
    op.create_table('entitlements',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('kind_id', sa.String(length=36), nullable=False),
    *(_amount(name) for name in ('granted', 'spent', 'left', 'beyond')),
    sa.Column('next_end', sa.Date(), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('turns_on', sa.Date(), nullable=True),
    sa.Column('entry_id', sa.String(length=36), nullable=True),
    *_tracked(),
    sa.CheckConstraint("state IN ('open', 'even')", name=op.f('ck_entitlements_state')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_entitlements_customer_id')),
    sa.ForeignKeyConstraint(['kind_id'], ['entitlement_kinds.id'], name=op.f('fk_entitlements_kind_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entitlements')),
    sa.UniqueConstraint('customer_id', 'kind_id', name=op.f('uq_entitlements_customer_id_kind_id'))
    )
    with op.batch_alter_table('entitlement_kinds', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_entitlement_kinds_visit_type_id'), ['visit_type_id'], unique=False)
    with op.batch_alter_table('entitlement_grants', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_entitlement_grants_customer_id_kind_id'), ['customer_id', 'kind_id'], unique=False)
    with op.batch_alter_table('entitlement_spends', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_entitlement_spends_customer_id_kind_id_happened_at'), ['customer_id', 'kind_id', 'happened_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_entitlement_spends_user_id_happened_at'), ['user_id', 'happened_at'], unique=False)
        batch_op.create_index('ix_entitlement_spends_recent', ['day'], unique=False, postgresql_where=_RECENT, sqlite_where=_RECENT)
        batch_op.create_index('uq_entitlement_spends_visit', ['visit_id', 'kind_id'], unique=True, postgresql_where=_OF_VISIT, sqlite_where=_OF_VISIT)
    with op.batch_alter_table('entitlements', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_entitlements_turns_on'), ['turns_on'], unique=False)
    for name in _TABLES:
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.create_index(batch_op.f(f'ix_{name}_change_no'), ['change_no'], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM scope_entries WHERE collection IN ('entitlement_kinds', 'entitlement_spends', 'entitlements')")
    for name in reversed(_TABLES):
        op.drop_table(name)
