"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('change_counter',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_change_counter'))
    )
    op.create_table('components',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('serial', sa.String(length=60), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('part_no', sa.String(length=60), nullable=False),
    sa.Column('warranty_until', sa.Date(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_components')),
    sa.UniqueConstraint('serial', name=op.f('uq_components_serial'))
    )
    with op.batch_alter_table('components', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_components_change_no'), ['change_no'], unique=False)

    op.create_table('dead_letters',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('topic', sa.String(length=300), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('whole', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.String(length=60), nullable=False),
    sa.Column('detail', sa.String(length=300), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.CheckConstraint("state IN ('open', 'replayed', 'dismissed')", name=op.f('ck_dead_letters_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dead_letters')),
    sa.UniqueConstraint('fingerprint', name=op.f('uq_dead_letters_fingerprint'))
    )
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dead_letters_reason'), ['reason'], unique=False)

    op.create_table('device_latest',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('metric', sa.String(length=60), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('message_key', sa.String(length=80), nullable=False),
    sa.Column('value', sa.Float(), nullable=False),
    sa.Column('received_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('device_id', 'metric', name=op.f('pk_device_latest'))
    )
    op.create_table('device_profiles',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('adapter', sa.String(length=20), nullable=False),
    sa.Column('soh_reference', sa.String(length=20), nullable=False),
    sa.Column('sends_only_changes', sa.Boolean(), nullable=False),
    sa.Column('metrics', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("adapter IN ('native', 'ovms')", name=op.f('ck_device_profiles_adapter')),
    sa.CheckConstraint("soh_reference IN ('rated', 'first_cycle')", name=op.f('ck_device_profiles_soh_reference')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_profiles')),
    sa.UniqueConstraint('code', name=op.f('uq_device_profiles_code'))
    )
    with op.batch_alter_table('device_profiles', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_profiles_change_no'), ['change_no'], unique=False)

    op.create_table('failed_tries',
    sa.Column('subject', sa.String(length=64), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('subject', name=op.f('pk_failed_tries'))
    )
    with op.batch_alter_table('failed_tries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_failed_tries_last_at'), ['last_at'], unique=False)
        batch_op.create_index('ix_failed_tries_locked', ['locked_until'], unique=False, postgresql_where=sa.text('locked_until IS NOT NULL'))

    op.create_table('history',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=60), nullable=False),
    sa.Column('subject_kind', sa.String(length=30), nullable=False),
    sa.Column('subject_id', sa.String(length=36), nullable=False),
    sa.Column('actor_id', sa.String(length=36), nullable=True),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('facts', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_history'))
    )
    with op.batch_alter_table('history', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_history_subject_kind_subject_id_id'), ['subject_kind', 'subject_id', 'id'], unique=False)

    op.create_table('ingest_counters',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_ingest_counters'))
    )
    op.create_table('job_runs',
    sa.Column('job', sa.String(length=40), nullable=False),
    sa.Column('scheduled_for', sa.DateTime(timezone=True), nullable=False),
    sa.Column('fence', sa.BigInteger(), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=200), nullable=True),
    sa.PrimaryKeyConstraint('job', 'scheduled_for', name=op.f('pk_job_runs'))
    )
    op.create_table('leader_leases',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('holder', sa.String(length=80), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('fence', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_leader_leases'))
    )
    op.create_table('number_series',
    sa.Column('series', sa.String(length=20), nullable=False),
    sa.Column('year', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('series', 'year', name=op.f('pk_number_series'))
    )
    op.create_table('partners',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_partners')),
    sa.UniqueConstraint('name', name=op.f('uq_partners_name'))
    )
    with op.batch_alter_table('partners', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_partners_change_no'), ['change_no'], unique=False)

    op.create_table('process_beats',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('facts', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_process_beats'))
    )
    op.create_table('rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rules')),
    sa.UniqueConstraint('code', name=op.f('uq_rules_code'))
    )
    with op.batch_alter_table('rules', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_rules_change_no'), ['change_no'], unique=False)

    op.create_table('stored_answers',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('route', sa.String(length=200), nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('body_hash', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('etag', sa.String(length=40), nullable=True),
    sa.Column('body', sa.String(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('user_id', 'route', 'key', name=op.f('pk_stored_answers'))
    )
    with op.batch_alter_table('stored_answers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_stored_answers_at'), ['at'], unique=False)

    op.create_table('telemetry',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('message_key', sa.String(length=80), nullable=False),
    sa.Column('metric', sa.String(length=60), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('value', sa.Float(), nullable=False),
    sa.Column('received_ms', sa.BigInteger(), nullable=False),
    sa.Column('ahead', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('device_id', 'message_key', 'metric', name=op.f('pk_telemetry')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('telemetry', schema=None) as batch_op:
        batch_op.create_index('ix_telemetry_device_metric_at', ['device_id', 'metric', 'at_ms'], unique=False)

    op.create_table('territories',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_territories')),
    sa.UniqueConstraint('code', name=op.f('uq_territories_code'))
    )
    with op.batch_alter_table('territories', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_territories_change_no'), ['change_no'], unique=False)

    op.create_table('detector_states',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('component_id', sa.String(length=36), nullable=False),
    sa.Column('rule_number', sa.Integer(), nullable=False),
    sa.Column('fittings', sa.String(length=64), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('due_ms', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['component_id'], ['components.id'], name=op.f('fk_detector_states_component_id')),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_detector_states_rule_id')),
    sa.PrimaryKeyConstraint('rule_id', 'component_id', name=op.f('pk_detector_states'))
    )
    with op.batch_alter_table('detector_states', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_detector_states_due_ms'), ['due_ms'], unique=False)

    op.create_table('history_causes',
    sa.Column('effect_id', sa.String(length=36), nullable=False),
    sa.Column('cause_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['cause_id'], ['history.id'], name=op.f('fk_history_causes_cause_id')),
    sa.ForeignKeyConstraint(['effect_id'], ['history.id'], name=op.f('fk_history_causes_effect_id')),
    sa.PrimaryKeyConstraint('effect_id', 'cause_id', name=op.f('pk_history_causes'))
    )
    with op.batch_alter_table('history_causes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_history_causes_cause_id'), ['cause_id'], unique=False)

    op.create_table('stations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('address', sa.String(length=300), nullable=False),
    sa.Column('lat', sa.Float(), nullable=False),
    sa.Column('lon', sa.Float(), nullable=False),
    sa.Column('opening_hours', sa.String(length=300), nullable=False),
    sa.Column('time_zone', sa.String(length=60), nullable=False),
    sa.Column('bays', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('partner_id', sa.String(length=36), nullable=True),
    sa.Column('certificates', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('bays BETWEEN 1 AND 50', name=op.f('ck_stations_bays')),
    sa.CheckConstraint('lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180', name=op.f('ck_stations_place')),
    sa.ForeignKeyConstraint(['partner_id'], ['partners.id'], name=op.f('fk_stations_partner_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stations')),
    sa.UniqueConstraint('code', name=op.f('uq_stations_code'))
    )
    with op.batch_alter_table('stations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_stations_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_stations_partner_id'), ['partner_id'], unique=False)

    op.create_table('users',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('login', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('locale', sa.String(length=10), nullable=False),
    sa.Column('email', sa.String(length=200), nullable=True),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('partner_id', sa.String(length=36), nullable=True),
    sa.Column('station_id', sa.String(length=36), nullable=True),
    sa.Column('customer_id', sa.String(length=36), nullable=True),
    sa.Column('password_hash', sa.String(length=200), nullable=True),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("role <> 'customer' OR customer_id IS NOT NULL", name=op.f('ck_users_customer_link')),
    sa.CheckConstraint("role <> 'station_staff' OR station_id IS NOT NULL", name=op.f('ck_users_staff_station')),
    sa.CheckConstraint("role IN ('admin', 'manager', 'rep', 'station_staff', 'customer')", name=op.f('ck_users_role')),
    sa.CheckConstraint("state IN ('invited', 'active', 'deactivated')", name=op.f('ck_users_state')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_users_customer_id'), use_alter=True),
    sa.ForeignKeyConstraint(['partner_id'], ['partners.id'], name=op.f('fk_users_partner_id')),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_users_station_id'), use_alter=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('login', name=op.f('uq_users_login'))
    )
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_users_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_users_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_users_station_id'), ['station_id'], unique=False)

    op.create_table('channel_preferences',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_channel_preferences_user_id')),
    sa.PrimaryKeyConstraint('user_id', 'channel', name=op.f('pk_channel_preferences'))
    )
    op.create_table('customers',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('email', sa.String(length=200), nullable=True),
    sa.Column('territory_id', sa.String(length=36), nullable=False),
    sa.Column('owner_id', sa.String(length=36), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['owner_id'], ['users.id'], name=op.f('fk_customers_owner_id')),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_customers_territory_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customers')),
    sa.UniqueConstraint('code', name=op.f('uq_customers_code'))
    )
    with op.batch_alter_table('customers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_customers_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_customers_owner_id'), ['owner_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_customers_territory_id'), ['territory_id'], unique=False)

    op.create_table('notifications',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('data', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('subject_kind', sa.String(length=30), nullable=False),
    sa.Column('subject_id', sa.String(length=36), nullable=False),
    sa.Column('dedupe_key', sa.String(length=160), nullable=False),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_notifications_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notifications')),
    sa.UniqueConstraint('dedupe_key', name=op.f('uq_notifications_dedupe_key'))
    )
    with op.batch_alter_table('notifications', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notifications_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_notifications_user_id'), ['user_id'], unique=False)

    op.create_table('one_time_links',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('secret_hash', sa.String(length=64), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('invitation', 'password_reset')", name=op.f('ck_one_time_links_kind')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_one_time_links_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_one_time_links')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_one_time_links_secret_hash'))
    )
    with op.batch_alter_table('one_time_links', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_one_time_links_user_id'), ['user_id'], unique=False)

    op.create_table('part_stocks',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('station_id', sa.String(length=36), nullable=False),
    sa.Column('part_no', sa.String(length=60), nullable=False),
    sa.Column('on_hand', sa.Integer(), nullable=False),
    sa.Column('reserved', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand', name=op.f('ck_part_stocks_units')),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_part_stocks_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_part_stocks')),
    sa.UniqueConstraint('station_id', 'part_no', name=op.f('uq_part_stocks_station_id_part_no'))
    )
    with op.batch_alter_table('part_stocks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_part_stocks_change_no'), ['change_no'], unique=False)

    op.create_table('registration_tokens',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('address_kind', sa.String(length=10), nullable=False),
    sa.Column('address', sa.String(length=500), nullable=False),
    sa.Column('registered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("address_kind IN ('token', 'fid')", name=op.f('ck_registration_tokens_address_kind')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_registration_tokens_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_registration_tokens')),
    sa.UniqueConstraint('address', name=op.f('uq_registration_tokens_address'))
    )
    with op.batch_alter_table('registration_tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_registration_tokens_user_id'), ['user_id'], unique=False)

    op.create_table('rule_versions',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('document', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('author_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['users.id'], name=op.f('fk_rule_versions_author_id')),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_rule_versions_rule_id')),
    sa.PrimaryKeyConstraint('rule_id', 'number', name=op.f('pk_rule_versions'))
    )
    op.create_table('sign_in_sessions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('end_reason', sa.String(length=30), nullable=True),
    sa.Column('label', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sign_in_sessions_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in_sessions'))
    )
    with op.batch_alter_table('sign_in_sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sign_in_sessions_user_id'), ['user_id'], unique=False)

    op.create_table('station_territories',
    sa.Column('station_id', sa.String(length=36), nullable=False),
    sa.Column('territory_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_station_territories_station_id')),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_station_territories_territory_id')),
    sa.PrimaryKeyConstraint('station_id', 'territory_id', name=op.f('pk_station_territories'))
    )
    with op.batch_alter_table('station_territories', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_station_territories_territory_id'), ['territory_id'], unique=False)

    op.create_table('user_territories',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('territory_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_user_territories_territory_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_user_territories_user_id')),
    sa.PrimaryKeyConstraint('user_id', 'territory_id', name=op.f('pk_user_territories'))
    )
    with op.batch_alter_table('user_territories', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_user_territories_territory_id'), ['territory_id'], unique=False)

    op.create_table('outbox',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('notification_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('address_id', sa.String(length=36), nullable=True),
    sa.Column('dedupe_key', sa.String(length=240), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('queued_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.String(length=200), nullable=True),
    sa.CheckConstraint("channel IN ('fcm', 'email')", name=op.f('ck_outbox_channel')),
    sa.CheckConstraint("state IN ('queued', 'accepted', 'delivered', 'opened', 'failed')", name=op.f('ck_outbox_state')),
    sa.ForeignKeyConstraint(['notification_id'], ['notifications.id'], name=op.f('fk_outbox_notification_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_outbox_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sa.UniqueConstraint('dedupe_key', name=op.f('uq_outbox_dedupe_key'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_due', ['next_at'], unique=False, postgresql_where=sa.text("state = 'queued'"), sqlite_where=sa.text("state = 'queued'"))
        batch_op.create_index(batch_op.f('ix_outbox_notification_id'), ['notification_id'], unique=False)

    op.create_table('refresh_tokens',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('session_id', sa.String(length=36), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['session_id'], ['sign_in_sessions.id'], name=op.f('fk_refresh_tokens_session_id')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_refresh_tokens'))
    )
    with op.batch_alter_table('refresh_tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_refresh_tokens_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_refresh_tokens_session_id'), ['session_id'], unique=False)

    op.create_table('sites',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('address', sa.String(length=300), nullable=False),
    sa.Column('lat', sa.Float(), nullable=False),
    sa.Column('lon', sa.Float(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180', name=op.f('ck_sites_place')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_sites_customer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sites'))
    )
    with op.batch_alter_table('sites', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sites_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_sites_customer_id'), ['customer_id'], unique=False)

    op.create_table('assets',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('serial', sa.String(length=60), nullable=False),
    sa.Column('model', sa.String(length=100), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('site_id', sa.String(length=36), nullable=False),
    sa.Column('warranty_until', sa.Date(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_assets_customer_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_assets_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assets')),
    sa.UniqueConstraint('serial', name=op.f('uq_assets_serial'))
    )
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_assets_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_assets_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_assets_site_id'), ['site_id'], unique=False)

    op.create_table('alarms',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('rule_number', sa.Integer(), nullable=False),
    sa.Column('subject_kind', sa.String(length=20), nullable=False),
    sa.Column('subject_id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('episode', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('severity', sa.String(length=20), nullable=False),
    sa.Column('metric', sa.String(length=60), nullable=False),
    sa.Column('raised_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('first_value', sa.Float(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_value', sa.Float(), nullable=False),
    sa.Column('readings', sa.Integer(), nullable=False),
    sa.Column('cleared_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('end_reason', sa.String(length=60), nullable=True),
    sa.Column('acknowledged_by', sa.String(length=36), nullable=True),
    sa.Column('acted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('raised', 'acknowledged', 'cleared', 'withdrawn')", name=op.f('ck_alarms_state')),
    sa.CheckConstraint("subject_kind IN ('component', 'device')", name=op.f('ck_alarms_subject_kind')),
    sa.ForeignKeyConstraint(['acknowledged_by'], ['users.id'], name=op.f('fk_alarms_acknowledged_by')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_alarms_asset_id')),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_alarms_rule_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarms')),
    sa.UniqueConstraint('rule_id', 'subject_id', 'episode', name=op.f('uq_alarms_rule_id_subject_id_episode'))
    )
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarms_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_alarms_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_alarms_subject_id_state'), ['subject_id', 'state'], unique=False)
        batch_op.create_index('uq_alarms_open', ['rule_id', 'subject_id'], unique=True, postgresql_where=sa.text("state IN ('raised', 'acknowledged')"), sqlite_where=sa.text("state IN ('raised', 'acknowledged')"))

    op.create_table('devices',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('adapter', sa.String(length=20), nullable=False),
    sa.Column('address', sa.String(length=120), nullable=False),
    sa.Column('profile_id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('installed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('shard', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('secret_hash', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('active', 'revoked')", name=op.f('ck_devices_state')),
    sa.CheckConstraint('shard BETWEEN 0 AND 255', name=op.f('ck_devices_shard')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_devices_asset_id')),
    sa.ForeignKeyConstraint(['profile_id'], ['device_profiles.id'], name=op.f('fk_devices_profile_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_devices')),
    sa.UniqueConstraint('adapter', 'address', name=op.f('uq_devices_adapter_address'))
    )
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_devices_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_devices_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_devices_profile_id'), ['profile_id'], unique=False)

    op.create_table('fittings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('component_id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('fitted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('removed_at IS NULL OR removed_at > fitted_at', name=op.f('ck_fittings_order')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_fittings_asset_id')),
    sa.ForeignKeyConstraint(['component_id'], ['components.id'], name=op.f('fk_fittings_component_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fittings'))
    )
    with op.batch_alter_table('fittings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fittings_asset_id_fitted_at'), ['asset_id', 'fitted_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_fittings_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_fittings_component_id'), ['component_id'], unique=False)
        batch_op.create_index('uq_fittings_open', ['component_id'], unique=True, postgresql_where=sa.text('removed_at IS NULL'), sqlite_where=sa.text('removed_at IS NULL'))

    op.create_table('station_grants',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('station_id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('task_id', sa.String(length=36), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_station_grants_asset_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_station_grants_customer_id')),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_station_grants_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_station_grants')),
    sa.UniqueConstraint('task_id', name=op.f('uq_station_grants_task_id'))
    )
    with op.batch_alter_table('station_grants', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_station_grants_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_station_grants_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_station_grants_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_station_grants_station_id_ended_at'), ['station_id', 'ended_at'], unique=False)

    op.create_table('work_orders',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('job', sa.String(length=40), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('component_id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('site_id', sa.String(length=36), nullable=False),
    sa.Column('territory_id', sa.String(length=36), nullable=False),
    sa.Column('part_no', sa.String(length=60), nullable=False),
    sa.Column('certificates', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('slot_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('coupon_required', sa.Boolean(), nullable=False),
    sa.Column('coupon_redeemed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancel_reason', sa.String(length=60), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('proposed', 'unassigned', 'scheduled', 'in_progress', 'finished', 'cancelled')", name=op.f('ck_work_orders_state')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_work_orders_asset_id')),
    sa.ForeignKeyConstraint(['component_id'], ['components.id'], name=op.f('fk_work_orders_component_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_work_orders_customer_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_work_orders_site_id')),
    sa.ForeignKeyConstraint(['territory_id'], ['territories.id'], name=op.f('fk_work_orders_territory_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_orders')),
    sa.UniqueConstraint('number', name=op.f('uq_work_orders_number'))
    )
    with op.batch_alter_table('work_orders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_work_orders_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_work_orders_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_work_orders_component_id'), ['component_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_work_orders_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_work_orders_state'), ['state'], unique=False)
        batch_op.create_index(batch_op.f('ix_work_orders_territory_id'), ['territory_id'], unique=False)
        batch_op.create_index('uq_work_orders_open_job', ['component_id', 'job'], unique=True, postgresql_where=sa.text("state NOT IN ('finished', 'cancelled')"), sqlite_where=sa.text("state NOT IN ('finished', 'cancelled')"))

    op.create_table('bookings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('station_id', sa.String(length=36), nullable=False),
    sa.Column('bay', sa.Integer(), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('work_order_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('held', 'cancelled')", name=op.f('ck_bookings_state')),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_bookings_station_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_bookings_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bookings'))
    )
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bookings_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_bookings_work_order_id'), ['work_order_id'], unique=False)
        batch_op.create_index('uq_bookings_held', ['station_id', 'bay', 'starts_at'], unique=True, postgresql_where=sa.text("state = 'held'"), sqlite_where=sa.text("state = 'held'"))

    op.create_table('device_commands',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('body', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('answer', sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('queued', 'sent', 'answered', 'timed_out')", name=op.f('ck_device_commands_state')),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_device_commands_device_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_commands'))
    )
    with op.batch_alter_table('device_commands', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_commands_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_device_commands_device_id'), ['device_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_device_commands_state'), ['state'], unique=False)

    op.create_table('device_presence',
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('heard_ms', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_device_presence_device_id')),
    sa.PrimaryKeyConstraint('device_id', name=op.f('pk_device_presence'))
    )
    with op.batch_alter_table('device_presence', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_presence_heard_ms'), ['heard_ms'], unique=False)

    op.create_table('fault_codes',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('device_id', sa.String(length=36), nullable=False),
    sa.Column('message_key', sa.String(length=80), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('severity', sa.String(length=20), nullable=False),
    sa.Column('description', sa.String(length=300), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_fault_codes_asset_id')),
    sa.ForeignKeyConstraint(['device_id'], ['devices.id'], name=op.f('fk_fault_codes_device_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fault_codes')),
    sa.UniqueConstraint('device_id', 'message_key', 'code', name=op.f('uq_fault_codes_device_id_message_key_code'))
    )
    with op.batch_alter_table('fault_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fault_codes_asset_id_occurred_at'), ['asset_id', 'occurred_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_fault_codes_change_no'), ['change_no'], unique=False)

    op.create_table('service_offers',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('alarm_id', sa.String(length=36), nullable=False),
    sa.Column('component_id', sa.String(length=36), nullable=False),
    sa.Column('asset_id', sa.String(length=36), nullable=False),
    sa.Column('customer_id', sa.String(length=36), nullable=False),
    sa.Column('work_order_id', sa.String(length=36), nullable=False),
    sa.Column('price', sa.Numeric(14, 2).with_variant(sa.String(20), "sqlite"), nullable=False),
    sa.Column('discount', sa.Numeric(14, 2).with_variant(sa.String(20), "sqlite"), nullable=False),
    sa.Column('amount_due', sa.Numeric(14, 2).with_variant(sa.String(20), "sqlite"), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('under_warranty', sa.Boolean(), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('close_reason', sa.String(length=200), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('issued', 'viewed', 'accepted', 'redeemed', 'declined', 'expired', 'withdrawn')", name=op.f('ck_service_offers_state')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_service_offers_asset_id')),
    sa.ForeignKeyConstraint(['component_id'], ['components.id'], name=op.f('fk_service_offers_component_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_service_offers_customer_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_service_offers_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_offers')),
    sa.UniqueConstraint('alarm_id', name=op.f('uq_service_offers_alarm_id')),
    sa.UniqueConstraint('work_order_id', name=op.f('uq_service_offers_work_order_id'))
    )
    with op.batch_alter_table('service_offers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_service_offers_asset_id'), ['asset_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_service_offers_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_service_offers_customer_id'), ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_service_offers_state_valid_until'), ['state', 'valid_until'], unique=False)
        batch_op.create_index('uq_service_offers_open', ['component_id', 'kind'], unique=True, postgresql_where=sa.text("state IN ('issued', 'viewed', 'accepted')"), sqlite_where=sa.text("state IN ('issued', 'viewed', 'accepted')"))

    op.create_table('station_tasks',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('work_order_id', sa.String(length=36), nullable=False),
    sa.Column('station_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('part_no', sa.String(length=60), nullable=False),
    sa.Column('answer_by', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('offered', 'accepted', 'in_progress', 'finished', 'rejected', 'lapsed', 'withdrawn')", name=op.f('ck_station_tasks_state')),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_station_tasks_station_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_station_tasks_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_station_tasks'))
    )
    with op.batch_alter_table('station_tasks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_station_tasks_change_no'), ['change_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_station_tasks_state_answer_by'), ['state', 'answer_by'], unique=False)
        batch_op.create_index(batch_op.f('ix_station_tasks_station_id'), ['station_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_station_tasks_work_order_id'), ['work_order_id'], unique=False)
        batch_op.create_index('uq_station_tasks_live', ['work_order_id'], unique=True, postgresql_where=sa.text("state IN ('offered', 'accepted', 'in_progress')"), sqlite_where=sa.text("state IN ('offered', 'accepted', 'in_progress')"))

    op.create_table('coupons',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('offer_id', sa.String(length=36), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('redeemed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('redeemed_by', sa.String(length=36), nullable=True),
    sa.Column('station_id', sa.String(length=36), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'redeemed', 'void')", name=op.f('ck_coupons_state')),
    sa.ForeignKeyConstraint(['offer_id'], ['service_offers.id'], name=op.f('fk_coupons_offer_id')),
    sa.ForeignKeyConstraint(['redeemed_by'], ['users.id'], name=op.f('fk_coupons_redeemed_by')),
    sa.ForeignKeyConstraint(['station_id'], ['stations.id'], name=op.f('fk_coupons_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_coupons')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_coupons_code_hash')),
    sa.UniqueConstraint('offer_id', name=op.f('uq_coupons_offer_id'))
    )
    with op.batch_alter_table('coupons', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_coupons_change_no'), ['change_no'], unique=False)
    with op.batch_alter_table("users") as batch_op:
        batch_op.create_foreign_key(batch_op.f("fk_users_station_id"), "stations", ["station_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_users_customer_id"), "customers", ["customer_id"], ["id"])
    op.execute("INSERT INTO change_counter (id, n) VALUES (1, 0)")


def downgrade() -> None:
    raise NotImplementedError("there is nothing before the first tables")
