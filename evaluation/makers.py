"""One device of each other maker: its profile, its addresses, and messages in that maker's form that tell a state of health."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from evaluation.sparkplug import metric, payload

_DOUBLE, _UNSIGNED, _BOOLEAN = 10, 8, 11


class Spoken(NamedTuple):
    """One publication: topic, payload, quality of service, and whether the broker shall keep it."""

    topic: str
    payload: str | bytes
    qos: int = 1
    retain: bool = False


class Convention(ABC):
    """How one maker's device speaks. Its own account publishes, or that of ``speaker``, a node or a gateway above it.

    ``timed``: its messages carry a time of their own; else a value was measured when it arrived.
    """

    adapter: ClassVar[str]
    code: ClassVar[str]
    address: ClassVar[str]
    speaker: ClassVar[str] = ""
    gateway: ClassVar[bool] = False
    timed: ClassVar[bool] = True
    metrics: ClassVar[dict[str, Any]]
    mapping: ClassVar[dict[str, Any] | None] = None

    @property
    def profile(self) -> dict[str, Any]:
        """The device profile, as it is posted."""
        own = {"code": self.code, "name": self.code, "adapter": self.adapter, "metrics": self.metrics}
        return own if self.mapping is None else own | {"mapping": self.mapping}

    def will(self, at_ms: int) -> Spoken | None:
        """Return what the broker shall publish should the connection break."""
        return None

    def births(self, at_ms: int) -> list[Spoken]:
        """Return what comes before the first value of a connection."""
        return []

    @abstractmethod
    def value(self, soh: float, at_ms: int) -> list[Spoken]:
        """Return what tells one state of health in per cent, measured then (Unix ms)."""


class Ovms(Convention):
    """Open Vehicle Monitoring System v3: one plain text a topic, kept by the broker, QoS 0."""

    adapter, code, address, timed = "ovms", "ovms", "anna/CAR1", False
    metrics = {"soh_pct": {"source": "v/b/soh"}}

    def value(self, soh: float, at_ms: int) -> list[Spoken]:  # noqa: D102 - as the class it implements
        below = f"ovms/{self.address}/metric/v/b"
        return [Spoken(f"{below}/health", "worn", 0, True), Spoken(f"{below}/soh", str(soh), 0, True)]


class TeslaMate(Convention):
    """No state of health among the fields: it is the rated range at full charge, of 400 km when new."""

    adapter, code, address, timed = "teslamate", "tesla", "1", False
    metrics = {"soh_pct": {"source": "rated_battery_range_km", "scale": 0.25}}

    def value(self, soh: float, at_ms: int) -> list[Spoken]:  # noqa: D102
        fields = {"display_name": "Blue Thunder", "charging_state": "Complete", "rated_battery_range_km": str(soh * 4)}
        return [Spoken(f"teslamate/cars/{self.address}/{field}", value, 1, True) for field, value in fields.items()]


class ThingsBoard(Convention):
    """A gateway that speaks for a device by its name."""

    adapter, code, address, speaker, gateway = "thingsboard", "boards", "Van 仓库/7", "Gateway", True
    metrics = {"soh_pct": {"source": "soh"}}

    def births(self, at_ms: int) -> list[Spoken]:  # noqa: D102
        return [Spoken("v1/gateway/connect", json.dumps({"device": self.address}))]

    def value(self, soh: float, at_ms: int) -> list[Spoken]:  # noqa: D102
        told = {self.address: [{"ts": at_ms, "values": {"soh": soh, "state": "driving"}}]}
        return [Spoken("v1/gateway/telemetry", json.dumps(told))]


class Sparkplug(Convention):
    """A node and a device below it, which tells its value under an alias once it was born. All but the will at QoS 0."""

    adapter, code, address, speaker = "sparkplug", "plants", "org/702/pack", "org/702"
    metrics = {"soh_pct": {"source": "Battery/SoH"}}
    bd_seq = 3

    def __init__(self) -> None:
        """Begin a connection; ``seq`` is the number of the last message."""
        self.seq = 0

    def _next(self) -> int:
        self.seq = (self.seq + 1) % 256
        return self.seq

    def will(self, at_ms: int) -> Spoken:  # noqa: D102
        return Spoken("spBv1.0/org/NDEATH/702", payload(at_ms, None, metric("bdSeq", long_value=self.bd_seq, kind=_UNSIGNED)))

    def births(self, at_ms: int, alias: int = 7) -> list[Spoken]:
        """Return the births of node and device. ``alias``: what stands for the value's name from then on."""
        rebirth = metric("Node Control/Rebirth", 1, kind=_BOOLEAN, boolean=0)
        self.seq = 0
        node = payload(at_ms, 0, metric("bdSeq", long_value=self.bd_seq, kind=_UNSIGNED), rebirth)
        pack = payload(at_ms, self._next(), metric("Battery/SoH", alias, kind=_DOUBLE, null=1))
        return [Spoken("spBv1.0/org/NBIRTH/702", node, 0), Spoken("spBv1.0/org/DBIRTH/702/pack", pack, 0)]

    def value(self, soh: float, at_ms: int, alias: int = 7) -> list[Spoken]:  # noqa: D102
        return [Spoken("spBv1.0/org/DDATA/702/pack", payload(at_ms, self._next(), metric(alias=alias, value=soh)), 0)]


class MappedJson(Convention):
    """JSON whose profile says where the values stand: a list of samples, the state of health as a share."""

    adapter, code, address = "mapped", "hall", "7"
    metrics = {"soh_pct": {"source": "$.battery['soh share']", "scale": 100}}
    mapping = {"topic": "hall/{address}/status", "payload": "json", "each": "$.log", "time": "$.t"}

    def value(self, soh: float, at_ms: int) -> list[Spoken]:  # noqa: D102
        told = {"log": [{"t": at_ms, "battery": {"soh share": soh / 100, "maker": "x"}}]}
        return [Spoken("hall/7/status", json.dumps(told))]


class MappedCsv(Convention):
    """CSV with a time and a number of its own, and quotes."""

    adapter, code, address = "mapped", "yard", "7"
    metrics = {"soh_pct": {"source": "3"}}
    mapping = {"topic": "yard/{address}/status", "payload": "csv", "separator": ";", "time": "1", "key": "2"}

    def value(self, soh: float, at_ms: int) -> list[Spoken]:  # noqa: D102
        return [Spoken("yard/7/status", f'{at_ms};{at_ms % 1000};"{soh}";worn\r\n')]


class MappedText(Convention):
    """Plain text, one value a message."""

    adapter, code, address, timed = "mapped", "shed", "7", False
    metrics = {"soh_pct": {}}
    mapping = {"topic": "shed/{address}/status", "payload": "text"}

    def value(self, soh: float, at_ms: int) -> list[Spoken]:  # noqa: D102
        return [Spoken("shed/7/status", f" {soh}\n")]


CONVENTIONS: tuple[type[Convention], ...] = (Ovms, TeslaMate, ThingsBoard, Sparkplug, MappedJson, MappedCsv, MappedText)
