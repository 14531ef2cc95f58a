"""browsers get messages; messages wait for quiet hours, and a newer one about the same supersedes what is unsent of an older one"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), 'postgresql')


def _states(states: str) -> None:
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_outbox_state'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_outbox_state'), f'state IN ({states})')


def _channels(channels: str) -> None:
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_outbox_channel'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_outbox_channel'), f'channel IN ({channels})')


def upgrade() -> None:
    op.create_table('browser_subscriptions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('endpoint', sa.String(length=1000), nullable=False),
    sa.Column('p256dh', sa.String(length=100), nullable=False),
    sa.Column('auth', sa.String(length=40), nullable=False),
    sa.Column('registered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_browser_subscriptions_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_browser_subscriptions')),
    sa.UniqueConstraint('endpoint', name=op.f('uq_browser_subscriptions_endpoint'))
    )
    with op.batch_alter_table('browser_subscriptions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_browser_subscriptions_user_id'), ['user_id'], unique=False)
    op.create_table('verified_addresses',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('address_hash', sa.String(length=64), nullable=False),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_verified_addresses_user_id')),
    sa.PrimaryKeyConstraint('user_id', 'channel', 'address_hash', name=op.f('pk_verified_addresses'))
    )
    op.create_table('fallback_orders',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('channels', _JSON, nullable=False),
    sa.Column('after_min', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_fallback_orders_user_id')),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_fallback_orders'))
    )
    op.create_table('fallback_plans',
    sa.Column('notification_id', sa.String(length=36), nullable=False),
    sa.Column('channels', _JSON, nullable=False),
    sa.Column('after_min', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['notification_id'], ['notifications.id'], name=op.f('fk_fallback_plans_notification_id')),
    sa.PrimaryKeyConstraint('notification_id', name=op.f('pk_fallback_plans'))
    )
    with op.batch_alter_table('fallback_plans', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fallback_plans_due_at'), ['due_at'], unique=False)
    op.create_table('quiet_hours',
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('begins', sa.String(length=5), nullable=False),
    sa.Column('ends', sa.String(length=5), nullable=False),
    sa.Column('time_zone', sa.String(length=60), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_quiet_hours_user_id')),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_quiet_hours'))
    )
    with op.batch_alter_table('notifications', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notifications_subject_id_user_id'), ['subject_id', 'user_id'], unique=False)
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quiet_until', sa.DateTime(timezone=True), nullable=True))
    _states("'queued', 'accepted', 'delivered', 'opened', 'failed', 'superseded'")
    _channels("'fcm', 'web_push', 'email'")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE channel = 'web_push'")
    _channels("'fcm', 'email'")
    op.drop_table('browser_subscriptions')
    op.execute("UPDATE outbox SET state = 'failed', last_error = 'superseded' WHERE state = 'superseded'")
    _states("'queued', 'accepted', 'delivered', 'opened', 'failed'")
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_column('quiet_until')
    with op.batch_alter_table('notifications', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_notifications_subject_id_user_id'))
    op.drop_table('quiet_hours')
    op.drop_table('fallback_plans')
    op.drop_table('fallback_orders')
    op.drop_table('verified_addresses')
