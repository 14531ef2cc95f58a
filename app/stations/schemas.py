"""Wire names of stations and stock."""

from __future__ import annotations

from app.core import fields


class StationSchema(fields.TrackedSchema):
    """A service station."""

    id = fields.Id()
    code = fields.Text(40, 1, required=True)
    name = fields.Text(200, 1, required=True)
    address = fields.Lines(300, load_default="")
    lat = fields.Real(-90, 90, required=True)
    lon = fields.Real(-180, 180, required=True)
    opening_hours = fields.Text(300, 1, required=True)
    time_zone = fields.Text(60, 1, load_default="Asia/Shanghai")
    bays = fields.Int(1, 50, load_default=1)
    active = fields.Flag(load_default=True)
    partner_id = fields.Id(allow_none=True)
    certificates = fields.Listing(fields.Text(40, 1), load_default=list)
    territory_ids = fields.Listing(fields.Id(), load_only=True, load_default=list)


class StationEditSchema(fields.Schema):
    """What may change of a station."""

    name = fields.Text(200, 1)
    address = fields.Lines(300)
    lat = fields.Real(-90, 90)
    lon = fields.Real(-180, 180)
    opening_hours = fields.Text(300, 1)
    time_zone = fields.Text(60, 1)
    bays = fields.Int(1, 50)
    active = fields.Flag()
    certificates = fields.Listing(fields.Text(40, 1))
    territory_ids = fields.Listing(fields.Id())


class StockSchema(fields.TrackedSchema):
    """Units of a part at a station."""

    station_id = fields.Id(dump_only=True)
    part_no = fields.Text(60, 1, required=True)
    on_hand = fields.Int(0, 100_000, required=True)
    reserved = fields.Int(dump_only=True)
