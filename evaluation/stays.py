"""Stay points of real tracks, held against those of another program, under both rules for recording gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from app.core.geo import Position, rough_distance_m
from app.positions.datum import Datum
from app.positions.fixes import Fix
from app.positions.stays import RULE, Stay, movement
from evaluation.tables import rows

Track = tuple[str, str]
_HALF = 0.5


class Reference(NamedTuple):
    """A stay the other program found."""

    began_ms: int
    ended_ms: int
    position: Position


class Agreement(NamedTuple):
    """How well the stays of all tracks agree, under one rule for gaps.

    Attributes:
        gap_min: minutes of a gap that ends a stay; None where gaps count as staying.
        references: how many stays the other program found.
        met: of them those of which ours cover at least half the time, at most the roaming distance away.
        found: how many stays we found.
        agreed: of them those the other program's cover in the same way.
        open_: of the others those that end at a gap or with the track, which the other program leaves out.
        begin_off_s: median of how far apart the begins of pairs are.
        end_off_s: as well of the ends.
    """

    gap_min: int | None
    references: int
    met: int
    found: int
    agreed: int
    open_: int
    begin_off_s: float
    end_off_s: float


def read_tracks(folder: Path) -> dict[Track, list[Fix]]:
    """Return the tracks, each with its fixes."""
    found: dict[Track, list[Fix]] = defaultdict(list)
    for row in rows(folder / "gps_geolife" / "points.csv"):
        altitude = float(row["alt_m"]) if row["alt_m"] else None
        place = Position(float(row["lat"]), float(row["lon"]))
        found[row["user_id"], row["track_id"]].append(Fix(_ms(row["ts_utc"]), place, Datum.WGS84, altitude_m=altitude))
    return dict(found)


def read_references(folder: Path) -> dict[int | None, dict[Track, list[Reference]]]:
    """Return the other program's stays, by minutes of a gap that ends one."""
    found: dict[int | None, dict[Track, list[Reference]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(folder / "gps_geolife" / "reference_staypoints.csv"):
        gap = None if row["gap_threshold_min"] == "none" else int(row["gap_threshold_min"])
        place = Position(float(row["lat"]), float(row["lon"]))
        found[gap][row["user_id"], row["track_id"]].append(Reference(_ms(row["start_utc"]), _ms(row["end_utc"]), place))
    return found


def agreement(tracks: dict[Track, list[Fix]], references: dict[Track, list[Reference]], gap_min: int | None) -> Agreement:
    """Find the stays of all tracks and hold them against the other program's."""
    rule = RULE._replace(gap_ms=None if gap_min is None else gap_min * 60_000)
    moved = {track: movement(fixes, rule) for track, fixes in tracks.items()}
    pairs = [
        (stay, other)
        for track in tracks
        for stay in moved[track].stays
        for other in references.get(track, ())
        if _meet(stay, other)
    ]
    met = {(other, track) for track in tracks for other in references.get(track, ()) if _covered(other, moved[track].stays)}
    found = [(track, stay) for track in tracks for stay in moved[track].stays]
    extra = [stay for track, stay in found if not _covered(stay, references.get(track, ()))]
    return Agreement(
        gap_min,
        sum(map(len, references.values())),
        len(met),
        len(found),
        len(found) - len(extra),
        sum(stay.is_open for stay in extra),
        median(abs(stay.began_ms - other.began_ms) / 1000 for stay, other in pairs),
        median(abs(stay.ended_ms - other.ended_ms) / 1000 for stay, other in pairs),
    )


def _meet(one: Stay | Reference, other: Stay | Reference) -> bool:
    return min(one.ended_ms, other.ended_ms) > max(one.began_ms, other.began_ms) and (
        rough_distance_m(one.position, other.position) <= RULE.roam_m
    )


def _covered(one: Stay | Reference, others: Sequence[Stay | Reference]) -> bool:
    shared = sum(min(one.ended_ms, other.ended_ms) - max(one.began_ms, other.began_ms) for other in others if _meet(one, other))
    return shared >= _HALF * (one.ended_ms - one.began_ms)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
