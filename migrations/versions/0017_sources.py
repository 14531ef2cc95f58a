"""dead letters: who sent them, so that one source has only so much room"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.add_column(sa.Column('source', sa.String(length=160), server_default='', nullable=False))
        batch_op.create_index(batch_op.f('ix_dead_letters_source_state'), ['source', 'state'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dead_letters_source_state'))
        batch_op.drop_column('source')
