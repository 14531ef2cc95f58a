"""How likely two records are the same customer, from 0 to 100, with what speaks for it and against. Pure; the only rapidfuzz.

Each sign has a weight in bits: the binary logarithm of how much likelier it is to be seen on two records of one customer than
on those of two customers. Weights are added to what is known before any sign, and the sum is turned into a probability.

Source of the rule: Fellegi and Sunter, A Theory for Record Linkage, Journal of the American Statistical Association 64, 1969.
The weights are estimates of ours, held against public and generated records in docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from app.core.geo import Position, distance_m
from app.customers.names import Address, Name, address_of, name_of, syllables

# From here on a pair is shown to the office, and from here on it needs little thought. Nothing is merged by a score.
POSSIBLE, LIKELY = 50, 90

# Of the records that share a key (``keys.py``), about one pair in 128 is one customer: log2(1 / 128).
_BEFORE = -7.0

# Two companies of one region cannot register one name (企业名称登记管理规定, 2020, article 17); else the same name occurs again,
# and the more so where one of two says neither region nor trade.
_NAME_SAME, _WHOLE_NAME_SAME, _REGISTERED_NAME_SAME = 9.0, 11.0, 13.0
_REGION_UNSAID, _TRADE_UNSAID = -2.0, -1.0
# Similarity of names in per cent -> bits, in between on straight lines.
_NAME_LINE = ((40.0, -9.0), (60.0, -5.0), (70.0, -1.0), (80.0, 2.0), (90.0, 5.0), (100.0, 7.0))
# A short name inside a longer one is how people abbreviate, and how families of companies are named.
_NAME_INSIDE = 4.0
# Sounding the same is weak: Chinese has some 400 syllables for thousands of characters, yet it is how a name is misheard.
_NAME_SOUNDS = 4.0
_TRADE_DIFFERS, _REGION_DIFFERS, _NUMBER_DIFFERS = -4.0, -7.0, -8.0
# Branches share name, web site and often the telephone of their company, and are customers of their own.
_BRANCH_DIFFERS, _BRANCH_OF_OTHER = -13.0, -10.0
# Hardly two customers share a number; a digit wrong or two swapped is a slip of the pen.
_PHONE_SAME, _PHONE_NEAR, _PHONE_DIFFERS = 9.0, 4.0, -1.0
_EMAIL_SAME, _EMAIL_HOST_SAME, _EMAIL_DIFFERS = 9.0, 3.0, -0.5
# People move, so another address says little; the same house in the same street says much, the same street little.
_ADDRESS_SAME, _STREET_SAME, _NUMBER_OTHER, _ADDRESS_DIFFERS = 7.0, 3.0, -2.0, -1.5
# Two positions of one yard lie within the yard and the error of a phone. Metres -> bits, the first that holds.
_POSITION_STEPS = ((50.0, 4.0), (200.0, 3.0), (1_000.0, 1.0), (5_000.0, 0.0), (50_000.0, -1.0))
_POSITION_FAR = -2.0
_CODE_DIFFERS = -12.0
_STREET_ALIKE, _STREET_NEAR = 88.0, 75.0
# Where people have their own addresses: that two are there says nothing.
_PUBLIC = (
    "qq.com 163.com 126.com sina.com sina.cn sohu.com foxmail.com aliyun.com 139.com gmail.com hotmail.com outlook.com yahoo.com "
    "icloud.com live.com msn.com aol.com gmx.de web.de"
)
_PUBLIC_HOSTS = frozenset(_PUBLIC.split())


@dataclass(frozen=True)
class Record:
    """What of a customer is compared: ``phones`` in E.164, ``addresses`` and ``positions`` (WGS-84) of its sites."""

    name: str
    phones: Sequence[str] = ()
    emails: Sequence[str] = ()
    addresses: Sequence[str] = ()
    positions: Sequence[Position] = ()
    credit_code: str | None = None


class Sign(NamedTuple):
    """One thing that speaks for a pair, or against it.

    Attributes:
        code: what was seen.
        bits: its weight; below 0 it speaks against.
        value: the number that goes with it: per cent of similarity, or metres; None where the code says all.
    """

    code: str
    bits: float
    value: float | None = None


class Match(NamedTuple):
    """A score, and the signs it is made of; ``credit_code_same`` decides alone."""

    score: int
    signs: tuple[Sign, ...]


def compare(one: Record, other: Record) -> Match:
    """Compare two records. Which one comes first makes no difference."""
    if one.credit_code and one.credit_code == other.credit_code:
        return Match(100, (Sign("credit_code_same", 0.0), *_compared(one, other)))
    signs = _compared(one, other)
    if one.credit_code and other.credit_code:
        signs = (Sign("credit_code_differs", _CODE_DIFFERS), *signs)
    odds = 2.0 ** (_BEFORE + sum(sign.bits for sign in signs))
    return Match(round(100 * odds / (1 + odds)), signs)


def _compared(one: Record, other: Record) -> tuple[Sign, ...]:
    signs = [
        *compare_names(name_of(one.name), name_of(other.name)),
        *_phones(one.phones, other.phones),
        *_emails(one.emails, other.emails),
        *_addresses(one.addresses, other.addresses),
        *_positions(one.positions, other.positions),
    ]
    return tuple(signs)


def compare_names(one: Name, other: Name) -> list[Sign]:
    """Compare two names: how alike what they are told by is, and what says that they are two all the same."""
    signs = [_core(one, other), *_kind(one, other)]
    if one.branch != other.branch:
        both = bool(one.branch and other.branch)
        signs.append(Sign("branch_differs", _BRANCH_DIFFERS) if both else Sign("branch_of_other", _BRANCH_OF_OTHER))
    if one.numbers and other.numbers and set(one.numbers) != set(other.numbers):
        signs.append(Sign("name_number_differs", _NUMBER_DIFFERS))
    return signs


def _kind(one: Name, other: Name) -> list[Sign]:
    """Compare what a Chinese name says beside its core: where it is registered, and what it deals in."""
    signs = []
    if one.trades and other.trades and not one.trades & other.trades:
        signs.append(Sign("trade_differs", _TRADE_DIFFERS))
    elif bool(one.trades) != bool(other.trades):
        signs.append(Sign("trade_unsaid", _TRADE_UNSAID))
    if one.region and other.region and one.region != other.region:
        signs.append(Sign("region_differs", _REGION_DIFFERS))
    elif bool(one.region) != bool(other.region):
        signs.append(Sign("region_unsaid", _REGION_UNSAID))
    return signs


def _core(one: Name, other: Name) -> Sign:
    if one.whole == other.whole:
        return Sign("name_same", _REGISTERED_NAME_SAME if one.region else _WHOLE_NAME_SAME, 100.0)
    if one.core == other.core:
        return Sign("name_same", _NAME_SAME, 100.0)
    alike = _likeness(one, other)
    found = [Sign("name_alike" if alike >= _NAME_LINE[2][0] else "name_differs", _on_line(alike), round(alike, 1))]
    if _is_inside(one, other):
        found.append(Sign("name_inside", _NAME_INSIDE, round(alike, 1)))
    if one.is_chinese and other.is_chinese and syllables(one.core) == syllables(other.core):
        found.append(Sign("name_sounds_same", _NAME_SOUNDS, round(alike, 1)))
    return max(found, key=lambda sign: sign.bits)


def _likeness(one: Name, other: Name) -> float:
    if one.is_chinese or other.is_chinese:
        # The scorers for words split at blanks; a Chinese name is one word to them.
        return fuzz.ratio(one.core, other.core)
    return max(fuzz.ratio(one.core, other.core), fuzz.token_sort_ratio(one.core, other.core))


def _is_inside(one: Name, other: Name) -> bool:
    short, long = sorted((one, other), key=lambda name: len(name.core))
    if short.is_chinese:
        return len(short.core) > 1 and short.core in long.core
    words, more = short.core.split(), long.core.split()
    return len(short.core) > 3 and set(words) <= set(more)


def _on_line(value: float) -> float:
    line = _NAME_LINE
    if value <= line[0][0]:
        return line[0][1]
    for (x1, y1), (x2, y2) in pairwise(line):
        if value <= x2:
            return round(y1 + (y2 - y1) * (value - x1) / (x2 - x1), 2)
    return line[-1][1]


def _phones(one: Iterable[str], other: Iterable[str]) -> list[Sign]:
    pairs = list(product(one, other))
    if not pairs:
        return []
    if any(a == b for a, b in pairs):
        return [Sign("phone_same", _PHONE_SAME)]
    if any(OSA.distance(a, b) == 1 for a, b in pairs):
        return [Sign("phone_near", _PHONE_NEAR)]
    return [Sign("phone_differs", _PHONE_DIFFERS)]


def _emails(one: Iterable[str], other: Iterable[str]) -> list[Sign]:
    mine, theirs = {email.casefold() for email in one}, {email.casefold() for email in other}
    if not mine or not theirs:
        return []
    if mine & theirs:
        return [Sign("email_same", _EMAIL_SAME)]
    hosts = {email.rpartition("@")[2] for email in mine} & {email.rpartition("@")[2] for email in theirs}
    if hosts - _PUBLIC_HOSTS:
        return [Sign("email_host_same", _EMAIL_HOST_SAME)]
    return [Sign("email_differs", _EMAIL_DIFFERS)]


def _addresses(one: Iterable[str], other: Iterable[str]) -> list[Sign]:
    mine, theirs = ([address_of(text) for text in texts if text.strip()] for texts in (one, other))
    found = [_address(a, b) for a, b in product(mine, theirs)]
    return [max(found, key=lambda sign: (sign.bits, sign.value or 0.0))] if found else []


def _address(one: Address, other: Address) -> Sign:
    alike = round(max(fuzz.ratio(one.street, other.street), fuzz.token_sort_ratio(one.street, other.street)), 1)
    numbers = bool(set(one.numbers) & set(other.numbers))
    if alike >= _STREET_NEAR and numbers:
        return Sign("address_same", _ADDRESS_SAME if alike >= _STREET_ALIKE else _ADDRESS_SAME - 1, alike)
    if alike >= _STREET_ALIKE and one.numbers and other.numbers:
        return Sign("house_number_differs", _NUMBER_OTHER, alike)
    if alike >= _STREET_ALIKE:
        return Sign("street_same", _STREET_SAME, alike)
    return Sign("address_differs", _ADDRESS_DIFFERS, alike)


def _positions(one: Iterable[Position], other: Iterable[Position]) -> list[Sign]:
    away = [distance_m(a, b) for a, b in product(one, other)]
    if not away:
        return []
    nearest = min(away)
    bits = next((bits for most, bits in _POSITION_STEPS if nearest <= most), _POSITION_FAR)
    return [Sign("position_near" if bits > 0 else "position_far", bits, round(nearest))]


def spelling(one: str, other: str) -> float:
    """Return how alike two texts are written, from 0 to 1: edits, and neighbours swapped, by the longer one's length."""
    return float(OSA.normalized_similarity(one, other))
