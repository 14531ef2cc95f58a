"""Node-RED as a running process: its flow, its tables, its start."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from bench.couch import node
from bench.lab import ROOT, Lab, Running, free_port

HERE = ROOT / "bench" / "peer_node_red"
CLIENT_ID = "bench-node-red"
_PROGRAM = HERE / "node_modules" / "node-red" / "red.js"
# A node without a place in the editor is taken for a configuration.
_PLACE = {"x": 100, "y": 100}
_TABLES = (
    "CREATE TABLE readings (device_id TEXT, message_key TEXT, at_ms BIGINT, soh_pct DOUBLE PRECISION,"
    " soc_pct DOUBLE PRECISION, pack_voltage_v DOUBLE PRECISION, pack_temp_c DOUBLE PRECISION)",
    "CREATE TABLE alarms (device_id TEXT, at_ms BIGINT)",
)
_READING = "INSERT INTO readings VALUES ($device, $key, $at, $soh, $soc, $voltage, $temp)"
_ALARM = "INSERT INTO alarms VALUES ($device, $at)"


def missing() -> str:
    """Return why Node-RED cannot be measured here; nothing when it can."""
    if node() is None:
        return "not measured: Node is not installed"
    if not _PROGRAM.exists():
        return "not measured: bench/peer_node_red/node_modules is missing (`make bench` installs it)"
    return ""


def make_tables(url: str) -> None:
    """Make the tables it writes to in an empty database; on SQLite with a write-ahead log, which the file remembers."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in (*(("PRAGMA journal_mode=WAL",) if url.startswith("sqlite") else ()), *_TABLES):
            connection.exec_driver_sql(statement)
    engine.dispose()


def flow(port: int, url: str) -> list[dict[str, Any]]:
    """Return the nodes: MQTT in at QoS 1 over a persistent session, JSON, three below 75 in a row, insert."""
    broker = {
        "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port), "clientid": CLIENT_ID,
        "autoConnect": True, "usetls": False, "protocolVersion": "4", "keepalive": "60", "cleansession": False,
        "autoUnsubscribe": False,
    }  # fmt: skip
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        broker,
        _node("in", "mqtt in", "json", broker="broker", topic="devices/0/+/telemetry", qos="1", datatype="utf8"),
        _node("json", "json", "threshold", property="payload", action="obj"),
        _function("threshold", ["reading"], ["alarm"]),
        *(_into_sqlite(url) if url.startswith("sqlite") else _into_postgres()),
    ]


def _into_sqlite(url: str) -> list[dict[str, Any]]:
    """Return the nodes that store with Node-RED's SQLite node; PRAGMA synchronous=NORMAL is many times its default's speed."""
    path = url.removeprefix("sqlite:///")
    return [
        {"id": "file", "type": "sqlitedb", "db": path, "mode": "RWC"},
        _node("once", "inject", "pragma", once=True, onceDelay=0.1, topic="PRAGMA synchronous=NORMAL", repeat="", crontab=""),
        _node("pragma", "sqlite", mydb="file", sqlquery="msg.topic", sql=""),
        _function("reading", ["insert-reading"], body="as_parameters"),
        _function("alarm", ["insert-alarm"], body="as_parameters"),
        _node("insert-reading", "sqlite", mydb="file", sqlquery="prepared", sql=_READING),
        _node("insert-alarm", "sqlite", mydb="file", sqlquery="prepared", sql=_ALARM),
    ]


def _into_postgres() -> list[dict[str, Any]]:
    pool = "context.set('pool', new (global.get('pg').Pool)({ max: 10 }))"
    return [_function(name, [], body="insert", initialize=pool) for name in ("reading", "alarm")]


def _node(name: str, kind: str, *following: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, "z": "tab", **_PLACE, "wires": [list(following)], **more}


def _function(name: str, *outputs: list[str], body: str = "", **more: Any) -> dict[str, Any]:
    code = (HERE / f"{body or name}.js").read_text()
    return {
        "id": name,
        "type": "function",
        "z": "tab",
        **_PLACE,
        "func": code,
        "outputs": len(outputs),
        "wires": list(outputs),
        **more,
    }


def prepare(lab: Lab, port: int, url: str) -> Path:
    """Write its folder, with the flow for a broker and a database; return it."""
    folder = lab.folder / f"node-red-{port}"
    folder.mkdir()
    (folder / "flows.json").write_bytes(msgspec.json.encode(flow(port, url)))
    return folder


def process(lab: Lab, folder: Path, url: str) -> contextlib.AbstractContextManager[Running]:
    """Return its process; use it in a ``with``."""
    settings = ["--settings", str(HERE / "settings.js"), "--userDir", str(folder)]
    environ = os.environ | {"BENCH_HTTP_PORT": str(free_port())} | postgres_words(url)
    return lab.process("node-red", [str(node()), str(_PROGRAM), *settings, str(folder / "flows.json")], environ)


def postgres_words(url: str) -> dict[str, str]:
    """Return the variables libpq's clients read; see the PostgreSQL manual, 32.15."""
    if url.startswith("sqlite"):
        return {}
    there = make_url(url)
    host = there.host or str(there.query.get("host", ""))
    words = {"PGHOST": host, "PGPORT": str(there.port or there.query.get("port", 5432)), "PGDATABASE": there.database}
    return {name: value for name, value in (words | {"PGUSER": there.username, "PGPASSWORD": there.password}).items() if value}
