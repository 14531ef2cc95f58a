"""``python -m app doctor``: what is misconfigured or unwell, why it matters, and how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from app.assets.models import Device
from app.core.db import Database
from app.core.settings import Settings, weak_secrets
from app.meta import silent_processes
from app.migrate import revisions
from app.rules.models import Rule
from app.stations.models import Station
from app.users.models import User
from iot.models import DeadLetter, IngestCounter
from push.channels import configured_channels
from push.models import OutboxMessage

Say = Callable[[str], None]


class Finding(NamedTuple):
    """One thing found. ``level``: ok, note (a limit one should know), problem."""

    level: str
    what: str
    mend: str = ""


def examine(settings: Settings, say: Say) -> int:
    """Print every finding; return 0 when there is no problem, 1 otherwise."""
    problems = 0
    for finding in findings(settings):
        mark = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}[finding.level]
        say(f"{mark} {finding.what}")
        if finding.mend:
            say(f"        -> {finding.mend}")
        problems += finding.level == "problem"
    say(f"{problems} problem(s)")
    return 1 if problems else 0


def findings(settings: Settings) -> Iterator[Finding]:
    """Examine settings, database, processes, queues and broker, in this order."""
    yield from _of_settings(settings)
    database = Database(settings.database_url)
    try:
        found, head = revisions(database)
    except Exception as fault:  # noqa: BLE001 - any fault of any driver means the same here
        yield Finding(
            "problem",
            f"the database cannot be reached: {type(fault).__name__}: {str(fault).splitlines()[0][:160]}",
            "check FIELDLOOP_DATABASE_URL and that the server runs",
        )
        return
    if found != head:
        yield Finding("problem", f"the database is at migration {found}, the program at {head}", "python -m app migrate")
        return
    yield Finding("ok", f"database reachable ({database.dialect}), migrations at {head}")
    yield from _of_tables(database, settings)
    yield from _of_broker(settings)
    database.close()


def _of_settings(settings: Settings) -> Iterator[Finding]:
    weak = weak_secrets(settings)
    level = "problem" if settings.is_production else "note"
    for name in weak:
        yield Finding(
            level, f"{name} is missing, too short or the default", "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if not weak:
        yield Finding("ok", "secrets are set")
    if settings.is_production and not settings.public_url.startswith("https://"):
        yield Finding(
            "problem",
            "FIELDLOOP_PUBLIC_URL is not https; phones refuse plain HTTP",
            "put a reverse proxy with TLS in front (docs/operation.md)",
        )
    if settings.is_production and not settings.metrics_token:
        yield Finding("note", "/metrics is open to whoever reaches it", "set FIELDLOOP_METRICS_TOKEN")
    for channel in sorted({"fcm", "email"} - configured_channels(settings)):
        hint = "FIELDLOOP_FCM_CREDENTIALS_FILE" if channel == "fcm" else "FIELDLOOP_SMTP_HOST"
        yield Finding("note", f"channel {channel} is not configured; its messages stay in the inbox", f"set {hint}")
    free = shutil.disk_usage(settings.var_dir if settings.var_dir.exists() else "/").free
    if free < 500_000_000:
        yield Finding(
            "problem", f"only {free // 1_000_000} MB free on the disk", "free space; below 50 MB this deployment is not ready"
        )


def _of_tables(database: Database, settings: Settings) -> Iterator[Finding]:
    with database.reading() as session:
        for name in silent_processes(session, settings):
            yield Finding("problem", name, "start it (python -m app up starts everything), or see its log")
        if not session.scalar(select(func.count()).select_from(Rule).where(Rule.enabled.is_(True))):
            yield Finding(
                "problem", "no rule is switched on, so nothing ever alarms", "python -m app migrate installs the default rules"
            )
        if not session.scalar(select(func.count()).select_from(User).where(User.role == "admin", User.state == "active")):
            yield Finding("problem", "there is no active administrator", "python -m app admin <login>")
        if not session.scalar(select(func.count()).select_from(Station).where(Station.active.is_(True))):
            yield Finding(
                "note",
                "there is no active station, so every work order stays unassigned",
                "POST /api/v1/stations or /api/v1/imports/stations",
            )
        for shard, n in session.execute(
            select(Device.shard, func.count())
            .where(Device.state == "active", Device.shard.not_in(settings.mqtt_shards))
            .group_by(Device.shard)
        ):
            yield Finding(
                "problem",
                f"{n} active device(s) on shard {shard}, which no ingest serves",
                f"add {shard} to FIELDLOOP_MQTT_SHARDS and start python -m iot --shard {shard}, or register them anew",
            )
        dead = session.scalar(select(func.count()).select_from(DeadLetter).where(DeadLetter.state == "open")) or 0
        if dead:
            yield Finding(
                "problem",
                f"{dead} open dead letter(s)",
                "GET /api/v1/dead-letters says why; mend the cause, then POST .../replay",
            )
        counters = dict(session.execute(select(IngestCounter.name, IngestCounter.n)).all())
        if counters.get("unknown_device"):
            yield Finding(
                "note",
                f"{counters['unknown_device']} message(s) came from devices nobody registered",
                "register them, or see the broker's access list",
            )
        stuck = session.scalar(
            select(func.count())
            .select_from(OutboxMessage)
            .where(OutboxMessage.state == "queued", OutboxMessage.queued_at < database.clock.now() - timedelta(minutes=15))
        )
        if stuck:
            yield Finding(
                "problem",
                f"{stuck} message(s) wait in the outbox for more than 15 minutes",
                "GET /api/v1/outbox shows the last error of each",
            )


def _of_broker(settings: Settings) -> Iterator[Finding]:
    if settings.mqtt_broker == "embedded":
        from iot.broker import LIMITS_OF_EMBEDDED

        for _code, english, chinese in LIMITS_OF_EMBEDDED:
            yield Finding("problem" if settings.is_production else "note", f"embedded broker: {english} / {chinese}")
        yield Finding(
            "note",
            "the embedded broker is for trying out",
            "for real devices run Mosquitto: python -m app mosquitto <folder>, FIELDLOOP_MQTT_BROKER=external",
        )
    elif not settings.mqtt_tls and settings.mqtt_host not in {"127.0.0.1", "localhost", "::1"}:
        yield Finding(
            "problem",
            "the connection to the broker is not encrypted",
            "give the ingest a TLS listener of its own and set FIELDLOOP_MQTT_TLS=true (docs/operation.md)",
        )
