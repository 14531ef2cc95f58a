"""teams of reps; visits, follow-ups and leads are counted by their days"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_BY_DAY = (('visits', 'planned_from'), ('follow_ups', 'happened_at'), ('leads', 'assigned_at'))


def upgrade() -> None:
    op.create_table('teams',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_teams')),
    sa.UniqueConstraint('code', name=op.f('uq_teams_code'))
    )
    op.create_index(op.f('ix_teams_change_no'), 'teams', ['change_no'], unique=False)
    # As one statement, so that SQLite need not replace the table that nearly all others name.
    op.execute('ALTER TABLE users ADD COLUMN team_id VARCHAR(36) CONSTRAINT fk_users_team_id REFERENCES teams (id)')
    op.create_index(op.f('ix_users_team_id'), 'users', ['team_id'], unique=False)
    for table, column in _BY_DAY:
        op.create_index(op.f(f'ix_{table}_{column}'), table, [column], unique=False)


def downgrade() -> None:
    for table, column in _BY_DAY:
        op.drop_index(op.f(f'ix_{table}_{column}'), table_name=table)
    op.drop_index(op.f('ix_users_team_id'), table_name='users')
    op.execute('ALTER TABLE users DROP COLUMN team_id')
    op.drop_table('teams')
