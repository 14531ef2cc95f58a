"""The machine and the programs that figures were measured with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

# What decides the figures beside the product itself: the shift of datums, the borders, and the way of messages.
_LIBRARIES = ("geocoordinates-rs", "timezonefinder", "rapidfuzz", "paho-mqtt", "SQLAlchemy")


def described() -> str:
    """Return platform, processors, Python and the libraries that decide figures, in words of no language."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{platform.platform()}, {os.cpu_count()} x {_processor()}, Python {platform.python_version()}, {libraries}"


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
