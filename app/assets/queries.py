"""The only readers of assets, components, fittings, devices and fault codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from app.assets import device_settings
from app.assets.models import Asset, Component, Device, DeviceProfile, FaultCode, Fitting, SettingsState
from app.core.db import now
from app.core.errors import NotFound, Unauthenticated
from app.core.history import HistoryEntry
from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.users import secrets
from app.users.rights import Actor


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``Asset`` for what an actor may see: their customers' assets, or those of their tasks."""
    granted = customers.granted_assets(actor)
    if granted is not None:
        return Asset.id.in_(granted)
    return Asset.customer_id.in_(select(Customer.id).where(Customer.deleted_at.is_(None), customers.in_scope(actor)))


def visible_to(actor: Actor) -> Select[Asset]:
    """Return the assets an actor may see."""
    return select(Asset).where(Asset.deleted_at.is_(None), in_scope(actor))


def access_asset(session: Session, actor: Actor, asset_id: str) -> Asset:
    """Load one asset the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Asset, asset_id)


def visible_components(actor: Actor) -> Select[Component]:
    """Return the components that are or were fitted to an asset the actor may see, and spare ones.

    The office sees every spare component, everybody else those they registered themselves.
    """
    components = select(Component).where(Component.deleted_at.is_(None))
    if actor.sees_all:
        return components
    fitted = (
        select(Fitting.component_id)
        .join(Asset, Asset.id == Fitting.asset_id)
        .where(Fitting.deleted_at.is_(None), in_scope(actor))
    )
    spare = ~exists().where(Fitting.component_id == Component.id, Fitting.deleted_at.is_(None))
    registered = exists().where(
        HistoryEntry.subject_kind == "component",
        HistoryEntry.subject_id == Component.id,
        HistoryEntry.kind == "component.created",
        HistoryEntry.actor_id == actor.id,
    )
    return components.where(or_(Component.id.in_(fitted), and_(spare, registered)))


def fittings_in(asset_id: str) -> Select[Fitting]:
    """Return what was and is fitted to an asset, without what was taken back."""
    return select(Fitting).where(Fitting.asset_id == asset_id, Fitting.deleted_at.is_(None))


def access_fitting(session: Session, actor: Actor, fitting_id: str) -> Fitting:
    """Load one fitting of an asset the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    fitting = session.scalar(
        select(Fitting)
        .join(Asset, Asset.id == Fitting.asset_id)
        .where(Fitting.id == fitting_id, Fitting.deleted_at.is_(None), Asset.deleted_at.is_(None), in_scope(actor))
    )
    if fitting is None:
        raise NotFound
    return fitting


def visible_devices(actor: Actor) -> Select[Device]:
    """Return the devices of the assets an actor may see."""
    return select(Device).join(Asset, Asset.id == Device.asset_id).where(Device.deleted_at.is_(None), in_scope(actor))


def devices_by_settings(actor: Actor, *, behind: bool) -> Select[Device]:
    """Return the devices an actor may see that have not taken over what they are to be set to, or that have."""
    some = (
        visible_devices(actor)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .outerjoin(SettingsState, SettingsState.device_id == Device.id)
    )
    if behind:
        return some.where(device_settings.is_behind())
    return some.where(device_settings.is_in_step())


def access_device(session: Session, actor: Actor, device_id: str) -> Device:
    """Load one device the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_devices(actor), Device, device_id)


def device_of_token(session: Session, token: str) -> Device:
    """Return the active device whose secret a caller brought. Found by its hash: the time taken tells nothing of the secret.

    Raises:
        Unauthenticated: ``unauthenticated`` when there is none.
    """
    hashed = secrets.token_hash(token)
    valid = or_(Device.token_hash == hashed, and_(Device.old_token_hash == hashed, Device.old_secret_until > now(session)))
    device = session.scalar(select(Device).where(valid, Device.state == "active", Device.deleted_at.is_(None)))
    if device is None:
        raise Unauthenticated("unauthenticated")
    return device


def visible_fault_codes(actor: Actor, asset_id: str) -> Select[FaultCode]:
    """Return the fault codes of one asset, when the actor may see it."""
    return select(FaultCode).join(Asset, Asset.id == FaultCode.asset_id).where(FaultCode.asset_id == asset_id, in_scope(actor))


def profiles() -> Select[DeviceProfile]:
    """Return all device profiles; they hold nothing personal."""
    return select(DeviceProfile).where(DeviceProfile.deleted_at.is_(None))


def access_profile(session: Session, profile_id: str) -> DeviceProfile:
    """Load one device profile.

    Raises:
        NotFound: when there is none.
    """
    return one_of(session, profiles(), DeviceProfile, profile_id)


def fittings_of(session: Session, asset_ids: list[str]) -> list[Fitting]:
    """Return every fitting of some assets, oldest first."""
    query = select(Fitting).where(Fitting.asset_id.in_(asset_ids), Fitting.deleted_at.is_(None))
    return list(session.scalars(query.order_by(Fitting.fitted_at)))


def is_fitted(session: Session, component_id: str) -> bool:
    """Tell whether a component is in an asset."""
    query = select(Fitting.id).where(
        Fitting.component_id == component_id, Fitting.removed_at.is_(None), Fitting.deleted_at.is_(None)
    )
    return session.scalar(query.limit(1)) is not None


def fitted_component(session: Session, asset_id: str, kind: str, at: datetime) -> Component | None:
    """Return the component of a kind that an asset held at an instant."""
    return session.scalar(
        select(Component)
        .join(Fitting, Fitting.component_id == Component.id)
        .where(
            Fitting.asset_id == asset_id,
            Component.kind == kind,
            Fitting.fitted_at <= at,
            or_(Fitting.removed_at.is_(None), Fitting.removed_at > at),
            Fitting.deleted_at.is_(None),
        )
        .limit(1)
    )


def asset_holding(session: Session, component_id: str, at: datetime) -> Asset | None:
    """Return the asset a component was fitted to at an instant, else the one it was fitted to last before."""
    return session.scalar(
        select(Asset)
        .join(Fitting, Fitting.asset_id == Asset.id)
        .where(Fitting.component_id == component_id, Fitting.fitted_at <= at, Fitting.deleted_at.is_(None))
        .order_by(Fitting.fitted_at.desc())
        .limit(1)
    )
