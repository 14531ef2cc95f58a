"""What a rule document may say, and what detectors and actions take from it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from app.core.settings import amount
from app.rules.detectors.silence import SilenceSettings
from app.rules.detectors.threshold import Comparison, Level, ThresholdSettings

_HOUR_MS = 3_600_000


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one comparison, and how long it must hold."""

    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None
    readings: int = 1
    span_h: float = 0

    def level(self) -> Level:
        """Return it as the detector takes it."""
        given: tuple[tuple[Comparison, float | None], ...] = (
            ("below", self.below),
            ("at_most", self.at_most),
            ("above", self.above),
            ("at_least", self.at_least),
        )
        comparison, value = next((name, value) for name, value in given if value is not None)
        return Level(comparison, value, self.readings, round(self.span_h * _HOUR_MS))


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service an alarm leads to: its kind, price before the coupon, the coupon's discount, certificates needed."""

    kind: str
    price: str
    discount: str
    certificates: tuple[str, ...] = ()

    def amounts(self) -> tuple[Decimal, Decimal]:
        """Return price and discount."""
        return amount(self.price), amount(self.discount)


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole rule. ``raise_if`` and ``clear_if`` for threshold, ``silent_after_h`` for silence."""

    name: dict[str, str]
    detector: Literal["threshold", "silence"]
    severity: Literal["critical", "major", "minor", "warning"]
    lateness_h: float = 720
    metric: str = ""
    component: str = ""
    raise_if: Condition | None = None
    clear_if: Condition | None = None
    silent_after_h: float | None = None
    service: Service | None = None

    @property
    def allowance_ms(self) -> int:
        """How old the newest violating reading may be for people to hear of it."""
        return round(self.lateness_h * _HOUR_MS)

    def settings(self, value_holds: bool) -> ThresholdSettings | SilenceSettings:
        """Return what the detector takes. ``value_holds``: the device's profile sends only changes."""
        if self.detector == "silence":
            return SilenceSettings(after_ms=round((self.silent_after_h or 0) * _HOUR_MS))
        if self.raise_if is None or self.clear_if is None:
            raise ValueError("threshold: needs raise_if and clear_if")
        return ThresholdSettings(self.raise_if.level(), self.clear_if.level(), value_holds)


def read_document(raw: dict[str, Any]) -> Document:
    """Read and check a rule document.

    Raises:
        ValueError: saying what is wrong and where.
    """
    try:
        document = msgspec.convert(raw, Document)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None
    if set(document.name) != {"zh-CN", "en"} or not all(0 < len(name) <= 100 for name in document.name.values()):
        raise ValueError("name: give it in zh-CN and en, at most 100 characters each")
    if not 0 < document.lateness_h <= 24 * 400:
        raise ValueError("lateness_h: more than 0 and at most 9600")
    if document.detector == "threshold":
        _check_threshold(document)
    elif document.silent_after_h is None or not 0.001 <= document.silent_after_h <= 24 * 90 or document.metric:
        raise ValueError("silence: needs silent_after_h between 0.001 and 2160, and no metric")
    if document.service is not None:
        _check_service(document.service)
    return document


def _check_threshold(document: Document) -> None:
    if not document.metric or not document.component or document.raise_if is None or document.clear_if is None:
        raise ValueError("threshold: needs metric, component, raise_if and clear_if")
    for name, condition in (("raise_if", document.raise_if), ("clear_if", document.clear_if)):
        if sum(value is not None for value in (condition.below, condition.at_most, condition.above, condition.at_least)) != 1:
            raise ValueError(f"{name}: exactly one of below, at_most, above, at_least")
        if not 1 <= condition.readings <= 100 or not 0 <= condition.span_h <= 24 * 90:
            raise ValueError(f"{name}: readings 1 to 100, span_h 0 to 2160")
    raising, clearing = document.raise_if.level(), document.clear_if.level()
    if raising.holds(clearing.value) and clearing.holds(raising.value):
        raise ValueError("clear_if: a value must not raise and clear at once")
    if clearing.holds(clearing.value) and raising.holds(clearing.value):
        raise ValueError("clear_if: its level still raises")


def _check_service(service: Service) -> None:
    if not 1 <= len(service.kind) <= 40 or len(service.certificates) > 10:
        raise ValueError("service: kind of at most 40 characters, at most 10 certificates")
    price, discount = service.amounts()
    if not 0 <= discount <= price < 10**10:
        raise ValueError("service: 0 <= discount <= price")


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
