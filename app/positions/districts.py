"""Where the district or the city is that an address names, without asking anybody.

Source: GeoNames (https://www.geonames.org, CC BY 4.0): cities and seats of districts of the mainland, Hong Kong and Macao with
their Chinese names, larger ones in Latin letters, too. ``scripts/places.py`` makes the table.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from app.core.geo import Position, rough_distance_m

_TABLE = Path(__file__).parent / "places" / "china.tsv"
_LONGEST = 8
# A district lies no further from its city than this; namesakes in other provinces do.
_WITHIN_M = 250_000
_DISTRICT = re.compile(r".*(?:区|县|旗)$")
_MUNICIPALITIES = frozenset({"北京", "上海", "天津", "重庆", "香港", "澳门"})
_HAN = re.compile(r"[㐀-鿿]")
_WORDS = re.compile(r"[a-z]+")


class Place(NamedTuple):
    """A district or a city, with the province it lies in."""

    name: str
    province: str
    position: Position

    @property
    def is_district(self) -> bool:
        """Whether it is a part of a city, or a county."""
        return bool(_DISTRICT.fullmatch(self.name))


@lru_cache(maxsize=1)
def _places() -> Mapping[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        province, name, lat, lon = line.split("\t")
        found[name].append(Place(name, province, Position(float(lat), float(lon))))
    return found


@lru_cache(maxsize=1)
def _provinces() -> frozenset[str]:
    return frozenset(place.province for places in _places().values() for place in places)


def district_of(address: str) -> Place | None:
    """Return the smallest place an address names, where only one place of that name fits what else it names.

    Args:
        address: as people write it, the larger places first in Chinese and last in Latin letters.
    """
    named = _chinese(address) if _HAN.search(address) else _latin(address.casefold())
    provinces = {name for name in _provinces() if name in address[:12]}
    if provinces:
        named = [place for place in named if place.province in provinces]
    cities = [place for place in named if not place.is_district]
    for place in [place for place in named if place.is_district]:
        rivals = [other for other in named if other.name == place.name]
        near = [one for one in rivals if any(rough_distance_m(one.position, city.position) <= _WITHIN_M for city in cities)]
        fitting = near if cities else rivals
        if len(fitting) == 1:
            return fitting[0]
    return _only_city(cities)


def _only_city(cities: list[Place]) -> Place | None:
    """Return the last city an address names, unless places of that name lie in several provinces."""
    for city in reversed(cities):
        same = [other for other in cities if other.name.removesuffix("市") == city.name.removesuffix("市")]
        if len({other.province for other in same}) == 1:
            return city
        municipal = [other for other in same if other.name.removesuffix("市") in _MUNICIPALITIES]
        if municipal:
            return municipal[0]
    return None


def _chinese(address: str) -> list[Place]:
    """Return the places whose names stand in an address, from left to right, at each sign the longest name."""
    text = re.sub(r"\s", "", address)
    found: list[Place] = []
    at = 0
    while at < len(text):
        name = next((text[at : at + n] for n in range(_LONGEST, 1, -1) if text[at : at + n] in _places()), "")
        found += _places().get(name, [])
        at += len(name) or 1
    return found


def _latin(address: str) -> list[Place]:
    words = _WORDS.findall(address)
    found: list[Place] = []
    for count in (3, 2, 1):
        for at in range(len(words) - count + 1):
            found += _places().get(" ".join(words[at : at + count]), [])
        if found:
            break
    return found
