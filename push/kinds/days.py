"""What reps read when somebody else arranged their day."""

from __future__ import annotations

from push.kinds.base import INSTANT, Kind, Words

DAYS: dict[str, Kind] = {
    "route_set": Kind(
        {"starts_at": INSTANT, "visits": 6, "left_out": 1},
        Words(
            "Your route of {starts_at:day}",
            (
                "The office put your visits of {starts_at:day} in order: {visits} have a new time.",
                ("left_out", "{left_out} did not fit and stay as they were."),
            ),
        ),
        Words(
            "{starts_at:day}的路线",
            (
                "办公室已安排您{starts_at:day}的拜访顺序，{visits} 次拜访的时间已更新。",
                ("left_out", "{left_out} 次未能安排，维持原计划。"),
            ),
        ),
    ),
}
