"""What reps read of their tracks."""

from __future__ import annotations

from push.kinds.base import INSTANT, Kind, Words

TRACKS: dict[str, Kind] = {
    "track_shift_ended": Kind(
        {"ended_at": INSTANT, "too_long": True},
        Words(
            "Your shift has ended",
            (
                ("too_long", "Your shift reached the longest time a shift may last and was ended at {ended_at:moment}."),
                ("!too_long", "The working day is over, so your shift was ended at {ended_at:moment}."),
                "Nothing is recorded any more. If you had stopped earlier, say when, and what came later is deleted.",
            ),
        ),
        Words(
            "班次已结束",
            (
                ("too_long", "您的班次已达最长时间，于 {ended_at:moment} 结束。"),
                ("!too_long", "工作日已结束，您的班次于 {ended_at:moment} 结束。"),
                "系统不再记录位置。如果您实际更早结束，请补报时间，其后的位置会被删除。",
            ),
        ),
    ),
    "track_looked_at": Kind(
        {"by": "Wang Fang", "purpose": "mileage", "reason": "Expense claim of May"},
        Words("Your track was looked at", ("{by} looked at the track of one of your shifts.", "Reason: {reason}.")),
        Words("您的行踪被查看", ("{by}查看了您某个班次的行踪。", "理由：{reason}。")),
    ),
}
