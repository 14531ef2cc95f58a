"""A device that a customer brings in: prepared by the office with a code, claimed by the customer's person for an own asset.

The secret goes into the device when it is prepared, the code onto its label. Until it is claimed no broker knows it.
"""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.assets.credentials import broker_hash, token_hash
from app.assets.models import Asset, Device, DeviceClaim
from app.assets.operations import add_device, check_device
from app.core import history
from app.core.db import now
from app.core.errors import FieldsInvalid, Invalid, TooMany
from app.users import secrets, tries
from app.users.rights import Actor

_CODE_BYTES = 10  # 80 bits, 16 letters of base32
_TRIES = 10
_KEPT = timedelta(days=30)


class Prepared(NamedTuple):
    """A device to be claimed; secret and code are shown this once."""

    claim: DeviceClaim
    secret: str
    code: str


def prepare_device(session: Session, actor: Actor, values: dict[str, Any], valid_for: timedelta) -> Prepared:
    """Prepare a device that a customer will claim.

    Args:
        values: profile_id, and optionally id, address, shard.
        valid_for: how long the code can be used, from now on.

    Raises:
        FieldsInvalid: ``already_exists`` or ``unknown_reference``.
    """
    profile, device_id, address = check_device(session, values)
    waiting = select(DeviceClaim).where(DeviceClaim.claimed_at.is_(None), DeviceClaim.expires_at > now(session))
    if session.get(DeviceClaim, device_id):
        raise FieldsInvalid({"id": ["already_exists"]})
    if session.scalar(waiting.where(DeviceClaim.profile_id == profile.id, DeviceClaim.address == address).limit(1)):
        raise FieldsInvalid({"address": ["already_exists"]})
    secret, code = secrets.random_token(), base64.b32encode(os.urandom(_CODE_BYTES)).decode()
    claim = DeviceClaim(
        id=device_id,
        profile_id=profile.id,
        address=address,
        shard=values.get("shard", 0),
        secret_hash=broker_hash(secret),
        token_hash=token_hash(profile.adapter, secret),
        code_hash=secrets.token_hash(code),
        prepared_at=now(session),
        expires_at=now(session) + valid_for,
    )
    session.add(claim)
    session.flush()
    history.record(
        session,
        "device.prepared",
        history.Subject("device", device_id),
        actor_id=actor.id,
        until=claim.expires_at.isoformat(),
    )
    return Prepared(claim, secret, code)


def claim_device(session: Session, actor: Actor, asset: Asset, code: str) -> Device:
    """Register the device a code belongs to in an asset the actor may see. A code is used once.

    Unknown, used and expired codes get the same answer.

    Args:
        code: from the label; case, blanks and hyphens do not matter.

    Raises:
        Invalid: ``claim_invalid``; its trace counts the failure.
        TooMany: ``too_many_requests`` after 10 wrong codes of a person, for a minute and longer.
    """
    tried = tries.subject_of("device-claim", actor.id)
    if tries.locked_until(session, tried):
        raise TooMany("too_many_requests", retry_after_s=60)
    plain = "".join(code.upper().replace("-", "").split())
    present = now(session)
    claim = session.scalar(select(DeviceClaim).where(DeviceClaim.code_hash == secrets.token_hash(plain)))
    if claim is None or not _use(session, claim, actor, present):
        raise Invalid("claim_invalid", trace=lambda own: _refuse(own, actor, tried))
    values = {"id": claim.id, "profile_id": claim.profile_id, "address": claim.address}
    profile, device_id, address = check_device(session, values)
    about = history.Subject("device", device_id)
    prepared = history.last_entry(session, about, "device.prepared")
    claimed = history.record(session, "device.claimed", about, causes=[prepared], actor_id=actor.id, asset_id=asset.id)
    device = Device(
        id=device_id,
        adapter=profile.adapter,
        address=address,
        profile_id=profile.id,
        asset_id=asset.id,
        installed_at=present,
        shard=claim.shard,
        secret_hash=claim.secret_hash,
        token_hash=claim.token_hash,
    )
    return add_device(session, actor, device, causes=[claimed])


def purge_claims(session: Session) -> None:
    """Delete claims that were used, or whose time was over, more than 30 days ago.

    Their codes get the answer of unknown ones, as before. Who claimed which device is in the causal log, which stays.
    """
    past = now(session) - _KEPT
    session.execute(delete(DeviceClaim).where(or_(DeviceClaim.claimed_at < past, DeviceClaim.expires_at < past)))


def _use(session: Session, claim: DeviceClaim, actor: Actor, present: datetime) -> bool:
    """Use a code up, guarded in SQL: of two racing callers one gets the device."""
    used = session.execute(
        update(DeviceClaim)
        .where(DeviceClaim.id == claim.id, DeviceClaim.claimed_at.is_(None), DeviceClaim.expires_at > present)
        .values(claimed_at=present, claimed_by=actor.id)
        .execution_options(synchronize_session=False)
    )
    return bool(used.rowcount == 1)  # type: ignore[attr-defined]


def _refuse(session: Session, actor: Actor, tried: str) -> None:
    tries.count_failure(session, tried, _TRIES)
    history.record(session, "device.claim_refused", history.Subject("user", actor.id), actor_id=actor.id)
