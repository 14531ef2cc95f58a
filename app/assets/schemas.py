"""Wire names of assets, components, devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from app.assets.mappings import ADAPTERS, FORMS, SEPARATORS, TIME_FORMS
from app.core import fields
from app.core.paging import PageQuery

MOST_SETTINGS = 50
RESERVED = frozenset({"deleted", "settings_no"})
"""Names that stand beside settings in a message to a ThingsBoard device."""
_SETTING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")


class AssetSchema(fields.TrackedSchema):
    """A customer's machine or vehicle. ``limits``: levels of rules that are its own, by name."""

    id = fields.Id()
    serial = fields.Text(60, 1, required=True)
    model = fields.Text(100, 1, required=True)
    customer_id = fields.Id(required=True)
    site_id = fields.Id(required=True)
    warranty_until = fields.Day(allow_none=True)
    limits = fields.Table(fields.Text(60, 1), fields.Real(), load_default=dict)


class AssetEditSchema(fields.Schema):
    """What of an asset may be edited; ``limits`` replaces all of them."""

    model = fields.Text(100, 1)
    warranty_until = fields.Day(allow_none=True)
    limits = fields.Table(fields.Text(60, 1), fields.Real())


class AssetQuery(PageQuery):
    """A page of assets, of one customer if named."""

    customer_id = fields.Id()


class ComponentSchema(fields.TrackedSchema):
    """A part with a serial of its own."""

    id = fields.Id()
    serial = fields.Text(60, 1, required=True)
    kind = fields.Text(40, 1, required=True)
    part_no = fields.Text(60, 1, required=True)
    warranty_until = fields.Day(allow_none=True)


class FittingSchema(fields.TrackedSchema):
    """A component in an asset from one instant to another."""

    component_id = fields.Id(required=True)
    asset_id = fields.Id(dump_only=True)
    fitted_at = fields.Instant(required=True)
    removed_at = fields.Instant(dump_only=True, allow_none=True)


class UndoSchema(fields.Schema):
    """Why a fitting is taken back."""

    reason = fields.Lines(200, 1, required=True)


class SettingName(fields.Text):
    """The name of a setting: short and plain, and none that messages to devices use themselves."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(40, 1, metadata={"pattern": f"^{_SETTING_NAME.pattern}$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _SETTING_NAME.fullmatch(value):
            raise ValidationError("setting_name")
        if value in RESERVED:
            raise ValidationError("setting_reserved")
        return value


def settings_table(**kwargs: Any) -> fields.Table:
    """Return the field of settings: at most 50 of them by name, each a text, a number, true or false."""
    return fields.Table(SettingName(), fields.Scalar(200), most=MOST_SETTINGS, **kwargs)


class MetricSchema(fields.Schema):
    """One metric of a profile: unit, the kind of component it speaks of, where it comes from.

    What is stored is the value times ``scale`` plus ``offset``. ``enum``: the numbers that texts stand for.
    """

    unit = fields.Text(20, load_default="")
    component = fields.Text(40, load_default="")
    source = fields.Text(100)
    scale = fields.Real(load_default=1.0)
    offset = fields.Real(load_default=0.0)
    enum = fields.Table(fields.Text(60, 1), fields.Real())


class MappingSchema(fields.Schema):
    """How messages of the adapter "mapped" are read. ``each``: the list whose entries are samples; ``key``: a sample's id."""

    topic = fields.Text(250, 1, required=True)
    payload = fields.OneOf(*FORMS, required=True)
    separator = fields.OneOf(*SEPARATORS)
    each = fields.Text(100, 1)
    time = fields.Text(100, 1)
    time_form = fields.OneOf(*TIME_FORMS)
    key = fields.Text(100, 1)


class ProfileSchema(fields.TrackedSchema):
    """How devices of one kind speak. ``messages_per_minute``, ``message_burst``: null as the deployment's; 0: no limit."""

    id = fields.Id()
    code = fields.Text(40, 1, required=True)
    name = fields.Text(100, 1, required=True)
    adapter = fields.OneOf(*ADAPTERS, required=True)
    soh_reference = fields.OneOf("rated", "first_cycle", load_default="rated")
    sends_only_changes = fields.Flag(load_default=False)
    metrics = fields.Table(fields.Text(60, 1), fields.Nested(MetricSchema), required=True)
    mapping = fields.Nested(MappingSchema, allow_none=True, load_default=None)
    limits = fields.Table(fields.Text(60, 1), fields.Real(), load_default=dict)
    messages_per_minute = fields.Int(0, 60_000, allow_none=True, load_default=None)
    message_burst = fields.Int(1, 10_000_000, allow_none=True, load_default=None)
    settings = settings_table(load_default=dict)


class ProfileEditSchema(fields.Schema):
    """What of a profile may be edited; ``metrics``, ``limits``, ``mapping`` and ``settings`` are replaced whole."""

    name = fields.Text(100, 1)
    soh_reference = fields.OneOf("rated", "first_cycle")
    sends_only_changes = fields.Flag()
    metrics = fields.Table(fields.Text(60, 1), fields.Nested(MetricSchema))
    mapping = fields.Nested(MappingSchema)
    limits = fields.Table(fields.Text(60, 1), fields.Real())
    messages_per_minute = fields.Int(0, 60_000, allow_none=True)
    message_burst = fields.Int(1, 10_000_000, allow_none=True)
    settings = settings_table()


class DeviceQuery(PageQuery):
    """A page of devices; ``settings``: those that have taken over what they are to be set to, or have not."""

    settings = fields.OneOf("in_step", "behind")


class DeviceSettingsEditSchema(fields.Schema):
    """A device's own settings; they replace the ones it had, and go over its profile's."""

    settings = settings_table(required=True)


class DeviceSettingsSchema(fields.Schema):
    """What a device is to be set to, and what it says it is.

    ``version``: of the device, for If-Match. ``settings``: its own; ``profile_settings``: its profile's; ``wanted``: both, the
    own over the profile's, under ``wanted_no``. ``published``: the broker has confirmed them. ``reported_no``, ``reported``,
    ``reported_at``: what the device said last. ``in_step``: it has taken over what is wanted; null where nothing was ever wanted.
    """

    version = fields.Int(dump_only=True)
    settings = settings_table()
    profile_settings = settings_table()
    wanted = settings_table()
    wanted_no = fields.Int()
    published = fields.Flag()
    reported_no = fields.Int(allow_none=True)
    reported = settings_table(allow_none=True)
    reported_at = fields.Instant(allow_none=True)
    in_step = fields.Flag(allow_none=True)


class DeviceSchema(fields.TrackedSchema):
    """A source of telemetry. ``username`` belongs to its newest secret, which is shown once, when it is made."""

    id = fields.Id()
    adapter = fields.Text(dump_only=True)
    address = fields.Text(120, 1)
    profile_id = fields.Id(required=True)
    asset_id = fields.Id(dump_only=True)
    installed_at = fields.Instant()
    placed_at = fields.Instant(dump_only=True, allow_none=True)
    shard = fields.Int(0, 255)
    gateway = fields.Flag(load_default=False)
    state = fields.Text(dump_only=True)
    username = fields.Text(dump_only=True)
    old_secret_until = fields.Instant(dump_only=True, allow_none=True)


class PlacementSchema(fields.Schema):
    """A device in an asset: from ``placed_at`` on, or from the first on, up to ``removed_at``, or still."""

    device_id = fields.Id(dump_only=True)
    asset_id = fields.Id(required=True)
    at = fields.Instant(required=True, load_only=True)
    placed_at = fields.Instant(dump_only=True, allow_none=True)
    removed_at = fields.Instant(dump_only=True, allow_none=True)


class PlacementsSchema(fields.Schema):
    """Where a device was, oldest first; the last one is where it is."""

    items = fields.Listing(fields.Nested(PlacementSchema), most=1000)


class RotationSchema(fields.Schema):
    """For how many hours a device's old secret stays valid beside the new one: at most a week."""

    overlap_h = fields.Int(0, 168, load_default=24)


class DeviceWithSecretSchema(DeviceSchema):
    """A device, the user name and secret it signs in to the broker with, and the topic (filter) on which its values come."""

    secret = fields.Text(dump_only=True)
    topic = fields.Text(dump_only=True)


class PreparationSchema(fields.Schema):
    """A device to be claimed by a customer; ``valid_days``: for how long its code can be used."""

    id = fields.Id()
    profile_id = fields.Id(required=True)
    address = fields.Text(120, 1)
    shard = fields.Int(0, 255)
    valid_days = fields.Int(1, 730, load_default=90)


class PreparedSchema(fields.Schema):
    """A prepared device: secret and user name go into it, the code onto its label. Both are shown this once."""

    id = fields.Id()
    username = fields.Text()
    secret = fields.Text()
    topic = fields.Text()
    code = fields.Text()
    expires_at = fields.Instant()


class ClaimSchema(fields.Schema):
    """The code on a device's label; case, blanks and hyphens do not matter."""

    code = fields.Text(60, 1, required=True)


class FaultCodeSchema(fields.TrackedSchema):
    """A fault code an asset reported."""

    asset_id = fields.Id()
    device_id = fields.Id()
    code = fields.Text(40)
    severity = fields.Text(20)
    description = fields.Text(300)
    occurred_at = fields.Instant()
    received_at = fields.Instant()
