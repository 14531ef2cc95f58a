"""The body of a submission: one flat object of texts, as JSON or as a browser sends a form. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from app.core import wire
from app.core.errors import FieldsInvalid
from app.core.wire import WireError

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MOST_BYTES = 1_200_000
MOST_FIELDS, LONGEST_NAME, LONGEST_TEXT, LONGEST_ID = 60, 100, 2000, 100
# The sender's own id of a submission; it is no field of the form.
SENT_ID = "submission_id"
_LIMITS = wire.Limits(size=MOST_BYTES, depth=2, values=MOST_FIELDS * 10, text=MOST_BYTES)


def read_body(raw: bytes, mimetype: str) -> tuple[str | None, dict[str, str]]:
    """Return the sender's id of a submission, if it has one, and its texts by field; of a field sent twice both, with a comma.

    Args:
        raw: the body.
        mimetype: ``JSON`` or ``FORM``.

    Raises:
        WireError: when it cannot be read at all.
        FieldsInvalid: ``too_many`` (fields), ``too_long``, ``not_text``, ``text_invalid``.
    """
    found = _of_json(raw) if mimetype == JSON else _of_form(raw)
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
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS * 10)
    except UnicodeDecodeError:
        raise WireError("text_invalid") from None
    except ValueError:
        raise FieldsInvalid({"body": ["too_many"]}) from None
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
