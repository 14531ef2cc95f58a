"""What an owner sent, held against the form they read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import FieldsInvalid
from app.visit_types.kits import Lack, lacks
from app.visits.results import read_result

Faults = dict[str, list[str]]
Told = Mapping[str, Mapping[str, Any]]

# Of what a form still asks for: the part of a step it is about, and the code.
_LACKS = {
    "step_missing": ("", "required"),
    "photos_too_few": (".photo_ids", "too_few"),
    "photos_on_the_way": (".photo_ids", "photo_not_arrived"),
    "lines_missing": (".stock", "required"),
    "answer_missing": (".answers", "required"),
    "answer_invalid": (".answers", "invalid"),
}


def read_answers(steps: Sequence[Mapping[str, Any]], told: Told) -> dict[str, dict[str, Any]]:
    """Return what was told of each step, as it is kept; what is empty counts as not told.

    Args:
        steps: of the version the owner read.
        told: by the step's code, one of ``photo_ids``, ``stock`` and ``answers``.

    Raises:
        FieldsInvalid: by ``steps.<code>``: ``unknown`` steps and questions, ``invalid`` for another kind than the step's,
            ``one_result`` and ``duplicate`` as ``read_result``.
    """
    by_code = {step["code"]: step for step in steps}
    found: dict[str, dict[str, Any]] = {}
    faults: Faults = {f"steps.{code}": ["unknown"] for code in told if code not in by_code}
    for code in (one for one in by_code if one in told):
        try:
            content = _content(by_code[code], told[code])
        except FieldsInvalid as fault:
            faults |= {f"steps.{code}.{name}" if name else f"steps.{code}": codes for name, codes in fault.errors.items()}
            continue
        if any(content.values()):
            found[code] = content
    if faults:
        raise FieldsInvalid(faults)
    return found


def _content(step: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    result = read_result(step["code"], told, "")
    if result["kind"] != step["kind"]:
        raise FieldsInvalid({"": ["invalid"]})
    content: dict[str, Any] = result["content"]
    if step["kind"] == "form":
        asked = {question["code"] for question in step["questions"]}
        strange: Faults = {f"answers.{code}": ["unknown"] for code in content["answers"] if code not in asked}
        if strange:
            raise FieldsInvalid(strange)
        content["answers"] = {code: value for code, value in content["answers"].items() if value not in (None, "")}
    return content


def faults_of(steps: Sequence[Mapping[str, Any]], results: Told, pictures: Mapping[str, bool]) -> Faults:
    """Return what is wrong with a report, by the path of what it is about; an optional step that was answered is checked, too.

    Args:
        steps: of the version the owner read.
        results: of ``read_answers``.
        pictures: by attachment id, the owner's own pictures, and whether their bytes have arrived.
    """
    asked = [{**step, "required": True} for step in steps if step["required"] or step["code"] in results]
    found: Faults = {}
    for lack in lacks(asked, results, pictures):
        found |= _fault(lack)
    for code, content in results.items():
        for n, photo in enumerate(content.get("photo_ids", ())):
            if not pictures.get(photo, False):
                fault = "photo_not_arrived" if photo in pictures else "unknown_reference"
                found.pop(f"steps.{code}.photo_ids", None)
                found[f"steps.{code}.photo_ids.{n}"] = [fault]
    return found


def _fault(lack: Lack) -> Faults:
    part, code = _LACKS[lack.code]
    question = f".{lack.question}" if lack.question else ""
    return {f"steps.{lack.step}{part}{question}": [code]}


def kept(steps: Sequence[Mapping[str, Any]], results: Told) -> list[dict[str, Any]]:
    """Return a report as it is kept: what was answered, in the form's order, with the words the owner read."""
    return [_named(step) | _told(step, results[step["code"]]) for step in steps if step["code"] in results]


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("code", "kind", "label_zh", "label_en")}


def _told(step: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    if step["kind"] != "form":
        return dict(content)
    given = content["answers"]
    return {"answers": [_named(one) | {"value": given[one["code"]]} for one in step["questions"] if one["code"] in given]}


def is_number(value: Any) -> bool:
    """Tell whether an answer is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
