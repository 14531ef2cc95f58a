"""finding: search terms, imports that are checked, run and undone, sites whose position is looked up"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0023'
down_revision = "0022"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_UNPLACED = "deleted_at IS NULL AND (lat IS NULL OR position_source = 'district')"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table('search_rows',
    sa.Column('no', _NUMBER, nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('row_id', sa.String(length=36), nullable=False),
    sa.Column('digest', sa.String(length=32), nullable=False),
    sa.Column('stale', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('no', name=op.f('pk_search_rows')),
    sa.UniqueConstraint('kind', 'row_id', name=op.f('uq_search_rows_kind_row_id'))
    )
    with op.batch_alter_table('search_rows', schema=None) as batch_op:
        batch_op.create_index('ix_search_rows_stale', ['no'], unique=False, postgresql_where=sa.text('stale'), sqlite_where=sa.text('stale'))

    op.create_table('search_terms',
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('tier', sa.SmallInteger(), nullable=False),
    sa.Column('term', sa.String(length=32).with_variant(sa.String(length=32, collation='C'), 'postgresql'), nullable=False),
    sa.Column('row_no', _NUMBER, nullable=False),
    sa.Column('field', sa.String(length=60), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'tier', 'term', 'row_no', 'field', name=op.f('pk_search_terms')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('search_terms', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_search_terms_row_no'), ['row_no'], unique=False)

    op.create_table('import_mappings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('name_key', sa.String(length=100), nullable=False),
    sa.Column('columns', _JSON, nullable=False),
    sa.Column('defaults', _JSON, nullable=False),
    sa.Column('key', sa.String(length=20), nullable=False),
    sa.Column('made_by', sa.String(length=36), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['made_by'], ['users.id'], name=op.f('fk_import_mappings_made_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_mappings'))
    )
    with op.batch_alter_table('import_mappings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_import_mappings_change_no'), ['change_no'], unique=False)
        batch_op.create_index('uq_import_mappings_name', ['kind', 'name_key'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'), sqlite_where=sa.text('deleted_at IS NULL'))

    op.create_table('imports',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('file_name', sa.String(length=200), nullable=False),
    sa.Column('encoding', sa.String(length=12), nullable=False),
    sa.Column('header', _JSON, nullable=False),
    sa.Column('columns', _JSON, nullable=False),
    sa.Column('defaults', _JSON, nullable=False),
    sa.Column('key', sa.String(length=20), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('reason', sa.String(length=60), nullable=True),
    sa.Column('made_by', sa.String(length=36), nullable=False),
    sa.Column('run_by', sa.String(length=36), nullable=True),
    sa.Column('undone_by', sa.String(length=36), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('draft', 'checked', 'running', 'done', 'failed', 'undoing', 'undone')", name=op.f('ck_imports_state')),
    sa.ForeignKeyConstraint(['made_by'], ['users.id'], name=op.f('fk_imports_made_by')),
    sa.ForeignKeyConstraint(['run_by'], ['users.id'], name=op.f('fk_imports_run_by')),
    sa.ForeignKeyConstraint(['undone_by'], ['users.id'], name=op.f('fk_imports_undone_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_imports')),
    sa.UniqueConstraint('number', name=op.f('uq_imports_number'))
    )
    with op.batch_alter_table('imports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_imports_change_no'), ['change_no'], unique=False)
        batch_op.create_index('ix_imports_under_way', ['id'], unique=False, postgresql_where=sa.text("state IN ('running', 'undoing')"), sqlite_where=sa.text("state IN ('running', 'undoing')"))

    op.create_table('import_rows',
    sa.Column('import_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('cells', _JSON, nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('plan', sa.String(length=12), nullable=True),
    sa.Column('faults', _JSON, nullable=False),
    sa.Column('effects', _JSON, nullable=False),
    sa.CheckConstraint("state IN ('new', 'ready', 'faulty', 'created', 'updated', 'unchanged', 'refused', 'undone', 'kept')", name=op.f('ck_import_rows_state')),
    sa.ForeignKeyConstraint(['import_id'], ['imports.id'], name=op.f('fk_import_rows_import_id')),
    sa.PrimaryKeyConstraint('import_id', 'number', name=op.f('pk_import_rows')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('import_rows', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_import_rows_import_id_state_number'), ['import_id', 'state', 'number'], unique=False)

    op.create_table('site_lookups',
    sa.Column('site_id', sa.String(length=36), nullable=False),
    sa.Column('address', sa.String(length=300), nullable=False),
    sa.Column('outcome', sa.String(length=12), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("outcome IN ('found', 'district', 'nothing', 'unavailable')", name=op.f('ck_site_lookups_outcome')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_site_lookups_site_id')),
    sa.PrimaryKeyConstraint('site_id', name=op.f('pk_site_lookups'))
    )
    with op.batch_alter_table('site_lookups', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_site_lookups_due_at'), ['due_at'], unique=False)

    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.alter_column('distance_m', existing_type=sa.Float(), nullable=True)

    with op.batch_alter_table('sites', schema=None) as batch_op:
        batch_op.add_column(sa.Column('position_source', sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column('position_confirmed_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column('lat', existing_type=sa.Float(), nullable=True)
        batch_op.alter_column('lon', existing_type=sa.Float(), nullable=True)
        batch_op.create_check_constraint(batch_op.f('ck_sites_both'), '(lat IS NULL) = (lon IS NULL)')
        batch_op.create_check_constraint(batch_op.f('ck_sites_source'), "position_source IN ('surveyed', 'given', 'geocoded', 'district')")
        batch_op.create_index('ix_sites_unplaced', ['id'], unique=False, postgresql_where=sa.text(_UNPLACED), sqlite_where=sa.text(_UNPLACED))
    op.execute("UPDATE sites SET position_source = 'given'")
    # Terms are made of texts by the program: the job that keeps them begins with these.
    for kind, table in (('customer', 'customers'), ('site', 'sites'), ('asset', 'assets')):
        op.execute(
            f"INSERT INTO search_rows (kind, row_id, digest, stale) SELECT '{kind}', id, '', true FROM {table} WHERE deleted_at IS NULL"
        )


def downgrade() -> None:
    op.execute("UPDATE sites SET lat = 0, lon = 0 WHERE lat IS NULL")
    op.execute("UPDATE check_ins SET distance_m = 0 WHERE distance_m IS NULL")
    with op.batch_alter_table('sites', schema=None) as batch_op:
        batch_op.drop_index('ix_sites_unplaced')
        batch_op.drop_constraint(batch_op.f('ck_sites_source'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_sites_both'), type_='check')
        batch_op.alter_column('lon', existing_type=sa.Float(), nullable=False)
        batch_op.alter_column('lat', existing_type=sa.Float(), nullable=False)
        batch_op.drop_column('position_confirmed_at')
        batch_op.drop_column('position_source')
    with op.batch_alter_table('check_ins', schema=None) as batch_op:
        batch_op.alter_column('distance_m', existing_type=sa.Float(), nullable=False)
    for table in ('site_lookups', 'import_rows', 'imports', 'import_mappings', 'search_terms', 'search_rows'):
        op.drop_table(table)
