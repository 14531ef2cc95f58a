"""From an address to a position: a geocoder somebody runs, asked through geopy, and what is known without asking.

Answers of Amap are in GCJ-02, those of Baidu in BD-09, those of Nominatim in WGS-84; all leave here in WGS-84.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from geopy.adapters import URLLibAdapter
from geopy.exc import GeocoderQueryError, GeopyError
from geopy.geocoders import BaiduV3, Nominatim
from geopy.geocoders.base import Geocoder
from geopy.location import Location

from app.core.geo import Position
from app.core.settings import Settings
from app.positions.datum import Datum, to_wgs84
from app.positions.geocoding import Found, GeocoderSilent
from app.positions.regions import Region

TIMEOUT_S = 10
LONGEST_ADDRESS = 300
_AGENT = "fieldloop"
_AMAP = "https://restapi.amap.com"
_NOT_EXACT = frozenset({"国家", "省", "市", "区县", "开发区", "乡镇", "村庄"})
_LEAST_TRUST = 20  # of 100: below it Baidu means a district at best
# OpenStreetMap's words for areas: an answer of this kind is no address.
_AREAS = frozenset(
    {"country", "state", "province", "region", "city", "county", "town", "district", "city_district", "municipality"}
)


class Amap(Geocoder):
    """The geocoder of 高德 (Amap), which geopy does not bring. https://lbs.amap.com/api/webservice/guide/api/georegeo"""

    def __init__(self, api_key: str, url: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.api_key, self.api = api_key, f"{url}/v3/geocode/geo"

    def geocode(self, query: str, *, exactly_one: bool = True, timeout: float | None = None) -> Location | None:
        """Ask for one address."""
        url = f"{self.api}?{urlencode({'key': self.api_key, 'address': query, 'output': 'JSON'})}"
        return self._call_geocoder(url, _read_amap, timeout=timeout)


def _read_amap(page: Any) -> Location | None:
    if not isinstance(page, dict) or str(page.get("status")) != "1":
        told = page.get("info") if isinstance(page, dict) else "not JSON"
        raise GeocoderQueryError(f"Amap: {str(told)[:100]}")
    listed = page.get("geocodes") or []
    if not listed:
        return None
    lon, _, lat = str(listed[0]["location"]).partition(",")
    return Location(str(listed[0].get("formatted_address") or ""), (float(lat), float(lon)), listed[0])


def geocoder_of(settings: Settings) -> Callable[[str], Found | None]:
    """Return what asks the geocoder of the settings, which is not ``none``, for one address.

    The function returns None for an address the geocoder does not know exactly, and raises ``GeocoderSilent``.
    """
    ask = {"nominatim": _nominatim, "amap": _amap, "baidu": _baidu}[settings.geocoder](settings)
    shifted = frozenset(map(Region, settings.shifted_regions))

    def look_up(address: str) -> Found | None:
        try:
            told = ask(address[:LONGEST_ADDRESS])
        except (GeopyError, ValueError, KeyError, TypeError, IndexError, AttributeError) as fault:
            raise GeocoderSilent(f"{settings.geocoder}: {type(fault).__name__}") from fault
        if told is None:
            return None
        location, datum = told
        if not (-90 <= location.latitude <= 90 and -180 <= location.longitude <= 180):
            raise GeocoderSilent(f"{settings.geocoder}: a position outside the earth")
        placed = to_wgs84(Position(location.latitude, location.longitude), datum, shifted)
        return Found(placed.position, _text(location.address)[:200])

    return look_up


_Asked = tuple[Location, Datum] | None


def _common() -> dict[str, Any]:
    # Without the proxies of the environment: an operator names the address that is asked.
    return {"timeout": TIMEOUT_S, "user_agent": _AGENT, "adapter_factory": URLLibAdapter, "proxies": None}


def _nominatim(settings: Settings) -> Callable[[str], _Asked]:
    url = urlsplit(settings.geocoder_url or "https://nominatim.openstreetmap.org")
    coder = Nominatim(domain=f"{url.netloc}{url.path}", scheme=url.scheme, **_common())

    def ask(address: str) -> _Asked:
        found = coder.geocode(address, addressdetails=False)
        return None if found is None or found.raw.get("addresstype") in _AREAS else (found, Datum.WGS84)

    return ask


def _amap(settings: Settings) -> Callable[[str], _Asked]:
    coder = Amap(settings.geocoder_key, settings.geocoder_url or _AMAP, **_common())

    def ask(address: str) -> _Asked:
        found = coder.geocode(address)
        return None if found is None or found.raw.get("level") in _NOT_EXACT else (found, Datum.GCJ02)

    return ask


def _baidu(settings: Settings) -> Callable[[str], _Asked]:
    coder = BaiduV3(settings.geocoder_key, **_common())
    if settings.geocoder_url:
        coder.api = f"{settings.geocoder_url}{coder.api_path}"

    def ask(address: str) -> _Asked:
        found = coder.geocode(address)
        return None if found is None or int(found.raw.get("confidence", 100)) < _LEAST_TRUST else (found, Datum.BD09)

    return ask


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name or "")
