"""The rows that sync is measured with: customers with nine sites each, as people in the field write them.

Out of ten rows one is a customer and nine are its sites. Half of the names are Chinese and half English; customers have
mobile numbers of the mainland or of Hong Kong, and two in three have an e-mail address; sites have street addresses and
coordinates to six decimals (about 10 cm) around ten cities. Ids are 16 letters and digits, as WatermelonDB makes them on a
phone: they cannot be compressed, so that nothing is won by choosing others. A row is about 200 bytes of JSON as the
product sends it, and half of them are the names of its fields.

The same seed makes the same rows on every machine: only ``random.Random.random`` is asked, whose values Python promises
to keep for a seed. Nothing in here is anybody's real name, number or address.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SITES_EACH = 9
GROUP = 1 + SITES_EACH
SEED = 20_260_301
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# City in both languages, latitude, longitude, districts.
_CITIES: tuple[tuple[str, str, float, float, tuple[str, ...]], ...] = (
    ("深圳", "Shenzhen", 22.543, 114.057, ("南山区", "福田区", "宝安区", "龙岗区")),
    ("广州", "Guangzhou", 23.129, 113.264, ("天河区", "番禺区", "白云区", "黄埔区")),
    ("东莞", "Dongguan", 23.020, 113.751, ("长安镇", "虎门镇", "厚街镇", "松山湖")),
    ("佛山", "Foshan", 23.021, 113.121, ("顺德区", "南海区", "禅城区", "三水区")),
    ("上海", "Shanghai", 31.230, 121.473, ("浦东新区", "嘉定区", "闵行区", "松江区")),
    ("苏州", "Suzhou", 31.299, 120.585, ("吴中区", "相城区", "昆山市", "太仓市")),
    ("杭州", "Hangzhou", 30.274, 120.155, ("余杭区", "萧山区", "滨江区", "拱墅区")),
    ("成都", "Chengdu", 30.572, 104.066, ("武侯区", "双流区", "龙泉驿区", "郫都区")),
    ("武汉", "Wuhan", 30.592, 114.305, ("江夏区", "东西湖区", "汉阳区", "蔡甸区")),
    ("香港", "Hong Kong", 22.319, 114.169, ("葵青区", "观塘区", "元朗区", "屯门区")),
)
_BRANDS_ZH = (
    "恒达", "顺通", "鑫源", "宏远", "捷运", "德邦", "金汇", "瑞丰", "华通",
    "安吉", "长风", "东升", "海川", "立信", "盛泰", "远航", "万里",
    "百川", "天成", "中联",
)  # fmt: skip
_TRADES_ZH = (
    "物流有限公司",
    "冷链运输有限公司",
    "汽车租赁有限公司",
    "城市配送有限公司",
    "建材有限公司",
    "环卫服务有限公司",
    "新能源科技有限公司",
)
_BRANDS_EN = (
    "Harbour", "Northway", "Pearl", "Delta", "Lion", "Rock", "Bluewater", "Redline", "Summit", "Evergreen",
    "Union", "Crown", "Falcon", "Meridian", "Orient", "Swift",
)  # fmt: skip
_TRADES_EN = ("Couriers", "Logistics Ltd", "Cold Chain", "Car Rental", "City Freight", "Building Supply", "Sanitation Co")
_PLACES_ZH = ("总部", "仓库", "充电站", "停车场", "分拣中心", "维修车间", "配送站", "北门", "临时堆场")
_PLACES_EN = (
    "Head office",
    "Depot",
    "Charging yard",
    "Car park",
    "Sorting hub",
    "Workshop",
    "Cold store",
    "Gate 2",
    "Overflow yard",
)
_STREETS_ZH = ("科技路", "工业大道", "创业路", "物流园路", "环城东路", "港口大道", "人民路", "建设二路", "机场北路")
_STREETS_EN = (
    "Science Road",
    "Industrial Avenue",
    "Harbour Road",
    "Logistics Park",
    "Ring Road East",
    "Station Street",
    "Airport North Road",
)
_PREFIXES = ("135", "136", "138", "139", "150", "159", "186", "188")


@dataclass(frozen=True)
class Group:
    """One customer and its sites, as a phone would send them, without the stamps the server adds."""

    customer: dict[str, Any]
    sites: list[dict[str, Any]]


class Rows:
    """An endless run of groups: the same for the same seed."""

    def __init__(self, territories: Sequence[tuple[str, str]], seed: int = SEED, start: int = 0) -> None:
        """Make rows.

        Args:
            territories: (territory, owner) of the groups in turn.
            seed: of everything that is chosen.
            start: number of the first customer, which is in its code.
        """
        self._territories, self._made = territories, start
        self._chance = random.Random(seed).random

    def groups(self, count: int) -> Iterator[Group]:
        """Return the next groups, of ten rows each."""
        for _ in range(count):
            yield self._next()

    def take(self, rows: int) -> dict[str, list[dict[str, Any]]]:
        """Return the next rows by collection; whole groups, so a multiple of ten."""
        found: dict[str, list[dict[str, Any]]] = {"customers": [], "sites": []}
        for group in self.groups(rows // GROUP):
            found["customers"].append(group.customer)
            found["sites"] += group.sites
        return found

    def _next(self) -> Group:
        self._made += 1
        territory, owner = self._territories[self._made % len(self._territories)]
        city = self._pick(_CITIES)
        chinese = self._chance() < 0.5
        brand = (
            self._pick(_BRANDS_ZH) + self._pick(_BRANDS_ZH) if chinese else f"{self._pick(_BRANDS_EN)} {self._pick(_BRANDS_EN)}"
        )
        trade = self._pick(_TRADES_ZH) if chinese else " " + self._pick(_TRADES_EN)
        mobile = city[1] != "Hong Kong"
        phone = f"+86{self._pick(_PREFIXES)}{self._digits(8)}" if mobile else f"+8529{self._digits(7)}"
        customer = {
            "id": self._id(),
            "code": f"K{self._made:07d}",
            "name": (city[0] + brand if chinese else brand) + trade,
            "phone": phone,
            "email": f"office{self._made}@example.com" if self._chance() < 2 / 3 else None,
            "territory_id": territory,
            "owner_id": owner,
        }
        return Group(customer, [self._site(customer["id"], city, chinese) for _ in range(SITES_EACH)])

    def _site(self, customer: str, city: tuple[str, str, float, float, tuple[str, ...]], chinese: bool) -> dict[str, Any]:
        number, district = 1 + int(self._chance() * 900), self._pick(city[4])
        return {
            "id": self._id(),
            "customer_id": customer,
            "name": self._pick(_PLACES_ZH) if chinese else self._pick(_PLACES_EN),
            "address": f"{district}{self._pick(_STREETS_ZH)}{number}号" if chinese else f"{number} {self._pick(_STREETS_EN)}",
            "lat": round(city[2] + (self._chance() - 0.5) * 0.4, 6),
            "lon": round(city[3] + (self._chance() - 0.5) * 0.4, 6),
        }

    def _pick(self, of: Sequence[Any]) -> Any:
        return of[int(self._chance() * len(of))]

    def _digits(self, count: int) -> str:
        return f"{int(self._chance() * 10**count):0{count}d}"

    def _id(self) -> str:
        # Two draws of 53 random bits hold 16 places of 62 letters (95 bits).
        number, text = int(self._chance() * 2**53) << 53 | int(self._chance() * 2**53), ""
        for _ in range(16):
            number, place = divmod(number, 62)
            text += _LETTERS[place]
        return text
