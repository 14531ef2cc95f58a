"""Messages of other makers' devices, read as a device profile says: JSON, plain text or CSV. Pure.

What a profile does not name is passed over. What it names and cannot be read refuses the whole message.
Without a time of its own a message's time is its arrival; what the broker kept for us has then no time at all.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from app.assets.mappings import MappedForm, MappedMetric, Place
from app.core import wire
from app.core.clock import to_ms
from app.core.wire import WireError
from iot.adapters.values import Decoded, Ignored, Sample, content_key, number_in

_MOST_SAMPLES = 1000
_MOST_COLUMNS = 1000
_LIMITS = wire.Limits(size=1_000_000, depth=32, values=100_000, text=20_000)
_LONGEST_KEY = 40
_ABSENT = object()


def decode(form: MappedForm, topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one message whose topic fits the form's pattern.

    Raises:
        WireError: ``topic_unknown``, ``value_invalid``, ``nothing_mapped``, ``time_missing``, ``time_invalid``, ``key_invalid``,
            ``csv_invalid``, ``too_many_values``, or a reason of ``wire.parse_json``.
    """
    matched = form.matched(topic)
    if matched is None:
        raise WireError("topic_unknown")
    address = wire.check_text(form.full_address(matched[0]), 120)
    if retained and form.time is None:
        return [Ignored("mapped", address, "retained")]
    if len(payload) > _LIMITS.size:
        raise WireError("too_large", f"{len(payload)} bytes, at most {_LIMITS.size}")
    samples: list[Decoded] = []
    for number, record in enumerate(_records(form, payload)):
        metrics = _named(form, matched[1])
        if not metrics:
            return [Ignored("mapped", address, "not_mapped")]
        values = _values(metrics, record)
        at_ms = received_ms if form.time is None else _time(form.time_form, _look(record, form.time))
        samples.append(Sample("mapped", address, None, _key(form, topic, record, number, at_ms, values), at_ms, values))
    return samples


def _named(form: MappedForm, level: str) -> Sequence[MappedMetric]:
    """Return the metrics a message may carry: the one its topic names, else all."""
    return [metric for metric in form.metrics if metric.source == level] if level else form.metrics


def _records(form: MappedForm, payload: bytes) -> list[Any]:
    """Return what each sample is read from: a document or an entry of a list in it, a line's columns, or a text."""
    if form.payload == "json":
        document = wire.parse_json(payload, _LIMITS)
        if form.each is None:
            return [document]
        found = _look(document, form.each)
        if not isinstance(found, list):
            raise WireError("value_invalid", "no list where the entries should stand")
        return _bounded(found)
    try:
        text = wire.check_text(payload.decode(), _LIMITS.size)
    except UnicodeDecodeError:
        raise WireError("text_invalid", "not UTF-8") from None
    if not text.strip():
        raise WireError("empty")
    if form.payload == "text":
        return [text.strip()]
    try:
        told = csv.reader(io.StringIO(text, newline=""), delimiter=form.separator, strict=True)
        lines = list(islice(filter(None, told), _MOST_SAMPLES + 1))
    except csv.Error as fault:
        raise WireError("csv_invalid", str(fault)[:200]) from None
    if any(len(line) > _MOST_COLUMNS for line in lines):
        raise WireError("too_many_values", f"more than {_MOST_COLUMNS} columns")
    return _bounded(lines)


def _bounded(records: list[Any]) -> list[Any]:
    if not 1 <= len(records) <= _MOST_SAMPLES:
        raise WireError("too_many_values", f"1 to {_MOST_SAMPLES} entries")
    return records


def _look(record: Any, place: Place) -> Any:
    """Return what stands at a place, or ``_ABSENT``; null counts as absent, and so does an empty cell."""
    found = record
    for step in place:
        if isinstance(step, str) and isinstance(found, dict):
            found = found.get(step)
        elif isinstance(step, int) and isinstance(found, list) and step < len(found):
            found = found[step]
        else:
            return _ABSENT
    if isinstance(found, str):
        found = found.strip()
    return _ABSENT if found is None or found == "" else found


def _values(metrics: Sequence[MappedMetric], record: Any) -> dict[str, float]:
    values = {}
    for metric in metrics:
        found = _look(record, metric.place)
        if found is not _ABSENT:
            values[metric.name] = _number(metric, found)
    if not values:
        raise WireError("nothing_mapped", "none of the profile's metrics is in it")
    return values


def _number(metric: MappedMetric, found: Any) -> float:
    if isinstance(found, bool):
        found = "true" if found else "false"
        if found not in metric.numbers:
            return float(found == "true")
    if isinstance(found, str) and found in metric.numbers:
        return metric.numbers[found]
    value = _plain_number(found)
    if value is None:
        raise WireError("value_invalid", f"{metric.name[:60]}: {wire.plain_text(str(found), 60)}")
    return value


def _plain_number(found: Any) -> float | None:
    """Read a number, or a text that is one; None for anything else and for what no float can hold."""
    if isinstance(found, str):
        return number_in(found)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _time(form: str, found: Any) -> int:
    """Return a sample's time in Unix ms."""
    if found is _ABSENT:
        raise WireError("time_missing", "there is nothing where the time should stand")
    if form == "iso":
        if not isinstance(found, str) or len(found) > 40:
            raise WireError("time_invalid", "not an ISO 8601 text")
        try:
            return to_ms(wire.check_moment(datetime.fromisoformat(found)))
        except WireError:
            raise
        except ValueError:
            raise WireError("time_invalid", "not an ISO 8601 text") from None
    number = _plain_number(found)
    if number is None or not 0 <= number < wire.LATEST_MS:
        raise WireError("time_invalid", "not a number")
    return wire.check_ms(round(number * (1000 if form == "s" else 1)))


def _key(form: MappedForm, topic: str, record: Any, number: int, at_ms: int, values: dict[str, float]) -> str:
    """Return what makes a sample the same sample: its id with its time, if it has one, else its time and its content.

    A number that starts again after a restart is told apart by the time. The topic belongs to it, since one device may
    number each of its topics.
    """
    if form.key is not None:
        found = _look(record, form.key)
        if isinstance(found, bool) or not isinstance(found, str | int) or len(str(found)) > _LONGEST_KEY:
            raise WireError("key_invalid", f"a text of at most {_LONGEST_KEY} characters, or a whole number")
        where = hashlib.sha256(topic.encode()).hexdigest()[:8]
        return f"#{found}:{where}" + ("" if form.time is None else f"@{at_ms}")
    content = [topic, values] if form.time is not None else [topic, values, number]
    return content_key(at_ms, content)
