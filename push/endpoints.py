"""Addresses that browsers hand us: which services they may name, and whether their keys are keys."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

from app.core.settings import Settings
from app.users.secrets import is_p256_point

# What the makers of the browsers document: Chrome and Edge on Android, Firefox, Safari, Edge on Windows.
_KNOWN_HOSTS = ("fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com")
_KNOWN_DOMAINS = (".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com")


def is_allowed(endpoint: str, settings: Settings) -> bool:
    """Tell whether messages may be sent to an endpoint.

    Anybody who is signed in may name one, and our server calls it: only known services and those that the operator
    names are called, so that nobody has it call into the network it stands in.
    """
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    if not endpoint.isascii() or any(not letter.isprintable() or letter in " \\" for letter in endpoint) or "@" in parts.netloc:
        return False
    host = parts.hostname or ""
    if f"{parts.scheme}://{parts.netloc.lower()}" in settings.web_push_services:
        return True
    known = host in _KNOWN_HOSTS or host.endswith(_KNOWN_DOMAINS)
    return parts.scheme == "https" and port in {None, 443} and known


def is_public_key(text: str) -> bool:
    """Tell whether a text is a point of P-256, as ``p256dh`` must be (RFC 8291, section 3.1)."""
    raw = _decoded(text)
    return raw is not None and is_p256_point(raw)


def is_auth_secret(text: str) -> bool:
    """Tell whether a text is an authentication secret of 16 bytes (RFC 8291, section 3.2)."""
    raw = _decoded(text)
    return raw is not None and len(raw) == 16


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
