"""What a rule's condition reads as."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from app.core.locales import EN
from app.pages.codes import coded

# Part of a rule's condition: (English, Chinese)
_CONDITION: dict[str, tuple[str, str]] = {
    "below": ("below {}", "低于 {}"),
    "at_most": ("at most {}", "不高于 {}"),
    "above": ("above {}", "高于 {}"),
    "at_least": ("at least {}", "不低于 {}"),
    "readings": ("{} readings in a row", "连续 {} 条读数"),
    "span_h": ("over {} h", "跨度 {} 小时"),
    "silent_after_h": ("nothing heard for {} h", "{} 小时未通信"),
    "for_min": ("for {} minutes without a break", "持续 {} 分钟"),
    "per_h_over_h": ("change per hour over the last {} h", "最近 {} 小时的每小时变化量"),
    "m_of_n": ("{} of the last readings", "最近读数中 {} 次"),
    "avg_over_h": ("mean of the last {} h", "最近 {} 小时平均值"),
    "min_over_h": ("least of the last {} h", "最近 {} 小时最小值"),
    "max_over_h": ("greatest of the last {} h", "最近 {} 小时最大值"),
    "sum_over_h": ("sum of the last {} h", "最近 {} 小时合计"),
    "count_over_h": ("number of readings in the last {} h", "最近 {} 小时读数个数"),
    "range_over_h": ("greatest less least of the last {} h", "最近 {} 小时极差"),
    "stddev_over_h": ("standard deviation of the last {} h", "最近 {} 小时标准差"),
    "since_fitted": ("since the part was fitted", "自部件安装以来"),
    "reaches_below": ("will fall below {}", "预计降至 {} 以下"),
    "reaches_at_most": ("will fall to {}", "预计降至 {}"),
    "reaches_above": ("will rise above {}", "预计升至 {} 以上"),
    "reaches_at_least": ("will rise to {}", "预计升至 {}"),
    "within_days": ("within {} days", "{} 天之内"),
    "fence": ("position {} the area", "位置在区域{}"),
    "when": ("{}", "{}"),
}
_COMPARED = frozenset({"below", "at_most", "above", "at_least"})


def condition_of(parts: dict[str, Any], metric: Any, locale: str, time_zone: tzinfo) -> str:
    """Return the condition that was met in words.

    Args:
        parts: of the condition, by the names of the rule's document.
        metric: what was compared, where it was one.
        time_zone: instants are told in this zone.
    """
    told = [
        words[0 if locale == EN else 1].format(coded(parts[name], locale, time_zone))
        for name, words in _CONDITION.items()  # databases do not keep the order of an object's keys
        if name in parts
    ]
    found = (", " if locale == EN else "，").join(told)
    name = str(coded(metric, locale, time_zone))
    joint = "" if name.endswith("）") else " "
    return f"{name}{joint}{found}" if metric and _COMPARED & set(parts) else found
