"""What speaks for or against two customers being one, in words; ``{}`` places the number that goes with it."""

from __future__ import annotations

from app.core.locales import EN

# code: (English, Chinese)
SIGNS: dict[str, tuple[str, str]] = {
    "credit_code_same": ("the same unified social credit code", "统一社会信用代码相同"),
    "credit_code_differs": ("different unified social credit codes", "统一社会信用代码不同"),
    "name_same": ("the same name, company form and trade apart", "名称相同（不计公司形式与行业词）"),
    "name_alike": ("names {} % alike", "名称相似度 {}%"),
    "name_differs": ("names only {} % alike", "名称相似度仅 {}%"),
    "name_inside": ("one name is part of the other", "一方名称包含另一方"),
    "name_sounds_same": ("names that sound the same", "名称读音相同"),
    "trade_differs": ("different trades", "所属行业不同"),
    "trade_unsaid": ("only one name says what it deals in", "仅一方名称含行业词"),
    "region_unsaid": ("only one name says where it is registered", "仅一方名称含地区"),
    "region_differs": ("registered in different places", "注册地区不同"),
    "branch_differs": ("two different branches", "属于不同的分支机构"),
    "branch_of_other": ("one is a branch, the other is not", "一方为分支机构，另一方不是"),
    "name_number_differs": ("different numbers in the names", "名称中的编号不同"),
    "phone_same": ("the same telephone number", "电话号码相同"),
    "phone_near": ("telephone numbers that differ in one slip", "电话号码仅差一位或两位颠倒"),
    "phone_differs": ("different telephone numbers", "电话号码不同"),
    "email_same": ("the same e-mail address", "邮箱地址相同"),
    "email_host_same": ("e-mail addresses of one company", "邮箱属于同一企业域名"),
    "email_differs": ("different e-mail addresses", "邮箱地址不同"),
    "address_same": ("the same house in a street {} % alike", "门牌号相同，街道相似度 {}%"),
    "street_same": ("the same street", "街道相同"),
    "house_number_differs": ("the same street, another house", "街道相同，门牌号不同"),
    "address_differs": ("different addresses", "地址不同"),
    "position_near": ("sites {} m apart", "站点相距 {} 米"),
    "position_far": ("sites at least {} m apart", "站点至少相距 {} 米"),
}


def sign_text(code: str, value: float | None, locale: str) -> str:
    """Return a sign in a language."""
    english, chinese = SIGNS[code]
    number = "–" if value is None else f"{value:g}"
    return (english if locale == EN else chinese).format(number)
