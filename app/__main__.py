"""``python -m app ...``: running it, its database, its messages, its demo, its broker; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import InterfaceError, OperationalError

from app.backup import BackupRefused, account_path, back_up, begin_after_restore, restore
from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import DomainError
from app.core.locales import colon, in_terminal
from app.core.logs import set_up_logs
from app.core.settings import DEVELOPMENT_SECRET, Settings, keep_secret, settings_or_exit
from app.core.texts import problem_text

# Long enough to read the README in, short enough to see a task move on to the next station.
_DEMO_LEASE_S = 600


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 when it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run everything on this machine and restart what dies")
    up.add_argument("--demo", action="store_true", help="seed the demo organisation and let its devices report")
    commands.add_parser("web", help="run the web server alone (development)")
    commands.add_parser("worker", help="run message delivery and the scheduler")
    commands.add_parser("migrate", help="bring the database to the present tables")
    backup = commands.add_parser("backup", help="copy the database into a new file, while everything runs")
    backup.add_argument("file", type=Path)
    restore = commands.add_parser("restore", help="load such a file into an empty database")
    restore.add_argument("file", type=Path)
    commands.add_parser(
        "restored", help="after a backup was restored by other means: phones load everything again, no message leaves"
    )
    outbox = commands.add_parser("outbox", help="hold messages back, or let them leave")
    outbox.add_argument("what", choices=["hold", "resume"])
    outbox.add_argument("--discard", action="store_true", help="with resume: give up what was queued before the hold")
    commands.add_parser("search-rebuild", help="let the worker make all search terms anew")
    commands.add_parser("demo", help="seed the demo organisation")
    commands.add_parser("simulate", help="let the demo's devices report over MQTT")
    commands.add_parser("story", help="play the demo's story over HTTP and print each step")
    commands.add_parser("day", help="play a rep's day against the demo, over HTTP and with a real phone")
    commands.add_parser("doctor", help="say what is misconfigured, and how to mend it")
    openapi = commands.add_parser("openapi", help="write the API's description")
    openapi.add_argument("--check", action="store_true", help="fail when docs/openapi.json is not what the program says")
    mosquitto = commands.add_parser("mosquitto", help="write mosquitto.conf, passwd and acl for this deployment")
    mosquitto.add_argument("folder", type=Path)
    mosquitto.add_argument("--watch", action="store_true", help="stay, and write them again whenever devices change")
    mosquitto.add_argument(
        "--reload", default="", metavar="COMMAND", help='after each write, for example "systemctl reload mosquitto"'
    )
    admin = commands.add_parser("admin", help="make the first administrator; the password is read from the terminal")
    admin.add_argument("login")
    given = parser.parse_args(argv)
    settings = settings_or_exit()
    run: dict[str, Callable[[], int]] = {
        "up": lambda: _up(settings, demo=given.demo),
        "web": lambda: _web(settings),
        "worker": lambda: _worker(settings),
        "migrate": lambda: _migrate(settings),
        "backup": lambda: _backup(settings, given.file),
        "restore": lambda: _restore(settings, given.file),
        "restored": lambda: _restored(settings),
        "outbox": lambda: _outbox(settings, given.what, discard=given.discard),
        "search-rebuild": lambda: _rebuild_search(settings),
        "demo": lambda: _demo(settings),
        "simulate": lambda: _simulate(settings),
        "story": lambda: _play(settings, "walk"),
        "day": lambda: _play(settings, "day"),
        "doctor": lambda: _doctor(settings),
        "openapi": lambda: _openapi(settings, check=given.check),
        "mosquitto": lambda: _mosquitto(settings, given.folder, watch=given.watch, command=given.reload),
        "admin": lambda: _admin(settings, given.login),
    }
    try:
        if given.command in {"up", "demo", "migrate", "admin", "backup", "restore"}:
            os.umask(0o077)  # what is made now, the database and logs above all, is nobody else's to read
            if settings.secret_key == DEVELOPMENT_SECRET and not settings.is_production:
                # Outside production a deployment makes its own secret; in production the operator must give one.
                keep_secret(settings.var_dir)
                settings = settings_or_exit()
        return run[given.command]()
    except BackupRefused as fault:
        print(in_terminal()(fault.english, fault.chinese), file=sys.stderr)
    except DomainError as fault:
        title, detail = problem_text(fault.code, settings.default_locale, fault.facts)
        print(f"{title}{colon(settings.default_locale)}{detail}", file=sys.stderr)
    except (OperationalError, InterfaceError) as fault:
        cause = str(fault.orig).strip().splitlines()[0][:200]
        print(
            in_terminal()(
                f"the database does not answer as it should: {cause}; check FIELDLOOP_DATABASE_URL, that the server runs, and "
                "that python -m app migrate was run",
                f"数据库无法使用：{cause}；请检查 FIELDLOOP_DATABASE_URL，确认数据库服务正在运行，且已执行 python -m app migrate",
            ),
            file=sys.stderr,
        )
    except OSError as fault:
        print(fault, file=sys.stderr)
    return 1


def _say(text: str, chinese: str = "") -> None:
    print(in_terminal()(text, chinese or text), flush=True)


def _up(settings: Settings, *, demo: bool) -> int:
    from app import supervise
    from app.contacts.schemes import install_default_scheme
    from app.migrate import migrate
    from app.rules.operations import install_default_rules

    settings.var_dir.mkdir(parents=True, exist_ok=True)
    if supervise.alone(settings.var_dir) is None:
        _say(
            f"another python -m app up runs in {settings.var_dir}; end it, or set FIELDLOOP_VAR_DIR to another folder",
            f"{settings.var_dir} 中已有 python -m app up 在运行；请先结束它，或将 FIELDLOOP_VAR_DIR 设为其他目录",
        )
        return 1
    http_port = supervise.free_port(settings.http_port, settings.http_host, besides=settings.mqtt_port)
    mqtt_port = (
        supervise.free_port(settings.mqtt_port, besides=http_port) if settings.mqtt_broker == "embedded" else settings.mqtt_port
    )
    for name, wanted, found in (("HTTP", settings.http_port, http_port), ("MQTT", settings.mqtt_port, mqtt_port)):
        if wanted != found:
            _say(f"  port {wanted} ({name}) is taken; using {found}", f"  端口 {wanted}（{name}）已被占用，改用 {found}")
    public_url = (
        settings.public_url
        if settings.http_port == http_port or "FIELDLOOP_PUBLIC_URL" in os.environ
        else f"http://{settings.http_host}:{http_port}"
    )
    settings = dataclasses.replace(settings, http_port=http_port, mqtt_port=mqtt_port, public_url=public_url)
    if demo and "FIELDLOOP_STATION_LEASE_S" not in os.environ:
        os.environ["FIELDLOOP_STATION_LEASE_S"] = str(_DEMO_LEASE_S)
    (settings.var_dir / "address").write_text(settings.public_url + "\n")
    database = Database(settings.database_url)
    _say("  migrating the database", "  正在迁移数据库")
    migrate(database)
    with database.transaction() as session:
        install_default_rules(session)
        install_default_scheme(session)
    accounts = ""
    if demo:
        from demo.seed import seed

        _say("  seeding the demo organisation", "  正在写入演示数据")
        accounts = seed(database, settings)
    logs = settings.var_dir / "logs"
    environ = supervise.prepare_environ(settings)
    supervisor = supervise.Supervisor(supervise.children_of(settings), environ, logs, _say)
    supervise.end_on_signals(supervisor)
    names = ", ".join(child.name for child in supervisor.children)
    _say(f"  starting {names}", f"  正在启动 {names}")
    supervisor.start()
    try:
        is_ready = supervise.wait_ready(settings, database, supervisor)
        if is_ready:
            url = settings.public_url
            _say(f"\nReady: {url}   API: {url}/docs   logs: {logs}", f"\n已就绪：{url}   接口文档：{url}/docs   日志：{logs}")
        if is_ready and demo:
            _say(accounts)
            simulator = supervise.Child("simulator", [sys.executable, "-m", "app", "simulate"], once=True)
            supervisor.children.append(simulator)
            supervisor.start_one(simulator)
            from demo.follow import follow

            follow(database, settings, _say, supervisor.stopping)
        supervisor.watch()
    finally:
        supervisor.stop()
        shutil.rmtree(environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
        database.close()
    _say("stopped", "已停止")
    return 0


def _web(settings: Settings) -> int:
    from app.factory import create_app

    create_app(settings).run(host=settings.http_host, port=settings.http_port)
    return 0


def _worker(settings: Settings) -> int:
    from app.worker import main as run

    run(settings)
    return 0


def _migrate(settings: Settings) -> int:
    from app.contacts.schemes import install_default_scheme
    from app.migrate import migrate, revisions
    from app.rules.operations import install_default_rules

    settings.var_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    migrate(database)
    with database.transaction() as session:
        install_default_rules(session)
        install_default_scheme(session)
    revision = revisions(database)[0]
    _say(f"database is at {revision}", f"数据库版本：{revision}")
    return 0


def _backup(settings: Settings, target: Path) -> int:
    began_s = Clock().monotonic()
    account = back_up(settings, target)
    seconds = Clock().monotonic() - began_s
    _say(
        f"wrote {target}: {account.rows} rows of {len(account.tables)} tables at {account.revision}, in {seconds:.1f} s",
        f"已写入 {target}：{len(account.tables)} 张表共 {account.rows} 行，迁移版本 {account.revision}，用时 {seconds:.1f} 秒",
    )
    _say(
        f"keep beside it: {account_path(target).name}, {settings.var_dir}/attachments, FIELDLOOP_SECRET_KEY",
        f"请一并保存：{account_path(target).name}、{settings.var_dir}/attachments、FIELDLOOP_SECRET_KEY",
    )
    return 0


def _restore(settings: Settings, source: Path) -> int:
    done = restore(settings, source)
    if done.account is None:
        _say(
            f"{account_path(source)} is not there, so what was loaded could not be compared with anything",
            f"找不到 {account_path(source)}，无法核对载入的数据",
        )
    else:
        lost_s = (Clock().now() - done.account.made_at).total_seconds()
        _say(
            f"{done.account.rows} rows of {len(done.account.tables)} tables are back, each as it was when backed up; "
            f"what was written in the last {lost_s / 3600:.1f} h is not",
            f"已恢复 {len(done.account.tables)} 张表共 {done.account.rows} 行，与备份时逐行一致；"
            f"最近 {lost_s / 3600:.1f} 小时的写入不在其中",
        )
    _say(f"restored in {done.seconds:.1f} s", f"恢复用时 {done.seconds:.1f} 秒")
    return _say_begun(done.epoch)


def _restored(settings: Settings) -> int:
    database = Database(settings.database_url)
    epoch = begin_after_restore(database)
    database.close()
    return _say_begun(epoch)


def _say_begun(epoch: int) -> int:
    _say(f"phones will load everything again (epoch {epoch})", f"所有手机将重新下载全部数据（纪元 {epoch}）")
    _say(
        "no message leaves until: python -m app outbox resume (--discard gives up those queued before the backup)",
        "消息暂停发送，直到执行：python -m app outbox resume（加 --discard 则放弃备份前已排队的消息）",
    )
    return 0


def _outbox(settings: Settings, what: str, *, discard: bool) -> int:
    from push.outbox import hold, resume

    database = Database(settings.database_url)
    with database.transaction() as session:
        held = what == "hold" and hold(session, "held_by_operator")
        waiting, discarded = resume(session, discard=discard) if what == "resume" else (0, 0)
    database.close()
    if what == "resume":
        _say(
            f"messages leave again: {waiting} wait, {discarded} were given up",
            f"消息恢复发送：等待 {waiting} 条，放弃 {discarded} 条",
        )
    elif held:
        _say("messages are held back; they wait in the outbox", "消息已暂停发送，在发件箱中等待")
    else:
        _say("messages were held back already", "消息此前已暂停发送")
    return 0


def _rebuild_search(settings: Settings) -> int:
    import app.pages.search  # noqa: F401 - whatever is found has said so once this is imported
    from app.search.operations import rebuild

    with Database(settings.database_url).transaction() as session:
        waiting = rebuild(session)
    _say(f"{waiting} rows wait for the worker to make their search terms", f"{waiting} 条记录等待 worker 生成搜索词条")
    return 0


def _demo(settings: Settings) -> int:
    from app.migrate import migrate
    from demo.seed import seed

    settings.var_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    migrate(database)
    _say(seed(database, settings))
    return 0


def _simulate(settings: Settings) -> int:
    from demo.simulate import simulate

    return simulate(Database(settings.database_url), settings)


def _play(settings: Settings, which: str) -> int:
    from demo.day import day
    from demo.walk import walk

    play = {"walk": walk, "day": day}[which]
    try:
        return play(dataclasses.replace(settings, public_url=_running_url(settings)), _say)
    except (TimeoutError, RuntimeError) as fault:
        print(fault, file=sys.stderr)
        return 1


def _running_url(settings: Settings) -> str:
    """Return the address the running deployment was given, which may not be the default one."""
    kept = settings.var_dir / "address"
    return kept.read_text().strip() if kept.exists() else settings.public_url


def _doctor(settings: Settings) -> int:
    from app.doctor import examine

    return examine(settings, _say)


def _openapi(settings: Settings, *, check: bool) -> int:
    from app.openapi import description

    path = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
    text = json.dumps(description(settings), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if check:
        same = path.exists() and path.read_text() == text
        _say("docs/openapi.json is up to date" if same else "docs/openapi.json is not what the program says; run: make openapi")
        return 0 if same else 1
    path.write_text(text)
    _say(f"wrote {path}")
    return 0


def _mosquitto(settings: Settings, folder: Path, *, watch: bool, command: str) -> int:
    from iot.mosquitto import Keeper, keep_current, run_command, write_config

    database = Database(settings.database_url)
    if not watch:
        with database.reading() as session:
            for path in write_config(settings, session, folder):
                _say(f"wrote {path}", f"已写入 {path}")
        if command:
            run_command(command)()
        return 0
    if not command:
        _say(
            "--watch needs --reload COMMAND: without it the broker would never read what is written",
            "--watch 需要同时给出 --reload 命令，否则 MQTT 代理服务器不会读取写入的内容",
        )
        return 2
    set_up_logs(settings, "mosquitto")
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    keep_current(database, Keeper(settings, folder, run_command(command)), stopping)
    database.close()
    return 0


def _admin(settings: Settings, login: str) -> int:
    import getpass

    from app.users.operations import create_first_admin

    prompt = in_terminal()("Password for the administrator: ", "管理员密码：")
    password = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    database = Database(settings.database_url)
    with database.transaction() as session:
        user = create_first_admin(session, settings, login, password)
    _say(f"administrator {user.login} made", f"已创建管理员 {user.login}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
