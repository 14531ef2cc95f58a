"""What an adapter makes of a message."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any, NamedTuple

import msgspec

from app.core.wire import INT64, WireError, check_text

_MOST_SETTINGS = 100
_LONGEST_NAME, _LONGEST_TEXT = 60, 200
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?")


def number_in(text: str) -> float | None:
    """Read a text that is a decimal number; None for any other, and for what no float can hold."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def check_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings as a device tells them: at most 100 texts, numbers, true or false, by name.

    Raises:
        WireError: ``shape_invalid``, ``text_too_long`` or ``text_invalid``.
    """
    if len(values) > _MOST_SETTINGS:
        raise WireError("shape_invalid", f"at most {_MOST_SETTINGS} settings")
    for name, value in values.items():
        check_text(name, _LONGEST_NAME)
        if isinstance(value, str):
            check_text(value, _LONGEST_TEXT)
        elif not isinstance(value, int | float) or (isinstance(value, int) and not -INT64 <= value < INT64):
            raise WireError("shape_invalid", "a setting is a text, a number, true or false")
    return values


def content_key(at_ms: int, content: Any) -> str:
    """Return what makes a message without a number the same message: its time and its content."""
    return f"@{at_ms}:{hashlib.sha256(msgspec.json.encode(content, order='sorted')).hexdigest()[:24]}"


class Sample(NamedTuple):
    """Values a device measured at one instant. ``values`` by the device's own names.

    ``shard``: that of the topic, None for conventions without one. ``key`` is unique per device. ``alive``: False where the
    message says that the device is gone, which somebody else says for it.
    """

    adapter: str
    address: str
    shard: int | None
    key: str
    at_ms: int
    values: dict[str, float]
    alive: bool = True


class FaultReport(NamedTuple):
    """A fault code a device reported."""

    adapter: str
    address: str
    shard: int | None
    key: str
    at_ms: int
    code: str
    severity: str
    description: str


class Answer(NamedTuple):
    """A device's answer to a command, which is known by its id, or by a number where the convention has no other."""

    adapter: str
    address: str
    shard: int | None
    command_id: str | int
    body: Any


class SettingsReport(NamedTuple):
    """What a device says it has taken over of its settings: under which number, and what it is set to, if it says.

    ``at_ms``: by its own clock, or its arrival. ``whole``: what it does not name, it is not set to; else it says nothing of it.
    """

    adapter: str
    address: str
    shard: int | None
    at_ms: int
    number: int
    values: dict[str, Any] | None
    whole: bool = True


class Ignored(NamedTuple):
    """A message of a known convention that carries nothing we use; the device was heard if it is ``alive``."""

    adapter: str
    address: str
    why: str
    alive: bool = True


class NodeMetric(NamedTuple):
    """One metric of a node's message, in the node's words. ``name`` is empty where only the alias is sent.

    ``kind``: the data type's number, 0 where it is left out. ``value``: None for what is no number, and for null.
    """

    name: str
    alias: int | None
    at_ms: int | None
    kind: int
    value: float | int | None
    historical: bool


class NodeMessage(NamedTuple):
    """A message whose values have names only for who knows the node's births. ``below``: the device's own name, or empty."""

    adapter: str
    address: str
    shard: None
    at_ms: int
    node: str
    below: str
    kind: str
    seq: int | None
    metrics: tuple[NodeMetric, ...]
    alive: bool = True


Decoded = Sample | FaultReport | Answer | SettingsReport | Ignored | NodeMessage
