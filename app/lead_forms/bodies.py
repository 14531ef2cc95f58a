"""The body of a submission: one flat object of texts, as JSON or as a browser sends a form. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote_from_bytes

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder

from app.core import wire
from app.core.errors import FieldsInvalid
from app.core.wire import WireError

JSON, FORM, PARTS = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
MOST_BYTES = 1_200_000
MOST_FIELDS, LONGEST_NAME, LONGEST_TEXT, LONGEST_ID = 60, 100, 2000, 100
_LONGEST_BOUNDARY = 200
_ASCII = bytes(range(128))
# The sender's own id of a submission; it is no field of the form.
SENT_ID = "submission_id"
_LIMITS = wire.Limits(size=MOST_BYTES, depth=2, values=MOST_FIELDS * 10, text=MOST_BYTES)


def read_body(raw: bytes, mimetype: str, boundary: str = "") -> tuple[str | None, dict[str, str]]:
    """Return the sender's id of a submission, if it has one, and its texts by field; of a field sent twice both, with a comma.

    Args:
        raw: the body.
        mimetype: ``JSON``, ``FORM`` or ``PARTS``.
        boundary: of the parts, as the sender names it.

    Raises:
        WireError: when it cannot be read at all.
        FieldsInvalid: ``too_many`` (fields), ``too_long``, ``not_text``, ``text_invalid``, ``file_not_taken``.
    """
    found = _of_json(raw) if mimetype == JSON else _of_parts(raw, boundary) if mimetype == PARTS else _of_form(raw)
    if len(found) > MOST_FIELDS + 1:
        raise FieldsInvalid({"body": ["too_many"]})
    sent: dict[str, str] = {}
    for name, value in found.items():
        if len(name) > LONGEST_NAME:
            raise FieldsInvalid({wire.plain_text(name, LONGEST_NAME): ["too_long"]})
        sent[name] = _text(name, value)
    sent_id = sent.pop(SENT_ID, "").strip()
    if len(sent_id) > LONGEST_ID:
        raise FieldsInvalid({SENT_ID: ["too_long"]})
    if len(sent) > MOST_FIELDS:
        raise FieldsInvalid({"body": ["too_many"]})
    return sent_id or None, sent


def _of_json(raw: bytes) -> dict[str, Any]:
    found = wire.parse_json(raw, _LIMITS)
    if not isinstance(found, dict):
        raise FieldsInvalid({"body": ["not_object"]})
    return found


def _of_form(raw: bytes) -> dict[str, Any]:
    if len(raw) > MOST_BYTES:
        raise WireError("too_large")
    # Bytes beyond ASCII stand for themselves (WHATWG URL, 5.1); a letter may be half such bytes and half percent signs.
    encoded = quote_from_bytes(raw, safe=_ASCII)
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS * 10)
    except UnicodeDecodeError:
        raise WireError("text_invalid") from None
    except ValueError:
        raise FieldsInvalid({"body": ["too_many"]}) from None
    return _joined(pairs)


def _of_parts(raw: bytes, boundary: str) -> dict[str, Any]:
    if len(raw) > MOST_BYTES:
        raise WireError("too_large")
    try:
        return _joined((name, value.decode()) for name, value in _parts(raw, boundary))
    except RequestEntityTooLarge:
        raise FieldsInvalid({"body": ["too_many"]}) from None
    except UnicodeDecodeError:
        raise WireError("text_invalid") from None
    except WireError:
        raise
    except ValueError:
        raise WireError("malformed") from None


def _parts(raw: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    """Yield the fields of a form sent in parts; a chooser of files in which nothing was chosen is none.

    Raises:
        FieldsInvalid: ``file_not_taken`` for a file that was chosen: it must not be lost without a word.
        RequestEntityTooLarge: for too many parts.
        ValueError: when it cannot be read.
    """
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise WireError("malformed")
    decoder = MultipartDecoder(boundary.encode(), max_parts=MOST_FIELDS * 10)
    decoder.receive_data(raw)
    decoder.receive_data(None)
    part: Field | File | None = None
    value = bytearray()
    while not isinstance(event := decoder.next_event(), Epilogue):
        if isinstance(event, Field | File):
            part, value = event, bytearray()
        elif isinstance(event, Data) and part is not None:
            value += event.data
            if event.more_data:
                continue
            if not isinstance(part.name, str):
                raise WireError("malformed")
            if isinstance(part, Field):
                yield part.name, bytes(value)
            elif value:
                raise FieldsInvalid({wire.plain_text(part.name, LONGEST_NAME): ["file_not_taken"]})


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return fields by name; of one that was sent twice both values, with a comma."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        wire.check_text(name, MOST_BYTES)
        found[name] = f"{found[name]}, {value}" if found.get(name) else value
    return found


def _text(name: str, value: Any) -> str:
    """Return a field's text; numbers are taken as they are written, null is nothing."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FieldsInvalid({name: ["not_text"]})
    text = str(value)
    try:
        return wire.check_text(text, LONGEST_TEXT)
    except WireError as fault:
        raise FieldsInvalid({name: ["too_long" if fault.reason == "text_too_long" else "text_invalid"]}) from None
