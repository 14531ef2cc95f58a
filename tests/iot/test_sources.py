"""Dead letters have a bound for each source: whoever sends nothing else takes no room of the others, and is named."""

from __future__ import annotations

from typing import Any

import pytest

from app.assets.mappings import read_form
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from evaluation.sparkplug import metric, payload
from iot import store
from iot.adapters import source_of
from iot.ingest import Message
from tests.conftest import MONDAY_MORNING
from tests.factories import World, make_world
from tests.iot.vehicles import counted, dead_letters, deliver
from tests.people import Http

TS = to_ms(MONDAY_MORNING)
ROOM = 5
FORM = read_form("meters", {"topic": "plant/+/{address}", "payload": "json"}, {"soh_pct": {"source": "$.soh"}})


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def poison(topic: str, n: int) -> Message:
    return Message(topic, b"unusable %d" % n, False, TS)


def unnamed(n: int) -> Message:
    """A value of a node that never gave birth: nobody knows what its alias stands for."""
    return Message("spBv1.0/plant/NDATA/press", payload(TS + n, n % 256, metric(alias=7, value=1.0)), False, TS + n)


@pytest.mark.parametrize(
    ("topics", "source"),
    [
        (("devices/0/van-00001/telemetry", "devices/7/van-00001/events", "devices/x/van-00001/a/b/c"), "devices/van-00001"),
        (("ovms/anna/CAR1/metric/v/b/soc", "ovms/anna/CAR1/x"), "ovms/anna/CAR1"),
        (("spBv1.0/g/NDATA/n", "spBv1.0/g/DBIRTH/n/below", "spBv1.0/g/ODD/n/a/b"), "spBv1.0/g/n"),
        (("teslamate/cars/1/speed", "teslamate/cars/1/made-up"), "teslamate/cars/1"),
        (("v1/gateway/telemetry", "v1/gateway/connect"), "v1/gateway"),
        (("plant/hall-1/meter-7", "plant/hall-2/meter-7"), "meters/meter-7"),
        (("noise", "noise/1", "noise/2/3"), "noise"),
    ],
)
def test_topics_that_one_account_may_choose_are_one_source(topics: tuple[str, ...], source: str) -> None:
    assert {source_of(topic, [FORM]) for topic in topics} == {source}


def test_a_node_that_never_gave_birth_leaves_room_for_the_letters_of_others(
    world: World, office: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MOST_OF_ONE_SOURCE", ROOM)
    body = {"code": "sp", "name": "S", "adapter": "sparkplug", "metrics": {"soh_pct": {"source": "soh"}}}
    profile = office.post("/device-profiles", body, expect=201)["id"]
    office.post(f"/assets/{world.asset}/devices", {"profile_id": profile, "address": "plant/press"}, expect=201)

    first = deliver(world, *[unnamed(n) for n in range(ROOM - 1)])
    second = deliver(world, *[unnamed(n) for n in range(ROOM - 1, 3 * ROOM)])
    other = deliver(world, poison(f"devices/0/{world.device}/telemetry", 0))

    assert (first["poison"], second["poison"], second["poison_dropped"]) == (ROOM - 1, 1, 2 * ROOM)
    assert (other["poison"], other["poison_dropped"]) == (1, 0)
    assert sum(letter.source == "spBv1.0/plant/press" for letter in dead_letters(world.db)) == ROOM
    assert counted(world.db)["poison_dropped"] == 2 * ROOM


def test_what_is_known_still_counts_up_when_its_source_has_no_room_and_dismissing_makes_room(
    world: World, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MOST_OF_ONE_SOURCE", 1)
    topic = f"devices/0/{world.device}/telemetry"
    deliver(world, poison(topic, 1), poison(topic, 2))
    assert deliver(world, poison(topic, 1))["poison"] == 1

    [letter] = dead_letters(world.db)
    assert letter.times == 2
    http.as_(world.admin).post(f"/dead-letters/{letter.id}/dismiss")
    assert deliver(world, poison(topic, 2))["poison"] == 1


def test_a_thousand_letters_of_one_source_are_kept_and_no_more(world: World) -> None:
    """The real bound, in batches as the ingest takes them."""
    topic = f"devices/0/{world.device}/telemetry"
    counts = [deliver(world, *[poison(topic, start + n) for n in range(510)]) for start in (0, 510)]

    assert [(count["poison"], count["poison_dropped"]) for count in counts] == [(510, 0), (490, 20)]


def test_letters_are_found_by_their_source_reason_and_state(world: World, office: Http, http: Http) -> None:
    mine, noise = f"devices/0/{world.device}/telemetry", "noise/1"
    deliver(world, poison(mine, 1), poison(mine, 2), poison(noise, 1))
    admin = http.as_(world.admin)

    def found(query: str) -> list[Any]:
        return [letter["topic"] for letter in office.get(f"/dead-letters?{query}")["items"]]

    assert found("source=noise") == [noise]
    assert found(f"source=devices/{world.device}") == [mine, mine]
    assert found("reason=topic_unknown") == [noise]
    admin.post(f"/dead-letters/{office.get('/dead-letters?source=noise')['items'][0]['id']}/dismiss")
    assert found("state=dismissed") == [noise]
    assert found("state=open&reason=topic_unknown") == []
    office.refused("GET", "/dead-letters?state=lost", 422, "validation_failed")


def test_an_operator_closes_all_letters_of_a_source_at_once_and_it_is_written_down(
    world: World, office: Http, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MOST_OF_ONE_SOURCE", 3)
    mine, source = f"devices/0/{world.device}/telemetry", f"devices/{world.device}"
    deliver(world, *[poison(mine, n) for n in range(5)], poison("noise/1", 1))
    admin = http.as_(world.admin)

    assert admin.post("/dead-letters/dismiss", {"source": source, "reason": "empty"}) == {"dismissed": 0}
    assert admin.post("/dead-letters/dismiss", {"source": source}) == {"dismissed": 3}
    assert [letter["topic"] for letter in admin.get("/dead-letters?state=open")["items"]] == ["noise/1"]
    [told] = admin.get("/history/dead_letters/dead_letters")["about"]
    assert (told["actor_id"], told["reason"]) == (world.admin, f"3 dead letters of {source} were closed as of no use.")
    assert deliver(world, poison(mine, 4))["poison"] == 1, "there is room again"

    office.refused("POST", "/dead-letters/dismiss", 403, "forbidden", {"source": source})
    admin.refused("POST", "/dead-letters/dismiss", 422, "validation_failed", {})
