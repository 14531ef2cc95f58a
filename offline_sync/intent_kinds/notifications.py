"""What people say of their messages."""

from __future__ import annotations

from app.core import fields
from offline_sync.intent_kinds.base import IntentKind
from push import operations as push
from push import queries as push_queries


class _Notification(fields.Schema):
    notification_id = fields.Id(required=True)


NOTIFICATIONS: dict[str, IntentKind] = {
    "notification.open": IntentKind(
        "notifications.read",
        _Notification,
        lambda s, _, a, b: push.report_opened(s, a, push_queries.access_notification(s, a, b["notification_id"])),
    ),
}
