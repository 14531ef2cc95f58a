"""A form's document as the rest of the room reads it, and what makes no sense in one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import ValidationError

from app.core.wire import fold
from app.lead_forms.targets import JOINED, NEEDED, NOTE, Targets

Faults = dict[str, list[str]]
_ORIGIN = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?")


@dataclass(frozen=True)
class FieldMap:
    """One field of the form: what of the lead it becomes, and how.

    Attributes:
        codes: by the folded choice, what the lead gets for it; None: the text itself is read.
        otherwise: of a choice without a code or a text that cannot be read: ``refuse``, ``note``, or (of a choice) ``read``.
        budget: which amount of a range counts.
    """

    source: str
    target: str
    required: bool
    codes: Mapping[str, str] | None
    otherwise: str
    budget: str


@dataclass(frozen=True)
class Document:
    """All of a form. ``trap``: a field that people do not see; ``origins``: pages whose browsers may send."""

    fields: tuple[FieldMap, ...]
    defaults: Mapping[str, str]
    origins: frozenset[str]
    trap: str | None

    @cached_property
    def sources(self) -> dict[str, str]:
        """The first field of the form that feeds each field of the lead."""
        found: dict[str, str] = {}
        for one in self.fields:
            found.setdefault(one.target, one.source)
        return found


def read_document(raw: Mapping[str, Any]) -> Document:
    """Return a document that was checked when it was saved."""
    return Document(
        fields=tuple(
            FieldMap(
                one["from"],
                one["to"],
                one["required"],
                None if one["codes"] is None else {fold(choice): value for choice, value in one["codes"].items()},
                one["else"],
                one["range"],
            )
            for one in raw["fields"]
        ),
        defaults=raw["defaults"],
        origins=frozenset(raw["origins"]),
        trap=raw["trap"],
    )


def faults_of(raw: Mapping[str, Any], targets: Targets) -> Faults:
    """Return what is wrong with a document, by path."""
    faults: Faults = {}
    taken: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for place, one in enumerate(raw["fields"]):
        at = f"document.fields.{place}"
        if not targets.has(one["to"]):
            faults[f"{at}.to"] = ["unknown_target"]
            continue
        if one["to"] in taken - JOINED or (one["from"], one["to"]) in pairs:
            faults[f"{at}.to"] = ["duplicate"]
        taken.add(one["to"])
        pairs.add((one["from"], one["to"]))
        faults |= _faults_of_codes(f"{at}.codes", one, targets)
        if one["from"] == raw["trap"]:
            faults["document.trap"] = ["duplicate"]
    for target, value in raw["defaults"].items():
        at = f"document.defaults.{target}"
        known = targets.has(target) and target not in {NOTE, "phone"}
        faults |= _checked(at, target, value, targets) if known else {at: ["unknown_target"]}
    given = taken | set(raw["defaults"])
    for name in NEEDED:
        covered = name in given or (name == "interest" and NOTE in given)
        if not covered:
            faults[f"document.fields.{name}"] = ["not_covered"]
    for place, origin in enumerate(raw["origins"]):
        if not _ORIGIN.fullmatch(origin):
            faults[f"document.origins.{place}"] = ["origin_invalid"]
    return faults


def _faults_of_codes(at: str, one: Mapping[str, Any], targets: Targets) -> Faults:
    faults: Faults = {}
    seen: set[str] = set()
    for choice, value in (one["codes"] or {}).items():
        path = f"{at}.{choice}"
        if fold(choice) in seen:
            faults[path] = ["duplicate"]
        seen.add(fold(choice))
        faults |= _checked(path, one["to"], value, targets)
    return faults


def _checked(path: str, target: str, text: str, targets: Targets) -> Faults:
    try:
        targets.value(target, text)
    except ValidationError as fault:
        return {path: [str(code) for code in fault.messages]}
    return {}
