"""Health, metrics and the API's page: what operators and developers look at. Outside ``/api``."""

from __future__ import annotations

import hmac
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import flask
import flask_swagger_ui
from flask import Flask, Response
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import REGISTRY
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import Database, database_now, last_change
from app.core.edge import edge_database, edge_settings
from app.core.http import PUBLIC
from app.core.leases import LeaderLease, ProcessBeat, overdue_jobs
from app.core.problems import DATABASE_AWAY
from app.core.settings import Settings
from app.link_page import LINK_PAGE, LINK_SCRIPT
from app.migrate import revisions
from iot.models import Alarm, DeadLetter, DeviceStorm, IngestCounter
from offline_sync.models import Installation, Intent, SyncConflict, SyncProblem
from push.models import OutboxMessage
from push.queries import held_since

_SWAGGER = Path(flask_swagger_ui.__file__).parent / "dist"
_LEAST_FREE_BYTES = 50_000_000
BEAT_S = 15.0


def install(app: Flask) -> None:
    """Add ``/health/live``, ``/health/ready``, ``/metrics``, ``/docs`` and the page of one-time links."""

    def public(path: str, name: str, view: Callable[..., Any]) -> None:
        view.policy = PUBLIC  # type: ignore[attr-defined]
        app.add_url_rule(path, f"meta.{name}", view)

    def live() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "live"}

    def ready() -> Response:
        """Say whether this deployment can do its work, and what keeps it from it."""
        problems = readiness(edge_database(), edge_settings())
        answer = flask.jsonify({"status": "not_ready" if problems else "ready", "problems": problems})
        answer.status_code = 503 if problems else 200
        return answer

    def metrics() -> Response:
        """Show counters of all processes and gauges read from the database, for Prometheus."""
        given = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = edge_settings().metrics_token
        if token and not hmac.compare_digest(given.encode(), token.encode()):
            return Response("a metrics token is needed\n", status=401, mimetype="text/plain")
        return Response(_counters() + _gauges_if_any(edge_database()).encode(), content_type=CONTENT_TYPE_LATEST)

    def docs() -> Response:
        """Show the API in a browser; every file comes from here."""
        return Response(_DOCS_PAGE, mimetype="text/html")

    def docs_file(name: str) -> Response:
        """Serve one file of the page."""
        if name == "start.js":
            return Response(_DOCS_START, mimetype="text/javascript")
        return flask.send_from_directory(_SWAGGER, name)

    public("/accounts/link", "link_page", _link_page)
    public("/accounts/link.js", "link_script", _link_script)
    public("/health/live", "live", live)
    public("/health/ready", "ready", ready)
    public("/metrics", "metrics", metrics)
    public("/docs", "docs", docs)
    public("/docs/<path:name>", "docs_file", docs_file)


def _link_page() -> Response:
    """Show the page an invitation or a password reset leads to."""
    answer = Response(LINK_PAGE, mimetype="text/html")
    allowed = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'"
    answer.headers["Content-Security-Policy"] = allowed
    return answer


def _link_script() -> Response:
    """Serve the script of that page."""
    return Response(LINK_SCRIPT, mimetype="text/javascript")


def readiness(database: Database, settings: Settings, *, processes: bool = True) -> list[str]:
    """Return what keeps the deployment from its work. Empty means ready.

    Args:
        processes: also ask whether ingest (with its broker session) and worker were heard lately.
    """
    problems = []
    try:
        found, head = revisions(database)
        if found != head:
            problems.append(f"migrations: database is at {found}, program at {head}; run: python -m app migrate")
        elif processes:
            with database.reading() as session:
                said = {"silent": f"not heard for {BEAT_S:.0f} s", "no_broker": "no session with the broker"}
                problems += [f"{name}: {said[cause]}" for name, cause in silent_processes(session, settings)]
    except Exception as fault:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        problems.append(f"database: {type(fault).__name__}")
    if settings.var_dir.exists() and shutil.disk_usage(settings.var_dir).free < _LEAST_FREE_BYTES:
        problems.append("disk: less than 50 MB free")
    return problems


def silent_processes(session: Session, settings: Settings) -> list[tuple[str, str]]:
    """Return (process, "silent" or "no_broker") of those of this deployment that were not heard for 15 s, or have no broker."""
    beats = {row.name: row for row in session.scalars(select(ProcessBeat))}
    present = database_now(session)
    found = []
    for name in [*(f"ingest-{shard}" for shard in settings.mqtt_shards), "worker"]:
        row = beats.get(name)
        if row is None or (present - row.at).total_seconds() > BEAT_S:
            found.append((name, "silent"))
        elif row.facts.get("connected") is False:
            found.append((name, "no_broker"))
    return found


def _counters() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _gauges_if_any(database: Database) -> str:
    """Return the gauges, or that there are none: the counters of the web server are shown while its database is away, too."""
    try:
        return gauges(database)
    except DATABASE_AWAY:
        return "# TYPE fieldloop_database_up gauge\nfieldloop_database_up 0\n"


def gauges(database: Database) -> str:
    """Return what only the database knows, as Prometheus text: backlogs, ages, alarms, fates of messages."""
    with database.reading() as session:
        present = database.clock.now()
        outbox = session.execute(
            # Not since when it lies there if its reader's quiet hours hold it: only since they are over.
            select(
                OutboxMessage.state, func.count(), func.min(func.coalesce(OutboxMessage.quiet_until, OutboxMessage.queued_at))
            ).group_by(OutboxMessage.state)
        ).all()
        lines = ["# TYPE fieldloop_database_up gauge", "fieldloop_database_up 1", "# TYPE fieldloop_outbox_messages gauge"]
        lines += [f'fieldloop_outbox_messages{{state="{state}"}} {n}' for state, n, _ in outbox]
        oldest = next((since for state, _, since in outbox if state == "queued"), None)
        lines += ["# TYPE fieldloop_outbox_oldest_seconds gauge", f"fieldloop_outbox_oldest_seconds {_age(oldest, present)}"]
        lines += ["# TYPE fieldloop_outbox_held gauge", f"fieldloop_outbox_held {int(held_since(session) is not None)}"]
        dead = session.execute(
            select(DeadLetter.reason, func.count()).where(DeadLetter.state == "open").group_by(DeadLetter.reason)
        ).all()
        lines += [
            "# TYPE fieldloop_dead_letters gauge",
            *[f'fieldloop_dead_letters{{reason="{reason}"}} {n}' for reason, n in dead],
        ]
        alarms = session.execute(select(Alarm.state, func.count()).group_by(Alarm.state)).all()
        lines += ["# TYPE fieldloop_alarms gauge", *[f'fieldloop_alarms{{state="{state}"}} {n}' for state, n in alarms]]
        fates = session.execute(select(IngestCounter.name, IngestCounter.n)).all()
        lines += [
            "# TYPE fieldloop_ingest_fate_total counter",
            *[f'fieldloop_ingest_fate_total{{fate="{name}"}} {n}' for name, n in fates],
        ]
        storming = session.scalar(select(func.count()).where(DeviceStorm.began_ms.is_not(None))) or 0
        lines += ["# TYPE fieldloop_devices_storming gauge", f"fieldloop_devices_storming {storming}"]
        leases = session.execute(select(LeaderLease.name, LeaderLease.until, LeaderLease.fence)).all()
        lines += ["# TYPE fieldloop_lease_left_seconds gauge"]
        lines += [
            f'fieldloop_lease_left_seconds{{lease="{name}"}} {(to_ms(until) - to_ms(present)) / 1000}'
            for name, until, _ in leases
        ]
        lines += [
            "# TYPE fieldloop_lease_fence gauge",
            *[f'fieldloop_lease_fence{{lease="{name}"}} {fence}' for name, _, fence in leases],
        ]
        lines += _of_processes(session)
        lines += _of_phones(session, present)
    return "\n".join(lines) + "\n"


def _of_processes(session: Session) -> list[str]:
    """Return which processes were heard when, how late jobs are, what the broker says it dropped since it was started."""
    beats = session.scalars(select(ProcessBeat).order_by(ProcessBeat.name)).all()
    present = database_now(session)
    lines = ["# TYPE fieldloop_process_silent_seconds gauge"]
    lines += [f'fieldloop_process_silent_seconds{{process="{row.name}"}} {_age(row.at, present)}' for row in beats]
    lines += ["# TYPE fieldloop_job_overdue_seconds gauge"]
    lines += [f'fieldloop_job_overdue_seconds{{job_id="{job}"}} {late}' for job, late in sorted(overdue_jobs(session).items())]
    # Every ingest hears the same number of the same broker.
    dropped = [int(row.facts["broker_dropped"]) for row in beats if row.facts.get("broker_dropped") is not None]
    if dropped:
        lines += ["# TYPE fieldloop_broker_dropped_total counter", f"fieldloop_broker_dropped_total {max(dropped)}"]
    return lines


def _of_phones(session: Session, present: datetime) -> list[str]:
    """Return what phones are like that called within a week, and what they left for a person to decide."""
    n = last_change(session)
    week = Installation.seen_at > present - timedelta(days=7)
    phones = session.execute(
        select(
            Installation.protocol, func.count(), func.min(Installation.pulled_no), func.max(Installation.queue_age_ms),
            func.min(Installation.skew_ms), func.max(Installation.skew_ms),
        )
        .where(week)
        .group_by(Installation.protocol)
    ).all()  # fmt: skip
    lines = []
    for name, of in (
        ("installations", lambda row: row[1]),
        ("lag_changes_max", lambda row: n - row[2] if row[2] is not None else 0),
        ("queue_age_seconds_max", lambda row: (row[3] or 0) / 1000),
        ("clock_skew_seconds_max", lambda row: max(abs(row[4] or 0), abs(row[5] or 0)) / 1000),
    ):
        lines.append(f"# TYPE fieldloop_sync_{name} gauge")
        lines += [f'fieldloop_sync_{name}{{protocol="{row[0]}"}} {of(row)}' for row in phones]
    for name, model, where in (
        ("problems_open", SyncProblem, SyncProblem.state == "open"),
        ("conflicts_open", SyncConflict, SyncConflict.state == "open"),
        ("intents_to_review", Intent, Intent.verdict == "needs_review"),
    ):
        count = session.scalar(select(func.count()).select_from(model).where(where)) or 0
        lines += [f"# TYPE fieldloop_sync_{name} gauge", f"fieldloop_sync_{name} {count}"]
    return lines


def _age(since: datetime | None, present: datetime) -> float:
    return round(max((present - since).total_seconds(), 0.0), 3) if since else 0.0


_DOCS_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Fieldloop API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>
"""
_DOCS_START = """window.ui = SwaggerUIBundle({url: "/api/v1/openapi.json", dom_id: "#ui", validatorUrl: null});
"""
