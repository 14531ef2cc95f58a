"""Datums: how far the product is off on public pairs, and whether it shifts where maps are shifted and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import chain
from pathlib import Path
from statistics import mean, median, pstdev
from typing import NamedTuple

from app.core.geo import Position, distance_m
from app.core.locales import LOCALES
from app.core.settings import read_settings
from app.positions.datum import Datum, from_wgs84, to_wgs84
from app.positions.regions import Region, region_of
from evaluation.borders import NEIGHBOURS, SPECIAL, Place
from evaluation.datum_words import WORDS
from evaluation.tables import Section, rows, table

AIM_M = 1.0
# GCJ-02 shifts by 89 to 672 m on the public pairs; less than this is none.
_LEAST_SHIFT_M = 50.0
_CHINESE = (Datum.GCJ02, Datum.BD09)
_NAMES = {Datum.WGS84: "WGS-84", Datum.GCJ02: "GCJ-02", Datum.BD09: "BD-09"}
Regions = Collection[Region]


class Pair(NamedTuple):
    """A city as the public list has it in each datum."""

    city: str
    at: Mapping[Datum, Position]


class Case(NamedTuple):
    """A published unit case, in degrees, with what its test allows each coordinate to be off."""

    name: str
    begin: Datum
    end: Datum
    told: Position
    result: Position
    allowed_deg: float


class Outcome(NamedTuple):
    """How a case came out.

    Attributes:
        off_m: ours from the published result.
        forward_m: the published WGS-84 by the forward formula, from the numbers the case begins with; None if it is forward.
        met: within what the test allows.
        contradicts: the forward formula does not lead back from the published result to where the case begins.
    """

    case: Case
    off_m: float
    forward_m: float | None
    met: bool
    contradicts: bool


class Shift(NamedTuple):
    """What the product does at a place.

    Attributes:
        region: the one it finds.
        shown_m: by how much a map in each Chinese datum is off there.
        back_m: the most by which what such a map shows, told as it is, is off when it is brought back.
        either: whether the numbers themselves are kept as well, for the border is within the shift.
        right: as it should be in a deployment that shifts these regions.
    """

    place: Place
    region: Region
    shown_m: Mapping[Datum, float]
    back_m: float
    either: bool
    right: bool


def judged(folder: Path) -> Section:
    """Convert every pair, case and place; wrong if a pair is off by more than the aim, or a shift is where it should not be."""
    shifted = frozenset(map(Region, read_settings().shifted_regions))
    pairs, cases = _pairs(folder / "gcj02_pairs/gcoord_cities.csv"), _cases(folder / "gcj02_pairs/unit_cases.csv")
    errors = {ways: [(error(pair), pair.city) for pair in pairs] for ways, error in _ways(shifted).items()}
    outcomes = [_outcome(case, shifted) for case in cases]
    borders = [(shift_at(town, shifted), shift_at(abroad, shifted)) for town, abroad in NEIGHBOURS]
    special = [(shift_at(place, shifted), shift_at(place, {Region.MAINLAND})) for place in SPECIAL]
    faults = [
        any(error > AIM_M for found in errors.values() for error, _ in found),
        any(not one.met and not one.contradicts for one in outcomes),
        any(not one.right for one in chain(*borders, *special)),
    ]
    texts = {}
    for locale in LOCALES:
        words = WORDS[locale]
        texts[locale] = words["text"].format(
            aim=f"{AIM_M:g}",
            regions=",".join(sorted(shifted)),
            count=len(pairs),
            pairs=table(words["pairs"].split("|"), [_pair_line(*one) for one in errors.items()]),
            cases=table(words["cases"].split("|"), [_case_line(one, words) for one in outcomes]),
            contradicting=", ".join(f"`{one.case.name}`" for one in outcomes if one.contradicts) or "–",
            borders=table(words["borders"].split("|"), [_border_line(*one, locale) for one in borders]),
            special=table(words["special"].split("|"), [_special_line(*one, locale) for one in special]),
            either=sum(one.either for one in chain(*borders)),
            places=2 * len(borders),
            **_constant(pairs, shifted),
            **_mistaken(pairs),
        )
    return Section(texts, any(faults))


def shift_at(place: Place, shifted: Regions) -> Shift:
    """Return what a deployment that shifts these regions does at a place."""
    found = region_of(place.position)
    shown = {datum: from_wgs84(place.position, datum, shifted) for datum in _CHINESE}
    taken = {datum: to_wgs84(told, datum, shifted) for datum, told in shown.items()}
    by_m = {datum: distance_m(told, place.position) for datum, told in shown.items()}
    # Within the shift from a border both readings are kept, and one of them must be the place.
    back_m = max(
        min(distance_m(one, place.position) for one in (placed.position, placed.otherwise) if one is not None)
        for placed in taken.values()
    )
    should = place.region in shifted
    shifts = min(by_m.values()) >= _LEAST_SHIFT_M if should else max(by_m.values()) == 0
    right = found is place.region and shifts and back_m <= AIM_M
    return Shift(place, found, by_m, back_m, any(placed.otherwise is not None for placed in taken.values()), right)


def _ways(shifted: Regions) -> dict[tuple[Datum, ...], Callable[[Pair], float]]:
    """Return the conversions, each with what tells how many metres it is off on a pair."""

    def back(datum: Datum) -> Callable[[Pair], float]:
        return lambda pair: distance_m(to_wgs84(pair.at[datum], datum, shifted).position, pair.at[Datum.WGS84])

    def forth(datum: Datum) -> Callable[[Pair], float]:
        return lambda pair: distance_m(from_wgs84(pair.at[Datum.WGS84], datum, shifted), pair.at[datum])

    def around(datum: Datum) -> Callable[[Pair], float]:
        return lambda pair: distance_m(
            from_wgs84(to_wgs84(pair.at[datum], datum, shifted).position, datum, shifted), pair.at[datum]
        )

    return {
        **{(datum, Datum.WGS84): back(datum) for datum in _CHINESE},
        **{(Datum.WGS84, datum): forth(datum) for datum in _CHINESE},
        **{(datum, Datum.WGS84, datum): around(datum) for datum in _CHINESE},
    }


def _outcome(case: Case, shifted: Regions) -> Outcome:
    if case.begin is Datum.WGS84:
        ours = from_wgs84(case.told, case.end, shifted)
        return Outcome(case, distance_m(ours, case.result), None, _meets(ours, case.result, case), False)
    ours = to_wgs84(case.told, case.begin, shifted).position
    forward = from_wgs84(case.result, case.begin, shifted)
    return Outcome(
        case,
        distance_m(ours, case.result),
        distance_m(forward, case.told),
        _meets(ours, case.result, case),
        not _meets(forward, case.told, case),
    )


def _meets(found: Position, wanted: Position, case: Case) -> bool:
    return max(abs(found.lat - wanted.lat), abs(found.lon - wanted.lon)) <= case.allowed_deg


def _pairs(path: Path) -> list[Pair]:
    return [
        Pair(row["name"], {datum: _position(row[f"{datum}_lat"], row[f"{datum}_lon"]) for datum in (Datum.WGS84, *_CHINESE)})
        for row in rows(path)
    ]


def _cases(path: Path) -> list[Case]:
    return [
        Case(
            row["case"],
            Datum(row["from"]),
            Datum(row["to"]),
            _position(row["in_lat"], row["in_lon"]),
            _position(row["out_lat"], row["out_lon"]),
            float(row["tolerance_deg"]),
        )
        for row in rows(path)
    ]


def _position(lat: str, lon: str) -> Position:
    """Return a position; a longitude beyond 180 degrees is the same meridian counted from the other side."""
    east = float(lon)
    return Position(float(lat), east - 360 if east > 180 else east)


def _constant(pairs: list[Pair], shifted: Regions) -> dict[str, str]:
    """Return by how much ours lie north and east of the pairs' WGS-84, means in metres, and how that varies."""
    north, east = [], []
    for pair in pairs:
        true = pair.at[Datum.WGS84]
        ours = to_wgs84(pair.at[Datum.GCJ02], Datum.GCJ02, shifted).position
        up, right = distance_m(true, Position(ours.lat, true.lon)), distance_m(true, Position(true.lat, ours.lon))
        north.append(up if ours.lat > true.lat else -up)
        east.append(right if ours.lon > true.lon else -right)
    spread = max(pstdev(north), pstdev(east))
    return {"north": f"{mean(north):+.2f}", "east": f"{mean(east):+.2f}", "spread": f"{spread:.2f}"}


def _mistaken(pairs: list[Pair]) -> dict[str, str]:
    """Return how far off the numbers are if they are taken for WGS-84: the least and the most, in metres."""
    off = {datum: [distance_m(pair.at[datum], pair.at[Datum.WGS84]) for pair in pairs] for datum in _CHINESE}
    return {f"{datum}_{name}": f"{pick(off[datum]):.0f}" for datum in _CHINESE for name, pick in (("least", min), ("most", max))}


def _pair_line(way: tuple[Datum, ...], errors: list[tuple[float, str]]) -> list[str]:
    most, city = max(errors)
    over = sum(error > AIM_M for error, _ in errors)
    name = " → ".join(_NAMES[datum] for datum in way)
    return [name, str(len(errors)), f"{median(error for error, _ in errors):.3f}", f"{most:.3f}", city, str(over)]


def _case_line(one: Outcome, words: Mapping[str, str]) -> list[str]:
    verdict = words["contradicts" if one.contradicts else "met" if one.met else "missed"]
    return [
        f"`{one.case.name}`",
        f"{_NAMES[one.case.begin]} → {_NAMES[one.case.end]}",
        f"{one.off_m:.3f}",
        f"{one.case.allowed_deg:.6f}",
        "–" if one.forward_m is None else f"{one.forward_m:.3f}",
        verdict,
    ]


def _shown(one: Shift) -> list[str]:
    return [f"{one.shown_m[datum]:.0f}" for datum in _CHINESE]


def _border_line(town: Shift, abroad: Shift, locale: str) -> list[str]:
    away_km = distance_m(town.place.position, abroad.place.position) / 1000
    names = [one.place.names[locale] for one in (town, abroad)]
    verdict = WORDS[locale]["right" if town.right and abroad.right else "wrong"]
    back = [f"{one.back_m:.3f}" for one in (town, abroad)]
    return [names[0], *_shown(town), back[0], names[1], f"{away_km:.0f}", *_shown(abroad), back[1], verdict]


def _special_line(default: Shift, mainland: Shift, locale: str) -> list[str]:
    words = WORDS[locale]
    verdict = words["right" if default.right and mainland.right else "wrong"]
    back = f"{default.back_m:.3f}"
    return [default.place.names[locale], words[default.region], *_shown(default), back, *_shown(mainland), verdict]
