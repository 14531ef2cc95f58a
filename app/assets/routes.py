"""Assets, components and devices over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.assets import claims, credentials, device_settings, operations, placements, queries, schemas
from app.assets.mappings import telemetry_topic
from app.assets.models import Asset, Component, Device, DeviceClaim, DeviceProfile, FaultCode, Fitting, SettingsState
from app.core.errors import FieldsInvalid
from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.users.rights import Actor

routes = Routes("assets", __name__, description="Equipment, components, devices and device profiles")


@routes.door("GET", "/assets", policy="assets.read", query=schemas.AssetQuery, answer=page_of(schemas.AssetSchema))
def list_assets(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List assets."""
    assets = queries.visible_to(actor)
    if "customer_id" in query:
        assets = assets.where(Asset.customer_id == query["customer_id"])
    return page(session, assets, Asset, query)


@routes.door("POST", "/assets", policy="assets.write", body=schemas.AssetSchema, answer=schemas.AssetSchema, status=201)
def create_asset(session: Session, actor: Actor, body: dict[str, Any]) -> Asset:
    """Add an asset."""
    return operations.create_asset(session, actor, body)


@routes.door("PATCH", "/assets/<asset_id>", policy="assets.write", body=schemas.AssetEditSchema, answer=schemas.AssetSchema)
def edit_asset(session: Session, actor: Actor, body: dict[str, Any], asset_id: str) -> Asset:
    """Edit an asset: its model, its warranty, or levels of rules that are its own."""
    asset = queries.access_asset(session, actor, asset_id)
    check_version(asset)
    return operations.edit_asset(session, actor, asset, body)


@routes.door("GET", "/assets/<asset_id>", policy="assets.read", answer=schemas.AssetSchema)
def read_asset(session: Session, actor: Actor, asset_id: str) -> Asset:
    """Read one asset."""
    return queries.access_asset(session, actor, asset_id)


@routes.door("GET", "/assets/<asset_id>/fittings", policy="assets.read", query=PageQuery, answer=page_of(schemas.FittingSchema))
def list_fittings(session: Session, actor: Actor, query: dict[str, Any], asset_id: str) -> dict[str, Any]:
    """List what was fitted to an asset, and from when to when."""
    asset = queries.access_asset(session, actor, asset_id)
    return page(session, queries.fittings_in(asset.id), Fitting, query)


@routes.door(
    "POST",
    "/assets/<asset_id>/fittings",
    policy="components.fit",
    body=schemas.FittingSchema,
    answer=schemas.FittingSchema,
    status=201,
)
def fit_component(session: Session, actor: Actor, body: dict[str, Any], asset_id: str) -> Fitting:
    """Record that a component went into an asset; what it replaces came out at that instant.

    A station fits by finishing its task.
    """
    asset = queries.access_asset(session, actor, asset_id)
    component = session.scalar(queries.visible_components(actor).where(Component.id == body["component_id"]))
    if component is None:
        raise FieldsInvalid({"component_id": ["unknown_reference"]})
    return operations.fit_component(session, actor, asset, component, body["fitted_at"])


@routes.door(
    "POST",
    "/fittings/<fitting_id>/undo",
    policy="components.fit",
    body=schemas.UndoSchema,
    answer=schemas.FittingSchema,
)
def undo_fitting(session: Session, actor: Actor, body: dict[str, Any], fitting_id: str) -> Fitting:
    """Take back a fitting that was recorded wrongly: the component is a spare one again, what it replaced is back.

    Only while the component is in there. Alarms follow with the next reading.
    """
    return operations.undo_fitting(session, actor, queries.access_fitting(session, actor, fitting_id), body["reason"])


@routes.door(
    "GET", "/assets/<asset_id>/fault-codes", policy="assets.read", query=PageQuery, answer=page_of(schemas.FaultCodeSchema)
)
def list_fault_codes(session: Session, actor: Actor, query: dict[str, Any], asset_id: str) -> dict[str, Any]:
    """List the fault codes an asset reported."""
    asset = queries.access_asset(session, actor, asset_id)
    return page(session, queries.visible_fault_codes(actor, asset.id), FaultCode, query)


@routes.door("GET", "/components", policy="assets.read", query=PageQuery, answer=page_of(schemas.ComponentSchema))
def list_components(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List components."""
    return page(session, queries.visible_components(actor), Component, query)


@routes.door(
    "POST", "/components", policy="components.register", body=schemas.ComponentSchema, answer=schemas.ComponentSchema, status=201
)
def create_component(session: Session, actor: Actor, body: dict[str, Any]) -> Component:
    """Add a component."""
    return operations.create_component(session, actor, body)


@routes.door("GET", "/device-profiles", policy="devices.read", query=PageQuery, answer=page_of(schemas.ProfileSchema))
def list_profiles(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List device profiles."""
    return page(session, queries.profiles(), DeviceProfile, query)


@routes.door(
    "POST", "/device-profiles", policy="devices.manage", body=schemas.ProfileSchema, answer=schemas.ProfileSchema, status=201
)
def create_profile(session: Session, actor: Actor, body: dict[str, Any]) -> DeviceProfile:
    """Add a device profile."""
    return operations.create_profile(session, actor, body)


@routes.door(
    "PATCH",
    "/device-profiles/<profile_id>",
    policy="devices.manage",
    body=schemas.ProfileEditSchema,
    answer=schemas.ProfileSchema,
)
def edit_profile(session: Session, actor: Actor, body: dict[str, Any], profile_id: str) -> DeviceProfile:
    """Edit a device profile. What devices send from now on is read by it."""
    profile = queries.access_profile(session, profile_id)
    check_version(profile)
    return operations.edit_profile(session, actor, profile, body)


@routes.door("GET", "/devices", policy="devices.read", query=schemas.DeviceQuery, answer=page_of(schemas.DeviceSchema))
def list_devices(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List devices; with ``settings=behind`` those that have not taken over what they are to be set to."""
    if "settings" in query:
        return page(session, queries.devices_by_settings(actor, behind=query["settings"] == "behind"), Device, query)
    return page(session, queries.visible_devices(actor), Device, query)


@routes.door(
    "POST",
    "/assets/<asset_id>/devices",
    policy="devices.manage",
    body=schemas.DeviceSchema,
    answer=schemas.DeviceWithSecretSchema,
    status=201,
    idempotent=False,
)
def create_device(session: Session, actor: Actor, body: dict[str, Any], asset_id: str) -> dict[str, Any]:
    """Register a device; the answer shows its broker secret this once."""
    asset = queries.access_asset(session, actor, asset_id)
    device, secret = operations.create_device(session, actor, asset, body)
    return _with_secret(session, device, secret)


@routes.door(
    "POST",
    "/device-claims",
    policy="devices.manage",
    body=schemas.PreparationSchema,
    answer=schemas.PreparedSchema,
    status=201,
    idempotent=False,
)
def prepare_device(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Prepare a device that a customer will claim; the answer shows its secret and the code this once."""
    valid_for = timedelta(days=body.pop("valid_days"))
    claim, secret, code = claims.prepare_device(session, actor, body, valid_for)
    return {
        "id": claim.id,
        "username": claim.id,
        "secret": secret,
        "topic": _topic(session, claim),
        "code": code,
        "expires_at": claim.expires_at,
    }


@routes.door(
    "POST",
    "/assets/<asset_id>/device-claims",
    policy="devices.claim",
    body=schemas.ClaimSchema,
    answer=schemas.DeviceSchema,
    status=201,
)
def claim_device(session: Session, actor: Actor, body: dict[str, Any], asset_id: str) -> Device:
    """Bring an own device into an own asset, by the code on its label. A code works once."""
    return claims.claim_device(session, actor, queries.access_asset(session, actor, asset_id), body["code"])


@routes.door("GET", "/devices/<device_id>", policy="devices.read", answer=schemas.DeviceSchema)
def read_device(session: Session, actor: Actor, device_id: str) -> Device:
    """Read one device."""
    return queries.access_device(session, actor, device_id)


@routes.door(
    "POST", "/devices/<device_id>/secret", policy="devices.manage", answer=schemas.DeviceWithSecretSchema, idempotent=False
)
def renew_secret(session: Session, actor: Actor, device_id: str) -> dict[str, Any]:
    """Give a device a new broker secret; the answer shows it this once. Older ones end within seconds."""
    device = queries.access_device(session, actor, device_id)
    return _with_secret(session, device, credentials.renew_secret(session, actor, device))


@routes.door(
    "POST",
    "/devices/<device_id>/secret-rotations",
    policy="devices.manage",
    body=schemas.RotationSchema,
    answer=schemas.DeviceWithSecretSchema,
    idempotent=False,
)
def rotate_secret(session: Session, actor: Actor, body: dict[str, Any], device_id: str) -> dict[str, Any]:
    """Give a device a new user name and secret, shown this once; the present ones stay valid for some hours."""
    device = queries.access_device(session, actor, device_id)
    return _with_secret(session, device, credentials.rotate_secret(session, actor, device, timedelta(hours=body["overlap_h"])))


@routes.door("GET", "/devices/<device_id>/placements", policy="devices.read", answer=schemas.PlacementsSchema)
def list_placements(session: Session, actor: Actor, device_id: str) -> dict[str, Any]:
    """List where a device was and is: in which assets, from when to when."""
    device = queries.access_device(session, actor, device_id)
    return {"items": placements.stays_to_see(session, actor, device)}


@routes.door(
    "POST",
    "/devices/<device_id>/placements",
    policy="devices.manage",
    body=schemas.PlacementSchema,
    answer=schemas.PlacementSchema,
    status=201,
)
def place_device(session: Session, actor: Actor, body: dict[str, Any], device_id: str) -> dict[str, Any]:
    """Record that a device went into another asset, also if that was a while ago.

    What it measured from then on is that asset's, and what it measured before stays with the one it was in. The alarms of both
    follow within seconds.
    """
    device = queries.access_device(session, actor, device_id)
    asset = session.scalar(queries.visible_to(actor).where(Asset.id == body["asset_id"]))
    if asset is None:
        raise FieldsInvalid({"asset_id": ["unknown_reference"]})
    device = placements.place_device(session, actor, device, asset, body["at"])
    return {"device_id": device.id, "asset_id": device.asset_id, "placed_at": device.placed_at, "removed_at": None}


@routes.door("GET", "/devices/<device_id>/settings", policy="devices.read", answer=schemas.DeviceSettingsSchema)
def read_settings(session: Session, actor: Actor, device_id: str) -> dict[str, Any]:
    """Read what a device is to be set to, and what it says it is."""
    return _settings_of(session, queries.access_device(session, actor, device_id))


@routes.door(
    "PUT",
    "/devices/<device_id>/settings",
    policy="devices.manage",
    body=schemas.DeviceSettingsEditSchema,
    answer=schemas.DeviceSettingsSchema,
)
def set_device(session: Session, actor: Actor, body: dict[str, Any], device_id: str) -> dict[str, Any]:
    """Give a device settings of its own, in place of those it had. They reach it within seconds, or when it connects."""
    device = queries.access_device(session, actor, device_id)
    check_version(device)
    return _settings_of(session, device_settings.set_device(session, actor, device, body["settings"]))


def _settings_of(session: Session, device: Device) -> dict[str, Any]:
    profile, state = session.get_one(DeviceProfile, device.profile_id), session.get(SettingsState, device.id)
    number, values = device_settings.wanted(profile, device, state)
    return {
        "version": device.version,
        "settings": device.settings,
        "profile_settings": profile.settings,
        "wanted": values,
        "wanted_no": number,
        "published": state is not None and number > 0 and state.published_no == number,
        "reported_no": state.reported_no if state else None,
        "reported": state.reported if state else None,
        "reported_at": state.reported_at if state else None,
        "in_step": device_settings.in_step(number, state),
    }


@routes.door("DELETE", "/devices/<device_id>", policy="devices.manage", answer=schemas.DeviceSchema)
def revoke_device(session: Session, actor: Actor, device_id: str) -> Device:
    """Revoke a device: what it sends from now on is refused."""
    device = queries.access_device(session, actor, device_id)
    check_version(device)
    return operations.revoke_device(session, actor, device)


def _with_secret(session: Session, device: Device, secret: str) -> dict[str, Any]:
    shown = {name: getattr(device, name) for name in schemas.DeviceSchema().fields}
    return shown | {"secret": secret, "topic": _topic(session, device)}


def _topic(session: Session, device: Device | DeviceClaim) -> str:
    """Return where the values of a device are expected, be it registered or still to be claimed."""
    profile = session.get_one(DeviceProfile, device.profile_id)
    if profile.adapter == "native":
        return f"devices/{device.shard}/{device.id}/telemetry"
    return telemetry_topic(profile.adapter, device.address, profile.mapping)
