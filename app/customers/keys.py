"""Keys under which records of one customer meet, so that not every pair has to be compared. Pure.

A record has some ten keys; two records are compared when they share one that few others have. What a key is made of: exact
numbers and addresses, how a name sounds by twos of its syllables, words of it, and the house number with the street's beginning.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from app.customers.matching import Record
from app.customers.names import Name, address_of, name_of, syllables

# A key that more customers share tells nothing; those who share only such keys are not compared.
LARGEST_BLOCK = 60
# Of one customer, those are compared that share the rarest keys.
MOST_COMPARED = 100
_LONGEST_KEY = 80
_MOST_KEYS = 60
# Of a word: both ends, so that one slip of the pen leaves a key that both spellings have.
_END = 4


def keys_of(record: Record) -> list[str]:
    """Return the keys of a record, each once, the most telling first; at most 60."""
    found = dict.fromkeys(key[:_LONGEST_KEY] for key in _keys(record))
    return list(found)[:_MOST_KEYS]


def _keys(record: Record) -> Iterator[str]:
    if record.credit_code:
        yield f"code:{record.credit_code}"
    yield from (f"phone:{phone}" for phone in record.phones)
    yield from (f"email:{email.casefold()}" for email in record.emails)
    yield from _keys_of_name(name_of(record.name))
    for text in record.addresses:
        address = address_of(text)
        words = address.street.split()
        if words and address.numbers:
            longest = max(words, key=len)
            yield f"house:{address.numbers[0]} {longest[:_END]}"
            yield f"house:{address.numbers[0]} {longest[-_END:]}"


def _keys_of_name(name: Name) -> Iterator[str]:
    told = syllables(name.core)
    yield f"name:{' '.join(told)}"
    if name.is_chinese:
        yield from (f"two:{a} {b}" for a, b in pairwise(told))
        return
    for word in told:
        if len(word) > 2:
            yield f"word:{word}"
        if len(word) > _END:
            yield f"begin:{word[:_END]}"
            yield f"end:{word[-_END:]}"


def nearest(own: str, blocks: Mapping[str, Sequence[str]]) -> list[str]:
    """Return who is to be compared with a record, those who share the rarest keys first.

    Args:
        own: the record.
        blocks: for each of its keys, who has it; more than ``LARGEST_BLOCK`` need not be listed to the last.
    """
    rarity: dict[str, float] = defaultdict(float)
    for block in blocks.values():
        if len(block) <= LARGEST_BLOCK:
            for other in block:
                rarity[other] += 1 / len(block)
    rarity.pop(own, None)
    return sorted(rarity, key=lambda other: (-rarity[other], other))[:MOST_COMPARED]


def digest_of(record: Record) -> str:
    """Return a short digest of everything that is compared: another one says that the record must be looked at anew."""
    told = (
        record.name, sorted(record.phones), sorted(record.emails), sorted(record.addresses),
        sorted(tuple(position) for position in record.positions), record.credit_code,
    )  # fmt: skip
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
