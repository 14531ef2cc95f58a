"""What a kit must be, and what of it a visit has not done. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from app.core.errors import FieldsInvalid


class Lack(NamedTuple):
    """What a required step lacks: a code, and the question of a form it is about."""

    step: str
    code: str
    question: str | None = None


def check_steps(steps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse steps that contradict themselves or each other.

    Raises:
        FieldsInvalid: ``duplicate`` (codes), ``required`` (questions, choices), ``unknown`` (what another kind has).
    """
    faults: dict[str, list[str]] = _doubled("steps", steps)
    for place, step in enumerate(steps):
        at = f"steps.{place}"
        questions = step.get("questions")
        if step["kind"] == "form" and not questions:
            faults[f"{at}.questions"] = ["required"]
        if step["kind"] != "form" and questions is not None:
            faults[f"{at}.questions"] = ["unknown"]
        if step["kind"] != "photo" and "least" in step:
            faults[f"{at}.least"] = ["unknown"]
        faults |= _doubled(f"{at}.questions", questions or ())
        for n, question in enumerate(questions or ()):
            if (question["kind"] == "choice") is not bool(question.get("choices")):
                faults[f"{at}.questions.{n}.choices"] = ["required" if question["kind"] == "choice" else "unknown"]
    if faults:
        raise FieldsInvalid(faults)


def _doubled(where: str, named: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    codes = [one["code"] for one in named]
    return {f"{where}.{n}.code": ["duplicate"] for n, code in enumerate(codes) if code in codes[:n]}


def lacks(
    steps: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]], pictures: Mapping[str, bool]
) -> list[Lack]:
    """Return what the required steps of a kit lack, in the kit's order.

    Args:
        steps: of the kit.
        results: by the step's code, what was recorded last.
        pictures: by attachment id, the rep's own pictures, and whether their bytes have arrived.
    """
    found: list[Lack] = []
    for step in steps:
        if not step["required"]:
            continue
        result = results.get(step["code"])
        if result is None:
            found.append(Lack(step["code"], "step_missing"))
        else:
            found += _CHECKS[step["kind"]](step, result, pictures)
    return found


def _photo_lacks(step: Mapping[str, Any], result: Mapping[str, Any], pictures: Mapping[str, bool]) -> list[Lack]:
    named = set(result.get("photo_ids", ()))
    least = step.get("least", 1)
    if len(named & set(pictures)) < least:
        return [Lack(step["code"], "photos_too_few")]
    arrived = sum(pictures[one] for one in named if one in pictures)
    return [Lack(step["code"], "photos_on_the_way")] if arrived < least else []


def _line_lacks(step: Mapping[str, Any], result: Mapping[str, Any], _pictures: Mapping[str, bool]) -> list[Lack]:
    return [] if result.get("lines") else [Lack(step["code"], "lines_missing")]


def _form_lacks(step: Mapping[str, Any], result: Mapping[str, Any], _pictures: Mapping[str, bool]) -> list[Lack]:
    answers, found = result.get("answers", {}), []
    for question in step["questions"]:
        answer = answers.get(question["code"])
        if answer in (None, ""):
            found += [Lack(step["code"], "answer_missing", question["code"])] if question["required"] else []
        elif not _fits(question, answer):
            found.append(Lack(step["code"], "answer_invalid", question["code"]))
    return found


_CHECKS = {"photo": _photo_lacks, "stock": _line_lacks, "order": _line_lacks, "form": _form_lacks}


def _fits(question: Mapping[str, Any], answer: Any) -> bool:
    """Tell whether an answer is of its question's kind."""
    kind = question["kind"]
    if kind == "number":
        return isinstance(answer, int | float) and not isinstance(answer, bool)
    if kind == "flag":
        return isinstance(answer, bool)
    if not isinstance(answer, str):
        return False
    if kind == "day":
        try:
            return len(answer) == 10 and bool(date.fromisoformat(answer))
        except ValueError:
            return False
    return kind == "text" or answer in question["choices"]
