"""Consent: a question of its own, that the rep alone answers, and takes back whenever they like."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.tracks import queries
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.tracks.roads import Road, agree, begin, send, whole_track


def test_the_text_is_in_both_languages_tells_this_deployments_numbers_and_its_digest_can_be_checked(
    rep: Http, world: World
) -> None:
    notice = rep.get("/track-notice")

    assert notice["digest"] == hashlib.sha256(f"{notice['english']}\n\n{notice['chinese']}".encode()).hexdigest()
    for number in ("90", "16", "120", "18:00"):
        assert number in notice["english"]
        assert number in notice["chinese"]


def test_consent_is_to_the_text_as_it_is_now(rep: Http, world: World, settings: Settings) -> None:
    notice = rep.get("/track-notice")
    old = {"text_version": notice["text_version"], "digest": "0" * 64}
    assert rep.post("/track-consents", old, expect=409)["code"] == "notice_changed"
    first = agree(rep)
    assert rep.post("/track-consents", {"text_version": 1, "digest": notice["digest"]}, expect=409)["code"] == "state_conflict"

    # The office keeps tracks for longer from now on: that is not what the rep had agreed to.
    rep.app.extensions["fieldloop"].settings = replace(settings, track_days=180)
    assert rep.post("/track-shifts", {}, expect=409)["code"] == "consent_missing"
    second = agree(rep)
    begin(rep)
    assert [(one["id"], one["state"]) for one in rep.get("/track-consents")["items"]] == [
        (second["id"], "given"),
        (first["id"], "replaced"),
    ]


def test_nobody_consents_for_a_rep_and_no_colleague_sees_it(http: Http, rep: Http, boss: Http, world: World) -> None:
    consent = agree(rep)
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    colleague = http.as_(other)

    path = f"/track-consents/{consent['id']}/withdraw"
    boss.refused("POST", path, 403, "forbidden", {"erase": False})
    boss.refused("POST", "/track-consents", 403, "forbidden", {"text_version": 1, "digest": "0" * 64})
    colleague.refused("POST", path, 404, "not_found", {"erase": False})
    assert colleague.get("/track-consents")["items"] == []
    assert [one["id"] for one in boss.get("/track-consents")["items"]] == [consent["id"]]
    assert rep.post(path, {}, expect=422)["errors"][0]["field"] == "erase"  # nothing is taken for granted


def test_a_withdrawal_ends_the_shift_and_leaves_or_deletes_what_was_recorded_as_the_rep_says(
    rep: Http, world: World, clock: SetClock, db: Database, settings: Settings
) -> None:
    kept = []
    for erase in (False, True):
        consent = agree(rep)["id"]
        shift = begin(rep)
        fixes = Road(clock.now()).drive(3_000).fixes
        clock.advance(minutes=6)
        send(rep, fixes, f"batch-{erase!s:0>8}")
        follow_tracks(db, settings)
        rep.post(f"/track-consents/{consent}/withdraw", {"erase": erase})
        seen = rep.get(f"/track-shifts/{shift}")
        assert (seen["state"], seen["end_reason"]) == ("finished", "consent_withdrawn")
        kept.append((shift, len(fixes)))
        clock.advance(minutes=1)

    # The second time the rep asked for it, and all of their tracks went.
    assert [len(whole_track(rep, shift)) for shift, _ in kept] == [0, 0]
    [proof] = rep.get("/track-deletions")["items"]
    assert (proof["cause"], proof["shifts"], proof["fixes"]) == ("consent_withdrawn", 2, kept[0][1] + kept[1][1])
    assert rep.get(f"/track-shifts/{kept[1][0]}")["distance_m"] > 2_500
    # What comes late from then does not come back.
    clock.advance(minutes=1)
    late = Road(clock.now()).drive(100).fixes
    again = [fix | {"at_ms": to_ms(clock.now()) - 300_000} for fix in late]
    assert send(rep, again, "batch-0000009")["refused"] == {"erased": len(again)}


def test_a_shift_that_was_over_before_the_withdrawal_ended_when_it_was_over(rep: Http, world: World, clock: SetClock) -> None:
    """Nobody had ended it yet: the job that does comes by once a minute."""
    consent = agree(rep)["id"]
    shift = begin(rep)
    clock.advance(hours=14)
    rep.post(f"/track-consents/{consent}/withdraw", {"erase": False})

    seen = rep.get(f"/track-shifts/{shift}")
    assert (seen["state"], seen["end_reason"], seen["ended_at"]) == ("finished", "by_calendar", seen["latest_end_at"])


def test_without_asking_for_it_nothing_is_deleted(rep: Http, world: World, clock: SetClock) -> None:
    consent = agree(rep)["id"]
    shift = begin(rep)
    fixes = Road(clock.now()).drive(3_000).fixes
    clock.advance(minutes=6)
    send(rep, fixes)
    rep.post(f"/track-consents/{consent}/withdraw", {"erase": False})

    assert len(whole_track(rep, shift)) == len(fixes)
    assert rep.get("/track-deletions")["items"] == []


def test_what_was_recorded_after_a_withdrawal_that_is_told_of_late_is_deleted_in_any_case(
    rep: Http, world: World, clock: SetClock, db: Database
) -> None:
    consent = agree(rep)["id"]
    shift = begin(rep)
    road = Road(clock.now()).drive(6_000)
    clock.advance(minutes=10)
    send(rep, road.fixes)
    half = road.fixes[len(road.fixes) // 2]["at_ms"]
    rep.post(f"/track-consents/{consent}/withdraw", {"erase": False, "at_ms": half})

    left = whole_track(rep, shift)
    assert len(left) == len(road.fixes) // 2 + 1
    [proof] = rep.get("/track-deletions")["items"]
    assert (proof["cause"], proof["fixes"]) == ("after_the_end", len(road.fixes) - len(left))
    assert send(rep, road.fixes, "batch-0000002")["refused"] == {"no_consent": len(road.fixes) - len(left) + 1}
    with db.reading() as session:
        assert len(queries.fixes_of(session, shift)) == len(left)


def test_of_a_withdrawal_with_deletion_and_batches_at_once_nothing_is_left(rep: Http, world: World, clock: SetClock) -> None:
    consent = agree(rep)["id"]
    shift = begin(rep)
    fixes = Road(clock.now()).drive(6_000).fixes
    clock.advance(minutes=10)
    gate = threading.Barrier(4)

    def bring(n: int) -> None:
        gate.wait()
        send(rep, fixes[n::3], f"batch-{n:08}")

    def withdraw() -> None:
        gate.wait()
        rep.post(f"/track-consents/{consent}/withdraw", {"erase": True})

    threads = [threading.Thread(target=bring, args=(n,)) for n in range(3)] + [threading.Thread(target=withdraw)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert whole_track(rep, shift) == []
    assert rep.get(f"/track-shifts/{shift}")["fixes"] == 0


def test_consents_do_not_overlap_and_are_not_dated_back_beyond_the_last_withdrawal(
    rep: Http, world: World, clock: SetClock
) -> None:
    consent = agree(rep)["id"]
    clock.advance(hours=1)
    rep.post(f"/track-consents/{consent}/withdraw", {"erase": False})
    notice = rep.get("/track-notice")
    clock.advance(hours=1)
    told = {"text_version": notice["text_version"], "digest": notice["digest"]}
    for minutes, code in ((90, "out_of_range"), (-6, "time_ahead"), (31 * 24 * 60, "time_old")):
        at_ms = to_ms(clock.now()) - minutes * 60_000
        refusal = rep.post("/track-consents", told | {"at_ms": at_ms}, expect=422)
        assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("at_ms", code)]
    again = rep.post("/track-consents", told | {"at_ms": to_ms(clock.now()) - 30 * 60_000}, expect=201)
    assert again["given_at"] == "2026-03-02T03:30:00.000Z"
