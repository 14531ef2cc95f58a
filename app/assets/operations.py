"""Verbs on assets, components and devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.assets import device_settings, mappings
from app.assets.credentials import broker_hash, token_hash
from app.assets.finding import keep_findable
from app.assets.models import Asset, Component, Device, DeviceProfile, Fitting
from app.core import history
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.ids import new_id
from app.core.tracked import add, hold, touch, transition
from app.customers import queries as customers
from app.customers.models import Customer, Site
from app.users import secrets
from app.users.rights import Actor

_AHEAD = timedelta(minutes=5)
_LONGEST_ADDRESS = 120


def create_asset(session: Session, actor: Actor, values: dict[str, Any]) -> Asset:
    """Add an asset at a site of a customer the actor may see.

    Args:
        values: serial, model, customer_id, site_id, and optionally id and warranty_until.

    Raises:
        FieldsInvalid: ``already_exists`` or ``unknown_reference``.
    """
    faults: dict[str, list[str]] = {}
    if session.scalar(select(Asset).where(Asset.serial == values["serial"])):
        faults["serial"] = ["already_exists"]
    if values.get("id") and session.get(Asset, values["id"]):
        faults["id"] = ["already_exists"]
    if not session.scalar(customers.visible_to(actor).where(Customer.id == values["customer_id"])):
        faults["customer_id"] = ["unknown_reference"]
    site = session.scalar(customers.visible_sites(actor).where(Site.id == values["site_id"]))
    if site is None or site.customer_id != values["customer_id"]:
        faults["site_id"] = ["unknown_reference"]
    if faults:
        raise FieldsInvalid(faults)
    asset = add(session, Asset(**values))
    history.record(session, "asset.created", history.Subject("asset", asset.id), actor_id=actor.id)
    keep_findable(session, asset)
    return asset


def edit_asset(session: Session, actor: Actor, asset: Asset, changes: dict[str, Any]) -> Asset:
    """Edit model, warranty or limits of an asset. Levels of rules are judged anew at its next reading."""
    _change(session, asset, changes)
    keep_findable(session, asset)
    about = history.Subject("asset", asset.id)
    before = history.last_entry(session, about)
    history.record(session, "asset.edited", about, causes=[before], actor_id=actor.id, fields=sorted(changes))
    return asset


def edit_profile(session: Session, actor: Actor, profile: DeviceProfile, changes: dict[str, Any]) -> DeviceProfile:
    """Edit a device profile: what its devices send from now on is read by it; what is stored stays as it was read.

    Raises:
        FieldsInvalid: as ``create_profile``.
    """
    after = {"mapping": profile.mapping, "metrics": profile.metrics, "settings": profile.settings} | changes
    check_reading(profile.adapter, after["mapping"], after["metrics"])
    device_settings.check_adapter(profile.adapter, after["settings"], "settings")
    _check_own_topics(session, profile.id, after["mapping"])
    if not device_settings.are_same(after["settings"], profile.settings):
        profile.settings_no += 1
    _change(session, profile, changes)
    about = history.Subject("device_profile", profile.id)
    before = history.last_entry(session, about)
    history.record(session, "device_profile.edited", about, causes=[before], actor_id=actor.id, fields=sorted(changes))
    return profile


def _change(session: Session, row: Asset | DeviceProfile, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    touch(session, row)


def create_component(session: Session, actor: Actor, values: dict[str, Any]) -> Component:
    """Add a component: serial, kind, part_no, and optionally id and warranty_until.

    Raises:
        FieldsInvalid: ``already_exists``.
    """
    if session.scalar(select(Component).where(Component.serial == values["serial"])):
        raise FieldsInvalid({"serial": ["already_exists"]})
    if values.get("id") and session.get(Component, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    component = add(session, Component(**values))
    history.record(session, "component.created", history.Subject("component", component.id), actor_id=actor.id)
    return component


def check_fitted_at(session: Session, at: datetime) -> None:
    """Refuse an instant more than 5 minutes ahead of our clock: nothing could be fitted until then.

    Raises:
        FieldsInvalid: ``in_future``.
    """
    if at > now(session) + _AHEAD:
        raise FieldsInvalid({"fitted_at": ["in_future"]})


def fit_component(
    session: Session,
    actor: Actor,
    asset: Asset,
    component: Component,
    at: datetime,
    causes: tuple[history.HistoryEntry | None, ...] = (),
) -> Fitting:
    """Record that a component went into an asset at an instant; one of the same kind in there came out then.

    The old one's alarms end with that fact: the ingest reads it, nobody here calls up.

    Raises:
        FieldsInvalid: ``in_future`` for an instant more than 5 minutes ahead of our clock.
        Conflict: ``overlap`` when the component is in an asset at that instant, or a later fitting is recorded
            for it, or for another of its kind in this asset.
    """
    check_fitted_at(session, at)
    clash = session.scalar(
        select(Fitting)
        .where(
            Fitting.component_id == component.id,
            Fitting.deleted_at.is_(None),
            or_(Fitting.removed_at.is_(None), Fitting.removed_at > at),
        )
        .limit(1)
    )
    if clash is not None:
        raise Conflict("overlap")
    earlier = session.scalars(
        select(Fitting)
        .join(Component, Component.id == Fitting.component_id)
        .where(
            Fitting.asset_id == asset.id,
            Component.kind == component.kind,
            Fitting.removed_at.is_(None),
            Fitting.deleted_at.is_(None),
        )
        .with_for_update()
    ).all()
    removed = []
    for fitting in earlier:
        if fitting.fitted_at >= at:
            raise Conflict("overlap")
        fitting.removed_at = at
        touch(session, fitting)
        removed.append(
            history.record(
                session,
                "component.removed",
                history.Subject("component", fitting.component_id),
                causes=causes,
                actor_id=actor.id,
                occurred_at=at,
                asset_id=asset.id,
                replaced_by=component.serial,
            )
        )
    fitting = add(session, Fitting(component_id=component.id, asset_id=asset.id, fitted_at=at, removed_at=None))
    history.record(
        session,
        "component.fitted",
        history.Subject("component", component.id),
        causes=(*causes, *removed),
        actor_id=actor.id,
        occurred_at=at,
        asset_id=asset.id,
        serial=component.serial,
    )
    return fitting


def undo_fitting(session: Session, actor: Actor, fitting: Fitting, reason: str) -> Fitting:
    """Take back a fitting that was recorded wrongly; the component that came out by it is in the asset again.

    The other one stays out when it was fitted anywhere since. What is fitted is a later fact than an order that was
    finished by it, so that order stays finished.

    Raises:
        Conflict: ``fitting_ended`` when the component was taken out of the asset since.
    """
    fitting = hold(session, Fitting, fitting.id)
    if fitting.removed_at is not None:
        raise Conflict("fitting_ended")
    component = session.get_one(Component, fitting.component_id)
    about = history.Subject("component", component.id)
    fitting.deleted_at = now(session)
    touch(session, fitting)
    undone = history.record(
        session,
        "component.fitting_undone",
        about,
        causes=[history.last_entry(session, about, "component.fitted")],
        actor_id=actor.id,
        asset_id=fitting.asset_id,
        serial=component.serial,
        fitted_at=fitting.fitted_at.isoformat(),
        reason=reason,
    )
    before = _replaced_by(session, fitting, component.kind)
    if before is not None:
        before.removed_at = None
        touch(session, before)
        history.record(
            session,
            "component.put_back",
            history.Subject("component", before.component_id),
            causes=[undone],
            actor_id=actor.id,
            asset_id=fitting.asset_id,
            serial=component.serial,
        )
    return fitting


def _replaced_by(session: Session, fitting: Fitting, kind: str) -> Fitting | None:
    """Return the fitting that ended by another one, unless its component was fitted again since."""
    before = session.scalar(
        select(Fitting)
        .join(Component, Component.id == Fitting.component_id)
        .where(
            Fitting.asset_id == fitting.asset_id,
            Component.kind == kind,
            Fitting.removed_at == fitting.fitted_at,
            Fitting.deleted_at.is_(None),
        )
        .with_for_update(of=Fitting)
    )
    if before is None:
        return None
    again = select(Fitting.id).where(
        Fitting.component_id == before.component_id, Fitting.fitted_at >= fitting.fitted_at, Fitting.deleted_at.is_(None)
    )
    return None if session.scalar(again.limit(1)) else before


def create_profile(session: Session, actor: Actor, values: dict[str, Any]) -> DeviceProfile:
    """Add a device profile.

    Raises:
        FieldsInvalid: ``already_exists``; or a fault of ``mappings.find_faults``; or ``pattern_taken`` where a topic could
            fit another profile's pattern, too.
    """
    if session.scalar(select(DeviceProfile).where(DeviceProfile.code == values["code"])):
        raise FieldsInvalid({"code": ["already_exists"]})
    check_reading(values["adapter"], values.get("mapping"), values["metrics"])
    _check_own_topics(session, None, values.get("mapping"))
    settings = values.get("settings", {})
    device_settings.check_adapter(values["adapter"], settings, "settings")
    profile = add(session, DeviceProfile(**values, settings_no=1 if settings else 0))
    history.record(session, "device_profile.created", history.Subject("device_profile", profile.id), actor_id=actor.id)
    return profile


def check_reading(adapter: str, mapping: dict[str, Any] | None, metrics: dict[str, Any]) -> None:
    """Refuse a profile whose way of reading messages makes no sense.

    Raises:
        FieldsInvalid: the faults of ``mappings.find_faults``.
    """
    if faults := mappings.find_faults(adapter, mapping, metrics):
        raise FieldsInvalid(faults)


def _check_own_topics(session: Session, profile_id: str | None, mapping: dict[str, Any] | None) -> None:
    """Refuse a pattern that shares topics with another profile's: each message is read in one way."""
    if mapping is None:
        return
    others = select(DeviceProfile.mapping).where(
        DeviceProfile.adapter == "mapped", DeviceProfile.deleted_at.is_(None), DeviceProfile.id != (profile_id or "")
    )
    if mappings.first_overlap(mapping["topic"], [other["topic"] for other in session.scalars(others) if other]):
        raise FieldsInvalid({"mapping.topic": ["pattern_taken"]})


def create_device(session: Session, actor: Actor, asset: Asset, values: dict[str, Any]) -> tuple[Device, str]:
    """Register a device in an asset.

    Args:
        values: profile_id, and optionally id, address, shard, installed_at, gateway.

    Returns:
        The device and its secret for the broker, which is shown this once.

    Raises:
        FieldsInvalid: ``already_exists`` or ``unknown_reference``.
    """
    profile, device_id, address = check_device(session, values)
    secret = secrets.random_token()
    device = Device(
        id=device_id,
        adapter=profile.adapter,
        address=address,
        profile_id=profile.id,
        asset_id=asset.id,
        installed_at=values.get("installed_at") or now(session),
        shard=values.get("shard", 0),
        secret_hash=broker_hash(secret),
        token_hash=token_hash(profile.adapter, secret),
        gateway=values.get("gateway", False),
    )
    return add_device(session, actor, device), secret


def check_device(session: Session, values: dict[str, Any]) -> tuple[DeviceProfile, str, str]:
    """Return the profile, the id and the address of a device to be.

    Args:
        values: profile_id, and optionally id and address.

    Raises:
        FieldsInvalid: ``already_exists``, ``unknown_reference`` or ``native_address``, or a fault of the address.
    """
    profile = session.get(DeviceProfile, values["profile_id"])
    if profile is None:
        raise FieldsInvalid({"profile_id": ["unknown_reference"]})
    device_id = values.get("id") or new_id()
    address = _address(profile, values.get("address"), device_id)
    if profile.adapter == "native" and address != device_id:
        raise FieldsInvalid({"address": ["native_address"]})
    if session.get(Device, device_id):
        raise FieldsInvalid({"id": ["already_exists"]})
    if session.scalar(select(Device).where(Device.adapter == profile.adapter, Device.address == address)):
        raise FieldsInvalid({"address": ["already_exists"]})
    return profile, device_id, address


def add_device(session: Session, actor: Actor, device: Device, causes: Sequence[history.HistoryEntry | None] = ()) -> Device:
    """Add a device that was checked."""
    add(session, device)
    about = history.Subject("device", device.id)
    history.record(session, "device.registered", about, causes=causes, actor_id=actor.id, asset_id=device.asset_id)
    return device


def _address(profile: DeviceProfile, given: str | None, device_id: str) -> str:
    """Return what a device is known by in topics; with the profile's code before it where the profile says which topics.

    Raises:
        FieldsInvalid: ``invalid``, ``node_address``, ``topic_address`` or ``too_long``.
    """
    address = given or device_id
    if not mappings.fits_topics(profile.adapter, address):
        raise FieldsInvalid({"address": ["node_address" if profile.adapter == "sparkplug" else "topic_address"]})
    if profile.adapter != "mapped":
        return address
    level = address.removeprefix(f"{profile.code}/")
    if not mappings.is_level(level):
        raise FieldsInvalid({"address": ["invalid"]})
    address = f"{profile.code}/{level}"
    if len(address) > _LONGEST_ADDRESS:
        raise FieldsInvalid({"address": ["too_long"]})
    return address


def revoke_device(session: Session, actor: Actor, device: Device) -> Device:
    """Refuse everything the device sends from now on, and every secret it has.

    Raises:
        Conflict: ``state_conflict`` when it is revoked already.
    """
    transition(session, device, "revoked")
    history.record(session, "device.revoked", history.Subject("device", device.id), actor_id=actor.id)
    return device
