"""What a phone tells of a step, as it is kept. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.core.errors import FieldsInvalid

# Which field tells what of which kind of step.
_KINDS = {"photo_ids": "photo", "stock": "stock", "order": "order", "answers": "form"}


def read_result(step: str, told: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return a result as ``steps.record_step`` takes it.

    Args:
        step: its code.
        told: one of ``photo_ids``, ``stock``, ``order``, ``answers``; and optionally ``id`` and ``made_ms``.
        currency: of the prices.

    Raises:
        FieldsInvalid: ``one_result`` unless exactly one is told; ``duplicate`` where a product or a photo is named twice.
    """
    given = [name for name in _KINDS if name in told]
    if len(given) != 1:
        raise FieldsInvalid({"photo_ids": ["one_result"]})
    [name] = given
    content = _CONTENTS[name](told[name], currency)
    return {"step": step, "kind": _KINDS[name], "content": content, "id": told.get("id"), "made_ms": told.get("made_ms")}


def _photos(ids: Sequence[str], _currency: str) -> dict[str, Any]:
    _check_once("photo_ids", ids)
    return {"photo_ids": list(ids)}


def _stock(lines: Sequence[Mapping[str, Any]], _currency: str) -> dict[str, Any]:
    _check_once("stock", [line["product"] for line in lines])
    return {"lines": [dict(line) for line in lines]}


def _order(lines: Sequence[Mapping[str, Any]], currency: str) -> dict[str, Any]:
    _check_once("order", [line["product"] for line in lines])
    return {"lines": [{**line, "unit_price": f"{line['unit_price']:.2f}"} for line in lines], "currency": currency}


def _answers(answers: Mapping[str, Any], _currency: str) -> dict[str, Any]:
    return {"answers": dict(answers)}


_CONTENTS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "photo_ids": _photos,
    "stock": _stock,
    "order": _order,
    "answers": _answers,
}


def _check_once(where: str, names: Sequence[str]) -> None:
    faults = {f"{where}.{n}": ["duplicate"] for n, name in enumerate(names) if name in names[:n]}
    if faults:
        raise FieldsInvalid(faults)


def total_of(content: Mapping[str, Any]) -> str | None:
    """Return what an order comes to, such as ``1200.00 CNY``; None of anything else."""
    if "currency" not in content:
        return None
    total = sum((Decimal(line["unit_price"]) * line["quantity"] for line in content["lines"]), Decimal(0))
    return f"{total:.2f} {content['currency']}"
