"""Conditions in CEL, the Common Expression Language: compiled and type-checked when saved. The only import of it.

No loops without an end, no access to anything but the named numbers: the engine has a budget for nesting and iterations. It has
none for memory, so what can make a value larger step by step is refused: ``['x'].map(a, a + a).map(a, a + a)`` and so on needs
30 characters to double what 30 characters before had doubled, and all the memory of the process in the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

_LONGEST = 1_000
# The only macro that makes new values, of which the next one can make larger ones; as a word, for comments may stand around it.
_GROWS = re.compile(r"\bmap\b")

Judge = Callable[[Mapping[str, float]], bool | None]


@lru_cache(maxsize=1_000)
def compile_condition(text: str, names: tuple[str, ...]) -> Judge:
    """Compile a condition over numbers.

    Args:
        text: such as ``coolant_c > 95.0 && speed_km_h > 0.0``; numbers are compared with numbers that have a point.
        names: the variables, each a number.

    Returns:
        What tells whether it holds; None where it cannot be computed, such as a division by zero of whole
        numbers, or not within the engine's budget.

    Raises:
        ValueError: with what is wrong and where.
    """
    if not 0 < len(text) <= _LONGEST:
        raise ValueError(f"1 to {_LONGEST} characters")
    if _GROWS.search(text):
        raise ValueError("map is not allowed here")
    try:
        compiled = cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DOUBLE)).compile(text)
    except RuntimeError as fault:
        raise ValueError(_told(str(fault))) from None
    if compiled.return_type() != cel.Type.BOOL:
        raise ValueError(f"must be true or false, but is {compiled.return_type().name()}")

    def judge(values: Mapping[str, float]) -> bool | None:
        try:
            found: Any = compiled.eval(data=dict(values))
        except RuntimeError:  # its budget is spent
            return None
        # What cannot be computed is a value of its own here, and would pass for true.
        return bool(found.value()) if found.type() == cel.Type.BOOL else None

    return judge


def _told(fault: str) -> str:
    """Return the engine's complaint without its frame; a frequent one with what helps."""
    told = fault.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ").replace("<input>:", "").partition(" [INVALID")[0]
    if "'(double, int)'" in told or "'(int, double)'" in told:
        told = f"{told}\nwrite numbers with a point: 75.0"
    return told[:400]
