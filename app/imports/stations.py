"""One row of a file of stations: a station, the territories it may serve and its stock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import FieldsInvalid
from app.imports.cells import Faults, Part, differs, listed, number, one_by, take, taken, whole
from app.imports.files import MOST_ROWS, Columns, Row, refusal
from app.stations import hours, operations, queries
from app.stations.models import Station
from app.stations.schemas import StationSchema, StockSchema
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import Partner
from app.users.rights import Actor

_STATION = Part(
    StationSchema(),
    {name: name for name in ("code", "name", "address", "lat", "lon", "opening_hours", "time_zone", "bays", "certificates")}
    | {"territory_ids": "territory_codes", "partner_id": "partner_name"},
    {"lat": number, "lon": number, "bays": whole, "certificates": listed},
)
_STOCK = Part(StockSchema(), {"part_no": "stock", "on_hand": "stock"})


@dataclass
class Prepared:
    """The values of one row: of the station, and units on hand by part number."""

    station: dict[str, Any]
    stock: dict[str, int]


class StationRows:
    """Reads and writes the rows of one file; see ``operations.Rows``."""

    key = "code"
    columns = Columns((*_STATION.columns.values(), "stock"))

    def __init__(self, session: Session, actor: Actor, rows: list[Row]) -> None:
        self.session, self.actor = session, actor
        cells = [row.cells for row in rows]
        if sum(len(listed(c.get("stock", ""))) for c in cells) > MOST_ROWS:
            raise refusal("too_much_stock", actor.locale, most=MOST_ROWS)
        codes = (code for c in cells for code in listed(c.get("territory_codes", "")))
        self.territories = one_by(session, territories.visible_to(actor), Territory.code, codes)
        self.partners = one_by(session, users.visible_partners(actor), Partner.name, (c.get("partner_name") for c in cells))
        self.known = one_by(session, queries.visible_to(actor), Station.code, (c.get("code") for c in cells))
        self.codes = taken(session, Station.code, (c.get("code") for c in cells))
        self.authorised = queries.territories_of(session) if self.known else {}

    def prepare(self, cells: dict[str, str]) -> Prepared | None:
        """Return the values of the station and its stock, or None when both are there already."""
        faults: Faults = {}
        plain = {name: cell for name, cell in cells.items() if name not in {"territory_codes", "partner_name"}}
        station = _STATION.load(plain, self._references(cells), faults)
        stock = self._stock(listed(cells.get("stock", "")), faults)
        if faults:
            raise FieldsInvalid(faults)
        known = self.known.get(station["code"])
        if known is None:
            take(self.codes, station["code"], "code", faults)
            try:
                hours.parse(station["opening_hours"], station["time_zone"])
            except ValueError:
                faults["opening_hours"] = ["hours_invalid"]
            if faults:
                raise FieldsInvalid(faults)
            return Prepared(station, stock)
        if not self._same(known, station, stock):
            raise FieldsInvalid({"code": ["already_exists"]})
        return None

    def _references(self, cells: Mapping[str, str]) -> dict[str, object]:
        """Resolve territories and partner; a partner's people bring in their own partner's stations."""
        found = [self.territories.get(code) for code in listed(cells.get("territory_codes", ""))]
        partner = self.partners.get(cells["partner_name"]) if "partner_name" in cells else None
        lost = None in found
        references: dict[str, object] = {"territory_ids": None if lost else [territory.id for territory in found if territory]}
        if "partner_name" in cells:
            references["partner_id"] = partner.id if partner else None
        elif self.actor.partner_id is not None:
            references["partner_id"] = self.actor.partner_id
        return references

    def _stock(self, entries: list[str], faults: Faults) -> dict[str, int]:
        stock: dict[str, int] = {}
        for entry in entries:
            part_no, _, units = entry.rpartition(":")
            values = _STOCK.load({}, {"part_no": part_no.strip(), "on_hand": whole(units.strip())}, faults)
            if values and stock.setdefault(values["part_no"], values["on_hand"]) != values["on_hand"]:
                faults["stock"] = ["duplicate"]
        return stock

    def _same(self, known: Station, station: dict[str, Any], stock: dict[str, int]) -> bool:
        values = {name: value for name, value in station.items() if name not in {"certificates", "territory_ids", "active"}}
        if differs(known, {"partner_id": None} | values) or set(known.certificates) != set(station["certificates"]):
            return False
        if self.authorised.get(known.id, set()) != set(station["territory_ids"]):
            return False
        if not stock:
            return True
        held = self.session.scalars(queries.visible_stock(self.actor, known.id))
        return stock.items() <= {part.part_no: part.on_hand for part in held}.items()

    @staticmethod
    def create(session: Session, actor: Actor, prepared: Prepared) -> None:
        """Add the station and count its stock."""
        with _STATION.naming():
            station = operations.create_station(session, actor, prepared.station)
        for part_no, on_hand in prepared.stock.items():
            operations.set_stock(session, actor, station, part_no, on_hand)
