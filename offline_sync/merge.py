"""Base, present and new, field by field. Values in, values out; knows no database."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True)
class Loss:
    """Two people changed one field while neither knew of the other: one value stays, the other goes to the journal."""

    field: str
    kept: Any
    lost: Any


@dataclass
class Merged:
    """What is to be written, what lost, and whether the row will differ from what the phone sent."""

    write: dict[str, Any] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    differs: bool = False


@dataclass(frozen=True)
class Sent:
    """What a phone says of one row.

    Attributes:
        values: field -> value as it is on the phone.
        claimed: the fields it changed; None: the phone made the row, so all of them.
        base: what the phone takes the server's row to be, where its protocol says so.
        last: field -> digest of the value this installation sent last.
    """

    values: Mapping[str, Any]
    claimed: Collection[str] | None
    base: Mapping[str, Any] | None
    last: Mapping[str, str]


def digest(value: Any) -> str:
    """Return a short digest of a value as it stands on the wire."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]


def merge(present: Mapping[str, Any], sent: Sent, others: Collection[str], server_first: Collection[str] = ()) -> Merged:
    """Merge what a phone sent into the present row.

    The rule of a field decides where both sides changed it: by default the value that arrives last is kept, for
    fields in ``server_first`` the server's. A repeat of what this installation sent before never undoes what came in between.

    Args:
        present: field -> value, as it would be on the wire, of every field phones may edit.
        sent: what arrived.
        others: the fields somebody else changed after the phone last pulled; unused where ``sent.base`` is given.
        server_first: fields in which the server's value is kept.

    Returns:
        What to do; ``differs`` when the phone must hear of the outcome.
    """
    merged = Merged()
    for name, value in sent.values.items():
        if name not in present or value == present[name]:
            continue
        concurrent = present[name] != sent.base.get(name) if sent.base is not None else name in others
        repeated = sent.last.get(name) == digest(value)
        if not claims(sent, name):
            merged.differs = True
        elif repeated:
            # It arrived before, and somebody changed the field since: a repeat must not undo that. A phone that has seen the
            # change and set its old value again looks the same, so the value is kept where a person can restore it.
            if not concurrent and sent.claimed is not None:
                merged.losses.append(Loss(name, kept=present[name], lost=value))
            merged.differs = True
        elif not concurrent:
            merged.write[name] = value
        elif name in server_first:
            merged.losses.append(Loss(name, kept=present[name], lost=value))
            merged.differs = True
        else:
            merged.losses.append(Loss(name, kept=value, lost=present[name]))
            merged.write[name] = value
    return merged


def claims(sent: Sent, name: str) -> bool:
    """Tell whether the phone changed a field; what it sends of the others is only what it knew of them."""
    if sent.base is not None:
        return bool(sent.values[name] != sent.base.get(name))
    return sent.claimed is None or name in sent.claimed
