"""Turning what was sent through a form into the values of a lead, or into what is wrong by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError

from app.core.wire import fold
from app.lead_forms.documents import Document, Faults, FieldMap
from app.lead_forms.targets import CUSTOM, JOINED, LONGEST_INTEREST, NEEDED, NOTE, Targets, tidy


@dataclass
class Reading:
    """What was found so far. ``parts``: values by the lead's field; ``notes``: texts that go beside the interest."""

    parts: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=dict)


def is_trapped(document: Document, sent: Mapping[str, str]) -> bool:
    """Tell whether the field that people do not see was filled in."""
    return document.trap is not None and bool(sent.get(document.trap, "").strip())


def read_submission(document: Document, sent: Mapping[str, str], targets: Targets) -> tuple[dict[str, Any], Faults]:
    """Return the values of a lead as ``create_lead`` takes them, and what is wrong.

    Args:
        document: of the form.
        sent: texts by form field; fields the document does not name are passed over.
        targets: what a lead has.

    Returns:
        The values, of no use where anything is wrong; and codes by form field, or by the lead's where no form field gives it.
    """
    reading = Reading()
    for one in document.fields:
        text = tidy(sent.get(one.source, ""))
        if text:
            _take(reading, one, text, targets)
        elif one.required:
            reading.faults[one.source] = ["required"]
    for target, text in document.defaults.items():
        if target not in reading.parts:
            _hold(reading, target, target, lambda name=target, given=text: targets.value(name, given))
    values = _joined(document, reading, targets)
    for name in NEEDED:
        source = document.sources.get(name, name)
        if not values.get(name) and source not in reading.faults and not _is_faulty(document, reading, name):
            reading.faults[source] = ["required"]
    return _handed_on(values), reading.faults


def _take(reading: Reading, one: FieldMap, text: str, targets: Targets) -> None:
    """Take in one filled field of the form."""
    coded = None if one.codes is None else one.codes.get(fold(text))
    if coded is None and one.codes is not None and one.otherwise != "read":
        fault = "value_unmapped"
    elif one.target == NOTE:
        reading.notes.append(f"{one.source}: {coded or text}")
        return
    else:
        try:
            found = targets.read(one.target, text, one.budget) if coded is None else targets.value(one.target, coded)
        except (ValidationError, KeyError) as refusal:  # a field of the office's own may be gone since
            fault = str(refusal.messages[0]) if isinstance(refusal, ValidationError) else "unknown_target"
        else:
            reading.parts.setdefault(one.target, []).append(found)
            return
    if one.otherwise == "note":
        reading.notes.append(f"{one.source}: {text}")
    else:
        reading.faults[one.source] = [fault]


def _hold(reading: Reading, target: str, source: str, read: Any) -> None:
    try:
        reading.parts[target] = [read()]
    except ValidationError as refusal:
        reading.faults[source] = [str(code) for code in refusal.messages]
    except KeyError:
        reading.faults[source] = ["unknown_target"]


def _joined(document: Document, reading: Reading, targets: Targets) -> dict[str, Any]:
    """Return one value for each field of the lead. A long interest is cut: what was sent keeps the whole of it."""
    values: dict[str, Any] = {}
    for target, parts in reading.parts.items():
        values[target] = parts[0]
        if target in JOINED - {"interest"} and len(parts) > 1:
            try:
                values[target] = targets.value(target, " ".join(parts))
            except ValidationError as refusal:
                reading.faults[document.sources[target]] = [str(code) for code in refusal.messages]
    interest = "; ".join([*reading.parts.get("interest", []), *reading.notes])
    if interest:
        values["interest"] = interest if len(interest) <= LONGEST_INTEREST else interest[: LONGEST_INTEREST - 1] + "…"
    return values


def _is_faulty(document: Document, reading: Reading, target: str) -> bool:
    """Tell whether a field of the lead is empty because what was sent for it is wrong: that is said already."""
    return any(one.target == target and one.source in reading.faults for one in document.fields)


def _handed_on(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values as ``create_lead`` takes them: the office's own fields by key under ``custom``."""
    own = {name: value for name, value in values.items() if not name.startswith(CUSTOM)}
    custom = {name.removeprefix(CUSTOM): value for name, value in values.items() if name.startswith(CUSTOM)}
    return own | {"custom": custom} if custom else own
