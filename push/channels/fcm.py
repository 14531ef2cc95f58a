"""Firebase Cloud Messaging: the only ``firebase_admin`` import, loaded when the first message leaves.

The library repeats by itself on 429, 500 and 503; that is switched off here, the outbox alone repeats.
"""

from __future__ import annotations

import hashlib
import math
import threading
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from app.core.clock import Clock
from app.core.ids import new_id
from app.core.logs import get_log
from app.core.settings import Settings
from push.channels import Accepted, Address, DeadAddress, Failed, Outcome, Retry
from push.messages import Message

log = get_log(__name__)

_TIMEOUT_S = 5
_QUOTA_PAUSE_S = 60.0
_LONGEST_PAUSE_S = 86_400.0
_KEPT_FOR = timedelta(days=3)


class FcmChannel:
    """Sends to installations of the app. Safe to share between threads."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Remember where to send; nothing is loaded or read yet.

        Args:
            settings: ``fcm_credentials_file``, or a relay's ``fcm_url`` (the whole send URL, ``{0}`` becomes
                the project), or both.
            clock: judges a Retry-After that is a date.
        """
        self._settings = settings
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._app: Any = None

    def send(self, to: Address, message: Message, dedupe_id: str) -> Outcome:
        """Send one message in one request; see ``Channel.send``."""
        import google.auth.exceptions
        from firebase_admin import exceptions, messaging

        try:
            app = self._connected()
        except (OSError, ValueError) as fault:
            log.error("FCM cannot be set up", problem=str(fault)[:300])
            return Retry("fcm_not_set_up", channel_down=True)
        try:
            messaging.send(_compose(to, message, dedupe_id), app=app)
        except exceptions.FirebaseError as error:
            return self._outcome_of(error)
        except google.auth.exceptions.GoogleAuthError as error:
            return Retry(f"credentials: {type(error).__name__}", channel_down=True)
        except ValueError:
            # The library refused the message before any request was made.
            return Failed("invalid_message")
        return Accepted()

    def close(self) -> None:
        """Forget the connection; the next message opens another."""
        import firebase_admin

        with self._lock:
            if self._app is not None:
                firebase_admin.delete_app(self._app)
                self._app = None

    def _connected(self) -> Any:
        with self._lock:
            if self._app is None:
                self._app = _connect(self._settings)
            return self._app

    def _outcome_of(self, error: Any) -> Outcome:
        """Judge an answer. Source: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode."""
        from firebase_admin import exceptions, messaging

        status = getattr(error.http_response, "status_code", None)
        reason = f"{error.code} {status}" if status else str(error.code)
        if isinstance(error, messaging.UnregisteredError):
            return DeadAddress("unregistered")
        if isinstance(error, exceptions.InvalidArgumentError | messaging.SenderIdMismatchError | messaging.ThirdPartyAuthError):
            return Failed(reason)
        after_s = self._pause_s(error)
        if isinstance(error, exceptions.ResourceExhaustedError):
            return Retry(reason, _QUOTA_PAUSE_S if after_s is None else after_s)
        # What is left are outages, and faults of our set-up such as a wrong project: no message's own fault.
        return Retry(reason, after_s, channel_down=True)

    def _pause_s(self, error: Any) -> float | None:
        """Return the Retry-After of an answer in seconds (RFC 9110, 10.2.3), or None."""
        headers = getattr(error.http_response, "headers", None) or {}
        given = headers.get("Retry-After", "").strip()
        try:
            wanted = float(given) if given.isdigit() else (parsedate_to_datetime(given) - self._clock.now()).total_seconds()
        except (ValueError, TypeError):
            return None
        return min(max(wanted, 0.0), _LONGEST_PAUSE_S) if math.isfinite(wanted) else None


def _connect(settings: Settings) -> Any:
    """Open a connection of our own, apart from the library's default one."""
    import firebase_admin
    import requests.adapters
    from firebase_admin import credentials, messaging

    options: dict[str, Any] = {"httpTimeout": _TIMEOUT_S}
    if settings.fcm_project or not settings.fcm_credentials_file:
        options["projectId"] = settings.fcm_project or "fieldloop"
    file = settings.fcm_credentials_file
    credential = credentials.Certificate(file) if file else _static_token()
    app = firebase_admin.initialize_app(credential, options, name=f"fieldloop-{new_id()}")
    # There is no public way to the address and the session; tests/push/test_fcm.py fails when these names go.
    service = messaging._get_messaging_service(app)
    if settings.fcm_url:
        service._fcm_url = settings.fcm_url.format(app.project_id)
    session = service._client.session
    for prefix in ("http://", "https://", *session.adapters):
        session.mount(prefix, requests.adapters.HTTPAdapter(pool_maxsize=20, max_retries=0))
    return app


def _static_token() -> Any:
    """Return a credential for a relay that does not ask Google who we are."""
    from firebase_admin import credentials
    from google.auth.credentials import Credentials

    class StaticToken(Credentials):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.token = "fieldloop"  # noqa: S105 - says nothing, a relay knows us otherwise

        def refresh(self, request: Any) -> None:
            self.token = "fieldloop"  # noqa: S105 - says nothing, a relay knows us otherwise

    class StaticCredential(credentials.Base):
        def get_credential(self) -> Any:
            return StaticToken()

    return StaticCredential()


def _compose(to: Address, message: Message, dedupe_id: str) -> Any:
    """Build the library's message.

    No Android collapse key: FCM keeps only four of them per offline phone and drops the others. The
    tag replaces a repetition, and an earlier message about the same, on the screen just as well.
    """
    from firebase_admin import messaging

    label = message.collapse or dedupe_id
    tag = label if len(label) <= 64 else hashlib.sha256(label.encode()).hexdigest()
    composed = messaging.Message(
        notification=messaging.Notification(title=message.title, body=message.body),
        data=message.data | {"dedupe_id": dedupe_id},
        android=messaging.AndroidConfig(priority="high", ttl=_KEPT_FOR, notification=messaging.AndroidNotification(tag=tag)),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": tag}),
        webpush=messaging.WebpushConfig(
            headers={"TTL": str(int(_KEPT_FOR.total_seconds()))}, notification=messaging.WebpushNotification(tag=tag)
        ),
    )
    if to.kind == "fid":
        composed.fid = to.value
    else:
        # Not by the constructor: it warns that tokens are going away, but today's phones still have them.
        composed.token = to.value
    return composed
