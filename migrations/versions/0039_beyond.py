"""beyond: what was used beyond what was owed is found without a look at all that was used"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_BEYOND = sa.text("state = 'beyond' AND deleted_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_entitlement_spends_beyond", "entitlement_spends", ["happened_at", "id"], postgresql_where=_BEYOND, sqlite_where=_BEYOND
    )


def downgrade() -> None:
    op.drop_index("ix_entitlement_spends_beyond", table_name="entitlement_spends")
