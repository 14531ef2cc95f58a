"""The messages of a run, and the readings the database must hold afterwards."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

METRICS = ("soh_pct", "soc_pct", "pack_voltage_v", "pack_temp_c")
RULE_METRIC = METRICS[0]
Says = Callable[[int, float], float]


class Expected(NamedTuple):
    """One reading as it must be stored, once."""

    device_id: str
    message_key: str
    metric: str
    at_ms: int
    value: float


class Made(NamedTuple):
    """One message and what it must leave."""

    topic: str
    payload: bytes
    readings: tuple[Expected, ...]


def boot_of(device_id: str) -> str:
    """Return the boot id of a device, a UUID that is the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, device_id))


def message(device_id: str, seq: int, at_ms: int, values: dict[str, float], root: str = "devices", shard: int = 0) -> Made:
    """Return one telemetry message of the native convention. Four values make a payload of about 155 bytes."""
    boot = boot_of(device_id)
    payload = msgspec.json.encode({"ts": at_ms, "boot": boot, "seq": seq, "m": values})
    readings = tuple(Expected(device_id, f"{boot}:{seq}", name, at_ms, value) for name, value in values.items())
    return Made(f"{root}/{shard}/{device_id}/telemetry", payload, readings)


class Traffic:
    """An endless run of messages: devices in turn, event time rising, one reading in 200 below the rule's level.

    ``more``: further metrics, each as what the n-th message says, by n and by chance (0 to 1).
    ``shards``: the devices belong to them in turn.
    """

    def __init__(
        self,
        devices: Sequence[str],
        start_ms: int,
        step_ms: int = 10,
        more: Mapping[str, Says] | None = None,
        shards: int = 1,
    ) -> None:
        self._devices, self._at_ms, self._step_ms = devices, start_ms, step_ms
        self._more, self._shards = more or {}, shards
        self._made = 0
        self._chance = random.Random(7)

    @property
    def at_ms(self) -> int:
        """The event time of the message made last."""
        return self._at_ms

    def take(self, count: int, root: str = "devices") -> list[Made]:
        """Return the next messages."""
        return [self._next(root) for _ in range(count)]

    def _next(self, root: str) -> Made:
        seq, place = divmod(self._made, len(self._devices))
        self._made += 1
        self._at_ms += self._step_ms
        chance = self._chance.random
        health = 74.0 + chance() if chance() < 0.005 else 80.0 + chance() * 15
        values = (health, 10 + chance() * 89, 300 + chance() * 90, 15 + chance() * 25)
        told = {name: round(value, 2) for name, value in zip(METRICS, values, strict=True)}
        told |= {name: round(says(self._made, chance()), 6) for name, says in self._more.items()}
        return message(self._devices[place], seq, self._at_ms, told, root, place % self._shards)
