"""Trying a device profile on one message, before it is saved: the same code that reads messages, and nothing stored."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from app.assets.mappings import find_faults, read_form
from app.core.clock import from_ms
from app.core.errors import FieldsInvalid
from app.core.wire import WireError
from iot.adapters import Ignored, Sample, decode, is_mapped
from iot.words import Words, is_usable


def try_message(body: dict[str, Any], received_ms: int) -> dict[str, Any]:
    """Return what a profile makes of a message: readings, or the reason of the dead letter it would become.

    Args:
        body: profile, topic, payload or payload_base64, retained.
        received_ms: the arrival, Unix ms.

    Raises:
        FieldsInvalid: for a profile that could not be saved, or not exactly one payload.
    """
    profile = body["profile"]
    if faults := find_faults(profile["adapter"], profile["mapping"], profile["metrics"]):
        raise FieldsInvalid({f"profile.{name}": codes for name, codes in faults.items()})
    payload = _payload(body)
    forms = [read_form(profile["code"], profile["mapping"], profile["metrics"])] if profile["mapping"] else []
    found: dict[str, Any] = {"items": [], "reason": None, "detail": "", "passed_over": None}
    try:
        if (profile["adapter"] == "mapped") != is_mapped(body["topic"]):
            raise WireError("topic_unknown", "this topic is not read by the profile's adapter")
        decoded = decode(body["topic"], payload, retained=body["retained"], received_ms=received_ms, forms=forms)
        if decoded and decoded[0].adapter != profile["adapter"]:
            raise WireError("topic_unknown", f"this topic is one of the adapter {decoded[0].adapter}")
        words = Words.of(profile["adapter"], profile["metrics"])
        for one in decoded:
            if isinstance(one, Ignored):
                found["passed_over"] = one.why
            elif isinstance(one, Sample):
                found["items"] += _readings(one, words)
    except WireError as fault:
        found |= {"items": [], "reason": fault.reason, "detail": fault.detail[:300]}
    return found


def _readings(sample: Sample, words: Words) -> list[dict[str, Any]]:
    readings = []
    for source, value in sample.values.items():
        metric, told = words.told(source, value)
        if not is_usable(told):
            raise WireError("number_out_of_range", f"{metric[:60]}: too great")
        readings.append(
            {"address": sample.address, "metric": metric[:60], "at": from_ms(sample.at_ms), "value": told, "key": sample.key}
        )
    return readings


def _payload(body: dict[str, Any]) -> bytes:
    text, encoded = body.get("payload"), body.get("payload_base64")
    if (text is None) == (encoded is None):
        raise FieldsInvalid({"payload": ["one_payload"]})
    if text is not None:
        return str(text).encode()
    try:
        return base64.b64decode(encoded or "", validate=True)
    except (binascii.Error, ValueError):
        raise FieldsInvalid({"payload_base64": ["invalid"]}) from None
