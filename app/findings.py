"""What the doctor finds of work: jobs that are late, messages that were not stored, messages that do not leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.assets.device_settings import is_behind
from app.assets.models import Device, DeviceProfile, SettingsState
from app.core.clock import from_ms
from app.core.db import Database
from app.core.leases import ProcessBeat, last_outcomes, overdue_jobs
from app.core.settings import Settings
from app.core.unfinished import PREFIX
from app.entitlements.counting import differing
from app.rules.queries import unreadable_rules
from app.tracks.erasure import overdue
from app.tracks.shifts import forgotten
from iot.models import DeadLetter, DeviceStorm, IngestCounter, TelemetryHorizon
from push.models import OutboxMessage
from push.queries import held_since

_JOB_PATIENCE_S = 300.0
_WORKER = (
    "start python -m app worker; if it runs, its log says why the jobs end_shifts or retire_tracks fail",
    "请启动 python -m app worker；若已在运行，其日志会说明作业 end_shifts 或 retire_tracks 失败的原因",
)
# So many devices are named; all are counted.
_NAMED = 5
# So many balances are counted anew at a look.
_MOST_COUNTED = 200


class Finding(NamedTuple):
    """One thing found. ``level``: ok, note (a limit one should know), problem. Texts: English, Chinese."""

    level: str
    what: tuple[str, str]
    mend: tuple[str, str] = ("", "")


def of_jobs(session: Session) -> Iterator[Finding]:
    """Tell of jobs whose last end is too long ago, and of those that could not do all of their work."""
    for job, outcome in sorted(last_outcomes(session).items()):
        if outcome.startswith(PREFIX):
            told = outcome.removeprefix(PREFIX)
            yield Finding(
                "problem",
                (
                    f"the job {job} could not do all of its work; it failed with {told}",
                    f"定时作业 {job} 未能全部完成，失败 {told}",
                ),
                (
                    "the worker's log says why, by these ids; the next run tries them again",
                    "worker 的日志按这些编号说明原因；下次运行会重试",
                ),
            )
    for job, late_s in sorted(overdue_jobs(session).items()):
        if late_s > _JOB_PATIENCE_S:
            minutes = round(late_s / 60)
            yield Finding(
                "problem",
                (f"the job {job} is {minutes} minutes late", f"定时作业 {job} 已逾期 {minutes} 分钟"),
                (
                    "start python -m app worker; if it runs, its log says why the job fails or what it waits for",
                    "请启动 python -m app worker；若已在运行，其日志会说明作业失败或等待的原因",
                ),
            )


def of_messages(session: Session, settings: Settings) -> Iterator[Finding]:
    """Tell of messages that were not stored, and why: dead letters, devices nobody knows, too old, too many, dropped."""
    dead = session.execute(
        select(DeadLetter.reason, func.count())
        .where(DeadLetter.state == "open")
        .group_by(DeadLetter.reason)
        .order_by(func.count().desc(), DeadLetter.reason)
    ).all()
    if dead:
        n, reasons = sum(row[1] for row in dead), ", ".join(f"{reason} {n}" for reason, n in dead)
        sources = ", ".join(f"{source} {n}" for source, n in _loudest(session))
        yield Finding(
            "problem",
            (
                f"{n} open dead letter(s): {reasons}" + (f"; from {sources}" if sources else ""),
                f"有 {n} 条未处理的死信：{reasons}" + (f"；来源：{sources}" if sources else ""),
            ),
            (
                "GET /api/v1/dead-letters says why; mend the cause, then POST .../replay",
                "GET /api/v1/dead-letters 会说明原因；排除后调用 POST .../replay 重放",
            ),
        )
    counters = session.scalars(
        select(IngestCounter).where(IngestCounter.name.in_(("unknown_device", "too_old", "poison_dropped")))
    )
    fates = {counter.name: counter.n for counter in counters}
    if dropped := fates.get("poison_dropped"):
        yield Finding(
            "note",
            (
                f"{dropped} unusable message(s) were counted and not kept, for their sources had too many dead letters",
                f"有 {dropped} 条无法处理的消息只计数、未保存，因其来源的死信过多",
            ),
            (
                "GET /api/v1/dead-letters?source=... of those named above; mend the device, then dismiss or replay its letters",
                "按上面列出的来源查询 GET /api/v1/dead-letters?source=...；修复设备后忽略或重放其死信",
            ),
        )
    if unknown := fates.get("unknown_device"):
        yield Finding(
            "note",
            (f"{unknown} message(s) came from devices nobody registered", f"有 {unknown} 条消息来自未登记的设备"),
            ("register them, or see the broker's access list", "请登记这些设备，或检查 MQTT 代理服务器的访问列表"),
        )
    if too_old := fates.get("too_old"):
        before_ms = session.scalar(select(TelemetryHorizon.before_ms)) or 0
        before = from_ms(before_ms).astimezone(settings.time_zone).strftime("%Y-%m-%d")
        yield Finding(
            "note",
            (
                f"{too_old} sample(s) came too old, from before the horizon (now {before}), and were not stored",
                f"有 {too_old} 个样本过旧（早于保留界限，目前为 {before}），未入库",
            ),
            (
                "see whether devices' clocks are right; a higher FIELDLOOP_TELEMETRY_DAYS lets more in from now on",
                "请检查设备时钟；调高 FIELDLOOP_TELEMETRY_DAYS 可从现在起接收更早的读数",
            ),
        )
    yield from _of_storms(session)
    beats = session.scalars(select(ProcessBeat.facts)).all()
    if dropped := max((int(facts.get("broker_dropped") or 0) for facts in beats), default=0):
        yield Finding(
            "note",
            (
                f"the broker dropped {dropped} message(s) since it was started",
                f"MQTT 代理服务器自启动以来丢弃了 {dropped} 条消息",
            ),
            (
                "see its log, whether an ingest lags or a device is refused; python -m app mosquitto writes its files anew",
                "其日志会说明来源；请重新生成其配置（python -m app mosquitto），并检查接收进程是否滞后、设备是否被拒绝",
            ),
        )


def _loudest(session: Session) -> Sequence[tuple[str, int]]:
    """Return the sources with the most open dead letters, and how many each has."""
    query = select(DeadLetter.source, func.count()).where(DeadLetter.state == "open", DeadLetter.source != "")
    loudest = query.group_by(DeadLetter.source).order_by(func.count().desc(), DeadLetter.source).limit(_NAMED)
    return [(source, n) for source, n in session.execute(loudest)]


def _of_storms(session: Session) -> Iterator[Finding]:
    storms = session.execute(
        select(DeviceStorm.device_id, DeviceStorm.storm)
        .where(DeviceStorm.began_ms.is_not(None))
        .order_by(DeviceStorm.storm.desc())
    ).all()
    if not storms:
        return
    more = len(storms) > _NAMED
    listed = ", ".join(f"{device_id} ({n})" for device_id, n in storms[:_NAMED]) + (", ..." if more else "")
    yield Finding(
        "problem",
        (
            f"{len(storms)} device(s) send more than their rate; messages not taken: {listed}",
            f"有 {len(storms)} 台设备发送超过限额，未入库的消息数：{listed}",
        ),
        (
            "GET /api/v1/devices/<id>/rate; mend the device, let it send lists, or give its profile more messages_per_minute",
            "GET /api/v1/devices/<id>/rate；请修复设备、改用列表补传，或调高其档案的 messages_per_minute",
        ),
    )


def of_rules(session: Session) -> Iterator[Finding]:
    """Tell of rules that are switched on and cannot be read."""
    for code, fault in unreadable_rules(session):
        yield Finding(
            "problem",
            (f"the rule {code} is switched on, but cannot be read: {fault}", f"规则 {code} 已启用，但无法读取：{fault}"),
            (
                "nothing is judged by it; save it anew: PATCH /api/v1/rules/<id>",
                "该规则不会判断任何数据；请重新保存：PATCH /api/v1/rules/<id>",
            ),
        )


def of_settings(session: Session) -> Iterator[Finding]:
    """Tell of devices that have not taken over what they are to be set to."""
    behind = (
        select(Device.id)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .outerjoin(SettingsState, SettingsState.device_id == Device.id)
        .where(Device.deleted_at.is_(None), is_behind())
    )
    n = session.scalar(select(func.count()).select_from(behind.subquery())) or 0
    if n:
        some = session.scalars(behind.order_by(Device.id).limit(_NAMED)).all()
        listed = ", ".join(some) + (", ..." if n > _NAMED else "")
        yield Finding(
            "note",
            (
                f"{n} device(s) have not taken over their settings: {listed}",
                f"有 {n} 台设备尚未应用其参数：{listed}",
            ),
            (
                "GET /api/v1/devices/<id>/settings shows what is wanted, whether it was published, and what the device says",
                "GET /api/v1/devices/<id>/settings 会显示应有的参数、是否已下发以及设备上报的内容",
            ),
        )


def of_outbox(session: Session, database: Database, settings: Settings) -> Iterator[Finding]:
    """Tell of an outbox that is held back, or whose messages do not leave."""
    held = held_since(session)
    if held is not None:
        since = held.astimezone(settings.time_zone).strftime("%Y-%m-%d %H:%M")
        yield Finding(
            "problem",
            (f"the outbox is held back since {since}: no message leaves", f"发件箱自 {since} 起暂停：消息不会发出"),
            (
                "after a restore check the messages first (GET /api/v1/outbox), then: python -m app outbox resume",
                "恢复备份后请先核对消息（GET /api/v1/outbox），再执行：python -m app outbox resume",
            ),
        )
    before = database.clock.now() - timedelta(minutes=15)
    # What its reader's quiet hours hold is not stuck.
    waits_since = func.coalesce(OutboxMessage.quiet_until, OutboxMessage.queued_at)
    stuck, oldest = session.execute(
        select(func.count(), func.min(waits_since)).where(OutboxMessage.state == "queued", waits_since < before)
    ).one()
    if stuck and held is None:
        since = oldest.astimezone(settings.time_zone).strftime("%Y-%m-%d %H:%M")
        yield Finding(
            "problem",
            (
                f"{stuck} message(s) wait in the outbox for more than 15 minutes, the oldest since {since}",
                f"有 {stuck} 条通知在发件箱中等待超过 15 分钟，最早的自 {since} 起",
            ),
            ("GET /api/v1/outbox shows the last error of each", "GET /api/v1/outbox 会显示每条的最近一次错误"),
        )


def of_entitlements(session: Session) -> Iterator[Finding]:
    """Compare balances, those that changed last, with what grants and spends come to; name some that differ."""
    found = differing(session, _MOST_COUNTED)
    if not found:
        return
    names = ", ".join(f"{customer} {kind}" for customer, kind in found[:_NAMED])
    yield Finding(
        "problem",
        (
            f"{len(found)} balance(s) of entitlements differ from what was granted and used: {names}",
            f"有 {len(found)} 个权益余额与发放、使用记录不一致：{names}",
        ),
        (
            "a grant of that kind to that customer, or its withdrawal, counts the balance anew; please report it",
            "对该客户的该类权益做一次发放或撤回即可重新计算；请同时反馈此问题",
        ),
    )


def of_tracks(session: Session, settings: Settings) -> Iterator[Finding]:
    """Tell of shifts that were not ended in time, and of positions that should be deleted and are not."""
    running, too_long = forgotten(session)
    if running:
        yield Finding(
            "problem",
            (
                f"{running} shift(s) of reps run past their latest end, though nothing of it is kept",
                f"有 {running} 个班次超过最晚结束时刻仍未结束（其后的位置不会保存）",
            ),
            _WORKER,
        )
    if too_long:
        yield Finding(
            "note",
            (
                f"{too_long} shift(s) of the last 7 days were never ended by their reps, but at the bound of their length",
                f"最近 7 天有 {too_long} 个班次未由业务员结束，而是达到最长时间后自动结束",
            ),
            (
                "GET /api/v1/track-shifts names them; see whether the app reminds its users to end a shift",
                "GET /api/v1/track-shifts 会列出这些班次；请检查应用是否提醒用户结束班次",
            ),
        )
    if late := overdue(session, settings):
        yield Finding(
            "problem",
            (
                f"the positions of {late} shift(s) are kept for longer than they may be",
                f"有 {late} 个班次的位置超期未删除",
            ),
            _WORKER,
        )
