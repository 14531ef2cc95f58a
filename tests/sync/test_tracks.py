"""A day offline: consent, shift and its end as intents in the evening, then the fixes; and what phones hold of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.phones import Phone
from tests.tracks.roads import Road, agree, begin, send

Phones = Callable[..., Phone]


def ask(device: Phone, n: int, kind: str, body: dict[str, Any]) -> str:
    row_id = f"intent-{n:08}"
    made_at = body.get("at_ms") or n
    device.create("intents", {"id": row_id, "kind": kind, "body": json.dumps(body), "made_at": made_at})
    return row_id


def test_a_day_without_network_is_brought_up_in_the_evening(
    world: World, phone: Phones, http: Http, clock: SetClock, db: Database, settings: Settings
) -> None:
    rep, device = http.as_(world.rep), phone(world.rep)
    device.pull()
    notice = rep.get("/track-notice")
    began = clock.now()
    road = Road(began, north_m=-2_000).drive(2_000).stay(40).drive(2_000)
    clock.set(from_ms(road.at_ms))
    ended = clock.now()
    after = Road(ended).drive(500).fixes
    clock.advance(hours=12)  # the calendar would have ended the shift by now

    told = {"id": "consent-000001", "text_version": notice["text_version"], "digest": notice["digest"]}
    ask(device, 1, "track_consent.give", told | {"at_ms": to_ms(began) - 1_000})
    ask(device, 2, "track_shift.begin", {"id": "shift-00000001", "at_ms": to_ms(began)})
    ask(device, 3, "track_shift.end", {"shift_id": "shift-00000001", "at_ms": to_ms(ended)})
    device.sync()
    answer = send(rep, [*road.fixes, *after])
    follow_tracks(db, settings)
    device.sync()

    assert {row["verdict"] for row in device.rows["intents"].values()} == {"accepted"}
    assert (answer["stored"], answer["refused"]) == (len(road.fixes), {"no_shift": len(after)})
    shift = device.rows["track_shifts"]["shift-00000001"]
    assert (shift["state"], shift["began_at"], shift["ended_at"]) == ("finished", to_ms(began), to_ms(ended))
    assert shift["fixes"] == len(road.fixes)
    assert device.rows["track_consents"]["consent-000001"]["state"] == "given"
    [proposal] = device.rows["visit_proposals"].values()
    ask(device, 4, "visit_proposal.confirm", {"proposal_id": proposal["id"], "outcome": "ok"})
    device.sync()
    device.sync()
    visit_id = device.rows["visit_proposals"][proposal["id"]]["visit_id"]
    assert device.rows["visits"][visit_id]["outcome"] == "ok"
    ask(device, 5, "track_consent.withdraw", {"consent_id": "consent-000001", "erase": True})
    device.sync()
    device.sync()
    assert device.rows["track_consents"]["consent-000001"]["state"] == "withdrawn"
    assert rep.get("/track-shifts/shift-00000001")["fixes"] == 0


def test_consents_shifts_and_proposals_are_on_no_other_phone(
    world: World, phone: Phones, http: Http, clock: SetClock, db: Database, settings: Settings
) -> None:
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    rep, own = http.as_(world.rep), phone(world.rep)
    agreed = agree(rep)["id"]
    shift = begin(rep)
    road = Road(clock.now(), north_m=-2_000).drive(2_000).stay(40).drive(2_000)
    clock.advance(hours=1)
    send(rep, road.fixes)
    rep.post(f"/track-shifts/{shift}/end", {})
    follow_tracks(db, settings)
    names = ("track_consents", "track_shifts", "visit_proposals")
    own.pull()

    assert [len(own.rows[name]) for name in names] == [1, 1, 1]
    for user_id in (other, world.manager, world.admin, world.owner, world.staff[0]):
        device = phone(user_id)
        device.pull()
        assert not any(device.rows.get(name) for name in names)
    rep.post(f"/track-consents/{agreed}/withdraw", {"erase": True})
    own.pull()
    assert own.rows["visit_proposals"] == {}


def test_what_a_rule_is_against_is_rejected_and_waits_for_nobody_in_the_office(world: World, phone: Phones, http: Http) -> None:
    device = phone(world.rep)
    device.pull()
    first = ask(device, 1, "track_shift.begin", {})
    second = ask(device, 2, "track_consent.give", {"text_version": 1, "digest": "0" * 64})
    device.sync()
    device.sync()

    rows = device.rows["intents"]
    assert [(rows[one]["verdict"], rows[one]["code"]) for one in (first, second)] == [
        ("rejected", "consent_missing"),
        ("rejected", "notice_changed"),
    ]
