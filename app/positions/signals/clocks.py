"""Signals in clocks and counters: times that were made up do not fit the clock that nobody can set."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from app.positions.fixes import as_measured
from app.positions.signals.trace import Signal, Trace

_STEP_MS = 60_000
_RUSHED_MS = 500
_ENOUGH = 5
_FUTURE_MS = 120_000
_SKEW_MS = 600_000
_DAY_MS = 86_400_000


def clocks(trace: Trace) -> Iterator[Signal]:
    """Yield ``clock_set`` and ``clock_rushed``: device time goes otherwise than the monotonic clock.

    Networks correct a phone's clock once, and some phones' monotonic clock stands while they sleep; neither is repeated. After
    the phone was switched on anew the monotonic clock begins again, and nothing is compared.
    """
    told = as_measured(fix for fix in trace.fixes if fix.monotonic_ms is not None)
    spans = [
        (b.at_ms - a.at_ms, b.monotonic_ms - a.monotonic_ms)
        for a, b in pairwise(told)
        if a.monotonic_ms is not None and b.monotonic_ms is not None and b.monotonic_ms >= a.monotonic_ms
    ]
    # Asleep, the monotonic clock may stand, so only a device clock that falls behind it was set.
    back = [run - went for went, run in spans if run - went > _STEP_MS]
    if back:
        facts = {"times": len(back), "of": len(spans), "seconds": round(max(back) / 1000)}
        yield Signal("clock_set", 1.0 if len(back) >= 2 else 0.5, facts)
    rushed = sum(run < _RUSHED_MS and went > 4 * max(run, _RUSHED_MS) for went, run in spans)
    if rushed >= _ENOUGH and rushed > 0.8 * len(spans):
        yield Signal("clock_rushed", 1.0, {"times": rushed, "of": len(spans)})


def arrival(trace: Trace) -> Iterator[Signal]:
    """Yield ``from_the_future`` and ``clock_wrong``: fixes later than the phone's own now, and a now that is not ours."""
    now_ms, arrived_ms = trace.known.phone_now_ms, trace.known.arrived_ms
    limit_ms = now_ms if now_ms is not None else arrived_ms
    if limit_ms is not None:
        ahead = [fix.at_ms - limit_ms for fix in trace.fixes if fix.at_ms - limit_ms > _FUTURE_MS]
        if ahead:
            facts = {"fixes": len(ahead), "of": len(trace.fixes), "seconds": round(max(ahead) / 1000)}
            yield Signal("from_the_future", 1.0, facts)
    if now_ms is not None and arrived_ms is not None and abs(now_ms - arrived_ms) > _SKEW_MS:
        skew_ms = now_ms - arrived_ms
        yield Signal("clock_wrong", 1.0 if abs(skew_ms) > _DAY_MS else 0.5, {"seconds": round(skew_ms / 1000)})


def counters(trace: Trace) -> Iterator[Signal]:
    """Yield ``sequence_contradicts``: fixes that were numbered in another order than they say they were measured."""
    told = as_measured(fix for fix in trace.fixes if fix.sequence is not None)
    back = sum(a.at_ms - b.at_ms > _STEP_MS for a, b in pairwise(told))
    # A clock is corrected once, and a counter begins anew once, when the app is installed again.
    if back >= 2:
        yield Signal("sequence_contradicts", 1.0, {"times": back, "of": len(told)})
