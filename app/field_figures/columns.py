"""The figures of field work, in their order: what each is called, and which list shows what it counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from app.follow_ups.figures import FIGURES as OF_FOLLOW_UPS
from app.leads.figures import FIGURES as OF_LEADS
from app.visits.figures import FIGURES as OF_VISITS

VISITS, FOLLOW_UPS, LEADS = "visits", "follow_ups", "leads"
# Beside counts: (figure, the one whose list shows what it is made of). They do not add up.
SHARES = {"done_percent": "planned", "minutes_median": "held", "customers_visited": "held", "customers_missed": "by_visit_plan"}
# It adds up, and its list is not as long as it is great.
_SUMS = {"minutes": "held"}
# figure: (English, Chinese).
LABELS: dict[str, tuple[str, str]] = {
    "visits": ("Visits", "拜访"),
    "planned": ("Planned", "已计划"),
    "finished": ("Finished", "已完成"),
    "no_show": ("Customer not there", "客户不在"),
    "missed": ("Missed", "已错过"),
    "cancelled": ("Cancelled", "已取消"),
    "open": ("Still open", "未结束"),
    "done_percent": ("Done, %", "完成率（%）"),
    "unplanned": ("Found in tracks", "由行踪补记"),
    "held": ("Held", "实际拜访"),
    "incomplete": ("Incomplete", "未完成步骤"),
    "check_in_inside": ("Check-in inside the fence", "签到：围栏内"),
    "check_in_near": ("Check-in near the fence", "签到：围栏附近"),
    "check_in_outside": ("Check-in outside the fence", "签到：围栏外"),
    "check_in_unsure": ("Check-in unsure", "签到：不确定"),
    "outside_with_photo": ("Outside, with a photo", "围栏外且附照片"),
    "flagged": ("Position doubtful", "定位存疑"),
    "appealed": ("Appealed", "已申诉"),
    "appeal_accepted": ("Appeal accepted", "申诉通过"),
    "appeal_refused": ("Appeal refused", "申诉驳回"),
    "appeal_waiting": ("Appeal not decided", "申诉待定"),
    "by_visit_plan": ("Asked for by visit plans", "拜访计划要求"),
    "minutes": ("Minutes at customers", "在客户处分钟数"),
    "minutes_median": ("Minutes a visit, median", "每次拜访分钟数（中位数）"),
    "customers_visited": ("Customers visited", "已拜访客户数"),
    "customers_missed": ("Customers due, not visited", "应访未访客户数"),
    "follow_ups": ("Follow-ups", "跟进"),
    "calls": ("Calls", "通话"),
    "messages": ("Messages", "消息"),
    "meetings": ("Meetings", "会面"),
    "notes": ("Notes", "备注"),
    "next_steps_open": ("Next steps open", "待办下一步"),
    "next_steps_overdue": ("Next steps overdue", "逾期下一步"),
    "leads": ("Leads received", "获得线索"),
    "leads_claimed": ("Leads claimed", "认领线索"),
    "leads_touched_in_time": ("Leads touched in time", "按时首次跟进"),
    "leads_qualified": ("Leads qualified", "已确认线索"),
    "leads_converted": ("Leads converted", "已转化线索"),
    "leads_lost": ("Leads lost", "已流失线索"),
}
ANSWERED_BY = {"team": ("Team", "团队"), "territory": ("Territory", "区域"), "user": ("Person", "人员"), "day": ("Day", "日期")}
NOBODYS = {"team": ("No team", "未分团队"), "territory": ("No territory", "无区域")}
TOTAL = ("Total", "合计")


class Column(NamedTuple):
    """A figure.

    Attributes:
        name: in answers.
        list: whose rows it is made of: ``visits``, ``follow_ups`` or ``leads``.
        figure: the value of ``figure`` by which that list shows them.
        adds_up: the figures of the groups within add up to it.
        counts: it is the length of that list.
        label: English, Chinese.
    """

    name: str
    list: str
    figure: str
    adds_up: bool
    counts: bool
    label: tuple[str, str]


def _columns() -> Iterable[Column]:
    lists = {
        name: which for which, names in ((VISITS, OF_VISITS), (FOLLOW_UPS, OF_FOLLOW_UPS), (LEADS, OF_LEADS)) for name in names
    }
    for name, label in LABELS.items():
        made_of = (SHARES | _SUMS).get(name, name)
        yield Column(name, lists[made_of], made_of, name not in SHARES, made_of == name, label)


COLUMNS: tuple[Column, ...] = tuple(_columns())
