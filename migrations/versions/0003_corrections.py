"""fittings that were taken back, logins in any case and width"""

import unicodedata

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

    op.add_column('users', sa.Column('login_key', sa.String(length=200), server_default='', nullable=False))
    fill_login_keys(op.get_bind())
    op.create_index('ix_users_login_key', 'users', ['login_key'], unique=True)


def fill_login_keys(connection: sa.Connection) -> None:
    """Fold every login. Of those that fold the same, one gets the folded form, the others stay as they are written."""
    users = sa.table('users', sa.column('id'), sa.column('login'), sa.column('login_key'))
    logins = [tuple(row) for row in connection.execute(sa.select(users.c.id, users.c.login).order_by(users.c.id))]
    taken: set[str] = set()
    for user_id, login in sorted(logins, key=lambda row: row[1] != fold(row[1])):
        key = next(key for key in (fold(login), login, user_id) if len(key) <= 200 and key not in taken)
        taken.add(key)
        connection.execute(sa.update(users).where(users.c.id == user_id).values(login_key=key))


def fold(login: str) -> str:
    """As app/core/wire.py did when this was written."""
    for _ in range(2):
        login = unicodedata.normalize('NFKC', login).casefold()
    return unicodedata.normalize('NFKC', login)
