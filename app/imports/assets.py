"""One row of a file of assets: an asset, the component in it and the device in it when their cells are filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.assets import operations, queries
from app.assets.models import Asset, Component, Device, DeviceProfile
from app.assets.schemas import AssetSchema, ComponentSchema, DeviceSchema, FittingSchema
from app.core.errors import FieldsInvalid
from app.customers import queries as customers
from app.customers.models import Customer, Site
from app.imports.cells import Faults, Part, differs, one_by, reference, rows_by, take, taken
from app.imports.files import Columns, Row
from app.users.rights import Actor

_ASSET = Part(
    AssetSchema(),
    {name: name for name in ("serial", "model", "warranty_until")} | {"customer_id": "customer_code", "site_id": "site_name"},
)
_COMPONENT = Part(ComponentSchema(), {"serial": "component_serial", "kind": "component_kind", "part_no": "component_part_no"})
_FITTING = Part(FittingSchema(), {"fitted_at": "component_fitted_at"})
_DEVICE = Part(DeviceSchema(), {"id": "device_id", "profile_id": "profile_code"})


@dataclass
class Prepared:
    """The values of one row, by verb."""

    asset: dict[str, Any]
    component: dict[str, Any] | None = None
    fitting: dict[str, Any] | None = None
    device: dict[str, Any] | None = None


class AssetRows:
    """Reads and writes the rows of one file; see ``operations.Rows``."""

    key = "serial"
    columns = Columns(
        tuple(_ASSET.columns.values()),
        (tuple({**_COMPONENT.columns, **_FITTING.columns}.values()), tuple(_DEVICE.columns.values())),
    )

    def __init__(self, session: Session, actor: Actor, rows: list[Row]) -> None:
        self.session = session
        fitted = queries.visible_components(actor)
        cells = [row.cells for row in rows]
        self.customers = one_by(session, customers.visible_to(actor), Customer.code, (c.get("customer_code") for c in cells))
        self.sites = rows_by(session, customers.visible_sites(actor), Site.customer_id, (c.id for c in self.customers.values()))
        self.profiles = one_by(session, queries.profiles(), DeviceProfile.code, (c.get("profile_code") for c in cells))
        self.known = one_by(session, queries.visible_to(actor), Asset.serial, (c.get("serial") for c in cells))
        self.components = one_by(session, fitted, Component.serial, (c.get("component_serial") for c in cells))
        self.serials = taken(session, Asset.serial, (c.get("serial") for c in cells))
        self.component_serials = taken(session, Component.serial, (c.get("component_serial") for c in cells))
        self.device_ids = taken(session, Device.id, (c.get("device_id") for c in cells))
        self.addresses = taken(session, Device.address, (c.get("device_id") for c in cells))
        self.devices = one_by(session, queries.visible_devices(actor), Device.id, (c.get("device_id") for c in cells))

    def prepare(self, cells: dict[str, str]) -> Prepared | None:
        """Return the values of the asset, its component and its device, or None when all are there already."""
        faults: Faults = {}
        plain = {name: cell for name, cell in cells.items() if name not in {"customer_code", "site_name", "profile_code"}}
        prepared = Prepared({"warranty_until": None} | _ASSET.load(plain, self._place(cells, faults), faults))
        if _COMPONENT.given(cells) or _FITTING.given(cells):
            prepared.component = _COMPONENT.load(plain, {}, faults)
            prepared.fitting = _FITTING.load(plain, {}, faults, absent=("component_id",))
        if _DEVICE.given(cells):
            profile = {"profile_id": reference(cells, "profile_code", self.profiles)} if "profile_code" in cells else {}
            prepared.device = _DEVICE.load(plain, profile, faults)
            if "device_id" not in cells:
                faults["device_id"] = ["required"]
        if faults:
            raise FieldsInvalid(faults)
        known = self.known.get(prepared.asset["serial"])
        if known is None:
            self._take(prepared)
            return prepared
        if differs(known, prepared.asset) or not self._holds(known, prepared):
            raise FieldsInvalid({"serial": ["already_exists"]})
        return None

    def _take(self, prepared: Prepared) -> None:
        """Refuse what the verbs would refuse; the names of the row are taken for those that follow."""
        faults: Faults = {}
        take(self.serials, prepared.asset["serial"], "serial", faults)
        if prepared.component and prepared.fitting:
            take(self.component_serials, prepared.component["serial"], "component_serial", faults)
            with _FITTING.naming():
                operations.check_fitted_at(self.session, prepared.fitting["fitted_at"])
        if prepared.device:
            take(self.device_ids | self.addresses, prepared.device["id"], "device_id", faults)
            self.device_ids.add(prepared.device["id"])
        if faults:
            raise FieldsInvalid(faults)

    def _place(self, cells: dict[str, str], faults: Faults) -> dict[str, object]:
        """Resolve customer and site. A site is named within its customer, so without one it leads nowhere."""
        references: dict[str, object] = {}
        if "customer_code" in cells:
            references["customer_id"] = reference(cells, "customer_code", self.customers)
        if "site_name" in cells:
            sites = self.sites.get(str(references.get("customer_id")), [])
            found = [site.id for site in sites if site.name == cells["site_name"]]
            references["site_id"] = found[0] if found else None
            if len(found) > 1:
                faults["site_name"] = ["ambiguous"]
        return references

    def _holds(self, asset: Asset, prepared: Prepared) -> bool:
        """Tell whether the asset has the component, fitted at that instant, and the device."""
        if prepared.component and prepared.fitting:
            component = self.components.get(prepared.component["serial"])
            if component is None or differs(component, prepared.component):
                return False
            fitted = {"component_id": component.id, "fitted_at": prepared.fitting["fitted_at"]}
            if all(differs(fitting, fitted) for fitting in queries.fittings_of(self.session, [asset.id])):
                return False
        if prepared.device:
            device = self.devices.get(prepared.device["id"])
            return device is not None and not differs(device, prepared.device | {"asset_id": asset.id})
        return True

    @staticmethod
    def create(session: Session, actor: Actor, prepared: Prepared) -> None:
        """Add the asset, fit the component and register the device; its secret is not kept."""
        with _ASSET.naming():
            asset = operations.create_asset(session, actor, prepared.asset)
        if prepared.component and prepared.fitting:
            with _COMPONENT.naming():
                component = operations.create_component(session, actor, prepared.component)
            with _FITTING.naming():
                operations.fit_component(session, actor, asset, component, prepared.fitting["fitted_at"])
        if prepared.device:
            with _DEVICE.naming():
                operations.create_device(session, actor, asset, prepared.device)
