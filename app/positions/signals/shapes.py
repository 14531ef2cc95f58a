"""Signals in the shape of a way: receivers are never without noise, and nobody walks a circle by the compass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import atan2, cos, hypot, pi, radians, sqrt

from app.positions.fixes import Fix, by_instant
from app.positions.reach import is_null
from app.positions.signals.trace import Signal, Trace, is_coarse

_FIXES = 12
_SPACING_MS = 5_000
_GAP_MS = 120_000
_DEGREE_M = 111_195.0
# Of 7,400 such windows of real receivers the smoothest lies 0.4 m off its cubic; rounding to six decimals leaves 0.05 m.
_NOISE_M = 0.15
_WAY_M = 30.0
_ARC_RAD = pi / 2

_Window = list[tuple[float, float, float]]


def shapes(trace: Trace) -> Iterator[Signal]:
    """Yield ``noise_free``: windows of a minute and more that follow a smooth curve, as lines are, or a circle to the decimetre.

    They are judged in the numbers as told, for that is where programs draw. Windows do not overlap.
    """
    windows = [window for window in _windows(trace.fixes) if _way_m(window) >= _WAY_M and _moves(window)]
    smooth = sum(_off_cubic_m(window) < _NOISE_M for window in windows)
    rounds = sum(_off_circle_m(window) < _NOISE_M for window in windows)
    drawn = max(smooth, rounds)
    if drawn and (drawn >= 2 or len(windows) <= 3):
        least = min(min(_off_cubic_m(window), _off_circle_m(window)) for window in windows)
        shape = "curve" if smooth >= rounds else "circle"
        facts: dict[str, float | str] = {"windows": drawn, "of": len(windows), "shape": shape, "noise_m": round(least, 3)}
        yield Signal("noise_free", min(1.0, 0.5 + drawn / len(windows)), facts)


def _windows(fixes: Sequence[Fix]) -> Iterator[_Window]:
    window: list[Fix] = []
    for fix in by_instant(fixes):
        if is_coarse(fix) or is_null(fix.given):
            continue
        if window and (fix.at_ms - window[-1].at_ms > _GAP_MS or fix.datum is not window[-1].datum):
            window = []
        if not window or fix.at_ms - window[-1].at_ms >= _SPACING_MS:
            window.append(fix)
        if len(window) == _FIXES:
            yield _flat(window)
            window = []


def _flat(window: Sequence[Fix]) -> _Window:
    """Return (time from -1 to 1, metres east, metres north) on the plane that touches the earth at the first fix."""
    first, last = window[0], window[-1]
    half = (last.at_ms - first.at_ms) / 2
    east_m = _DEGREE_M * cos(radians(first.given.lat))
    return [
        (
            (fix.at_ms - first.at_ms) / half - 1,
            ((fix.given.lon - first.given.lon + 180) % 360 - 180) * east_m,
            (fix.given.lat - first.given.lat) * _DEGREE_M,
        )
        for fix in window
    ]


def _moves(window: _Window) -> bool:
    """Tell whether the places differ: through the two or three of a phone that holds its position at rest goes any circle."""
    return len({(east, north) for _, east, north in window}) >= len(window) - 1


def _way_m(window: _Window) -> float:
    return sum(hypot(b[1] - a[1], b[2] - a[2]) for a, b in pairwise(window))


def _off_cubic_m(window: _Window) -> float:
    """Return how far off the fixes are from the best cubic in time, root mean square; orthogonal polynomials (Forsythe 1957)."""
    times = [t for t, _, _ in window]
    basis: list[list[float]] = []
    for power in range(4):
        column = [t**power for t in times]
        for other in basis:
            column = _less(column, other)
        norm = sqrt(sum(one * one for one in column))
        basis.append([one / norm for one in column])
    left = 0.0
    for axis in (1, 2):
        off = [point[axis] for point in window]
        for other in basis:
            off = _less(off, other)
        left += sum(one * one for one in off)
    return sqrt(left / len(window))


def _less(column: list[float], direction: list[float]) -> list[float]:
    along = sum(a * b for a, b in zip(column, direction, strict=True))
    return [a - along * b for a, b in zip(column, direction, strict=True)]


def _off_circle_m(window: _Window) -> float:
    """Return how far off a circle the fixes are, root mean square; endless where they turn by less than a quarter of it.

    Sources:
        The algebraic fit of Kasa, "A circle fitting procedure and its error analysis", IEEE Trans. Instrum. Meas. 25 (1976).
    """
    count = len(window)
    mean_x, mean_y = sum(p[1] for p in window) / count, sum(p[2] for p in window) / count
    flat = [(x - mean_x, y - mean_y) for _, x, y in window]
    xx, yy, xy = sum(x * x for x, _ in flat), sum(y * y for _, y in flat), sum(x * y for x, y in flat)
    xz = sum(x * (x * x + y * y) for x, y in flat) / 2
    yz = sum(y * (x * x + y * y) for x, y in flat) / 2
    spread = xx * yy - xy * xy
    if spread <= 1e-9 * (xx + yy) ** 2:
        return float("inf")
    x0, y0 = (xz * yy - yz * xy) / spread, (yz * xx - xz * xy) / spread
    radius = sqrt(x0 * x0 + y0 * y0 + (xx + yy) / count)
    angles = [atan2(y - y0, x - x0) for x, y in flat]
    turned = sum(abs((b - a + pi) % (2 * pi) - pi) for a, b in pairwise(angles))
    if turned < _ARC_RAD:
        return float("inf")
    return sqrt(sum((hypot(x - x0, y - y0) - radius) ** 2 for x, y in flat) / count)
