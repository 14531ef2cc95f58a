"""What the demo is made of: plain data. Names are made up; places are landmarks of Shenzhen, rounded to about 100 m."""

from __future__ import annotations

from typing import NamedTuple

PART = "PACK-60AH"


class Place(NamedTuple):
    """A station of the demo, in WGS-84 degrees."""

    code: str
    name: str
    lat: float
    lon: float
    opening_hours: str
    units: int
    territory: str


# Near Shenzhen's civic centre, Science Park, Guomao, Bao'an Centre and Shenzhen North railway station.
STATIONS = (
    Place("FT", "福田中心服务站", 22.543, 114.058, "24/7", 2, "futian"),
    Place("NS", "南山科技园服务站", 22.541, 113.950, "24/7", 1, "nanshan"),
    Place("LH", "罗湖国贸服务站", 22.541, 114.119, "24/7", 1, "futian"),
    Place("BA", "宝安中心服务站", 22.554, 113.883, "Mo-Sa 08:30-20:00; Su 10:00-18:00", 2, "nanshan"),
    Place("SN", "深圳北服务站", 22.610, 114.029, "Mo-Su 22:00-06:00", 0, "futian"),
)
TERRITORIES = (("futian", "福田 · 罗湖"), ("nanshan", "南山 · 宝安"))


class Owner(NamedTuple):
    """A customer of the demo with one vehicle, and the cell its battery pack follows."""

    code: str
    name: str
    login: str
    person: str
    locale: str
    territory: str
    site: str
    lat: float
    lon: float
    vehicle: str
    model: str
    cell: str
    last_burst_cycle: int


# What the first owner has bought of.
ENTITLEMENT = {"code": "training_hours", "name_zh": "培训课时", "name_en": "training hours", "unit": "hour"}
OWNERS = (
    Owner(
        "C-1001",
        "鹏程物流",
        "owner.zh",
        "陈先生",
        "zh-CN",
        "futian",
        "福田仓库",
        22.535,
        114.065,
        "LFPDEMO0000001001",
        "EV Van 60",
        "B0005",
        127,
    ),
    Owner(
        "C-1002",
        "Harbour Couriers",
        "owner.en",
        "Ms Harper",
        "en",
        "nanshan",
        "Shekou depot",
        22.485,
        113.920,
        "LFPDEMO0000001002",
        "EV Van 60",
        "B0007",
        161,
    ),
)

# login, name, role, locale, territory
PEOPLE = (
    ("admin", "管理员", "admin", "zh-CN", None),
    ("manager", "区域经理", "manager", "zh-CN", "futian"),
    ("rep.zh", "李业务", "rep", "zh-CN", "futian"),
    ("rep.en", "Rep Jordan", "rep", "en", "nanshan"),
)


class Prospect(NamedTuple):
    """A lead of the demo. ``rep``: who made it on the road; None: it came to the office, and the rules find its rep.

    ``told``: what was said on the phone; None: nobody has called yet.
    """

    name: str
    phone: str
    interest: str
    territory: str
    rep: str | None
    company: str | None = None
    budget: str | None = None
    source: str | None = None
    told: str | None = None
    next_step: str | None = None


# Names and numbers are made up.
PROSPECTS = (
    Prospect("周敏", "13800001001", "三辆电动货车", "futian", None, "南粤冷链", "450000.00", "website"),
    Prospect("何志强", "13800001002", "充电桩两台", "futian", "rep.zh", source="visit", told="想先看报价", next_step="发送报价"),
    Prospect("Emma Clarke", "13800001003", "ten delivery vans", "nanshan", None, "Bayside Foods", "1200000.00", "fair"),
    Prospect("Tom Baker", "13800001004", "battery check for four vans", "nanshan", "rep.en", told="Asked for Friday."),
)
# As the demo's office shares leads out: large ones by hand, the others among the reps of the territory.
ROUTING = {
    "rules": [
        {"code": "large", "conditions": [{"field": "budget", "comparison": "at_least", "value": 1000000}], "pool": True},
        {"code": "territory", "in_charge": True},
    ]
}
