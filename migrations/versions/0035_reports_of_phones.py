"""reports are filled in on phones: forms are synced, a report knows when it was filled in and which photos it waits for"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_MOMENT = sa.DateTime(timezone=True)
_AWAITING = sa.text("awaiting IS NOT NULL")
_OFFICES = ("field", "suggests_zh", "suggests_en")
_NUMBER = "(SELECT n FROM change_counter WHERE id = 1)"
_ENTRIES = "INSERT INTO scope_entries (scope, collection, row_id, change_no, gone)"
_OF_FORMS = "FROM report_form_versions r JOIN report_forms f ON f.id = r.form_id WHERE EXISTS (SELECT 1 FROM scope_grants)"


def _for_owners(steps: list) -> list:
    return [
        step | {"questions": [{name: value for name, value in one.items() if name not in _OFFICES} for one in step["questions"]]}
        if step.get("questions")
        else step
        for step in steps
    ]


def upgrade() -> None:
    op.add_column('intents', sa.Column('skew_ms', sa.BigInteger(), nullable=True))
    op.add_column('report_forms', sa.Column('retired_at', _MOMENT, nullable=True))
    op.add_column('report_form_versions', sa.Column('asked', _JSON, nullable=True))
    op.add_column('customer_reports', sa.Column('happened_at', _MOMENT, nullable=True))
    op.add_column('customer_reports', sa.Column('made_ms', sa.BigInteger(), nullable=True))
    op.add_column('customer_reports', sa.Column('awaiting', _JSON, nullable=True))
    op.execute("UPDATE report_forms SET retired_at = updated_at WHERE NOT active")
    op.execute("UPDATE customer_reports SET happened_at = created_at")
    versions = sa.table('report_form_versions', sa.column('id'), sa.column('steps', _JSON), sa.column('asked', _JSON))
    for row_id, steps in op.get_bind().execute(sa.select(versions.c.id, versions.c.steps)).all():
        op.execute(versions.update().where(versions.c.id == row_id).values(asked=_for_owners(steps)))
    with op.batch_alter_table('report_form_versions', schema=None) as batch_op:
        batch_op.alter_column('asked', existing_type=_JSON, nullable=False)
    with op.batch_alter_table('customer_reports', schema=None) as batch_op:
        batch_op.alter_column('happened_at', existing_type=_MOMENT, nullable=False)
        batch_op.drop_index(batch_op.f('ix_customer_reports_customer_id_created_at'))
        batch_op.create_index(batch_op.f('ix_customer_reports_customer_id_happened_at'), ['customer_id', 'happened_at'], unique=False)
    op.create_index('ix_customer_reports_awaiting', 'customer_reports', ['created_at'], unique=False, postgresql_where=_AWAITING, sqlite_where=_AWAITING)
    op.execute(
        "INSERT INTO scope_grants (user_id, scope, entered_no, left_no)"
        f" SELECT u.id, 'reports:all', {_NUMBER}, NULL FROM users u WHERE u.state = 'active' AND u.deleted_at IS NULL"
        " AND u.partner_id IS NULL AND u.role IN ('rep', 'customer') AND EXISTS (SELECT 1 FROM scope_grants)"
    )
    op.execute(f"{_ENTRIES} SELECT 'reports:all', 'report_forms', f.id, {_NUMBER}, FALSE FROM report_forms f WHERE f.active AND EXISTS (SELECT 1 FROM scope_grants)")
    op.execute(f"{_ENTRIES} SELECT 'office:all', 'report_forms', f.id, {_NUMBER}, FALSE FROM report_forms f WHERE EXISTS (SELECT 1 FROM scope_grants)")
    op.execute(f"{_ENTRIES} SELECT 'reports:all', 'report_form_versions', r.id, {_NUMBER}, FALSE {_OF_FORMS} AND f.active")
    op.execute(f"{_ENTRIES} SELECT 'office:all', 'report_form_versions', r.id, {_NUMBER}, FALSE {_OF_FORMS}")


def downgrade() -> None:
    op.execute("DELETE FROM scope_grants WHERE scope = 'reports:all'")
    op.execute("DELETE FROM scope_entries WHERE collection IN ('report_forms', 'report_form_versions')")
    op.drop_index('ix_customer_reports_awaiting', table_name='customer_reports')
    with op.batch_alter_table('customer_reports', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_customer_reports_customer_id_happened_at'))
        batch_op.create_index(batch_op.f('ix_customer_reports_customer_id_created_at'), ['customer_id', 'created_at'], unique=False)
        for name in ('awaiting', 'made_ms', 'happened_at'):
            batch_op.drop_column(name)
    for table, column in (('report_form_versions', 'asked'), ('report_forms', 'retired_at'), ('intents', 'skew_ms')):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
