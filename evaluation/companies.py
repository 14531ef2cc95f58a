"""Chinese companies made by chance, each written again as people write: shortened, misheard, moved, with swapped digits.

And companies that only look alike: branches of one company, one name in two cities, one name in two trades.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from app.core.credit_codes import check_sign
from app.core.geo import Position
from app.customers.matching import Record

_CITIES = ("深圳", "广州", "上海", "北京", "杭州", "苏州", "成都", "武汉", "东莞", "佛山")
_FIRST = "鹏华金恒瑞泰嘉信中德宏海天龙安顺通达永盛新世佳美凯东方伟大正元博众联合创富强明亿光"
_SECOND = "程达源丰远辉业兴隆昌润和宇博诚峰泽利康腾胜旺茂捷宝祥瑞阳鑫立升发旭运翔邦国成海晟"
_TRADES = ("物流", "科技", "贸易", "机械", "电子", "食品", "建筑工程", "新能源", "供应链", "汽车服务")
_FORMS = ("有限公司", "有限责任公司", "股份有限公司")
_STREETS = ("深南大道", "科技园路", "人民南路", "建设路", "中山路", "解放大道", "工业北路", "滨江路", "迎宾大道", "环城东路")
_PLACES = ("福田", "南山", "龙岗", "宝安", "徐汇", "浦东", "朝阳", "海淀", "天河", "番禺")
# Characters that sound alike, and traditional ones, as they are mistyped and written elsewhere.
_HOMOPHONES = dict(zip("鹏程华达恒源丰辉盛诚", "朋城化大衡圆峰晖胜成", strict=True))
_TRADITIONAL = dict(zip("华鹏龙远业兴泽达丰泰", "華鵬龍遠業興澤達豐泰", strict=True))
_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


class Entry(NamedTuple):
    """A record, the company it is of, and how it came to be."""

    record: Record
    company: int
    kind: str


def _code(chance: random.Random) -> str:
    first = "91" + "".join(chance.choices("0123456789", k=6)) + "".join(chance.choices(_SIGNS, k=9))
    return first + check_sign(first)


def _phone(chance: random.Random) -> str:
    return f"+8613{chance.randrange(10**9):09}"


def _place(chance: random.Random) -> tuple[tuple[str], tuple[Position]]:
    address = f"{chance.choice(_STREETS)}{chance.randrange(1, 900)}号{chance.randrange(1, 30)}栋"
    return (address,), (Position(22 + chance.random(), 113 + chance.random()),)


def _company(chance: random.Random) -> tuple[Record, dict[str, str]]:
    core = chance.choice(_FIRST) + chance.choice(_SECOND) + (chance.choice(_SECOND) if chance.random() < 0.3 else "")
    parts = {"city": chance.choice(_CITIES), "core": core, "trade": chance.choice(_TRADES), "form": chance.choice(_FORMS)}
    addresses, positions = _place(chance)
    name = f"{parts['city']}市{core}{parts['trade']}{parts['form']}"
    code = _code(chance) if chance.random() < 0.4 else None
    return Record(name, (_phone(chance),), (), addresses, positions, code), parts


def _swapped(chance: random.Random, phone: str) -> str:
    at = chance.choice([i for i in range(5, len(phone) - 1) if phone[i] != phone[i + 1]])
    return phone[:at] + phone[at + 1] + phone[at] + phone[at + 2 :]


def _spelt(core: str, table: dict[str, str]) -> str:
    return "".join(table.get(sign, sign) for sign in core)


Writer = Callable[[random.Random, Record, dict[str, str]], Record]


def _bare(record: Record, **values: Any) -> Record:
    """Return a record as somebody writes it again who does not know its credit code."""
    return replace(record, credit_code=None, **values)


def _elsewhere(chance: random.Random, one: Record, **values: Any) -> Record:
    addresses, positions = _place(chance)
    new: dict[str, Any] = {"phones": (_phone(chance),), "addresses": addresses, "positions": positions, "credit_code": None}
    return replace(one, **(new | values))


# How one company is written again.
AGAIN: dict[str, Writer] = {
    "shortened, same telephone": lambda _, one, part: _bare(one, name=part["core"] + part["trade"], addresses=(), positions=()),
    "shortened to two signs, same telephone": lambda _, one, part: _bare(one, name=part["core"][:2], addresses=(), positions=()),
    "shortened, same place": lambda _, one, part: _bare(one, name=part["core"] + part["trade"], phones=()),
    "misheard, same telephone": lambda _, one, part: _bare(
        one, name=one.name.replace(part["core"], _spelt(part["core"], _HOMOPHONES)), addresses=(), positions=()
    ),
    "traditional, nothing else": lambda _, one, part: _bare(
        one, name=_spelt(one.name, _TRADITIONAL), phones=(), addresses=(), positions=()
    ),
    "moved, other telephone": lambda chance, one, _: _elsewhere(chance, one),
    "two digits swapped, shortened": lambda chance, one, part: _bare(
        one, name=part["city"] + part["core"], phones=(_swapped(chance, one.phones[0]),)
    ),
    "another name, same credit code": lambda chance, one, part: replace(
        one, name=f"{chance.choice(_FIRST)}记", credit_code=one.credit_code or None, phones=(), addresses=(), positions=()
    ),
}


# How another company looks like it.
ALIKE: dict[str, Writer] = {
    "a branch with its own number": lambda chance, one, part: _elsewhere(
        chance, one, name=f"{one.name}{chance.choice(_PLACES)}分公司"
    ),
    "a branch with the company's number": lambda chance, one, part: _elsewhere(
        chance, one, name=f"{one.name}{chance.choice(_PLACES)}分公司", phones=one.phones, credit_code=_code(chance)
    ),
    "the same name in another city": lambda chance, one, part: _elsewhere(
        chance, one, name=one.name.replace(part["city"], chance.choice([city for city in _CITIES if city != part["city"]]))
    ),
    "the same name in another trade": lambda chance, one, part: _elsewhere(
        chance, one, name=one.name.replace(part["trade"], chance.choice([trade for trade in _TRADES if trade != part["trade"]]))
    ),
    "next door": lambda chance, one, part: _elsewhere(
        chance, _company(chance)[0], addresses=one.addresses, positions=one.positions
    ),
}


IN_CHINESE = {
    "shortened, same telephone": "简称，电话相同",
    "shortened to two signs, same telephone": "仅写两字字号，电话相同",
    "shortened, same place": "简称，地点相同",
    "misheard, same telephone": "同音误写，电话相同",
    "traditional, nothing else": "繁体写法，无其他信息",
    "moved, other telephone": "已搬迁，电话不同",
    "two digits swapped, shortened": "电话两位颠倒，名称简写",
    "another name, same credit code": "名称不同，统一社会信用代码相同",
    "a branch with its own number": "分公司，电话不同",
    "a branch with the company's number": "分公司，与总公司共用电话",
    "the same name in another city": "异地同名",
    "the same name in another trade": "同字号、不同行业",
    "next door": "同一地址的另一家企业",
}


def made(seed: int, companies: int) -> list[Entry]:
    """Make companies, for each one record more of it and one company that looks like it."""
    chance = random.Random(seed)
    entries: list[Entry] = []
    for n in range(companies):
        record, parts = _company(chance)
        again, alike = chance.choice(list(AGAIN)), chance.choice(list(ALIKE))
        if again == "another name, same credit code":
            record = replace(record, credit_code=record.credit_code or _code(chance))
        entries += [
            Entry(record, 2 * n, "company"),
            Entry(AGAIN[again](chance, record, parts), 2 * n, again),
            Entry(ALIKE[alike](chance, record, parts), 2 * n + 1, alike),
        ]
    return entries
