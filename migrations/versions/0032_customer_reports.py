"""report forms, and what owners report by them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TABLES = ('report_forms', 'report_form_versions', 'customer_reports')


def _tracked() -> list[sa.Column]:
    return [
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    ]


def upgrade() -> None:
    op.create_table('report_forms',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name_zh', sa.String(length=100), nullable=False),
    sa.Column('name_en', sa.String(length=100), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    *_tracked(),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_report_forms')),
    sa.UniqueConstraint('code', name=op.f('uq_report_forms_code'))
    )
    op.create_table('report_form_versions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('form_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('steps', _JSON, nullable=False),
    *_tracked(),
    sa.ForeignKeyConstraint(['form_id'], ['report_forms.id'], name=op.f('fk_report_form_versions_form_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_report_form_versions')),
    sa.UniqueConstraint('form_id', 'number', name=op.f('uq_report_form_versions_form_id_number'))
    )
    op.create_table('customer_reports',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('form_id', sa.String(length=36), nullable=False),
    sa.Column('version_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('form_zh', sa.String(length=100), nullable=False),
    sa.Column('form_en', sa.String(length=100), nullable=False),
    sa.Column('content', _JSON, nullable=False),
    sa.Column('grown', _JSON, nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('seen_by', sa.String(length=36), nullable=True),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('answer', sa.String(length=500), nullable=True),
    sa.Column('answered_by', sa.String(length=36), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    *_tracked(),
    sa.CheckConstraint("state IN ('sent', 'seen', 'answered')", name=op.f('ck_customer_reports_state')),
    sa.ForeignKeyConstraint(['answered_by'], ['users.id'], name=op.f('fk_customer_reports_answered_by')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_reports_customer_id')),
    sa.ForeignKeyConstraint(['form_id'], ['report_forms.id'], name=op.f('fk_customer_reports_form_id')),
    sa.ForeignKeyConstraint(['seen_by'], ['users.id'], name=op.f('fk_customer_reports_seen_by')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_customer_reports_user_id')),
    sa.ForeignKeyConstraint(['version_id'], ['report_form_versions.id'], name=op.f('fk_customer_reports_version_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer_reports'))
    )
    with op.batch_alter_table('customer_reports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_customer_reports_customer_id_created_at'), ['customer_id', 'created_at'], unique=False)
    for name in _TABLES:
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.create_index(batch_op.f(f'ix_{name}_change_no'), ['change_no'], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM scope_entries WHERE collection = 'customer_reports'")
    for name in reversed(_TABLES):
        op.drop_table(name)
