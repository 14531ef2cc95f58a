"""A device's credentials: a user name and a secret, of which hashes are kept; given, renewed, rotated, ended.

A password file of Mosquitto holds one hash for each user name. So a device has two names that take turns: its id, and its id
with ``~2`` behind it. A rotation gives a new secret under the other name, and the old pair stays valid for a while.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.core import history
from app.core.db import now
from app.core.errors import Conflict
from app.core.tracked import hold, touch
from app.users import secrets
from app.users.rights import Actor

_ROUNDS = 101
_SALT_BYTES, _DIGEST_BYTES = 12, 64
_AT_ONCE = 200
# Of nothing: compared with where there is no hash, so that the time taken does not tell whether there is one.
NO_HASH = f"$7${_ROUNDS}${'A' * 16}${'A' * 86}=="


class Credential(NamedTuple):
    """A user name that is valid now, the hash of its secret, and when it ends, if it does."""

    username: str
    secret_hash: str
    until: datetime | None


def broker_hash(secret: str) -> str:
    """Return the hash of a device's secret in the form Mosquitto's password file takes.

    Source: mosquitto_passwd(1), ``$7$iterations$salt$hash``: PBKDF2-HMAC-SHA-512, 64 bytes. The
    secret has 256 random bits, so few rounds are enough.
    """
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _ROUNDS, _DIGEST_BYTES)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def token_hash(adapter: str, secret: str) -> str | None:
    """Return what a secret is found by, for the convention whose devices bring it in a URL. It has 256 random bits."""
    return secrets.token_hash(secret) if adapter == "thingsboard" else None


def secret_fits(secret_hash: str, secret: str) -> bool:
    """Tell whether a secret has this hash of ``broker_hash``'s; the comparison takes the same time for every wrong one."""
    parts = secret_hash.split("$")
    if len(parts) != 5 or not parts[2].isdigit():
        return False
    salt, kept = base64.b64decode(parts[3]), base64.b64decode(parts[4])
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(errors="replace"), salt, int(parts[2]), len(kept) or 1)
    return hmac.compare_digest(digest, kept)


def valid_credentials(device: Device, at: datetime) -> Iterator[Credential]:
    """Yield what an active device may sign in with at an instant, the newest first; nothing for a revoked one."""
    if device.state != "active" or device.deleted_at is not None:
        return
    yield Credential(device.username, device.secret_hash, None)
    if device.old_secret_until is not None and device.old_secret_until > at:
        yield Credential(device.old_username, device.old_secret_hash, device.old_secret_until)


def renew_secret(session: Session, actor: Actor, device: Device) -> str:
    """Give a device a new secret under the same user name and return it; all old ones end as soon as the broker knows.

    Raises:
        Conflict: ``state_conflict`` for a revoked device: no broker would take it.
    """
    device = _hold_active(session, device)
    secret = secrets.random_token()
    device.secret_hash = broker_hash(secret)
    device.token_hash = token_hash(device.adapter, secret)
    _forget_old(device)
    touch(session, device)
    history.record(session, "device.secret_renewed", history.Subject("device", device.id), actor_id=actor.id)
    return secret


def rotate_secret(session: Session, actor: Actor, device: Device, overlap: timedelta) -> str:
    """Give a device a new secret under its other user name and return it; the present pair stays valid for ``overlap``.

    At most two pairs are valid: one that was still in its overlap ends now.

    Raises:
        Conflict: ``state_conflict`` for a revoked device.
    """
    device = _hold_active(session, device)
    secret = secrets.random_token()
    until = now(session) + overlap
    _forget_old(device)
    if overlap:
        device.old_secret_hash, device.old_token_hash, device.old_secret_until = device.secret_hash, device.token_hash, until
    device.secret_hash = broker_hash(secret)
    device.token_hash = token_hash(device.adapter, secret)
    device.secret_no = 3 - device.secret_no
    touch(session, device)
    about = history.Subject("device", device.id)
    history.record(session, "device.secret_rotated", about, actor_id=actor.id, until=until.isoformat())
    return secret


def end_old_secrets(session: Session) -> int:
    """Forget the old secrets whose overlap is over; return how many. They are refused from that instant on in any case."""
    over = select(Device).where(Device.old_secret_until <= now(session)).order_by(Device.id).limit(_AT_ONCE)
    ended = session.scalars(over.with_for_update(skip_locked=True)).all()
    for device in ended:
        about = history.Subject("device", device.id)
        rotated = history.last_entry(session, about, "device.secret_rotated")
        _forget_old(device)
        touch(session, device)
        history.record(session, "device.old_secret_ended", about, causes=[rotated])
    return len(ended)


def _hold_active(session: Session, device: Device) -> Device:
    device = hold(session, Device, device.id)
    if device.state != "active":
        raise Conflict("state_conflict", state=device.state, wanted="active")
    return device


def _forget_old(device: Device) -> None:
    device.old_secret_hash, device.old_token_hash, device.old_secret_until = "", None, None
