"""A device's values under the names and in the units of its profile, and how great one may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LARGEST = 1e100
"""No measurement is greater. Folds square values, roll-ups add them up: what no float can hold would stay in them for ever."""


def is_usable(value: float) -> bool:
    """Tell whether a value can be stored and calculated with: a number, and not beyond ``LARGEST`` on either side."""
    return -LARGEST <= value <= LARGEST


@dataclass(frozen=True)
class Words:
    """A profile's names by the device's own, and how each name's values are brought into its unit: scale, then offset."""

    names: dict[str, str]
    units: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, adapter: str, metrics: dict[str, Any]) -> Words:
        """Return those of a profile; the adapter "mapped" has given its values the profile's names already."""
        known = adapter == "mapped"
        return cls(
            {name if known else metric.get("source") or name: name for name, metric in metrics.items()},
            {name: (float(metric.get("scale", 1.0)), float(metric.get("offset", 0.0))) for name, metric in metrics.items()},
        )

    def told(self, source: str, value: float) -> tuple[str, float]:
        """Return a device's value under the profile's name and in its unit; infinite where no float can hold it."""
        metric = self.names.get(source, source)
        scale, offset = self.units.get(metric, (1.0, 0.0))
        return metric, value * scale + offset

    def untold(self, metric: str, value: float) -> float:
        """Return a value as the device said it; not a number where its unit leaves nothing of it."""
        scale, offset = self.units.get(metric, (1.0, 0.0))
        return (value - offset) / scale if scale else float("nan")
