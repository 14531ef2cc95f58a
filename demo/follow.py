"""Prints what the demo has come to: the first alarm, offer, task and messages, as they appear in the causal log."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import select

from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.locales import EN, ZH, in_terminal
from app.core.settings import Settings
from app.pages.reasons import reason_of

_TOLD = (
    "alarm.raised",
    "work_order.opened",
    "station_task.offered",
    "service_offer.issued",
    "coupon.issued",
    "notification.queued",
)
_PATIENCE_S = 60


def follow(database: Database, settings: Settings, say: Callable[[str], None], stopping: threading.Event) -> None:
    """Print the first things that happen, then how to follow the story; at most for a minute."""
    pick = in_terminal()
    say(pick("The vehicles report now; the first alarm comes within a minute.", "车辆开始上报数据，一分钟内会出现第一条告警。"))
    told: set[str] = set()
    for _ in range(_PATIENCE_S * 2):
        with database.reading() as session:
            entries = session.scalars(
                select(HistoryEntry).where(HistoryEntry.kind.in_(_TOLD)).order_by(HistoryEntry.id).limit(40)
            ).all()
        for entry in entries:
            if entry.id not in told:
                told.add(entry.id)
                say(f"  {entry.kind:22} {reason_of(entry.kind, entry.facts, pick(EN, ZH), settings.time_zone)}")
        if any(entry.kind == "notification.queued" for entry in entries):
            break
        if stopping.wait(0.5):
            return
    say(
        pick(
            "\nNow play the rest of the story in a second terminal: make story\n"
            "(the station accepts, the owner books, the coupon is redeemed, a new pack is fitted), or do it by hand as the\n"
            "README shows, or browse the API at the address above.\n"
            "Ctrl-C stops everything.",
            "\n接下来请在另一个终端执行 make story 演示后续流程\n"
            "（服务站接单、车主预约、核销优惠券、更换电池包）；也可以按 README.zh-CN.md 手动操作，或在上述地址浏览接口。\n"
            "按 Ctrl-C 停止全部进程。",
        )
    )
