"""Who may sign in to the broker, and what each may say and hear there; whatever form a broker takes it in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.assets.credentials import valid_credentials
from app.assets.mappings import ADAPTERS, FILTERS_OF, filter_of, fits_topics, is_level, topic_of
from app.assets.models import Device, DeviceProfile
from app.core.db import now
from app.core.logs import get_log
from app.core.settings import Settings
from app.core.wire import ID_PATTERN

log = get_log(__name__)

INGEST_CLIENT = "fieldloop-ingest-"
# Who tells the broker of changes, see iot.dynsec.
KEEPER = "fieldloop-keeper"
# What the devices behind a ThingsBoard gateway are asked and told. It hears what it says there itself, too: MQTT 3.1.1 has no
# "no local".
_GATEWAY_HEARS = ("v1/gateway/rpc", "v1/gateway/attributes")
_NODE_TELLS = ("BIRTH", "DATA", "DEATH")
_HASH = re.compile(r"\$7\$[1-9][0-9]{0,8}\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==")


class Account(NamedTuple):
    """One user name of one active device, as it is valid now. ``until``: of an old secret, when it ends."""

    username: str
    secret_hash: str
    until: datetime | None
    id: str
    adapter: str
    address: str
    gateway: bool
    mapping: dict[str, Any] | None


class Right(NamedTuple):
    """May publish to, or read from, the topics of a filter."""

    may: Literal["write", "read"]
    topic: str


def accounts(settings: Settings, session: Session) -> list[Account]:
    """Return the accounts of all active devices. One that no broker could be told of safely is left out, with a warning."""
    usable = []
    for device, mapping in session.execute(_active().order_by(Device.id)):
        for account in _accounts_of(device, mapping, now(session)):
            if fault := _fault(settings, account):
                log.warning("device_left_out_of_broker", device_id=account.id, reason=fault)
            else:
                usable.append(account)
    return usable


def account_named(settings: Settings, session: Session, username: str) -> Account | None:
    """Return the account a user name belongs to at this moment, or None."""
    row = session.execute(_active().where(Device.id == username.removesuffix("~2"))).first()
    if row is None:
        return None
    device, mapping = row
    found = [account for account in _accounts_of(device, mapping, now(session)) if account.username == username]
    return found[0] if found and not _fault(settings, found[0]) else None


def _active() -> Select[Device, dict[str, Any] | None]:
    return (
        select(Device, DeviceProfile.mapping)
        .outerjoin(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .where(Device.state == "active", Device.deleted_at.is_(None), Device.adapter.in_(ADAPTERS))
    )


def _accounts_of(device: Device, mapping: dict[str, Any] | None, at: datetime) -> list[Account]:
    """Return the accounts of one device, the newest first."""
    return [
        Account(*credential, device.id, device.adapter, device.address, device.gateway, mapping)
        for credential in valid_credentials(device, at)
    ]


def _fault(settings: Settings, account: Account) -> str:
    """Name what makes a device unfit for the files: a line break in them would be a right of its own."""
    if not ID_PATTERN.fullmatch(account.id):
        return "id"
    # As a client id (use_username_as_clientid) it would take over the ingest's session.
    if account.id in {settings.mqtt_username, KEEPER} or account.id.startswith(INGEST_CLIENT):
        return "reserved"
    # Mosquitto lets a user without a hash in with any password.
    if not _HASH.fullmatch(account.secret_hash):
        return "hash"
    if not fits_topics(account.adapter, account.address):
        return "address"
    if account.adapter == "mapped" and not (account.mapping and is_level(account.address.rpartition("/")[2])):
        return "address"
    return ""


def own_rights(device_id: str) -> list[Right]:
    """Return what every device may: speak below its own id, hear what it is asked, and what it is to be set to.

    The shard is checked by the ingest.
    """
    own = f"devices/+/{device_id}"
    return [Right("write", f"{own}/#"), Right("read", f"{own}/commands/#"), Right("read", f"{own}/settings")]


def further_rights(account: Account) -> list[Right]:
    """Return what a device of another maker may do beside what every device may."""
    if account.adapter == "ovms":
        return [Right("write", f"ovms/{account.address}/#"), Right("read", f"ovms/{account.address}/client/#")]
    if account.adapter == "sparkplug":
        return _rights_of_node(account)
    if account.gateway and account.adapter in FILTERS_OF:
        heard = _GATEWAY_HEARS if account.adapter == "thingsboard" else ()
        return [Right("write", topic) for topic in FILTERS_OF[account.adapter]] + [Right("read", topic) for topic in heard]
    if account.adapter == "teslamate":
        namespace, _, car = account.address.rpartition("/")
        return [Right("write", f"teslamate/{namespace + '/' if namespace else ''}cars/{car}/+")]
    if account.adapter == "mapped" and account.mapping:
        pattern = account.mapping["topic"]
        return [Right("write", filter_of(pattern) if account.gateway else topic_of(pattern, account.address))]
    return []


def _rights_of_node(account: Account) -> list[Right]:
    """Return what a Sparkplug node may do, or a gateway for every node: tell and be asked, never ask. A device has its node."""
    levels = ["+", "+"] if account.gateway else account.address.split("/")
    if len(levels) != 2:
        return []
    group, node = levels
    told = [f"spBv1.0/{group}/N{kind}/{node}" for kind in _NODE_TELLS]
    told += [f"spBv1.0/{group}/D{kind}/{node}/+" for kind in _NODE_TELLS]
    asked = (f"spBv1.0/{group}/NCMD/{node}", f"spBv1.0/{group}/DCMD/{node}/+", "spBv1.0/STATE/+")
    return [Right("write", topic) for topic in told] + [Right("read", topic) for topic in asked]


def ingest_rights(filters: Iterable[str]) -> list[Right]:
    """Return what the ingest may: hear all devices, ask them, and set them.

    Args:
        filters: of other makers' devices, see ``iot.subscriptions``.
    """
    heard = ["devices/#", "ovms/#", "$SYS/#", *sorted(filters)]
    asked = ("devices/+/+/commands/#", "devices/+/+/settings", "ovms/+/+/client/#", "spBv1.0/+/NCMD/+", *_GATEWAY_HEARS)
    return [Right("read", topic) for topic in heard] + [Right("write", topic) for topic in asked]
