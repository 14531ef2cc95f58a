"""The rules every organisation begins with."""

from __future__ import annotations

from typing import Any

DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "battery-health": {
        "name": {"zh-CN": "电池健康度过低", "en": "Battery health is low"},
        "detector": "threshold",
        "severity": "major",
        "lateness_h": 720,
        "metric": "soh_pct",
        "component": "battery_pack",
        "raise_if": {"below": 75.0, "readings": 3, "span_h": 24},
        "clear_if": {"at_least": 78.0, "readings": 3, "span_h": 24},
        "service": {"kind": "battery_replacement", "price": "4800.00", "discount": "500.00", "certificates": ["high_voltage"]},
    },
    "device-silent": {
        "name": {"zh-CN": "设备失联", "en": "Device is silent"},
        "detector": "silence",
        "severity": "warning",
        "silent_after_h": 24,
    },
}
