"""One's own notifications, channels and phones over HTTP, and the outbox for administrators."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.errors import NotFound
from app.core.http import Routes
from app.core.paging import PageQuery, page, page_of
from app.users.rights import Actor
from app.users.secrets import vapid_public_key
from push import operations, queries, schemas, verification
from push.models import CHANNELS, BrowserSubscription, Notification, OutboxMessage, RegistrationToken

routes = Routes("push", __name__, description="Notifications and the ways they take")


@routes.door("GET", "/notifications", policy="notifications.read", query=PageQuery, answer=page_of(schemas.NotificationSchema))
def list_notifications(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List one's own notifications, newest first, in one's own language."""
    found = page(session, queries.visible_to(actor), Notification, query)
    return found | {"items": [queries.in_words(each, actor.locale, edge_settings()) for each in found["items"]]}


@routes.door("POST", "/notifications/<notification_id>/delivered", policy="notifications.read", answer=schemas.NotificationSchema)
def report_delivered(session: Session, actor: Actor, notification_id: str) -> dict[str, Any]:
    """Report that the app showed a notification.

    Safe to repeat. A notification that was opened stays opened.
    """
    notification = queries.access_notification(session, actor, notification_id)
    return queries.in_words(operations.report_delivered(session, actor, notification), actor.locale, edge_settings())


@routes.door("POST", "/notifications/<notification_id>/opened", policy="notifications.read", answer=schemas.NotificationSchema)
def report_opened(session: Session, actor: Actor, notification_id: str) -> dict[str, Any]:
    """Report that the person opened a notification. Safe to repeat."""
    notification = queries.access_notification(session, actor, notification_id)
    return queries.in_words(operations.report_opened(session, actor, notification), actor.locale, edge_settings())


@routes.door("GET", "/me/channels", policy="notifications.read", answer=schemas.ChannelsSchema)
def list_channels(session: Session, actor: Actor) -> dict[str, Any]:
    """List the ways to oneself: which are on, configured on this server, and have an address."""
    return {"channels": queries.channels_of(session, actor, edge_settings())}


@routes.door("POST", "/me/channels", policy="notifications.read", body=schemas.ChannelChoiceSchema, answer=schemas.ChannelsSchema)
def set_channel(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Switch one channel off, or on again. The inbox always stays."""
    operations.set_channel(session, actor, body["channel"], body["enabled"])
    return {"channels": queries.channels_of(session, actor, edge_settings())}


@routes.door("POST", "/me/channels/<channel>/test", policy="notifications.read", answer=schemas.NotificationSchema, status=201)
def check_channel(session: Session, actor: Actor, channel: str) -> dict[str, Any]:
    """Send a code to oneself through one channel; ``verify`` takes it. At most three a minute.

    An app that is opened by the message finds the code in its ``code`` and may send it by itself.
    """
    made = verification.check_channel(session, actor, edge_settings(), _known(channel))
    return queries.in_words(made, actor.locale, edge_settings())


@routes.door(
    "POST",
    "/me/channels/<channel>/verify",
    policy="notifications.read",
    body=schemas.ChannelCodeSchema,
    answer=schemas.ChannelsSchema,
)
def verify_channel(session: Session, actor: Actor, body: dict[str, Any], channel: str) -> dict[str, Any]:
    """Give back the code that came through a channel: its address is verified."""
    verification.verify_channel(session, actor, edge_settings(), _known(channel), body["code"])
    return {"channels": queries.channels_of(session, actor, edge_settings())}


def _known(channel: str) -> str:
    if channel not in CHANNELS:
        raise NotFound
    return channel


@routes.door("GET", "/me/fallback-order", policy="notifications.read", answer=schemas.FallbackAnswerSchema)
def read_fallback_order(session: Session, actor: Actor) -> dict[str, Any]:
    """Read the order in which one's channels are tried; null when all carry everything at once."""
    return {"fallback_order": queries.fallback_order_of(session, actor)}


@routes.door(
    "POST",
    "/me/fallback-order",
    policy="notifications.read",
    body=schemas.FallbackOrderSchema,
    answer=schemas.FallbackAnswerSchema,
)
def set_fallback_order(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Have one's channels tried one after the other.

    The next one is tried when one fails for good, or when the message was not opened within ``after_min`` minutes.
    """
    return {"fallback_order": operations.set_fallback_order(session, actor, body["channels"], body["after_min"])}


@routes.door("POST", "/me/fallback-order/forget", policy="notifications.read", status=204)
def forget_fallback_order(session: Session, actor: Actor) -> None:
    """Have all channels carry everything at once again. Safe to repeat."""
    operations.forget_fallback_order(session, actor)


@routes.door("GET", "/me/quiet-hours", policy="notifications.read", answer=schemas.QuietAnswerSchema)
def read_quiet_hours(session: Session, actor: Actor) -> dict[str, Any]:
    """Read one's quiet hours; null without any."""
    return {"quiet_hours": queries.quiet_hours_of(session, actor)}


@routes.door(
    "POST",
    "/me/quiet-hours",
    policy="notifications.read",
    body=schemas.QuietHoursSchema,
    answer=schemas.QuietAnswerSchema,
)
def set_quiet_hours(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Set when one wants to be left alone.

    Messages wait until the end and leave then; critical alarms and what one asked for oneself do not wait. The inbox
    has everything at once.
    """
    return {"quiet_hours": operations.set_quiet_hours(session, actor, body["begins"], body["ends"], body["time_zone"])}


@routes.door("POST", "/me/quiet-hours/forget", policy="notifications.read", status=204)
def forget_quiet_hours(session: Session, actor: Actor) -> None:
    """Have no quiet hours any more; what waits leaves now. Safe to repeat."""
    operations.forget_quiet_hours(session, actor)


@routes.door(
    "POST",
    "/me/registration-tokens",
    policy="notifications.read",
    body=schemas.RegistrationSchema,
    answer=schemas.RegistrationTokenSchema,
    status=201,
)
def register_token(session: Session, actor: Actor, body: dict[str, Any]) -> RegistrationToken:
    """Register the phone one is signed in on.

    Call it at every start of the app. A phone that somebody else was signed in on moves to the caller.
    """
    return operations.register_token(session, actor, body["address_kind"], body["address"])


@routes.door("POST", "/me/registration-tokens/forget", policy="notifications.read", body=schemas.ForgetSchema, status=204)
def forget_token(session: Session, actor: Actor, body: dict[str, Any]) -> None:
    """Forget the phone one signs out on. Safe to repeat."""
    operations.forget_token(session, actor, body["address"])


@routes.door("GET", "/me/web-push-key", policy="notifications.read", answer=schemas.ApplicationKeySchema)
def read_web_push_key(session: Session, actor: Actor) -> dict[str, Any]:
    """Read the key a browser subscribes with."""
    private_key = edge_settings().vapid_private_key
    return {"public_key": vapid_public_key(private_key) if private_key else None}


@routes.door(
    "POST",
    "/me/browser-subscriptions",
    policy="notifications.read",
    body=schemas.SubscriptionSchema,
    answer=schemas.BrowserSubscriptionSchema,
    status=201,
)
def subscribe_browser(session: Session, actor: Actor, body: dict[str, Any]) -> BrowserSubscription:
    """Register the browser one is signed in with; safe to repeat at every start.

    Only services of known browsers, and those the operator allows, are taken as endpoints.
    """
    keys = body["keys"]
    return operations.subscribe_browser(session, actor, edge_settings(), body["endpoint"], keys["p256dh"], keys["auth"])


@routes.door("POST", "/me/browser-subscriptions/forget", policy="notifications.read", body=schemas.UnsubscribeSchema, status=204)
def unsubscribe_browser(session: Session, actor: Actor, body: dict[str, Any]) -> None:
    """Forget the browser one signs out on. Safe to repeat."""
    operations.unsubscribe_browser(session, actor, body["endpoint"])


@routes.door("POST", "/me/test-notification", policy="notifications.read", answer=schemas.NotificationSchema, status=201)
def send_test(session: Session, actor: Actor) -> dict[str, Any]:
    """Send a test message to oneself through every channel that is on; at most five a minute."""
    return queries.in_words(operations.send_test(session, actor), actor.locale, edge_settings())


@routes.door("GET", "/outbox", policy="outbox.read", query=schemas.OutboxQuery, answer=page_of(schemas.OutboxMessageSchema))
def list_outbox(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List what was queued for the channels: state, attempts and the last error."""
    rows = queries.visible_outbox(actor, state=query.get("state"), channel=query.get("channel"))
    return page(session, rows, OutboxMessage, query)
