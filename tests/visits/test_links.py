"""From one visit everything that was recorded at it is reached by the links it has."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from app.attachments.operations import create_attachment
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.visits.ask import SHELF, begin, end, make_type
from tests.visits.test_check_ins import attach, fix, plan


def speak(world: World, user_id: str, row_id: str, at_ms: int, kind: str, about: str) -> None:
    """Attach a voice clip, whose bytes are still on the phone."""
    told = {"size": 4, "sha256": hashlib.sha256(row_id.encode()).hexdigest(), "name": "clip.m4a", "mime": "audio/mp4"}
    with world.db.transaction() as session:
        values = told | {"id": row_id, "subject_kind": kind, "subject_id": about, "made_ms": at_ms}
        create_attachment(session, world.settings, world.actor(user_id), values)


def test_a_visit_leads_to_its_check_ins_steps_people_follow_ups_and_files(
    rep: Http, boss: Http, world: World, clock: SetClock
) -> None:
    kind = make_type(boss, SHELF)
    attach(world, world.rep, "photo-00001")
    attach(world, world.rep, "photo-000002", arrives=False)
    before = to_ms(clock.now()) - 1
    visit = begin(rep, world, type_id=kind["id"])
    clock.advance(minutes=10)
    during = to_ms(clock.now())
    rep.post(f"/visits/{visit}/steps/shelf", {"photo_ids": ["photo-00001", "photo-000002"]}, expect=201)
    rep.post(f"/visits/{visit}/participants", {"participants": [{"name": "Li Na"}]})
    clock.advance(minutes=10)
    end(rep, world, visit, next_step="send papers")
    speak(world, world.rep, "clip-0000001", during, "customer", world.customer)
    speak(world, world.rep, "clip-0000002", before, "customer", world.customer)
    speak(world, world.rep, "clip-0000003", during, "asset", world.asset)
    speak(world, world.manager, "clip-0000004", during, "customer", world.customer)

    links = rep.get(f"/visits/{visit}")["links"]

    read: dict[str, Any] = {name: rep.get(path) for name, path in links.items()}
    assert [len(read[name]["items"]) for name in ("check_ins", "steps", "participants", "follow_ups")] == [2, 1, 1, 1]
    files = read["attachments"]
    assert [one["id"] for one in files["items"]] == ["photo-000002", "photo-00001", "clip-0000001", "clip-0000003"]
    assert [one["content"] is None for one in files["items"]] == [True, False, True, True]
    assert rep.call("GET", files["items"][1]["content"]).status_code == 200
    assert files["cut"] is False
    assert read["history"]["about"]
    assert read["new_information"]["visit_id"] == visit


def test_the_photo_of_a_check_in_is_among_the_files_and_nobody_elses_visit_shows_them(
    http: Http, rep: Http, world: World, db: Database, settings: Settings
) -> None:
    attach(world, world.rep, "photo-00001")
    visit = begin(rep, world)
    end(rep, world, visit, photo_id="photo-00001")
    with db.transaction() as session:
        user = make_user(session, settings, "rep", "stranger")
    stranger = http.as_(user.id)

    assert [one["id"] for one in rep.get(f"/visits/{visit}/attachments")["items"]] == ["photo-00001"]
    stranger.refused("GET", f"/visits/{visit}/attachments", 404, "not_found")


@pytest.mark.parametrize("fast_ms", [20 * 60_000, -20 * 60_000])
def test_a_visits_files_are_those_of_its_time_by_the_clock_of_the_phone_that_made_them(
    rep: Http, world: World, clock: SetClock, fast_ms: int
) -> None:
    def phone_now() -> int:
        return to_ms(clock.now()) + fast_ms

    def told() -> dict[str, int]:
        return {"at_ms": phone_now(), "sent_ms": phone_now()}

    def files() -> list[str]:
        return [one["id"] for one in rep.get(f"/visits/{visit}/attachments")["items"]]

    speak(world, world.rep, "clip-before", phone_now() - 1, "customer", world.customer)
    visit = plan(rep, world)
    rep.post(f"/visits/{visit}/check-in", fix(world, **told()))
    clock.advance(minutes=5)
    speak(world, world.rep, "clip-during", phone_now(), "customer", world.customer)
    assert files() == ["clip-during"]
    clock.advance(minutes=5)
    end(rep, world, visit, **told())
    speak(world, world.rep, "clip-after", phone_now() + 1, "customer", world.customer)

    assert files() == ["clip-during"]


def test_the_files_of_a_visit_in_which_the_phones_clock_was_set_right_are_found_by_ours(
    rep: Http, world: World, clock: SetClock
) -> None:
    fast = to_ms(clock.now()) + 20 * 60_000
    visit = plan(rep, world)
    rep.post(f"/visits/{visit}/check-in", fix(world, at_ms=fast, sent_ms=fast))
    clock.advance(minutes=5)
    speak(world, world.rep, "clip-during", to_ms(clock.now()), "customer", world.customer)
    clock.advance(minutes=5)
    end(rep, world, visit, at_ms=to_ms(clock.now()), sent_ms=to_ms(clock.now()))

    assert [one["id"] for one in rep.get(f"/visits/{visit}/attachments")["items"]] == ["clip-during"]
