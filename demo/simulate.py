"""Publishes the cells' capacity fade over real MQTT, through the same door as any device.

First a burst of back-dated daily readings up to yesterday, then live ones that cross the line, so
that the default rule fires as it stands.
"""

from __future__ import annotations

import csv
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from demo.seed import devices_file

_CELLS = Path(__file__).parent / "data" / "nasa_cells.csv"
_EVERY_S = 5.0
_LIVE_READINGS = 30
_BATCH = 50
# So long the broker may take to learn of the devices.
_PATIENCE_S = 300.0


def fade_of(cell: str) -> list[tuple[int, float]]:
    """Return (cycle, state of health in %) of one cell, oldest first."""
    with _CELLS.open(newline="") as file:
        return [(int(row["cycle"]), float(row["soh_pct"])) for row in csv.DictReader(file) if row["cell_id"] == cell]


def simulate(database: Database, settings: Settings) -> int:
    """Let every demo device report; return 0 when the broker took everything."""
    devices = json.loads(devices_file(settings).read_text())
    boot = f"demo-{int(database.clock.now().timestamp())}"
    links = [_connect(settings, device) for device in devices]
    for link, device in zip(links, devices, strict=True):
        _burst(database, link, device, boot)
    for step in range(_LIVE_READINGS):
        for link, device in zip(links, devices, strict=True):
            _live(database, link, device, boot, step)
        time.sleep(_EVERY_S)
    for link in links:
        link.disconnect()
        link.loop_stop()
    return 0


def _connect(settings: Settings, device: dict[str, Any]) -> mqtt.Client:
    link = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device["id"], protocol=mqtt.MQTTv311)
    link.username_pw_set(device["id"], device["secret"])
    link.reconnect_delay_set(1, 5)
    link.connect(settings.mqtt_host, settings.mqtt_port, keepalive=30)
    link.loop_start()
    began, told = time.monotonic(), False
    while not link.is_connected():
        waited = time.monotonic() - began
        if waited > _PATIENCE_S:
            raise SystemExit(f"the broker does not take {device['id']} in · 代理服务器拒绝设备 {device['id']} 连接")
        if waited > 3 and not told:
            told = True
            print(
                "the broker does not know the demo's devices yet: write its files again and reload it"
                " · 代理服务器尚不认识演示设备，请重新生成其配置并重新加载：python -m app mosquitto FOLDER",
                flush=True,
            )
        time.sleep(0.1)
    return link


def _publish(link: mqtt.Client, device: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    topic = f"devices/{device['shard']}/{device['id']}/telemetry"
    link.publish(topic, json.dumps(samples if len(samples) > 1 else samples[0]), qos=1).wait_for_publish(10)


def _burst(database: Database, link: mqtt.Client, device: dict[str, Any], boot: str) -> None:
    past = [(cycle, soh) for cycle, soh in fade_of(device["cell"]) if cycle <= device["last_burst_cycle"]]
    yesterday = database.clock.now() - timedelta(days=1, hours=1)
    samples = [
        {"ts": to_ms(yesterday - timedelta(days=len(past) - 1 - i)), "boot": boot, "seq": cycle, "m": {"soh_pct": soh}}
        for i, (cycle, soh) in enumerate(past)
    ]
    for start in range(0, len(samples), _BATCH):
        _publish(link, device, samples[start : start + _BATCH])


def _live(database: Database, link: mqtt.Client, device: dict[str, Any], boot: str, step: int) -> None:
    ahead = [(cycle, soh) for cycle, soh in fade_of(device["cell"]) if cycle > device["last_burst_cycle"]]
    if step < len(ahead):
        cycle, soh = ahead[step]
        _publish(link, device, [{"ts": to_ms(database.clock.now()), "boot": boot, "seq": cycle, "m": {"soh_pct": soh}}])
