"""Schema fields of the HTTP door: strict types, bounded, and every fault a code that is put into words later."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import marshmallow as ma
import phonenumbers
from marshmallow import ValidationError, fields

from app.core import wire
from app.core.credit_codes import is_credit_code, plain_code
from app.core.narrowing import NONE
from app.core.settings import amount

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # Unicode's categories Cc, Zl and Zp
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_MINUTE = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_COMMON: dict[str, str | list[Any] | dict[Any, Any]] = {"required": "required", "null": "null", "validator_failed": "invalid"}


class Schema(ma.Schema):
    """Base of every schema: unknown fields are refused."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {"unknown": "unknown", "type": "not_object"}


class Text(fields.Field[str]):
    """One line of ``shortest`` to ``longest`` characters that every database can store; trimmed."""

    one_line = True

    default_error_messages = _COMMON

    def __init__(self, longest: int = 200, shortest: int = 0, **kwargs: Any) -> None:
        metadata = {"type": "string", "maxLength": longest, "minLength": shortest} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)
        self.longest, self.shortest = longest, shortest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("not_text")
        text = str(value).strip()
        try:
            wire.check_text(text, self.longest)
        except wire.WireError as fault:
            raise ValidationError("too_long" if fault.reason == "text_too_long" else fault.reason) from None
        if self.one_line and _CONTROLS.search(text):
            raise ValidationError("control_characters")
        if len(text) < self.shortest:
            raise ValidationError("too_short")
        return text


class Lines(Text):
    """A text that may have several lines."""

    one_line = False


class Secret(Text):
    """A text that is not trimmed and never dumped."""

    one_line = False

    def __init__(self, longest: int = 200, **kwargs: Any) -> None:
        super().__init__(longest, load_only=True, metadata={"format": "password"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        super()._deserialize(value, attr, data, **kwargs)
        return str(value)


class Id(fields.Field[str]):
    """An id made by anybody: see ``wire.check_id``."""

    default_error_messages = _COMMON
    pattern = "[A-Za-z0-9_.-]{8,36}"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "pattern": f"^{self.pattern}$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        try:
            return wire.check_id(value)
        except wire.WireError as fault:
            raise ValidationError(fault.reason) from None


class IdOrNone(Id):
    """An id, or ``none`` for rows that have none; no id is so short."""

    pattern = f"({NONE}|{Id.pattern})"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return NONE if value == NONE else super()._deserialize(value, attr, data, **kwargs)


class Int(fields.Field[int]):
    """A whole number between two bounds; no text, no fraction, no boolean. Query strings may carry digits."""

    default_error_messages = _COMMON

    def __init__(self, least: int = 0, most: int = 2**53, *, from_text: bool = False, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "integer", "minimum": least, "maximum": most}, **kwargs)
        self.least, self.most, self.from_text = least, most, from_text

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if self.from_text and isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("not_integer")
        if not self.least <= value <= self.most:
            raise ValidationError("out_of_range")
        return value


class Real(fields.Field[float]):
    """A finite number between two bounds."""

    default_error_messages = _COMMON

    def __init__(self, least: float = -1e12, most: float = 1e12, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "number", "minimum": least, "maximum": most}, **kwargs)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("not_number")
        if not math.isfinite(value) or not self.least <= value <= self.most:
            raise ValidationError("out_of_range")
        return float(value)


class Flag(fields.Field[bool]):
    """True or false, nothing else."""

    default_error_messages = _COMMON

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "boolean"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("not_flag")
        return value


class Instant(fields.Field[datetime]):
    """An aware instant as RFC 3339 text; loaded and dumped in UTC."""

    default_error_messages = _COMMON

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or len(value) > 40:
            raise ValidationError("time_invalid")
        try:
            return wire.check_moment(datetime.fromisoformat(value))
        except ValueError:
            raise ValidationError("time_invalid") from None

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Day(fields.Field[date]):
    """A calendar day as ``YYYY-MM-DD``."""

    default_error_messages = _COMMON

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> date:
        try:
            day = date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
        except ValueError:
            day = None
        if day is None or not 1900 <= day.year < 2200:
            raise ValidationError("date_invalid")
        return day

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()


class Minute(Text):
    """A time of day as ``HH:MM`` on a clock of 24 hours."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(5, metadata={"pattern": f"^{_MINUTE.pattern}$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not _MINUTE.fullmatch(text):
            raise ValidationError("time_invalid")
        return text


class Zone(Text):
    """The name of a time zone in the IANA database."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(60, 1, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if name not in _zones():
            raise ValidationError("zone_invalid")
        return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


class Amount(fields.Field[Decimal]):
    """An amount of money as a text with at most two decimals, such as "500.00"."""

    default_error_messages = _COMMON

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "pattern": f"^{_AMOUNT.pattern}$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        try:
            if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
                raise ValueError
            return amount(value)
        except (ValueError, InvalidOperation):
            raise ValidationError("amount_invalid") from None

    def _serialize(self, value: Decimal | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:.2f}"


class OneOf(Text):
    """One of some given texts."""

    def __init__(self, *choices: str, **kwargs: Any) -> None:
        super().__init__(60, metadata={"enum": list(choices)}, **kwargs)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if value not in self.choices:
            raise ValidationError("not_one_of")
        return str(value)


class Phone(Text):
    """A phone number, kept in E.164. A number without a country is read as one of ``region``."""

    def __init__(self, region: str = "CN", **kwargs: Any) -> None:
        super().__init__(40, **kwargs)
        self.region = region

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        number = e164(super()._deserialize(value, attr, data, **kwargs), self.region)
        if number is None:
            raise ValidationError("phone_invalid")
        return number


def e164(text: str, region: str) -> str | None:
    """Return a phone number in E.164, or None when it cannot be one; without a country it is read as one of ``region``."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


class CreditCode(Text):
    """A Chinese organisation's 统一社会信用代码, its check sign verified; kept in half-width capitals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(40, metadata={"pattern": "^[0-9A-HJ-NP-RTUW-Y]{18}$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        code = plain_code(super()._deserialize(value, attr, data, **kwargs))
        if not is_credit_code(code):
            raise ValidationError("credit_code_invalid")
        return code


class Login(Text):
    """The name somebody signs in with, kept as it is written; ``wire.fold`` tells which are the same."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        login = super()._deserialize(value, attr, data, **kwargs)
        if len(wire.fold(login)) > self.longest:  # a few letters get longer
            raise ValidationError("too_long")
        return login


class Email(Text):
    """An e-mail address, lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(200, metadata={"format": "email"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        address = super()._deserialize(value, attr, data, **kwargs).lower()
        if len(address) > self.longest:  # a few letters get longer in lower case
            raise ValidationError("too_long")
        name, at, host = address.partition("@")
        if (
            not (name and at and host)
            or any(c.isspace() or ord(c) < 33 for c in address)
            or "@" in host
            or "." not in host.strip(".")
        ):
            raise ValidationError("email_invalid")
        return address


class Listing(fields.List[Any]):
    """A list of at most ``most`` entries."""

    default_error_messages = _COMMON | {"invalid": "not_list"}

    def __init__(self, inner: Any, most: int = 100, **kwargs: Any) -> None:
        super().__init__(inner, metadata={"maxItems": most}, **kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.most:
            raise ValidationError("too_many")
        return super()._deserialize(value, attr, data, **kwargs)


class Facts(fields.Field[Any]):
    """A JSON object or null, as stored; the strict input layer has bounded it."""

    default_error_messages = _COMMON

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "object", "additionalProperties": True}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError("not_object")
        return value


class Anything(fields.Field[Any]):
    """Any JSON, as stored; for answers only."""

    default_error_messages = _COMMON

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(dump_only=True, **kwargs)


class Anyhow(fields.Field[Any]):
    """Any JSON that the strict input layer let in, for a verb to check: what it may be hangs on another field."""

    default_error_messages = _COMMON


class Nested(fields.Nested):
    """A schema inside a schema."""

    default_error_messages = _COMMON | {"type": "not_object"}


class TrackedSchema(Schema):
    """The fields every row of a phone carries."""

    id = Id(dump_only=True)
    version = Int(dump_only=True)
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)


class Scalar(fields.Field[Any]):
    """A text of one line, a number, true or false; whole numbers within what a double holds exactly."""

    default_error_messages = _COMMON

    def __init__(self, longest: int = 200, **kwargs: Any) -> None:
        metadata = {"type": ["string", "number", "boolean"], "maxLength": longest, "minimum": -(2**53), "maximum": 2**53}
        super().__init__(metadata=metadata, **kwargs)
        self._text, self._number = Text(longest), Real(-(2.0**53), 2.0**53)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if isinstance(value, str):
            return self._text.deserialize(value)
        if isinstance(value, bool):
            return value
        if not isinstance(value, int | float):
            raise ValidationError("not_scalar")
        self._number.deserialize(value)
        return value


class Table(fields.Dict):
    """An object whose keys and values have schemas of their own; of at most ``most`` entries where that is given."""

    default_error_messages = _COMMON | {"invalid": "not_object"}

    def __init__(self, keys: Any, values: Any, most: int | None = None, **kwargs: Any) -> None:
        if most is not None:
            kwargs["metadata"] = {"maxProperties": most}
        super().__init__(keys=keys, values=values, **kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if self.most is not None and isinstance(value, Mapping) and len(value) > self.most:
            raise ValidationError("too_many")
        return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
