"""What is left, and how a spend stands, in the reader's language."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from app.core.locales import EN
from app.entitlements.models import Entitlement, EntitlementKind, EntitlementSpend

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
# (English, Chinese)
_LEFT = ("{left} of {granted} {name} left", "{name}：剩余 {left}，共 {granted}")
_ENDING = (", ending {day}", "，{day}到期")
_BEYOND = ("; {beyond} beyond that", "；另有 {beyond} 超出额度")
_NONE_LEFT = ("{name}: nothing is owed", "{name}：当前无可用额度")
_STANDS = {
    "covered": ("Covered by what the customer is owed.", "已由客户权益抵扣。"),
    "no_grant": ("Beyond: the customer was owed none of it on that day.", "超出额度：客户当日没有该项权益。"),
    "used_up": (
        "Beyond: what was left covers {covered} of {amount}; the rest was used before.",
        "超出额度：{amount} 中仅有 {covered} 可抵扣，其余此前已用完。",
    ),
    "forgiven": ("At the company's cost: {reason}", "由公司承担：{reason}"),
    "returned": ("Does not count: {reason}", "不计入：{reason}"),
}


def plain(amount: Decimal) -> str:
    """Return an amount without zeros that say nothing, such as "2.5"."""
    text = f"{amount:.2f}"
    return text.rstrip("0").rstrip(".")


def day_in_words(day: date, locale: str) -> str:
    """Return a day as people write it."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if locale == EN else f"{day.year}年{day.month}月{day.day}日"


def left_in_words(balance: Entitlement, kind: EntitlementKind, locale: str) -> str:
    """Return what is left, such as "2.5 of 20 class hours left, ending 31 December 2026"."""
    side = 0 if locale == EN else 1
    facts = {name: plain(getattr(balance, name)) for name in ("left", "granted", "beyond")}
    name = kind.name_en if locale == EN else kind.name_zh
    said = (_LEFT if balance.granted > 0 else _NONE_LEFT)[side].format(**facts, name=name)
    if balance.next_end is not None:
        said += _ENDING[side].format(day=day_in_words(balance.next_end, locale))
    return said + (_BEYOND[side].format(**facts) if balance.beyond > 0 else "")


def stands_in_words(row: EntitlementSpend, locale: str) -> str:
    """Return how a spend stands, and why."""
    words = _STANDS[row.lack if row.state == "beyond" and row.lack else row.state]
    return words[0 if locale == EN else 1].format(
        amount=plain(row.amount), covered=plain(row.covered), reason=row.settled_reason or "–"
    )
