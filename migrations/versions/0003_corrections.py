"""fittings that were taken back"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    open_now = sa.text('removed_at IS NULL AND deleted_at IS NULL')
    op.drop_index('uq_fittings_open', table_name='fittings')
    op.create_index(
        'uq_fittings_open', 'fittings', ['component_id'], unique=True, postgresql_where=open_now, sqlite_where=open_now
    )
