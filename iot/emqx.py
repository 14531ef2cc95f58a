"""What EMQX asks us when a client signs in: may it, and what may it say and hear.

Source: EMQX 5.8, "HTTP authentication" and "access control list in authentication": a refusal is an answer of 200 with
``deny``, since any other status makes EMQX ask the next authenticator.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from app.assets.credentials import NO_HASH, secret_fits
from app.core.clock import to_ms
from app.core.db import Database
from app.core.errors import Unauthenticated
from app.core.settings import Settings
from app.core.wire import WireError, parse_json
from app.users import tries
from iot import access, subscriptions
from iot.access import Right

DENY: dict[str, Any] = {"result": "deny", "is_superuser": False}
_TRIES = 10
_ACTION = {"write": "publish", "read": "subscribe"}


class Asked(msgspec.Struct):
    """Who wants to sign in, as the template in EMQX's configuration puts it."""

    username: str
    password: str
    clientid: str
    peerhost: str


def authenticate(database: Database, settings: Settings, token: str, body: bytes) -> dict[str, Any]:
    """Answer EMQX. Everything that is not a valid account with its own client id is refused, whatever the body holds.

    Failures are counted for each user name from each address; after 10 they are refused unseen for a minute and longer. So
    nobody elsewhere can lock a device out.

    Args:
        token: what the broker shows to be ours.
        body: an object with the fields of ``Asked``.

    Raises:
        Unauthenticated: ``unauthenticated`` when the token is not the one in the settings, or none is set.
    """
    if not settings.emqx_token or not hmac.compare_digest(token.encode(errors="replace"), settings.emqx_token.encode()):
        raise Unauthenticated("unauthenticated")
    try:
        asked = msgspec.convert(parse_json(body), Asked)
    except (WireError, msgspec.ValidationError):
        return DENY
    tried = tries.subject_of("broker", asked.username, asked.peerhost)
    with database.reading() as session:
        if tries.locked_until(session, tried):
            return DENY
        allowed = _ingest(settings, session, asked) or _device(settings, session, asked)
    if allowed is None:
        with database.transaction() as session:
            tries.count_failure(session, tried, _TRIES)
    return allowed or DENY


def _ingest(settings: Settings, session: Session, asked: Asked) -> dict[str, Any] | None:
    fits = hmac.compare_digest(asked.password.encode(errors="replace"), settings.mqtt_password.encode())
    if not (settings.mqtt_password and fits and asked.username == settings.mqtt_username):
        return None
    if not asked.clientid.startswith(access.INGEST_CLIENT):
        return None
    return _allow(access.ingest_rights(subscriptions.wanted(session)), {"role": "ingest"})


def _device(settings: Settings, session: Session, asked: Asked) -> dict[str, Any] | None:
    account = access.account_named(settings, session, asked.username)
    fits = secret_fits(account.secret_hash if account else NO_HASH, asked.password)
    # With another's client id it would end that one's session.
    if account is None or not fits or asked.clientid != account.username:
        return None
    rights = access.own_rights(account.id) + access.further_rights(account)
    answer = _allow(rights, {"role": "device", "device": account.id})
    if account.until is not None:
        answer["expire_at"] = to_ms(account.until) // 1000
    return answer


def _allow(rights: list[Right], attributes: dict[str, str]) -> dict[str, Any]:
    acl = [{"permission": "allow", "action": _ACTION[may], "topic": topic} for may, topic in rights]
    acl.append({"permission": "deny", "action": "all", "topic": "#"})
    return {"result": "allow", "is_superuser": False, "client_attrs": attributes, "acl": acl}
