"""Prints what the demo has come to: the first alarm, offer, task and messages, as they appear in the causal log."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

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
    """Print the first things that happen, then how to follow the story; at most for a minute.

    What a demo that ran before came to is not told again; when it had come to its last step, nothing is waited for.
    """
    pick = in_terminal()
    with database.reading() as session:
        last = session.scalar(select(func.max(HistoryEntry.id))) or ""
        over = _ran_before(session)
    if over:
        say(
            pick(
                f"This demo ran before; its alarms, tasks and offers are still there. To begin anew remove {settings.var_dir}.",
                f"演示曾经运行过，已有的告警、任务和优惠仍在。如需重新开始，请删除 {settings.var_dir}。",
            )
        )
    else:
        say(
            pick(
                "The vehicles report now; the first alarm comes within a minute.", "车辆开始上报数据，一分钟内会出现第一条告警。"
            )
        )
        if not _told_until_the_last(database, settings, last, say, stopping):
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


def _ran_before(session: Session) -> bool:
    """Tell whether a story came to its last step: a message that followed an alarm, and not what the seed had to say."""
    began = session.scalar(select(func.min(HistoryEntry.id)).where(HistoryEntry.kind.in_(_TOLD[:-1])))
    if began is None:
        return False
    told = select(HistoryEntry.id).where(HistoryEntry.kind == _TOLD[-1], HistoryEntry.id > began)
    return session.scalar(told.limit(1)) is not None


def _told_until_the_last(
    database: Database, settings: Settings, last: str, say: Callable[[str], None], stopping: threading.Event
) -> bool:
    """Print what comes after the entry ``last`` until a message was queued or patience ends; False when told to stop."""
    locale = in_terminal()(EN, ZH)
    told: set[str] = set()  # not a moving ``last``: who drew an earlier id may commit later
    for _ in range(_PATIENCE_S * 2):
        with database.reading() as session:
            entries = session.scalars(
                select(HistoryEntry)
                .where(HistoryEntry.kind.in_(_TOLD), HistoryEntry.id > last)
                .order_by(HistoryEntry.id)
                .limit(40)
            ).all()
        for entry in entries:
            if entry.id in told:
                continue
            told.add(entry.id)
            say(f"  {entry.kind:22} {reason_of(entry.kind, entry.facts, locale, settings.time_zone)}")
        if any(entry.kind == _TOLD[-1] for entry in entries):
            break
        if stopping.wait(0.5):
            return False
    return True
