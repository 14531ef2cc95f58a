"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine

from bench.figures import Table, short
from bench.lab import Lab, find_mosquitto

_SYNCS = 50


def describe(lab: Lab) -> Table:
    """Return the machine and the versions as a table; the load is that of the last minute."""
    table = Table("Machine", ("what", "value"))
    table.rows += [
        ("platform", platform.platform()),
        ("processors", f"{os.cpu_count()} x {_first('/proc/cpuinfo', 'model name') or platform.processor() or 'unknown'}"),
        ("memory", _memory()),
        ("disk", f"{_file_system(lab.folder)}, fdatasync of 8 KB takes {short(sync_ms(lab.folder))} ms (median of {_SYNCS})"),
        ("load average", load_average()),
        ("Python", platform.python_version()),
        ("PostgreSQL", _postgres(lab)),
        ("SQLite", f"{sqlite3.sqlite_version}, WAL, synchronous=FULL"),
        ("Mosquitto", _mosquitto()),
        ("libraries", _libraries("iotcore", "paho-mqtt", "SQLAlchemy", "psycopg", "granian")),
    ]
    return table


def load_average() -> str:
    """Return the load of the last 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def sync_ms(folder: Path) -> float:
    """Return how long the disk takes to keep 8 KB: what every commit waits for."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _first(path: str, name: str) -> str:
    """Return the value of the first line ``name : value`` of a file of /proc."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _memory() -> str:
    kilobytes = _first("/proc/meminfo", "MemTotal").removesuffix(" kB")
    return f"{int(kilobytes) / 1024**2:.1f} GB" if kilobytes.isdigit() else "unknown"


def _file_system(folder: Path) -> str:
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown file system"
    holding = [(len(mount[1]), mount[2]) for mount in mounts if folder.is_relative_to(mount[1])]
    return max(holding)[1] if holding else "unknown file system"


def _postgres(lab: Lab) -> str:
    engine = create_engine(lab.postgres())
    with engine.connect() as connection:
        names = ("server_version", "shared_buffers", "fsync", "synchronous_commit")
        version, *others = (str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names)
    engine.dispose()
    return f"{version}, {', '.join(f'{name} {value}' for name, value in zip(names[1:], others, strict=True))}, Unix socket"


def _mosquitto() -> str:
    program = find_mosquitto()
    if program is None:
        return "not installed"
    said = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=10, check=False).stdout
    return said.splitlines()[0].removeprefix("mosquitto version ") if said else "unknown"


def _libraries(*names: str) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
