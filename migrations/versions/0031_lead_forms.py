"""lead forms and what is sent through them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _tracked():
    return [
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('change_no', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    ]


def upgrade() -> None:
    op.create_table('lead_forms',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('document', _JSON, nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    *_tracked(),
    sa.CheckConstraint("state IN ('active', 'retired')", name=op.f('ck_lead_forms_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lead_forms')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_lead_forms_token_hash'))
    )
    with op.batch_alter_table('lead_forms', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lead_forms_change_no'), ['change_no'], unique=False)
    op.create_table('form_submissions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('form_id', sa.String(length=36), nullable=False),
    sa.Column('sent_id', sa.String(length=100), nullable=True),
    sa.Column('sent', _JSON, nullable=False),
    sa.Column('mended', _JSON, nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('errors', _JSON, nullable=False),
    sa.Column('lead_id', sa.String(length=36), nullable=True),
    *_tracked(),
    sa.CheckConstraint("state IN ('received', 'accepted', 'repeated', 'faulty', 'dismissed')", name=op.f('ck_form_submissions_state')),
    sa.ForeignKeyConstraint(['form_id'], ['lead_forms.id'], name=op.f('fk_form_submissions_form_id')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_form_submissions_lead_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_form_submissions')),
    sa.UniqueConstraint('form_id', 'sent_id', name=op.f('uq_form_submissions_form_id_sent_id'))
    )
    with op.batch_alter_table('form_submissions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_form_submissions_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_form_submissions_form_id_state_id'), ['form_id', 'state', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_form_submissions_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_form_submissions_state_updated_at'), ['state', 'updated_at'], unique=False)
    op.create_table('form_traps',
    sa.Column('form_id', sa.String(length=36), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['form_id'], ['lead_forms.id'], name=op.f('fk_form_traps_form_id')),
    sa.PrimaryKeyConstraint('form_id', name=op.f('pk_form_traps'))
    )
    op.create_table('form_phones',
    sa.Column('phone_hash', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('phone_hash', name=op.f('pk_form_phones'))
    )
    with op.batch_alter_table('form_phones', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_form_phones_at'), ['at'], unique=False)


def downgrade() -> None:
    op.drop_table('form_phones')
    op.drop_table('form_traps')
    op.drop_table('form_submissions')
    op.drop_table('lead_forms')
