"""What rules cost: a hundred active rules of ten kinds that watch every device, against one rule; the same messages."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import Any

from sqlalchemy import select

from app.core.db import Database
from app.core.settings import Settings
from app.rules.models import Rule
from app.rules.operations import create_rule, edit_rule
from bench import setups
from bench.figures import Aim, Table, short, spread
from bench.fleet import Fleet, fill, manager_of
from bench.ingest import store
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.load import METRICS, Expected, Made, Says, Traffic, message
from bench.probe import Probe

RULES = 100
DEVICES = 200
_LEAST, _ROUND_S = 300, 4.0
_EACH = 10
_STORM, _STORM_SEQ = 45, 1_000_000
_DEFAULTS = ("battery-health", "device-silent")
_AIM = Aim(least=0.5)
_STEP_MS = 300
_SPAN_MS = 3 * 3_600_000
# What the ten kinds read beside the four metrics of every message.
MORE: dict[str, Says] = {
    "lat_deg": lambda _, chance: 22.4 + chance * 0.2,
    "lon_deg": lambda _, chance: 114.0 + chance * 0.2,
    "odometer_km": lambda n, _: 10_000 + n / 1000,
}
_COMMON = {"name": {"zh-CN": "规则", "en": "Rule"}, "severity": "minor"}


def documents(step: int) -> dict[str, dict[str, Any]]:
    """Return one document of each kind, by detector. ``step``: 0 to 9, lets no two be the same; none raises on our traffic."""
    health = {"metric": "soh_pct", "component": "battery_pack"}
    found: dict[str, dict[str, Any]] = {
        "threshold": health | {"raise_if": {"below": 40.0 + step, "readings": 3}, "clear_if": {"at_least": 60.0}},
        "duration": {
            "metric": "pack_temp_c",
            "raise_if": {"above": 60.0 + step, "for_min": 30},
            "clear_if": {"at_most": 55.0, "for_min": 5},
        },
        "rate": {
            "metric": "soc_pct", "over_h": 0.2 + step / 100, "least": 5,
            "raise_if": {"below": -1e6}, "clear_if": {"at_least": 0},
        },
        "m_of_n": health | {"hit_if": {"below": 40.0 + step}, "m": 3, "n": 10},
        "window": {
            "metric": "pack_voltage_v", "aggregate": "avg", "over_h": 0.1 + step / 100, "least": 3,
            "raise_if": {"above": 500.0}, "clear_if": {"at_most": 450.0},
        },
        "usage": {"metric": "odometer_km", "component": "battery_pack", "raise_if": {"at_least": 50_000.0 + step}},
        "trend": health | {
            "reaches": {"below": 1.0 + step}, "within_days": 1e-4, "clear_days": 400.0, "over_days": 0.01, "least": 5,
        },
        "fence": {
            "when": "outside", "circle": {"lat": 22.5, "lon": 114.1, "radius_m": 20_000.0 + step}, "margin_m": 100,
        },
        "condition": {
            "metrics": ["pack_temp_c", "soc_pct"], "raise_when": f"pack_temp_c > {60 + step}.0 && soc_pct < 5.0", "readings": 2,
        },
        "silence": {"silent_after_h": 24.0 + step},
    }  # fmt: skip
    return {kind: _COMMON | {"detector": kind} | document for kind, document in found.items()}


def measure(lab: Lab, _fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every message was stored once and judged by every rule."""
    most, rounds = (1_500, 1) if quick else (6_000, 3)
    table = Table(
        "7. A hundred rules against one",
        (
            "set-up",
            "1 rule msg/s (min / median / max)",
            f"{RULES} rules msg/s (min / median / max)",
            "ratio of medians",
            "aimed at",
            "met",
            "folds/s",
            f"first look of {RULES} rules at {DEVICES} devices, s",
            "lost",
            "doubled",
        ),
    )
    good = True
    for kind in KINDS:
        choice = setups.USUAL[kind]
        why_not = choice.missing()
        if why_not:
            table.rows.append((choice.name, why_not, *[""] * 8))
            continue
        row, faults = _setup(lab, choice, most, rounds)
        table.rows.append(row)
        table.notes += [f"FAILED on {DATABASE_NAMES[kind]}: {fault}" for fault in faults]
        good &= not faults
    table.notes += [
        f"{RULES} rules: {_EACH} of each of the ten kinds ({', '.join(documents(0))}), all switched on, on the profile of all "
        f"{DEVICES} devices; one rule: the default one of the battery, and nothing else.",
        f"{_LEAST} to {most:,} messages a round, as many as {RULES} rules take in about {_ROUND_S:.0f} s, with "
        f"{len(METRICS) + len(MORE)} readings each, the same for both; {rounds} round(s), in turn, "
        "each side with a database, a broker and an ingest of its own. No rule raises: what is measured is looking.",
        f"Folds: {RULES - _EACH} rules a message; silence is judged by arrival, by the worker, and costs the ingest a look at "
        "who was silent. First look: each rule reads what is stored of each subject once, with one message a device; it is done "
        f"before the rounds. Checked at the end: a device whose values are beyond all bounds for {_STORM} minutes raises each "
        "rule that judges readings, once.",
    ]
    return table, good


def fill_rules(settings: Settings, database: Database, many: bool) -> Fleet:
    """Fill as ever; then switch silence off, or add rules up to a hundred."""
    fleet = fill(database, settings)
    with database.transaction() as session:
        manager = manager_of(session)
        if not many:
            edit_rule(
                session, manager, session.scalars(select(Rule).where(Rule.code == "device-silent")).one(), {"enabled": False}
            )
            return fleet
        installed = {"threshold", "silence"}
        for step in range(_EACH):
            for kind, document in documents(step).items():
                if step or kind not in installed:
                    create_rule(session, manager, f"{kind}-{step}", document)
    return fleet


def _setup(lab: Lab, choice: setups.Choice, most: int, rounds: int) -> tuple[tuple[str, ...], list[str]]:
    sides = {"one": False, "hundred": True}
    expected: list[Expected] = []
    for name, many in sides.items():
        fleet = lab.template(
            choice.kind, lambda database, many=many: fill_rules(lab.settings(""), database, many), f"rules-{name}"
        )
    fleet.road = fleet.road[:DEVICES]
    traffic = Traffic(fleet.road, int(time.time() * 1000) - _SPAN_MS, _STEP_MS, MORE)
    with (
        setups.run(lab, choice, "rules-one") as one,
        setups.run(lab, choice, "rules-hundred") as hundred,
        Probe(one.url) as of_one,
        Probe(hundred.url) as of_hundred,
    ):

        def both(count: int) -> tuple[float, float]:
            made = traffic.take(count)
            expected.extend(reading for message in made for reading in message.readings)
            return store(one, of_one, made), store(hundred, of_hundred, made)

        first_s = DEVICES / both(DEVICES)[1]
        count = max(_LEAST, min(most, round(both(_LEAST)[1] * _ROUND_S)))
        found_rates = [both(count) for _ in range(rounds)]
        found = [probe.compare(expected, "bench-road-%") for probe in (of_one, of_hundred)]
        early = of_hundred.rows("SELECT count(*) FROM alarms")[0][0]
        faults = [f"{early} alarms, where none was to be"] if early else []
        store(hundred, of_hundred, storm(fleet.road[0], traffic.at_ms))
        faults += raised_wrongly(of_hundred, fleet, fleet.road[0])
    lost, doubled = (sum(counted) for counted in zip(*found, strict=True))
    if lost or doubled:
        faults.append(f"{lost} lost, {doubled} doubled")
    rates = [list(values) for values in zip(*found_rates, strict=True)]
    one_rule, hundred_rules = map(statistics.median, rates)
    ratio = hundred_rules / one_rule
    return (
        choice.name,
        spread(rates[0]),
        spread(rates[1]),
        short(ratio),
        _AIM.text(),
        _AIM.verdict(ratio),
        short(hundred_rules * (RULES - _EACH)),
        short(first_s),
        str(lost),
        str(doubled),
    ), faults


def storm(device_id: str, after_ms: int) -> list[Made]:
    """Return messages of one device, a minute apart, whose values raise every rule of ``documents`` once."""
    values = {
        "soh_pct": -1e6, "soc_pct": -1e9, "pack_voltage_v": 1e6, "pack_temp_c": 99.0,
        "lat_deg": 30.0, "lon_deg": 120.0, "odometer_km": 1e6,
    }  # fmt: skip
    return [message(device_id, _STORM_SEQ + n, after_ms + n * 60_000, values) for n in range(1, _STORM + 1)]


def raised_wrongly(probe: Probe, fleet: Fleet, device_id: str) -> list[str]:
    """Return what is wrong with the alarms after a storm: one of every rule that judges readings, and no other."""
    rows = probe.rows(
        "SELECT r.id, r.code FROM rules r JOIN rule_versions v ON v.rule_id = r.id AND v.number = r.number WHERE r.enabled"
    )
    # The default rules want a day of readings, or of silence.
    wanted = {rule: 1 for rule, code in rows if not code.startswith("silence") and code not in _DEFAULTS}
    subjects = {fleet.packs[device_id], f"asset-{device_id}"}
    alarms = probe.rows("SELECT rule_id, subject_id FROM alarms")
    found = Counter(rule for rule, _ in alarms)
    faults = [f"{len(rows)} rules are on instead of {RULES}"] if len(rows) != RULES else []
    if found != wanted:
        code_of = dict(rows)
        others = sorted(code_of.get(rule, rule) for rule in wanted.keys() | found.keys() if found[rule] != wanted.get(rule, 0))
        faults.append(f"not raised once by the storm: {', '.join(others)}")
    if any(subject not in subjects for _, subject in alarms):
        faults.append("alarms of other devices than the one of the storm")
    return faults
