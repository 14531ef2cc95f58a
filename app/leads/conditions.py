"""Conditions over a lead's fields, as scores and routings are made of them. Pure: facts in, yes or no out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec
from marshmallow import ValidationError

from app.core.locales import EN
from app.custom_fields.values import KEY, Definition, checked_value

Comparison = Literal["filled", "empty", "is", "is_not", "one_of", "contains", "at_least", "at_most"]
Scalar = str | int | float | bool

# What may be compared: (English, Chinese). Values of the company's own fields are named ``custom.<key>``.
FIELDS: dict[str, tuple[str, str]] = {
    "name": ("name", "姓名"),
    "phone": ("phone", "电话"),
    "interest": ("interest", "意向"),
    "company": ("company", "公司"),
    "email": ("e-mail", "邮箱"),
    "address": ("address", "地址"),
    "territory_id": ("territory", "区域"),
    "source": ("source", "来源"),
    "budget": ("budget", "预算"),
    "completeness": ("completeness (%)", "完整度（%）"),
}
_NUMBERS = frozenset({"budget", "completeness"})
OWN = "custom."
_CUSTOM = re.compile(rf"custom\.{KEY.pattern}")
_LONGEST, _MOST_VALUES = 200, 50
# Kinds of own fields whose values are always written alike; a telephone number is kept otherwise than it is typed.
_EXACT = frozenset({"number", "flag", "day", "choice"})
_FLAGS = {True: ("yes", "是"), False: ("no", "否")}
# (English, Chinese); ``{}`` places the value.
_WORDS: dict[str, tuple[str, str]] = {
    "filled": ("{field} is known", "{field}已填写"),
    "empty": ("{field} is not known", "{field}未填写"),
    "is": ("{field} is {value}", "{field}为{value}"),
    "is_not": ("{field} is not {value}", "{field}不为{value}"),
    "one_of": ("{field} is one of {value}", "{field}属于{value}"),
    "contains": ("{field} contains {value}", "{field}包含{value}"),
    "at_least": ("{field} is at least {value}", "{field}不低于 {value}"),
    "at_most": ("{field} is at most {value}", "{field}不高于 {value}"),
}


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One comparison of one field."""

    field: str
    comparison: Comparison
    value: Scalar | list[Scalar] | None = None

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: saying what is wrong.
        """
        if self.field not in FIELDS and not _CUSTOM.fullmatch(self.field):
            raise ValueError(f"{self.field!r} is no field of a lead")
        if self.comparison in {"filled", "empty"}:
            fits = self.value is None
        elif self.comparison == "one_of":
            fits = isinstance(self.value, list) and 0 < len(self.value) <= _MOST_VALUES and all(map(_is_plain, self.value))
        elif self.comparison in {"at_least", "at_most"}:
            fits = _number(self.value) is not None and (self.field in _NUMBERS or self.field.startswith(OWN))
        else:
            fits = _is_plain(self.value) and (self.comparison != "contains" or isinstance(self.value, str))
        if not fits:
            raise ValueError(f"{self.field}: {self.comparison} does not go with the value {self.value!r}")


def check_own(condition: Condition, own: Mapping[str, Definition]) -> None:
    """Refuse a condition on a field of the company's own that leads do not have, or that no value of it can meet.

    Args:
        own: the fields that take values, by ``custom.<key>``.

    Raises:
        ValueError: saying what is wrong.
    """
    if not condition.field.startswith(OWN):
        return
    field, value = own.get(condition.field), condition.value
    if field is None:
        raise ValueError(f"{condition.field}: leads have no such field; it is added first")
    if condition.comparison in {"at_least", "at_most"} and field.kind not in {"number", "text"}:
        raise ValueError(f"{condition.field}: {condition.comparison} does not go with the kind {field.kind!r}")
    if condition.comparison in {"is", "is_not", "one_of"} and field.kind in _EXACT:
        for one in value if isinstance(value, list) else [value]:
            try:
                checked_value(field, one)
            except ValidationError:
                raise ValueError(f"{condition.field}: a field of the kind {field.kind!r} never holds {one!r}") from None


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and 0 < len(value) <= _LONGEST)


def _number(value: Any) -> Decimal | None:
    """Return what a value is as a number; a text that is one counts, True does not."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    numbers = _number(one), _number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return str(one).strip().casefold() == str(other).strip().casefold()


def value_of(field: str, facts: Mapping[str, Any]) -> Any:
    """Return the value of a field, None where it is not filled."""
    if field.startswith(OWN):
        custom = facts.get("custom") or {}
        found = custom.get(field.removeprefix(OWN))
    else:
        found = facts.get(field)
    return None if found in ("", [], {}) else found


def holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    """Tell whether a condition holds. A field that is not filled meets only ``empty`` and ``is_not``."""
    found, wanted = value_of(condition.field, facts), condition.value
    if condition.comparison in {"filled", "empty"}:
        return (found is None) == (condition.comparison == "empty")
    if found is None:
        return condition.comparison == "is_not"
    if condition.comparison in {"at_least", "at_most"}:
        return _beyond(condition.comparison, _number(found), _number(wanted))
    # A field of several values meets what one of them meets.
    many = found if isinstance(found, list) else [found]
    if condition.comparison == "contains":
        return any(str(wanted).casefold() in str(one).casefold() for one in many)
    named: Sequence[Any] = wanted if isinstance(wanted, list) else [wanted]
    met = any(_same(one, other) for one in many for other in named)
    return not met if condition.comparison == "is_not" else met


def _beyond(comparison: str, found: Decimal | None, bound: Decimal | None) -> bool:
    if found is None or bound is None:
        return False
    return found >= bound if comparison == "at_least" else found <= bound


def in_words(condition: Mapping[str, Any], locale: str, names: Mapping[str, str] | None = None) -> str:
    """Return a condition as a phrase.

    Args:
        condition: ``field``, ``comparison`` and ``value``, as stored.
        locale: the reader's.
        names: what fields and values are called, by ``custom.<key>`` and by ``<field>=<value>``.
    """
    place = 0 if locale == EN else 1
    field, names = str(condition["field"]), names or {}
    told = FIELDS[field][place] if field in FIELDS else names.get(field, field.removeprefix(OWN))
    value = condition.get("value")
    many = value if isinstance(value, list) else [value]
    plain = (_FLAGS[one][place] if isinstance(one, bool) else str(one) for one in many)
    listed = (", " if locale == EN else "、").join(names.get(f"{field}={one}", one) for one in plain)
    return _WORDS[str(condition["comparison"])][place].format(field=told, value=listed)
