"""The solver's door: a day as a vehicle routing problem with time windows. The only pyvrp import.

What the solver does not know is settled by the measure afterwards: breaks on the way (it knows them for the visits only), and
how late within its grace a visit begins (it knows two grades: in time, and late).
"""

from __future__ import annotations

from collections.abc import Iterator

from app.day_plans.measure import LATE_WEIGHT, Day, Stop

# Bounded by turns and not by time, with a fixed seed: the same day gives the same order on every machine.
_TURNS, _SEED = 600, 20260302
# More than any day costs: no visit is left out to save time.
_PRIZE = 10_000_000


def solved_order(day: Day) -> tuple[int, ...]:
    """Return an order of the stops that costs little, without those that do not fit."""
    if not any(stop.spans for stop in day.stops):
        return ()
    # Here, for it brings a plotting library along: half a second that only the worker is to wait.
    from pyvrp import Model
    from pyvrp.stop import MaxIterations

    model = Model()
    profile = model.add_profile()
    places = [model.add_location(0, 0) for _ in range(len(day.stops) + 2)]
    start, end = model.add_depot(places[day.start]), model.add_depot(places[day.end])
    model.add_vehicle_type(
        1,
        start_depot=start,
        end_depot=end,
        tw_early=0,
        tw_late=day.end_s,
        start_late=0,
        unit_distance_cost=0,
        unit_duration_cost=1,
        profile=profile,
    )
    stop_of: list[int] = []
    for index, stop in enumerate(day.stops):
        group = model.add_client_group(required=False) if stop.spans else None  # an empty one is refused
        for since, until, penalty in _windows(stop):
            model.add_client(
                places[index],
                service_duration=stop.length_s,
                tw_early=since,
                tw_late=until,
                prize=_PRIZE - penalty,
                required=False,
                group=group,
            )
            stop_of.append(index)
    for here, row in enumerate(day.travel_s):
        for there, seconds in enumerate(row):
            if here != there:
                model.add_edge(places[here], places[there], distance=seconds, duration=seconds, profile=profile)
    found = model.solve(MaxIterations(_TURNS), seed=_SEED, collect_stats=False, display=False)
    return tuple(stop_of[activity.idx] for route in found.best.routes() for activity in route.schedule() if activity.is_client())


def _windows(stop: Stop) -> Iterator[tuple[int, int, int]]:
    """Yield when it may begin, and what that costs: in time nothing, late what it costs in the middle."""
    for since, until in stop.spans:
        if since <= stop.due_s:
            yield since, min(until, stop.due_s), 0
        if until > stop.due_s:
            late_from = max(since, stop.due_s + 1)
            yield late_from, until, LATE_WEIGHT * ((late_from + until) // 2 - stop.due_s)
