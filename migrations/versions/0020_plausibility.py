"""check-ins say how plausible their positions are"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.add_column(sa.Column('speed_mps', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('heading_deg', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('altitude_m', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('sequence', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('monotonic_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('score', sa.Integer(), server_default='100', nullable=False))
        batch_op.add_column(sa.Column('grade', sa.String(length=12), server_default='clear', nullable=False))
        batch_op.add_column(sa.Column('findings', _JSON, server_default='[]', nullable=False))
        batch_op.create_check_constraint(batch_op.f('ck_check_ins_grade'), "grade IN ('clear', 'doubtful', 'implausible')")


def downgrade() -> None:
    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_check_ins_grade'), type_='check')
        for name in ('findings', 'grade', 'score', 'monotonic_ms', 'sequence', 'altitude_m', 'heading_deg', 'speed_mps'):
            batch_op.drop_column(name)
