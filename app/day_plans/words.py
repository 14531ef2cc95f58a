"""Why a visit does not fit into a day, in both languages; ``{name}`` places a fact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.locales import EN

# code: (English, Chinese)
LEFT_OUT: dict[str, tuple[str, str]] = {
    "in_progress": ("It is under way already.", "该拜访已在进行中。"),
    "site_gone": ("Its site was deleted.", "该站点已删除。"),
    "no_position": ("Nobody has said yet where the site is.", "该站点尚无位置信息。"),
    "window_over": ("The time it was planned for is over before the day starts.", "计划时间早于当天出发时间，已错过。"),
    "window_after": ("It is planned for after the end of the day.", "计划时间晚于当天结束时间。"),
    "closed_all_day": ("The site is closed the whole day.", "该站点全天不营业。"),
    "open_too_short": (
        "The site is not open for {length_min} minutes in one stretch outside of the breaks.",
        "除去休息时间，该站点没有连续 {length_min} 分钟的营业时段。",
    ),
    "closed_then": ("The site is closed at the time the visit is planned for.", "在计划的时间内，该站点不营业。"),
    "too_far": (
        "There and back takes {needed_min} minutes; even alone it does not fit into the day.",
        "往返共需 {needed_min} 分钟，即使只安排这一次拜访，当天也来不及。",
    ),
    "no_time_left": (
        "No time is left: between {after} and {before} it needs {needed_min} minutes, and {free_min} are free.",
        "时间不足：在 {after} 与 {before} 之间需要 {needed_min} 分钟，仅余 {free_min} 分钟。",
    ),
}

# Where a stretch of the day begins or ends that is no visit.
START, END = "start", "end"
_ENDS = {START: ("the start", "出发"), END: ("the end of the day", "当天结束")}


def sentence(code: str, facts: Mapping[str, object], locale: str) -> str:
    """Return why a visit was left out, as a sentence."""
    side = 0 if locale == EN else 1
    told = {name: _ENDS[str(value)][side] if str(value) in _ENDS else value for name, value in facts.items()}
    return LEFT_OUT[code][side].format_map(told)


def in_words(answer: Mapping[str, Any] | None, locale: str) -> dict[str, Any] | None:
    """Return an answer whose left out visits say why in a language."""
    if answer is None:
        return None
    left = [one | {"text": sentence(one["code"], one["facts"], locale)} for one in answer["left_out"]]
    return {**answer, "left_out": left}
