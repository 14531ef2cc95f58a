"""How a profile of the adapter ``mapped`` reads the messages of other makers' devices. Pure; knows no database and no broker.

A topic pattern says which messages and whose, places say where in a payload the values stand.

A pattern is a topic filter (MQTT 3.1.1, 4.7) without ``#``, in which one level is ``{address}``, and one may be ``{metric}``.
A place in JSON is a singular query of RFC 9535 without negative indexes: ``$.battery.cells[0]['soh %']``. A place in CSV is
the number of a column, from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from app.core.wire import WireError

ADDRESS, METRIC = "{address}", "{metric}"
FORMS = ("json", "text", "csv")
TIME_FORMS = ("ms", "s", "iso")
SEPARATORS = (",", ";", "tab", "|")
CHARGE_PCT, RANGE_KM = "battery_level", "rated_battery_range_km"
RANGE_HEALTH = "rated_range_health_pct"
"""A source of the adapter "teslamate" that is no field of TeslaMate's: it follows from the two above."""

ADAPTERS = ("native", "ovms", "mapped", "thingsboard", "teslamate", "sparkplug")

# Filters of the conventions that have an adapter of their own. What begins with $ is the broker's.
FILTERS_OF = {
    "ovms": ("ovms/#",),
    "thingsboard": tuple(f"v1/gateway/{kind}" for kind in ("telemetry", "attributes", "connect", "disconnect", "rpc")),
    "teslamate": ("teslamate/#",),
    "sparkplug": ("spBv1.0/#",),
}
# How many levels an address has: of <user>/<vehicle>; of <id>, or <namespace>/<id>; of <group>/<node>, or .../<device>.
_LEVELS_OF = {"ovms": (2, 2), "teslamate": (1, 2), "sparkplug": (2, 3)}
_RESERVED = ("devices/#", "v1/gateway/#", *(topic for topics in FILTERS_OF.values() for topic in topics))

_MOST_LEVELS = 16
_MOST_STEPS = 16
_LEVEL = re.compile(r"[^\s\x00-\x1f\x7f+#{}/]+")
_STEP = re.compile(
    r"""\.(?P<name>[^\W\d]\w*)|\[(?P<index>0|[1-9][0-9]{0,3})\]|\['(?P<single>[^'\\]+)'\]|\["(?P<double>[^"\\]+)"\]"""
)
_COLUMN = re.compile(r"[1-9][0-9]{0,2}")

Faults = dict[str, list[str]]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class MappedMetric:
    """Where a metric stands, and what its texts mean as numbers. Of a text payload it is all of it: the place is empty."""

    name: str
    place: Place
    source: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class MappedForm:
    """One profile's reading of messages. ``code``: of the profile; it stands before the address of each of its devices."""

    code: str
    levels: tuple[str, ...]
    payload: str
    separator: str
    each: Place | None
    time: Place | None
    time_form: str
    key: Place | None
    metrics: tuple[MappedMetric, ...]

    def matched(self, topic: str) -> tuple[str, str] | None:
        """Return address and metric of a topic that fits the pattern; the metric is empty where the pattern names none."""
        levels = topic.split("/")
        if len(levels) != len(self.levels):
            return None
        found = {ADDRESS: "", METRIC: ""}
        for wanted, level in zip(self.levels, levels, strict=True):
            if wanted in found:
                found[wanted] = level
            elif wanted not in {"+", level}:
                return None
        return (found[ADDRESS], found[METRIC]) if found[ADDRESS] else None

    @property
    def filter(self) -> str:
        """The topic filter that brings the messages."""
        return filter_of("/".join(self.levels))

    def full_address(self, address: str) -> str:
        """Return what the device is registered under: devices of two makers may have the same name in their topics."""
        return f"{self.code}/{address}"


def filter_of(pattern: str) -> str:
    """Return the topic filter of a pattern."""
    return pattern.replace(ADDRESS, "+").replace(METRIC, "+")


def topic_of(pattern: str, address: str) -> str:
    """Return the filter of what one device publishes. ``address`` as registered, the profile's code before it."""
    return filter_of(pattern.replace(ADDRESS, address.rpartition("/")[2]))


def telemetry_topic(adapter: str, address: str, mapping: dict[str, Any] | None) -> str:
    """Return the filter of the topics on which a device's values come, for a convention whose topics do not hold its id."""
    levels = address.split("/")
    if adapter == "mapped" and mapping:
        return topic_of(mapping["topic"], address)
    if adapter == "ovms":
        return f"ovms/{address}/metric/#"
    if adapter == "teslamate":
        return "/".join(("teslamate", *levels[:-1], "cars", levels[-1], "+"))
    if adapter == "sparkplug":
        return "/".join(("spBv1.0", levels[0], "NDATA" if len(levels) == 2 else "DDATA", *levels[1:]))
    return FILTERS_OF[adapter][0]


def overlap(one: str, other: str) -> bool:
    """Tell whether a topic can fit both of two filters. Source: MQTT 3.1.1, 4.7.1; a parent level fits its ``/#``."""
    for a, b in zip_longest(one.split("/"), other.split("/")):
        if "#" in (a, b):
            return True
        if a is None or b is None or (a != b and "+" not in (a, b)):
            return False
    return True


def is_level(text: str) -> bool:
    """Tell whether a text can stand as one level of a topic."""
    return bool(_LEVEL.fullmatch(text))


def fits_topics(adapter: str, address: str) -> bool:
    """Tell whether the topics of a convention can hold an address: each of its levels without wildcards, blanks and controls.

    A name at a ThingsBoard gateway stands in the payload and may be any.
    """
    levels = address.split("/")
    if adapter not in _LEVELS_OF:
        return True
    fewest, most = _LEVELS_OF[adapter]
    return fewest <= len(levels) <= most and all(map(is_level, levels))


def read_pattern(pattern: str) -> tuple[str, ...]:
    """Return the levels of a pattern.

    Raises:
        WireError: ``pattern_invalid``.
    """
    levels = tuple(pattern.split("/"))
    proper = all(level in {"+", ADDRESS, METRIC} or _LEVEL.fullmatch(level) for level in levels)
    if not proper or len(levels) > _MOST_LEVELS or levels.count(ADDRESS) != 1 or levels.count(METRIC) > 1:
        raise WireError("pattern_invalid", pattern)
    return levels


def read_place(text: str, payload: str) -> Place:
    """Return the steps to a value: names and indexes in JSON, one column counted from 0 in CSV.

    Raises:
        WireError: ``place_invalid``.
    """
    if payload == "csv" and _COLUMN.fullmatch(text):
        return (int(text) - 1,)
    if payload != "json" or not text.startswith("$"):
        raise WireError("place_invalid", text)
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or len(steps) == _MOST_STEPS:
            raise WireError("place_invalid", text)
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["single"] or step["double"])
        at = step.end()
    return tuple(steps)


def find_faults(adapter: str, mapping: dict[str, Any] | None, metrics: dict[str, dict[str, Any]]) -> Faults:
    """Return what is wrong with a profile's way of reading, by field."""
    faults: Faults = {}
    if adapter != "mapped":
        if mapping is not None:
            faults["mapping"] = ["not_mapped"]
        faults |= {f"metrics.{name}.enum": ["not_mapped"] for name, metric in metrics.items() if metric.get("enum")}
        return faults | (_faults_of_health(metrics) if adapter == "teslamate" else {})
    if mapping is None:
        faults["mapping"] = ["required"]
        return faults
    return _faults_of_pattern(mapping) | _faults_of_places(mapping) | _faults_of_metrics(mapping, metrics)


def _faults_of_health(metrics: dict[str, dict[str, Any]]) -> Faults:
    sources = {metric.get("source") or name: name for name, metric in metrics.items()}
    if RANGE_HEALTH not in sources:
        return {}
    faults: Faults = {}
    if not {CHARGE_PCT, RANGE_KM} <= sources.keys():
        faults[f"metrics.{sources[RANGE_HEALTH]}.source"] = ["sources_missing"]
    return faults


def _faults_of_pattern(mapping: dict[str, Any]) -> Faults:
    faults: Faults = {}
    pattern, payload = mapping["topic"], mapping["payload"]
    try:
        levels = read_pattern(pattern)
    except WireError:
        faults["mapping.topic"] = ["pattern_invalid"]
        return faults
    if pattern.startswith("$") or any(overlap(filter_of(pattern), reserved) for reserved in _RESERVED):
        faults["mapping.topic"] = ["pattern_reserved"]
    elif METRIC in levels and payload != "text":
        faults["mapping.topic"] = ["pattern_invalid"]
    return faults


def _faults_of_places(mapping: dict[str, Any]) -> Faults:
    faults: Faults = {}
    for name in ("each", "time", "key"):
        text = mapping.get(name)
        if text is not None and ((name == "each" and mapping["payload"] != "json") or not _is_place(text, mapping["payload"])):
            faults[f"mapping.{name}"] = ["place_invalid"]
    return faults


def _faults_of_metrics(mapping: dict[str, Any], metrics: dict[str, dict[str, Any]]) -> Faults:
    faults: Faults = {}
    payload = mapping["payload"]
    if not metrics:
        faults["metrics"] = ["required"]
    elif payload == "text" and METRIC not in mapping["topic"] and len(metrics) > 1:
        faults["metrics"] = ["too_many"]
    if payload == "text":
        return faults
    for name, metric in metrics.items():
        if not _is_place(metric.get("source", ""), payload):
            faults[f"metrics.{name}.source"] = ["place_invalid"]
    return faults


def _is_place(text: str, payload: str) -> bool:
    try:
        read_place(text, payload)
    except WireError:
        return False
    return True


def read_form(code: str, mapping: dict[str, Any], metrics: dict[str, dict[str, Any]]) -> MappedForm:
    """Return the reading a profile without faults describes.

    Raises:
        WireError: ``pattern_invalid`` or ``place_invalid``, for one with faults.
    """
    payload = mapping["payload"]

    def place(name: str) -> Place | None:
        return None if mapping.get(name) is None else read_place(mapping[name], payload)

    return MappedForm(
        code=code,
        levels=read_pattern(mapping["topic"]),
        payload=payload,
        separator="\t" if mapping.get("separator") == "tab" else mapping.get("separator") or ",",
        each=place("each"),
        time=place("time"),
        time_form=mapping.get("time_form") or "ms",
        key=place("key"),
        metrics=tuple(_metrics(payload, metrics)),
    )


def _metrics(payload: str, metrics: dict[str, dict[str, Any]]) -> Iterator[MappedMetric]:
    for name, metric in sorted(metrics.items()):
        source = metric.get("source") or ""
        place = () if payload == "text" else read_place(source, payload)
        yield MappedMetric(name, place, source or name, metric.get("enum") or {})


def first_overlap(pattern: str, others: Sequence[str]) -> str | None:
    """Return the first of some other patterns that a topic of this one can fit, too."""
    return next((other for other in others if overlap(filter_of(pattern), filter_of(other))), None)
