"""Which column of a file is which field, by kind of file: proposed by its name, in Chinese or English. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from app.search.spelling import fold

_BRACKETS = re.compile(r"[(（\[【].*?[)）\]】]")
_SIGNS = re.compile(r"[\W_]+")


def _plain(name: str) -> str:
    return _SIGNS.sub("", fold(_BRACKETS.sub("", name)))


@dataclass(frozen=True)
class Fields:
    """What files of one kind may fill.

    Attributes:
        subject: the kind of subject whose own fields a file may fill, too.
        synonyms: field -> what columns of it are called; compared without blanks, case and brackets; ``|`` separates them.
        keys: the fields that know a row again, best first.
        defaults: the fields that may be given for rows without one.
    """

    subject: str
    synonyms: Mapping[str, str]
    keys: tuple[str, ...]
    defaults: tuple[str, ...]

    def propose(self, header: Sequence[str], own: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return header -> field for the columns whose names say what they are; of two for one field the first.

        Args:
            own: what the company's own fields are called, by field, each the surer the later; what names a field of ours is never
                one of these.
        """
        ranked = zip_longest(*own.values(), fillvalue=None)
        by_name = {_plain(name): field for names in ranked for field, name in zip(own, names, strict=True) if name is not None}
        by_name |= {_plain(name): field for field, names in self.synonyms.items() for name in (*names.split("|"), field)}
        found: dict[str, str] = {}
        for name in header:
            # As mappings write it there is no doubt, whatever a label or another key is called.
            field = name.strip() if name.strip() in own else by_name.get(_plain(name))
            if field is not None and field not in found.values():
                found[name] = field
        return found

    def propose_key(self, columns: Mapping[str, str]) -> str:
        """Return the best key among the fields that columns give."""
        return next((key for key in self.keys if key in columns.values()), self.keys[0])


_PHONE = "phone|telephone|tel|mobile|phone number|mobile number|电话|电话号码|联系电话|手机|手机号|手机号码"
_EMAIL = "email|e-mail|mail|邮箱|电子邮箱|电子邮件"
_TERRITORY = "territory|territory code|region|area|区域|区域编号|区域代码|片区|大区"
_OWNER = "owner|owner login|rep|sales rep|负责人|业务员|客户经理|销售|负责人账号"

FIELDS_OF: dict[str, Fields] = {
    "customers": Fields(
        "customer",
        {
            "code": "code|customer code|customer no|customer number|account|客户编号|客户编码|客户代码|编号|编码",
            "name": "name|customer|customer name|company|company name|客户|客户名称|客户名|公司|公司名称|单位名称|企业名称|名称",
            "phone": _PHONE,
            "email": _EMAIL,
            "credit_code": "credit code|uscc|统一社会信用代码|社会信用代码|信用代码|税号",
            "territory_code": _TERRITORY,
            "owner_login": _OWNER,
            "site_name": "site|site name|location|站点|站点名称|门店|门店名称",
            "site_address": "address|site address|street|地址|详细地址|客户地址|公司地址|站点地址",
            "lat": "lat|latitude|纬度",
            "lon": "lon|lng|long|longitude|经度",
        },
        ("code", "credit_code", "phone"),
        ("territory_code", "owner_login"),
    ),
    "leads": Fields(
        "lead",
        {
            "name": "name|lead|lead name|contact|contact name|contact person|姓名|联系人|联系人姓名|线索|线索名称|客户姓名|名称",
            "phone": _PHONE,
            "interest": "interest|interested in|enquiry|inquiry|request|demand|意向|意向产品|购买意向|需求|咨询内容|意向内容",
            "company": "company|company name|organisation|organization|公司|公司名称|单位|单位名称|企业名称|客户名称",
            "email": _EMAIL,
            "address": "address|street|地址|详细地址|公司地址|联系地址",
            "territory_code": _TERRITORY,
            "source": "source|lead source|channel|来源|线索来源|渠道|来源渠道",
            "budget": "budget|amount|预算|预算金额|采购预算",
            "owner_login": _OWNER,
        },
        ("phone",),
        ("territory_code", "owner_login", "source", "interest"),
    ),
}
# Of whatever kind of file.
FIELDS = tuple(dict.fromkeys(name for fields in FIELDS_OF.values() for name in fields.synonyms))
KEYS = tuple(dict.fromkeys(name for fields in FIELDS_OF.values() for name in fields.keys))
DEFAULTS = tuple(dict.fromkeys(name for fields in FIELDS_OF.values() for name in fields.defaults))


def fits(header: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Tell whether a kept mapping is one of this file: all its columns are there."""
    return bool(columns) and set(columns) <= set(header)
