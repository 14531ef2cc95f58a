"""What the bench says of the ingest, of rules and of Node-RED: its loads are what it says, and it sees what is lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.settings import read_settings
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.documents import read_document
from app.rules.models import Rule
from app.rules.parts import Context
from bench import beside, node_red, reads, rule_load, setups
from bench.figures import Aim
from bench.fleet import fill
from bench.ingest import CHOICES
from bench.load import METRICS, Traffic
from bench.probe import Probe
from bench.rule_load import MORE, RULES, documents
from bench.stored import SAYS, START_MS, History, put
from iot.adapters import decode
from iot.ingest import Message, ingest_batch
from iot.models import Telemetry
from iot.rule_trials import try_out

DEVICES = ["bench-road-0000", "bench-road-0001"]


def test_an_aim_is_met_at_its_very_value() -> None:
    assert [Aim(least=0.5).verdict(value) for value in (0.49, 0.5, 9.0)] == ["**no**", "yes", "yes"]
    assert [Aim(most=50).verdict(value) for value in (0.0, 50.0, 50.1)] == ["yes", "yes", "**no**"]
    assert (Aim(least=200_000).text(), Aim(most=50).text(), Aim().text(), Aim().verdict(1)) == (">= 200,000", "<= 50", "", "")


def test_the_hundred_rules_are_ten_different_ones_of_each_kind() -> None:
    made = [(kind, document) for step in range(RULES // len(DETECTORS)) for kind, document in documents(step).items()]

    assert len(made) == RULES
    assert {kind for kind, _ in made} == set(DETECTORS)
    assert len({json.dumps(document, sort_keys=True) for _, document in made}) == RULES
    assert all(read_document(document).detector == kind for kind, document in made)


def test_the_traffic_of_the_hundred_rules_moves_all_of_them_and_raises_none() -> None:
    made = Traffic(DEVICES, START_MS, 15_000, MORE).take(1_000)
    told = [Reading(r.at_ms, r.message_key, r.value, r.device_id, r.metric) for one in made for r in one.readings]
    mine = [reading for reading in told if reading.device_id == DEVICES[0]]

    for step in (0, 9):
        for kind, raw in documents(step).items():
            if kind == "silence":
                continue
            document = read_document(raw)
            read = sorted(reading for reading in mine if reading.metric in document.metrics)
            folded = DETECTORS[kind](State(), read, document.settings(Context()), read[-1].at_ms)
            assert read
            assert not folded.episodes, kind
            assert folded.state.last is not None, kind


def test_traffic_over_two_shards_names_the_shard_in_the_topic_and_changes_nothing_else() -> None:
    one, two = (Traffic(DEVICES, START_MS, shards=shards).take(4) for shards in (1, 2))

    assert [made.topic.split("/")[1] for made in two] == ["0", "1", "0", "1"]
    assert [(made.payload, made.readings) for made in one] == [(made.payload, made.readings) for made in two]


def test_further_metrics_of_a_message_are_stored_as_expected() -> None:
    [made] = Traffic(DEVICES, START_MS, more=MORE).take(1)
    [sample] = decode(made.topic, made.payload, retained=False, received_ms=START_MS + 60_000)

    assert set(sample.values) == {*METRICS, *MORE}
    assert {reading.metric: reading.value for reading in made.readings} == sample.values
    assert sample.values["odometer_km"] == 10_000.001
    assert 22.4 <= sample.values["lat_deg"] <= 22.6


def test_a_history_is_in_the_order_of_time_and_of_the_size_it_says() -> None:
    history = History(DEVICES, tuple(SAYS), 50, 60_000)
    rows = list(history.rows())

    assert len(rows) == len({(row.device_id, row.message_key, row.metric) for row in rows}) == history.count(tuple(SAYS))
    assert [row.at_ms for row in rows] == sorted(row.at_ms for row in rows)
    assert max(row.at_ms for row in rows) < history.until_ms
    assert history.count(("soh_pct", "not measured")) == 100
    assert sorted(row for row in map(tuple_of, rows) if row[0] == DEVICES[1] and row[2] == "soh_pct") == sorted(
        map(tuple_of, history.of(1, ("soh_pct",)))
    )
    assert history.message(0, 49) == [row for row in rows if row.device_id == DEVICES[0] and row.message_key.endswith(":49")]


def tuple_of(row: Any) -> tuple[Any, ...]:
    return row.device_id, row.message_key, row.metric, row.at_ms, row.value


def test_a_trial_looks_at_every_reading_that_was_put_into_the_table(db: Database) -> None:
    settings = read_settings(database_url="sqlite:///unused.db")
    fleet = fill(db, settings)
    history = History(fleet.road[:5], tuple(SAYS), 30, 60_000)
    before = reads.size_of(db)
    put(db, history.rows())
    document = read_document(documents(0)["condition"])

    with db.reading() as session:
        found = try_out(
            session, document, settings.time_zone, since=from_ms(START_MS), until=from_ms(history.until_ms), most_readings=10**9
        )
        stored = session.scalars(select(Telemetry.value).where(Telemetry.device_id.in_(history.devices))).all()

    assert found.readings == history.count(document.metrics) == 5 * 30 * 2
    assert sorted(stored) == sorted(row.value for row in history.rows())
    assert reads.size_of(db) > before


def test_a_wrong_answer_about_a_device_is_seen() -> None:
    history = History(DEVICES, METRICS, 400, 600_000)
    latest, newest, range_of, alarms = reads.questions(history)
    rows = history.message(1, 399)
    told = [{"metric": row.metric, "value": row.value} for row in rows]

    assert latest.right(1, {"items": told})
    assert not latest.right(0, {"items": told})
    assert not latest.right(1, {"items": told[1:]})
    assert newest.right(1, {"items": told[:1] * 100})
    assert not newest.right(1, {"items": told[:1] * 99})
    inside = 72 * 6 if history.each > 72 * 6 else history.each
    assert range_of.right(1, {"rollups": [{"n": inside - 5}, {"n": 5}]})
    assert not range_of.right(1, {"rollups": [{"n": inside - 5}]})
    assert not alarms.right(1, {"items": []})


def test_every_set_up_has_a_name_of_its_own_and_both_ways_to_read_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({choice.name for choice in CHOICES}) == len(CHOICES) == 8
    assert {choice.socket for choice in CHOICES} == set(setups.SOCKETS)
    for choice in CHOICES:
        monkeypatch.setenv("FIELDLOOP_MQTT_SOCKET", choice.socket)
        assert read_settings(database_url="sqlite:///unused.db").mqtt_socket == choice.socket


@pytest.mark.parametrize("url", ["sqlite:////tmp/bench.db", "postgresql+psycopg://me@/bench?host=/tmp/sockets"])
def test_the_flow_of_node_red_is_whole_and_leads_from_the_broker_to_the_insert(url: str) -> None:
    nodes = {node["id"]: node for node in node_red.flow(1884, url)}
    reached, following = set(), ["in"]
    while following:
        name = following.pop()
        reached.add(name)
        following += [after for output in nodes[name]["wires"] for after in output if after not in reached]

    assert nodes[nodes["in"]["broker"]]["cleansession"] is False
    assert nodes["in"]["qos"] == "1"
    assert {"json", "threshold", "reading", "alarm"} <= reached
    stores = [name for name in reached if "INSERT" in json.dumps(nodes[name])]
    assert len(stores) == 2


def test_node_reds_client_of_postgresql_is_told_where_the_server_is() -> None:
    found = node_red.postgres_words("postgresql+psycopg://me@/bench?host=/tmp/sockets&port=5433")

    assert found == {"PGHOST": "/tmp/sockets", "PGPORT": "5433", "PGDATABASE": "bench", "PGUSER": "me"}
    assert node_red.postgres_words("sqlite:////tmp/bench.db") == {}


@pytest.fixture
def side(tmp_path: Path) -> Iterator[beside.Side]:
    url = f"sqlite:///{tmp_path / 'theirs.db'}"
    node_red.make_tables(url)
    with Probe(url) as probe:
        keys = ("SELECT device_id, message_key FROM readings", ())
        yield beside.Side(0, probe, keys, lambda: 0, lambda: 0, lambda: None, None)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("stored", "expected"), [([0, 1, 2], (0, 0)), ([0, 2], (1, 0)), ([0, 1, 1, 2], (0, 1)), ([1, 1], (2, 1))]
)
def test_what_a_side_lost_or_stored_twice_is_counted(
    side: beside.Side, tmp_path: Path, stored: list[int], expected: tuple[int, int]
) -> None:
    sent = Traffic(DEVICES, START_MS).take(3)
    with sqlite3.connect(tmp_path / "theirs.db") as link:
        for number in stored:
            device_id, key, *_ = sent[number].readings[0]
            link.execute("INSERT INTO readings (device_id, message_key) VALUES (?, ?)", (device_id, key))

    assert beside.compare(side, sent) == expected


def test_the_storm_raises_every_rule_once_and_a_rule_that_looks_away_is_seen(db: Database) -> None:
    settings = read_settings(database_url="sqlite:///unused.db")
    fleet = rule_load.fill_rules(settings, db, many=True)
    present_ms = to_ms(db.clock.now())
    traffic = Traffic(fleet.road[:2], present_ms - 3 * 3_600_000, 30_000, MORE)
    calm, wild = traffic.take(200), rule_load.storm(fleet.road[0], traffic.at_ms)
    url = db.engine.url.render_as_string(hide_password=False)

    ingest_batch(db, settings, [Message(one.topic, one.payload, False, present_ms) for one in calm])
    with Probe(url) as probe:
        assert probe.rows("SELECT count(*) FROM alarms") == [(0,)]
        ingest_batch(db, settings, [Message(one.topic, one.payload, False, present_ms) for one in wild])
        assert rule_load.raised_wrongly(probe, fleet, fleet.road[0]) == []
        assert rule_load.raised_wrongly(probe, fleet, fleet.road[1]) == ["alarms of other devices than the one of the storm"]
    with db.transaction() as session:
        session.execute(update(Rule).where(Rule.code == "fence-3").values(enabled=False))
    with Probe(url) as probe:
        faults = rule_load.raised_wrongly(probe, fleet, fleet.road[0])
    assert faults[0] == "99 rules are on instead of 100"
