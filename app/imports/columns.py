"""Which column of a file is which field of a customer: proposed by its name, in Chinese or English. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.search.spelling import fold

# field: what columns of it are called; compared without blanks, case and brackets; ``|`` separates them.
SYNONYMS: dict[str, str] = {
    "code": "code|customer code|customer no|customer number|account|客户编号|客户编码|客户代码|编号|编码",
    "name": "name|customer|customer name|company|company name|客户|客户名称|客户名|公司|公司名称|单位名称|企业名称|名称",
    "phone": "phone|telephone|tel|mobile|phone number|mobile number|电话|电话号码|联系电话|手机|手机号|手机号码",
    "email": "email|e-mail|mail|邮箱|电子邮箱|电子邮件",
    "credit_code": "credit code|uscc|统一社会信用代码|社会信用代码|信用代码|税号",
    "territory_code": "territory|territory code|region|area|区域|区域编号|区域代码|片区|大区",
    "owner_login": "owner|owner login|rep|sales rep|负责人|业务员|客户经理|销售|负责人账号",
    "site_name": "site|site name|location|站点|站点名称|门店|门店名称",
    "site_address": "address|site address|street|地址|详细地址|客户地址|公司地址|站点地址",
    "lat": "lat|latitude|纬度",
    "lon": "lon|lng|long|longitude|经度",
}
FIELDS = tuple(SYNONYMS)
KEYS = ("code", "credit_code", "phone")
_BRACKETS = re.compile(r"[(（\[【].*?[)）\]】]")
_SIGNS = re.compile(r"[\W_]+")


def _plain(name: str) -> str:
    return _SIGNS.sub("", fold(_BRACKETS.sub("", name)))


_BY_NAME = {_plain(name): field for field, names in SYNONYMS.items() for name in (*names.split("|"), field)}


def propose(header: Sequence[str], own: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return header -> field for the columns whose names say what they are; of two for one field the first.

    Args:
        own: what the company's own fields are called, by field; what names a field of ours is never one of these.
    """
    by_name = {_plain(name): field for field, names in own.items() for name in names} | _BY_NAME
    found: dict[str, str] = {}
    for name in header:
        field = by_name.get(_plain(name))
        if field is not None and field not in found.values():
            found[name] = field
    return found


def propose_key(columns: Mapping[str, str]) -> str:
    """Return the best key among the fields that columns give."""
    return next((key for key in KEYS if key in columns.values()), KEYS[0])


def fits(header: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Tell whether a kept mapping is one of this file: all its columns are there."""
    return bool(columns) and set(columns) <= set(header)
