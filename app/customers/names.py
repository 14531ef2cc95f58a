"""Names of customers and addresses, taken apart for comparing: what tells one company from another, and what does not.

Values in, values out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from app.search.spelling import fold, reading_of

# Forms of companies: every name has one, or leaves it out. Longer ones first, as each takes what a shorter one would leave.
_FORMS_ZH = (
    "股份有限责任公司 有限责任公司 股份有限公司 集团有限公司 有限公司 合伙企业 个人独资企业 个体工商户 "
    "股份公司 集团公司 总公司 分公司 子公司 公司 集团 股份 有限合伙 普通合伙 控股"
)
_FORM_WORDS = (
    "ltd limited inc incorporated corp corporation co company llc llp plc gmbh ag kg sa sarl bv nv pty pte srl spa oy ab kk "
    "group holding holdings the and"
)
_FORMS = frozenset(_FORM_WORDS.split())
# Provinces, and the cities whose names open the names of companies. A company's name is registered within its region.
_REGIONS = (
    "北京 天津 上海 重庆 河北 山西 内蒙古 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 "
    "广东 广西 海南 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆 香港 澳门 台湾 石家庄 唐山 太原 "
    "呼和浩特 沈阳 大连 长春 哈尔滨 南京 苏州 无锡 常州 南通 徐州 杭州 宁波 温州 嘉兴 绍兴 金华 台州 "
    "合肥 芜湖 福州 厦门 泉州 南昌 济南 青岛 烟台 潍坊 郑州 洛阳 武汉 宜昌 襄阳 长沙 株洲 广州 深圳 珠海 "
    "佛山 东莞 惠州 中山 江门 汕头 湛江 南宁 柳州 桂林 海口 三亚 成都 绵阳 贵阳 昆明 拉萨 西安 咸阳 兰州 "
    "西宁 银川 乌鲁木齐"
)
_PLACE = f"(?:{'|'.join(sorted(_REGIONS.split(), key=len, reverse=True))})(?:省|市|特别行政区|自治区)?"
_OPENING, _WITHIN = re.compile(f"{_PLACE}|中国"), re.compile(rf"\({_PLACE}\)")
# One trade a word: two companies of one trade are no nearer to each other for it.
_TRADES_ZH = (
    "物流 运输 货运 快递 供应链 科技 技术 贸易 商贸 实业 电子 机械 设备 制造 汽车 新能源 建筑 工程 装饰 "
    "餐饮 食品 酒店 置业 房地产 投资 服务 发展 信息 网络 管理 咨询 文化 传媒 医疗 医药 生物 化工 材料 "
    "环保 能源 租赁 维修 仓储 配送 物业 国际 超市"
)
_TRADE = re.compile("|".join(sorted(_TRADES_ZH.split(), key=len, reverse=True)))
_FORM = re.compile("|".join(_FORMS_ZH.split()))
_COUNTED = "一二三四五六七八九十"
_BRANCH = re.compile(r"\(?([^()]{1,10}?)(分公司|分店|分厂|分部|分行|支行|营业部|办事处|门店|旗舰店|专卖店|子公司|店)\)?$")
_BRACKETS = re.compile(r"[()]")
_HAN = re.compile(r"[㐀-鿿]")
_WORDS = re.compile(r"[a-z0-9]+")
_NUMBERS = re.compile(rf"\d+|(?<=第)[{_COUNTED}]+|[{_COUNTED}]+(?=[号厂店分部期区院中小])")
_STREET_WORDS = (
    "st=street str=street blv=boulevard rd=road ave=avenue av=avenue blvd=boulevard dr=drive ln=lane "
    "pl=place sq=square hwy=highway ct=court cres=crescent pde=parade n=north s=south e=east w=west "
    "ne=northeast nw=northwest se=southeast sw=southwest"
)
_STREETS = dict(pair.split("=") for pair in _STREET_WORDS.split())
_AREA_ZH = re.compile(r"[^省市区县镇]{2,8}?(?:特别行政区|自治区|省|市|区|县|镇)")


class Name(NamedTuple):
    """A name taken apart.

    Attributes:
        whole: all of it, in one way of writing.
        core: what is left without region, company form, branch and, where something is left, trade.
        region: the province or city that opens it, or nothing.
        branch: the place or number of a branch, "" for a whole company.
        trades: what it deals in, as far as a word for it is known here; Chinese names only.
        numbers: numbers in it, which tell one of several apart.
    """

    whole: str
    core: str
    region: str
    branch: str
    trades: frozenset[str]
    numbers: tuple[str, ...]

    @property
    def is_chinese(self) -> bool:
        """Whether its core is written in Chinese characters."""
        return bool(_HAN.search(self.core))


class Address(NamedTuple):
    """An address taken apart: ``street`` is the text without numbers and districts; ``numbers`` in their order."""

    street: str
    numbers: tuple[str, ...]


@lru_cache(maxsize=20_000)
def name_of(text: str) -> Name:
    """Take a name apart."""
    folded = fold(text)
    return _chinese(folded) if _HAN.search(folded) else _latin(folded)


def _chinese(folded: str) -> Name:
    whole = re.sub(r"[^\w()]", "", folded)
    found = _OPENING.match(whole) or _WITHIN.search(whole)
    region = re.sub("(?:省|市|特别行政区|自治区)$", "", found.group().strip("()")) if found else ""
    rest, branch = _without_branch(whole.replace(found.group(), "", 1) if found else whole)
    named = _BRACKETS.sub("", _FORM.sub("", re.sub(r"\([^)]*\)", "", rest))) or _BRACKETS.sub("", rest or whole)
    core = _TRADE.sub("", named)
    # A name that is all trade, or leaves a single sign, is told apart by its trade alone.
    core = core if len(core) > 1 else named
    trades = frozenset(_TRADE.findall(named)) if core != named else frozenset()
    return Name(_BRACKETS.sub("", whole), core, region, branch, trades, tuple(_NUMBERS.findall(rest + branch)))


def _without_branch(rest: str) -> tuple[str, str]:
    """Return a name without the words for a branch, and the place that tells which one."""
    told = _BRANCH.search(rest)
    if told is None:
        return rest, ""
    before, inside = rest[: told.start()], told.group(1)
    head, company, place = inside.rpartition("公司")
    if not before and not company:
        # Nothing says where the company's name ends: behind a word for its trade, else two signs before the end.
        trade = list(_TRADE.finditer(inside))
        end = trade[-1].end() if trade and trade[-1].end() < len(inside) else max(len(inside) - 2, 0)
        head, place = inside[:end], inside[end:]
    return (before + head + company, place) if before + head + company else (rest, "")


def _latin(folded: str) -> Name:
    words = _WORDS.findall(folded.replace("'", "").replace("&", " and "))
    told = [word for word in words if word not in _FORMS] or words
    branch = ""
    if "branch" in told:
        at = told.index("branch")
        branch = " ".join(told[max(at - 1, 0) : at]) if at else " ".join(told[1:])
        told = [word for i, word in enumerate(told) if i != at and word != branch] or told
    return Name(" ".join(words), " ".join(told), "", branch, frozenset(), tuple(word for word in words if word.isdigit()))


@lru_cache(maxsize=20_000)
def address_of(text: str) -> Address:
    """Take an address apart."""
    folded = fold(text)
    numbers = tuple(re.findall(r"\d+", folded))
    if _HAN.search(folded):
        street = re.sub(r"[^㐀-鿿a-z]", "", _AREA_ZH.sub("", re.sub(r"\d+", "", folded)))
        return Address(street, numbers)
    words = [_STREETS.get(word, word) for word in re.findall(r"[a-z]+", folded.replace("'", ""))]
    return Address(" ".join(words), numbers)


@lru_cache(maxsize=10_000)
def _syllable(sign: str) -> str:
    plain = "".join(part for part in unicodedata.normalize("NFKD", reading_of(sign)) if not unicodedata.combining(part))
    return plain.casefold()


def syllables(text: str) -> tuple[str, ...]:
    """Return how Chinese characters sound, without tones, each by its commonest reading; other words as they are.

    Only to compare with what this function returns: a character always gets the same reading, be it right there or not.
    """
    return tuple(_syllable(part) if _HAN.match(part) else part for part in re.findall(r"[㐀-鿿]|[a-z0-9]+", text))
