"""attachments are found by their subject's id alone"""

from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('attachments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_attachments_subject_kind_subject_id'))
        batch_op.create_index(batch_op.f('ix_attachments_subject_id'), ['subject_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('attachments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_attachments_subject_id'))
        batch_op.create_index(batch_op.f('ix_attachments_subject_kind_subject_id'), ['subject_kind', 'subject_id'], unique=False)
