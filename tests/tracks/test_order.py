"""Whatever order batches come in, however often and however cut, the track in the end is the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.tracks import queries
from app.tracks.chunks import pack, unpack
from app.tracks.following import follow_tracks
from app.tracks.models import TrackChunk
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.tracks.roads import Road, agree, begin, send, whole_track

FIGURES = ("fixes", "distance_m", "unseen_m", "score", "grade")


def outcome(rep: Http, shift: str, settings: Settings) -> tuple[Any, ...]:
    """Return everything a track amounts to: its fixes, stays and trips, its figures, and what is proposed."""
    while follow_tracks(rep.database, settings):
        pass
    first = rep.get(f"/track-shifts/{shift}/track")
    seen = rep.get(f"/track-shifts/{shift}")
    proposed = rep.get("/visit-proposals?state=proposed")["items"]
    return (
        whole_track(rep, shift),
        first["stays"],
        first["trips"],
        {name: seen[name] for name in FIGURES},
        sorted((one["site_id"], one["came_at"], one["left_at"]) for one in proposed),
    )


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_late_doubled_and_shuffled_batches_end_in_the_same_track(
    rep: Http, world: World, clock: SetClock, settings: Settings, seed: int
) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    agree(rep)
    began = clock.now()
    shift = begin(rep)
    road = Road(began, seed=seed, north_m=-3_000).drive(3_000).stay(30).silence(20).stay(5).drive(2_000).stay(25).drive(-900)
    clock.set(from_ms(road.at_ms))
    rep.post(f"/track-shifts/{shift}/end", {})
    # Its clock is 40 minutes behind, and each message is under way for some other time.
    behind_ms = 2_400_000
    told = [fix | {"at_ms": fix["at_ms"] - behind_ms} for fix in road.fixes]
    some = list(told)
    chance.shuffle(some)
    cuts = sorted(chance.sample(range(len(some)), 7))
    parts = [some[a:b] for a, b in zip([0, *cuts], [*cuts, len(some)], strict=True)]
    parts += [chance.sample(told, 40) for _ in range(3)]
    sent = [(part, chance.randrange(20, 900)) for part in parts]

    def bring(order: list[int]) -> tuple[Any, ...]:
        for n, i in enumerate(order):
            part, under_way_ms = sent[i]
            now = from_ms(to_ms(clock.now()) - behind_ms - under_way_ms)
            answer = send(rep, part, f"batch-{n:08}", now)
            assert answer["refused"].keys() <= {"no_shift"}
        return outcome(rep, shift, settings)

    orders = [list(range(len(sent))), list(reversed(range(len(sent))))]
    mixed = [*range(len(sent)), *chance.choices(range(len(sent)), k=6)]
    chance.shuffle(mixed)
    orders.append(mixed)
    found = []
    for order in orders:
        found.append(bring(order))
        with rep.database.transaction() as session:
            empty_again(session, shift)

    assert found[0][0]
    assert found[0][4]
    assert found[1] == found[0]
    assert found[2] == found[0]


def empty_again(session: Any, shift_id: str) -> None:
    """Take the fixes out, as if none had come, so that the same shift can be filled in another order."""
    from sqlalchemy import delete, update

    from app.tracks.models import Shift, TrackBatch

    session.execute(delete(TrackChunk))
    session.execute(delete(TrackBatch))
    session.execute(update(Shift).where(Shift.id == shift_id).values(fixes=0, revision=Shift.revision + 1))


def test_a_clock_years_off_is_set_right_by_the_batch(rep: Http, world: World, clock: SetClock) -> None:
    agree(rep)
    for years in (-10, 10):
        shift = begin(rep)
        road = Road(clock.now()).drive(1_000)
        off_ms = years * 365 * 86_400_000
        clock.advance(minutes=5)
        told = [fix | {"at_ms": fix["at_ms"] + off_ms} for fix in road.fixes]
        send(rep, told, f"batch-{years:08}", from_ms(to_ms(clock.now()) + off_ms))
        rep.post(f"/track-shifts/{shift}/end", {})

        assert [to_ms_of(one["at"]) for one in whole_track(rep, shift)] == [fix["at_ms"] for fix in road.fixes]


def to_ms_of(text: str) -> int:
    from datetime import datetime

    return to_ms(datetime.fromisoformat(text))


def test_the_days_fixes_take_few_bytes(rep: Http, world: World, clock: SetClock, db: Database) -> None:
    agree(rep)
    shift = begin(rep)
    road = Road(clock.now()).drive(20_000).stay(60).drive(30_000).stay(90)
    clock.advance(hours=8)
    for n in range(0, len(road.fixes), 1_000):
        send(rep, road.fixes[n : n + 1_000], f"batch-{n:08}")
    with db.reading() as session:
        kept = queries.fixes_of(session, shift)
        size = sum(len(content) for (content,) in session.query(TrackChunk.content))
    print("bytes a fix", size / len(kept))

    assert len(kept) == len(road.fixes) > 1_000
    assert size / len(kept) < 25
    assert unpack(pack(kept)) == kept
