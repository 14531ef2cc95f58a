"""Web Push (RFC 8030, 8291, 8292): the only ``pywebpush`` import, loaded when the first message leaves.

Where a message goes is an address a browser gave us, so it is asked for only where the settings allow it, and where
the answer sends us elsewhere we do not follow.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from app.core.clock import Clock
from app.core.settings import Settings
from push.channels import Accepted, Address, DeadAddress, Failed, Outcome, Retry
from push.endpoints import is_allowed
from push.messages import Message

_TIMEOUT_S = 5
_LONGEST_PAUSE_S = 86_400.0
_TOPIC_LETTERS = 32  # RFC 8030, section 5.4


class WebPushChannel:
    """Sends to browsers, encrypted so that only the browser reads it. Safe to share between threads."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Remember key and allowed services; nothing is loaded yet.

        Args:
            settings: ``vapid_private_key``, ``vapid_subject``, ``web_push_services``.
            clock: judges a Retry-After that is a date.
        """
        self._settings = settings
        self._clock = clock or Clock()

    def send(self, to: Address, message: Message, dedupe_id: str) -> Outcome:
        """Send one message in one request; see ``Channel.send``. The address is a subscription as JSON."""
        from py_vapid import VapidException
        from pywebpush import WebPushException, webpush

        subscription = json.loads(to.value)
        if not is_allowed(subscription["endpoint"], self._settings):
            return Failed("service_not_allowed")
        label = message.collapse or dedupe_id
        words = {"title": message.title, "body": message.body, "data": message.data | {"dedupe_id": dedupe_id}, "tag": label}
        try:
            with _OneRequest() as session:
                webpush(
                    subscription,
                    json.dumps(words, ensure_ascii=False),
                    vapid_private_key=self._settings.vapid_private_key,
                    vapid_claims={"sub": self._settings.vapid_subject},
                    headers={"Urgency": message.urgency, "Topic": topic_of(label)},
                    ttl=message.keep_s,
                    timeout=_TIMEOUT_S,
                    requests_session=session,
                )
        except WebPushException as fault:
            return Failed("invalid_subscription") if fault.response is None else self._outcome_of(fault.response)
        except requests.RequestException as fault:
            return Retry(type(fault).__name__)
        except (ValueError, VapidException) as fault:
            return Failed(f"invalid_subscription: {type(fault).__name__}")
        return Accepted()

    def _outcome_of(self, answer: Any) -> Outcome:
        """Judge an answer. Source: RFC 8030, sections 5 and 7.3; 404 and 410 alone say that a subscription is over."""
        reason = f"web push {answer.status_code}"
        if answer.status_code in {404, 410}:
            return DeadAddress(reason)
        if answer.status_code == 429 or answer.status_code >= 500:
            # Another browser's service may well answer, so the channel is not down.
            return Retry(reason, self._pause_s(answer.headers.get("Retry-After", "").strip()))
        return Failed(reason)

    def _pause_s(self, given: str) -> float | None:
        """Return a Retry-After in seconds (RFC 9110, 10.2.3), or None."""
        try:
            wanted = float(given) if given.isdigit() else (parsedate_to_datetime(given) - self._clock.now()).total_seconds()
        except (ValueError, TypeError):
            return None
        return min(max(wanted, 0.0), _LONGEST_PAUSE_S) if math.isfinite(wanted) else None


class _OneRequest(requests.Session):
    """Makes one request and follows no redirect: a service may not send us to a place nobody allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda prepared: prepared  # else a .netrc of the machine would take the place of our signature

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask once."""
        return super().request(*args, **kwargs | {"allow_redirects": False})


def topic_of(label: str) -> str:
    """Return the topic under which a later message replaces an undelivered earlier one: 32 URL-safe letters."""
    return base64.urlsafe_b64encode(hashlib.sha256(label.encode()).digest()).decode()[:_TOPIC_LETTERS]
