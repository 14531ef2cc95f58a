"""``python -m app doctor``: what is misconfigured or unwell, why it matters, and how to mend it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import findings as work
from app.assets.models import Device
from app.core.db import Database, missing_file
from app.core.locales import in_terminal
from app.core.settings import Settings, weak_secrets
from app.findings import Finding
from app.meta import BEAT_S, silent_processes
from app.migrate import revisions
from app.rules.models import Rule
from app.stations.models import Station
from app.users.models import User
from offline_sync.models import Intent, SyncProblem
from push.channels import configured_channels

Say = Callable[[str], None]
_WEB_PATIENCE_S = 3.0


_MARKS = {
    "ok": ("ok     ", "正常"),
    "note": ("note   ", "提示"),
    "problem": ("PROBLEM", "问题"),
}


def examine(settings: Settings, say: Say) -> int:
    """Print every finding in the terminal's language; return 0 when there is no problem, 1 otherwise."""
    pick = in_terminal()
    problems = 0
    for finding in findings(settings):
        say(f"{pick(*_MARKS[finding.level])} {pick(*finding.what)}")
        if any(finding.mend):
            say(f"        -> {pick(*finding.mend)}")
        problems += finding.level == "problem"
    say(pick(f"{problems} problem(s)", f"共 {problems} 个问题"))
    return 1 if problems else 0


def _same(text: str) -> tuple[str, str]:
    """A command or an address reads the same in both languages."""
    return text, text


def findings(settings: Settings) -> Iterator[Finding]:
    """Examine settings, web server, database, processes, queues and broker, in this order."""
    yield from _of_settings(settings)
    yield from _of_web(settings)
    missing = missing_file(settings.database_url)
    if missing is not None:  # looking would make an empty one
        yield Finding(
            "problem",
            (f"there is no database file {missing}", f"数据库文件 {missing} 不存在"),
            (
                "correct FIELDLOOP_DATABASE_URL or FIELDLOOP_VAR_DIR; for a new database: python -m app migrate",
                "请更正 FIELDLOOP_DATABASE_URL 或 FIELDLOOP_VAR_DIR；新建数据库：python -m app migrate",
            ),
        )
        return
    database = Database(settings.database_url)
    try:
        found, head = revisions(database)
    except Exception as fault:  # noqa: BLE001 - any fault of any driver means the same here
        cause = f"{type(fault).__name__}: {str(fault).splitlines()[0][:160]}"
        yield Finding(
            "problem",
            (f"the database cannot be reached: {cause}", f"无法连接数据库：{cause}"),
            ("check FIELDLOOP_DATABASE_URL and that the server runs", "请检查 FIELDLOOP_DATABASE_URL，并确认数据库服务正在运行"),
        )
        return
    if found != head:
        yield Finding(
            "problem",
            (f"the database is at migration {found}, the program at {head}", f"数据库的迁移版本为 {found}，程序为 {head}"),
            _same("python -m app migrate"),
        )
        return
    yield Finding(
        "ok",
        (
            f"database reachable ({database.dialect}), migrations at {head}",
            f"数据库连接正常（{database.dialect}），迁移版本 {head}",
        ),
    )
    with database.reading() as session:
        yield from _of_processes(session, settings)
        yield from work.of_jobs(session)
        yield from _of_tables(session)
        yield from work.of_messages(session, settings)
        yield from work.of_settings(session)
        yield from work.of_rules(session)
        yield from work.of_tracks(session, settings)
        yield from work.of_entitlements(session)
        yield from work.of_outbox(session, database, settings)
    yield from _of_broker(settings)
    database.close()


def _of_settings(settings: Settings) -> Iterator[Finding]:
    weak = weak_secrets(settings)
    level = "problem" if settings.is_production else "note"
    for name in weak:
        yield Finding(
            level,
            (f"{name} is missing, too short or the default", f"{name} 未设置、过短或仍为默认值"),
            _same("python -c 'import secrets; print(secrets.token_urlsafe(48))'"),
        )
    if not weak:
        yield Finding("ok", ("secrets are set", "密钥已设置"))
    if settings.is_production and not settings.public_url.startswith("https://"):
        yield Finding(
            "problem",
            (
                "FIELDLOOP_PUBLIC_URL is not https; phones refuse plain HTTP",
                "FIELDLOOP_PUBLIC_URL 不是 https，手机会拒绝明文 HTTP",
            ),
            (
                "put a reverse proxy with TLS in front (docs/operation.md)",
                "请在前面部署带 TLS 的反向代理（docs/operation.zh-CN.md）",
            ),
        )
    if settings.is_production and not settings.metrics_token:
        yield Finding(
            "note",
            ("/metrics is open to whoever reaches it", "任何能访问该地址的人都可以读取 /metrics"),
            ("set FIELDLOOP_METRICS_TOKEN", "请设置 FIELDLOOP_METRICS_TOKEN"),
        )
    hints = {
        "fcm": "FIELDLOOP_FCM_CREDENTIALS_FILE",
        "web_push": "FIELDLOOP_VAPID_PRIVATE_KEY",
        "email": "FIELDLOOP_SMTP_HOST",
    }
    for channel in sorted(set(hints) - configured_channels(settings)):
        hint = hints[channel]
        yield Finding(
            "note",
            (
                f"channel {channel} is not configured; its messages stay in the inbox",
                f"通知渠道 {channel} 未配置，相关消息只进入收件箱",
            ),
            (f"set {hint}", f"请设置 {hint}"),
        )
    free = shutil.disk_usage(settings.var_dir if settings.var_dir.exists() else "/").free
    if free < 500_000_000:
        megabytes = free // 1_000_000
        yield Finding(
            "problem",
            (f"only {megabytes} MB free on the disk", f"磁盘仅剩 {megabytes} MB"),
            ("free space; below 50 MB this deployment is not ready", "请清理空间；低于 50 MB 时系统视为未就绪"),
        )


def _of_web(settings: Settings) -> Iterator[Finding]:
    """Ask the web server whether it lives: where ``app up`` put it, where the settings do, and where people reach it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http_host, settings.http_host)  # noqa: S104
    own = f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"
    kept = settings.var_dir / "address"
    addresses = dict.fromkeys([kept.read_text().strip() if kept.exists() else own, own, settings.public_url])
    faults = []
    for address in addresses:
        fault = _fault_of_web(address)
        if fault is None:
            yield Finding("ok", (f"the web server answers at {address}", f"web 服务在 {address} 正常应答"))
            return
        faults.append(f"{address} ({fault})")
    asked = ", ".join(faults)
    yield Finding(
        "problem",
        (f"the web server does not answer: {asked}", f"web 服务没有应答：{asked}"),
        (
            "start it (python -m app up starts everything), or see its log; on another host: check FIELDLOOP_PUBLIC_URL",
            "请启动 web 进程（python -m app up 会启动全部进程），或查看其日志；不在本机时请检查 FIELDLOOP_PUBLIC_URL",
        ),
    )


def _fault_of_web(address: str) -> str | None:
    """Return what is wrong with the web server at an address, None when it answers as ours does."""
    try:
        # No proxy of the environment: the question is whether the server answers, not whether a proxy does.
        answer = httpx.get(f"{address}/health/live", timeout=_WEB_PATIENCE_S, trust_env=False)
    except httpx.TimeoutException:
        return f"nothing within {_WEB_PATIENCE_S:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        return str(fault).splitlines()[0][:160] if str(fault) else type(fault).__name__
    return None if answer.status_code == 200 and '"live"' in answer.text else f"HTTP {answer.status_code}"


def _of_processes(session: Session, settings: Settings) -> Iterator[Finding]:
    for name, cause in silent_processes(session, settings):
        yield Finding(
            "problem",
            {
                "silent": (f"{name}: not heard for {BEAT_S:.0f} s", f"{name}：已 {BEAT_S:.0f} 秒没有心跳"),
                "no_broker": (f"{name}: no session with the broker", f"{name}：未与 MQTT 代理服务器建立会话"),
            }[cause],
            {
                "silent": (
                    "start it (python -m app up starts everything), or see its log",
                    "请启动该进程（python -m app up 会启动全部进程），或查看其日志",
                ),
                "no_broker": (
                    "it runs, and its log says what the broker answered; is passwd made with the present password?",
                    "该进程在运行，其日志会说明代理的答复；请检查 passwd 是否用当前密码生成",
                ),
            }[cause],
        )
    for shard, n in session.execute(
        select(Device.shard, func.count())
        .where(Device.state == "active", Device.shard.not_in(settings.mqtt_shards))
        .group_by(Device.shard)
    ):
        yield Finding(
            "problem",
            (
                f"{n} active device(s) on shard {shard}, which no ingest serves",
                f"分片 {shard} 上有 {n} 台在用设备，但没有接收进程",
            ),
            (
                f"add {shard} to FIELDLOOP_MQTT_SHARDS and start python -m iot --shard {shard}, or register them anew",
                f"请在 FIELDLOOP_MQTT_SHARDS 中加入 {shard} 并启动 python -m iot --shard {shard}，或重新登记这些设备",
            ),
        )


def _of_tables(session: Session) -> Iterator[Finding]:
    def count(what: Any, *where: Any) -> int:
        return session.scalar(select(func.count()).select_from(what).where(*where)) or 0

    if not count(Rule, Rule.enabled.is_(True)):
        yield Finding(
            "problem",
            ("no rule is switched on, so nothing ever alarms", "没有启用任何规则，不会产生告警"),
            ("python -m app migrate installs the default rules", "python -m app migrate 会安装默认规则"),
        )
    if not count(User, User.role == "admin", User.state == "active"):
        yield Finding(
            "problem",
            ("there is no active administrator", "没有可用的管理员"),
            _same("python -m app admin <login>"),
        )
    if not count(Station, Station.active.is_(True)):
        yield Finding(
            "note",
            ("there is no active station, so every work order stays unassigned", "没有营业中的服务站，所有工单都无法派出"),
            _same("POST /api/v1/stations, POST /api/v1/imports/stations"),
        )
    refused = count(SyncProblem, SyncProblem.state == "open")
    if refused:
        yield Finding(
            "note",
            (f"{refused} row(s) that phones sent could not be taken", f"有 {refused} 行手机上行的数据无法接收"),
            ("GET /api/v1/sync/problems?state=open says why of each", "GET /api/v1/sync/problems?state=open 会逐行说明原因"),
        )
    undecided = count(Intent, Intent.verdict == "needs_review")
    if undecided:
        yield Finding(
            "note",
            (
                f"{undecided} thing(s) done in the field wait for the office",
                f"有 {undecided} 件现场已做的事等待内勤裁定",
            ),
            _same("GET /api/v1/sync/intents?verdict=needs_review"),
        )


def _of_broker(settings: Settings) -> Iterator[Finding]:
    if settings.mqtt_broker == "embedded":
        from iot.broker import LIMITS_OF_EMBEDDED

        for _code, english, chinese in LIMITS_OF_EMBEDDED:
            yield Finding(
                "problem" if settings.is_production else "note",
                (f"embedded broker: {english}", f"内置 MQTT 代理服务器：{chinese}"),
            )
        yield Finding(
            "note",
            ("the embedded broker is for trying out", "内置 MQTT 代理服务器仅供试用"),
            (
                "for real devices run Mosquitto: python -m app mosquitto <folder>, FIELDLOOP_MQTT_BROKER=external",
                "连接真实设备请使用 Mosquitto：python -m app mosquitto <目录>，并设置 FIELDLOOP_MQTT_BROKER=external",
            ),
        )
        return
    if (fault := _fault_of_broker(settings)) is not None:
        where = f"{settings.mqtt_host}:{settings.mqtt_port}"
        yield Finding(
            "problem",
            (
                f"nothing takes connections at the broker's address {where}: {fault}",
                f"MQTT 代理服务器地址 {where} 无法连接：{fault}",
            ),
            (
                "start the broker (mosquitto -c FOLDER/mosquitto.conf), or correct FIELDLOOP_MQTT_HOST and FIELDLOOP_MQTT_PORT",
                "请启动代理（mosquitto -c 目录/mosquitto.conf），或更正 FIELDLOOP_MQTT_HOST 与 FIELDLOOP_MQTT_PORT",
            ),
        )
    if not settings.mqtt_tls and settings.mqtt_host not in {"127.0.0.1", "localhost", "::1"}:
        yield Finding(
            "problem",
            ("the connection to the broker is not encrypted", "与 MQTT 代理服务器之间的连接没有加密"),
            (
                "give the ingest a TLS listener of its own and set FIELDLOOP_MQTT_TLS=true (docs/operation.md)",
                "请为接收进程配置单独的 TLS 监听端口，并设置 FIELDLOOP_MQTT_TLS=true（docs/operation.zh-CN.md）",
            ),
        )


def _fault_of_broker(settings: Settings) -> str | None:
    """Return why no connection to the broker can be opened, None where one can; signing in is the ingest's to try."""
    try:
        socket.create_connection((settings.mqtt_host, settings.mqtt_port), timeout=_WEB_PATIENCE_S).close()
    except OSError as fault:
        return str(fault)[:160]
    return None
