"""What cannot be used is stored, counted and passed by: it never blocks, and after a fix it is stored once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from app.assets.models import Device, DeviceProfile, FaultCode
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.core.tracked import touch
from iot import alarms, store
from iot.ingest import Message, ingest_batch
from iot.models import DeadLetter, Telemetry
from tests.conftest import MONDAY_MORNING
from tests.factories import World, make_world
from tests.iot.vehicles import (
    DAY,
    Value,
    counted,
    dead_letters,
    deliver,
    latest,
    make_vehicle,
    message,
    offers,
    row_counts,
    send,
    values,
)
from tests.people import Http

TS = to_ms(MONDAY_MORNING)


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def telemetry(**changes: Any) -> bytes:
    return msgspec.json.encode({"ts": TS, "boot": "b", "seq": 1, "m": {"soh_pct": 74.9}} | changes)


POISON: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t ",
    "nan": b'{"ts": %d, "m": {"soh_pct": NaN}}' % TS,
    "infinity": b'{"ts": %d, "m": {"soh_pct": Infinity}}' % TS,
    "minus infinity": b'{"ts": %d, "m": {"soh_pct": -Infinity}}' % TS,
    "1e999": b'{"ts": %d, "m": {"soh_pct": 1e999}}' % TS,
    "six thousand digits": b'{"ts": %d, "m": {"soh_pct": %s}}' % (TS, b"9" * 6000),
    "deep": b"[" * 100_000,
    "deep and closed": b'{"ts": 1, "m": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
    "deep in an unknown field": telemetry(extra=1)[:-2] + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "100,000 keys": telemetry(m={f"k{i}": i for i in range(100_000)}),
    "1,000,000 keys": b'{"ts": %d, "m": {%s}}' % (TS, b",".join(b'"%d":1' % i for i in range(1_000_000))),
    "bad UTF-8": b'{"ts": %d, "m": {"\xff\xfe": 1}}' % TS,
    "bad UTF-8 in full": bytes(range(128, 256)),
    "UTF-16": telemetry().decode().encode("utf-16"),
    "lone surrogate": b'{"ts": %d, "m": {"\\ud800": 1}}' % TS,
    "NUL in a name": b'{"ts": %d, "m": {"a\\u0000b": 1}}' % TS,
    "NUL in the boot id": telemetry(boot="a\x00b"),
    "NUL in an unknown field": telemetry(**{"a\x00b": 1}),
    "NUL bytes": b"\x00" * 64,
    "a text for a number": telemetry(m={"soh_pct": "74.9"}),
    "true for a number": telemetry(m={"soh_pct": True}),
    "null for a number": telemetry(m={"soh_pct": None}),
    "a list for the values": telemetry(m=[74.9]),
    "no values": telemetry(m={}),
    "no time": b'{"m": {"soh_pct": 74.9}}',
    "time as text": telemetry(ts="2026-03-02T02:00:00Z"),
    "time in seconds": telemetry(ts=TS // 1000),
    "time in microseconds": telemetry(ts=TS * 1000),
    "negative number": telemetry(seq=-1),
    "a number beyond 64 bits": telemetry(seq=2**63),
    "a name of 61 characters": telemetry(m={"x" * 61: 1}),
    "unknown field": telemetry(spare=1),
    "an empty list": b"[]",
    "1,001 samples": b"[" + b",".join([telemetry()] * 1001) + b"]",
    "a bare number": b"74.9",
    "two documents": telemetry() + telemetry(),
    "cut short": telemetry()[:-3],
    "300 kB": b"x" * 300_000,
    "300 kB of JSON": telemetry(pad="x" * 300_000),
}
REASONS = {"empty", "not_json", "shape_invalid", "time_invalid", "text_invalid", "too_many_values", "too_large"}
REASONS |= {"topic_unknown", "id_invalid"}
ODD_TOPICS = {
    "no device": "devices/0//telemetry",
    "a shard that is no number": "devices/zero/device-0001/telemetry",
    "a shard of digits no machine reads": "devices/\u0661/device-0001/telemetry",
    "an unknown kind": "devices/0/device-0001/secrets",
    "too many parts": "devices/0/device-0001/telemetry/more",
    "another convention": "zigbee2mqtt/plug",
    "no convention": "hello",
    "a NUL": "devices/0/device\x0001/telemetry",
    "endless": "ovms/u/car/metric/" + "x" * 400,
    "an OVMS vehicle with an endless name": "ovms/" + "u" * 100 + "/" + "c" * 100 + "/metric/v/b/soh",
}


def received(world: World, payload: bytes, topic: str | None = None, retained: bool = False) -> Message:
    return Message(topic or f"devices/0/{world.device}/telemetry", payload, retained, to_ms(world.db.clock.now()))


def test_every_poison_is_a_dead_letter_with_a_reason_and_the_good_message_among_them_is_stored(world: World) -> None:
    assert len(POISON) >= 26
    good = message(world, world.device, Value(MONDAY_MORNING, 80.0, "good:1"))
    batch = [received(world, payload) for payload in POISON.values()]
    batch += [received(world, telemetry(), topic) for topic in ODD_TOPICS.values()]
    batch.insert(len(batch) // 2, good)

    counts = deliver(world, *batch)

    assert (counts["message"], counts["poison"], counts["reading"]) == (len(batch), len(batch) - 1, 1)
    assert latest(world.db, world.device) == (MONDAY_MORNING, 80.0)
    letters = dead_letters(world.db)
    assert len(letters) == len(batch) - 1
    assert {letter.reason for letter in letters} >= REASONS
    for letter in letters:
        assert letter.size >= len(letter.payload) > 0 or letter.reason == "empty"
        assert (letter.whole, len(letter.payload)) in {(True, letter.size), (False, 4096)}
        assert len(letter.detail) <= 300
    assert sum(not letter.whole for letter in letters) >= 3, "what is beyond the limit is kept by its head only"
    assert counted(world.db)["poison"] == len(letters)


@pytest.mark.parametrize("name", POISON)
def test_the_reason_of_a_poison_does_not_depend_on_the_database(sqlite_file: Path, name: str) -> None:
    """Pure: the adapter alone says no, in a stable word, and with nothing in the detail that a database could refuse."""
    from app.core.wire import WireError
    from iot.adapters import decode

    with pytest.raises(WireError) as refused:
        decode("devices/0/device-0001/telemetry", POISON[name], retained=False, received_ms=TS)

    assert refused.value.reason.isidentifier()
    assert len(refused.value.detail) <= 300


def test_the_same_poison_again_is_the_same_row_counted_up(world: World) -> None:
    for _ in range(2):
        counts = deliver(world, *[received(world, payload) for payload in POISON.values()])
        assert counts["poison"] == len(POISON)

    letters = dead_letters(world.db)
    assert len(letters) == len(POISON)
    assert {(letter.times, letter.reason == "not_storable") for letter in letters} == {(2, False)}


def test_poison_twice_in_one_batch_counts_twice_and_on_another_topic_it_is_another_row(world: World) -> None:
    deliver(world, received(world, b"x"), received(world, b"x"), received(world, b"x", f"devices/0/{world.device}/events"))

    assert sorted(letter.times for letter in dead_letters(world.db)) == [1, 2]


def test_a_batch_of_nothing_but_poison_does_not_touch_the_device(world: World) -> None:
    before = row_counts(world.db, without=("dead_letters", "ingest_counters"))

    deliver(world, *[received(world, payload) for payload in POISON.values()])

    assert row_counts(world.db, without=("dead_letters", "ingest_counters")) == before


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_messages_never_raise_and_never_take_a_good_one_with_them(world: World, seed: int) -> None:
    rng = random.Random(seed)
    batch, good = [], 0
    for n in range(120):
        payload = bytearray(telemetry(seq=n, ts=TS - n * 1000))
        if rng.random() < 0.3:
            good += 1
        else:
            payload[rng.randrange(4, len(payload))] = rng.choice(b'\x00\xff{}[]"\\,9')
        batch.append(received(world, bytes(payload)))

    counts = deliver(world, *batch)

    assert counts["message"] == 120
    assert counts["reading"] + counts["duplicate"] + counts["poison"] >= 120
    assert counts["reading"] >= good
    assert all(letter.reason != "not_storable" for letter in dead_letters(world.db))


def test_beyond_the_bound_poison_is_counted_as_dropped_and_what_is_known_still_counts_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MOST_DEAD_LETTERS", 3)
    counts = deliver(world, *[received(world, b"bad %d" % n) for n in range(5)])
    again = deliver(world, received(world, b"bad 0"))

    assert (counts["poison"], counts["poison_dropped"], again["poison"]) == (3, 2, 1)
    assert len(dead_letters(world.db)) == 3


def test_a_value_too_great_once_scaled_is_poison_and_the_device_goes_on(world: World) -> None:
    """As infinity it would have been stored on one database, refused by the other, and broken the next fold."""
    with world.db.transaction() as session:
        profile = session.get_one(DeviceProfile, world.profile)
        profile.metrics = {"soh_pct": {"unit": "%", "component": "battery_pack", "scale": 100.0}}
        touch(session, profile)

    counts = deliver(
        world, received(world, telemetry(m={"soh_pct": 1e308})), received(world, telemetry(m={"soh_pct": 0.8}, seq=2))
    )

    assert (counts["poison"], counts["reading"]) == (1, 1)
    assert [letter.reason for letter in dead_letters(world.db)] == ["number_out_of_range"]
    assert deliver(world, received(world, telemetry(m={"soh_pct": 0.7}, seq=3)))["reading"] == 1


# --- what only the database refuses ---


@contextmanager
def refusing(db: Database, key: str) -> Iterator[None]:
    """Plant a row that the database refuses: any reading whose message has this key."""
    if db.dialect == "postgresql":
        on = [f"ALTER TABLE telemetry ADD CONSTRAINT ck_planted CHECK (message_key <> '{key}')"]
        off = "ALTER TABLE telemetry DROP CONSTRAINT ck_planted"
    else:
        on = [
            f"CREATE TRIGGER planted BEFORE INSERT ON telemetry WHEN NEW.message_key = '{key}' "
            "BEGIN SELECT RAISE(ABORT, 'planted'); END"
        ]
        off = "DROP TRIGGER planted"
    with db.engine.begin() as connection:
        for statement in on:
            connection.execute(text(statement))
    try:
        yield
    finally:
        with db.engine.begin() as connection:
            connection.execute(text(off))


@pytest.mark.parametrize("position", [0, 6, 12])
def test_a_message_the_database_refuses_is_isolated_and_the_others_are_stored(world: World, position: int) -> None:
    good = values(MONDAY_MORNING - 11 * DAY, DAY, *[80.0] * 8, 74.9, 74.5, 74.1, 74.0)
    batch = [message(world, world.device, value) for value in good]
    bad = message(world, world.device, Value(MONDAY_MORNING, 73.0, "bad:1"))
    batch.insert(position, bad)

    with refusing(world.db, "bad:1"):
        counts = deliver(world, *batch)

    assert (counts["message"], counts["reading"], counts["poison"]) == (13, 12, 1)
    [letter] = dead_letters(world.db)
    assert (letter.reason, letter.payload, letter.times) == ("not_storable", bad.payload, 1)
    assert letter.detail.startswith("IntegrityError: ")
    assert [offer.state for offer in offers(world.db, world.pack)] == ["issued"]
    assert counted(world.db)["poison"] == 1
    assert counted(world.db)["message"] == 13, "each was counted once, however often it was tried"


def test_two_refused_messages_are_both_isolated(world: World) -> None:
    batch = [message(world, world.device, value) for value in values(MONDAY_MORNING - 9 * DAY, DAY, *[80.0] * 9)]
    other = make_vehicle(world, "other")
    bad = Value(MONDAY_MORNING, 73.0, "bad:1")
    batch[2:2] = [message(world, world.device, bad)]
    batch[7:7] = [message(world, other.device, bad)]

    with refusing(world.db, "bad:1"):
        counts = deliver(world, *batch)

    assert (counts["reading"], counts["poison"], len(dead_letters(world.db))) == (9, 2, 2)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer: nothing comes in between
def test_a_message_that_only_met_its_twin_is_not_buried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes got the same fault report: the second one's insert meets the unique key of the first's commit."""
    body = msgspec.json.encode({"ts": TS, "boot": "b", "seq": 1, "code": "P0A80"})
    report = received(world, body, f"devices/0/{world.device}/events")
    real, tries = Session.scalar, []

    def stale(self: Session, statement: Any, *args: Any, **kwargs: Any) -> Any:
        if "FROM fault_codes" in str(statement) and not tries:
            tries.append(1)
            deliver(world, report)  # the twin commits between the look and the write
            return None
        return real(self, statement, *args, **kwargs)

    monkeypatch.setattr(Session, "scalar", stale)
    counts = deliver(world, report)

    assert tries
    assert (counts["duplicate"], counts["poison"]) == (1, 0)
    assert dead_letters(world.db) == []
    with world.db.reading() as session:
        assert len(session.scalars(select(FaultCode)).all()) == 1


def test_a_fault_without_words_is_buried_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(alarms, "evaluate", fail)

    assert send(world, world.device, Value(MONDAY_MORNING, 80.0, "b:1"))["poison"] == 1
    assert [letter.detail for letter in dead_letters(world.db)] == ["ValueError: "]


# --- again, after a fix ---


def replay(admin: Http, expect: int = 200) -> list[dict[str, Any]]:
    """Replay every dead letter over HTTP; return how they stand now."""
    found = admin.get("/dead-letters", limit="200")["items"]
    return [admin.post(f"/dead-letters/{letter['id']}/replay", None, expect) for letter in reversed(found)]


def test_after_the_database_takes_it_again_a_replayed_message_is_stored_once(world: World, http: Http) -> None:
    admin = http.as_(world.admin)
    with refusing(world.db, "b:2"):
        send(world, world.device, *values(MONDAY_MORNING - 2 * DAY, DAY, 74.9, 74.5, 74.1))
        [still] = replay(admin)
        assert (still["state"], still["times"], still["reason"]) == ("open", 1, "not_storable")

    [now] = replay(admin)
    assert now["state"] == "replayed"
    [alarm_offer] = offers(world.db, world.pack)
    assert alarm_offer.state == "issued", "the third reading, late, completed the episode"

    replay(admin)
    with world.db.reading() as session:
        assert len(session.scalars(select(Telemetry)).all()) == 3
    assert len(offers(world.db, world.pack)) == 1


def test_the_log_tells_who_replayed_and_dismissed_which_letter(world: World, http: Http) -> None:
    admin = http.as_(world.admin)
    with refusing(world.db, "b:2"):
        send(world, world.device, *values(MONDAY_MORNING - 2 * DAY, DAY, 74.9, 74.5, 74.1))
        [letter] = replay(admin)
    replay(admin)
    for _ in range(2):
        admin.post(f"/dead-letters/{letter['id']}/dismiss")

    entries = http.as_(world.manager).get(f"/history/dead_letter/{letter['id']}")["about"]
    assert [(entry["kind"], entry["actor_id"]) for entry in entries] == [
        ("dead_letter.refused_again", world.admin),
        ("dead_letter.replayed", world.admin),
        ("dead_letter.dismissed", world.admin),
    ]
    assert entries[2]["because_of"] == [entries[1]["id"]]
    assert all(letter["topic"] in entry["reason"] for entry in entries)
    assert "a value in it cannot be stored" in entries[0]["reason"]
    http.as_(world.rep).refused("GET", f"/history/dead_letter/{letter['id']}", 404, "not_found")


def test_after_the_device_is_registered_where_it_speaks_its_messages_are_stored_once_each(world: World, http: Http) -> None:
    found = values(MONDAY_MORNING - 3 * DAY, DAY, 80.0, 81.0, 82.0)
    wrong = [message(world, world.device, value)._replace(topic=f"devices/7/{world.device}/telemetry") for value in found]
    deliver(world, *wrong)
    assert {letter.reason for letter in dead_letters(world.db)} == {"wrong_shard"}

    with world.db.transaction() as session:
        session.execute(update(Device).where(Device.id == world.device).values(shard=7))
    admin = http.as_(world.admin)

    assert [letter["state"] for letter in replay(admin)] == ["replayed"] * 3
    assert [letter["state"] for letter in replay(admin)] == ["replayed"] * 3
    with world.db.reading() as session:
        assert sorted(session.scalars(select(Telemetry.value))) == [80.0, 81.0, 82.0]
    assert latest(world.db, world.device) == (found[-1].at, 82.0)


def test_a_replayed_message_keeps_the_time_of_its_first_arrival(world: World, http: Http) -> None:
    """Else a clock that was ahead would look right a week later."""
    with refusing(world.db, "b:0"):
        send(world, world.device, Value(MONDAY_MORNING + DAY, 80.0, "b:0"))
    first_arrival = to_ms(MONDAY_MORNING)
    world.db.clock.advance(days=7)  # type: ignore[attr-defined]

    replay(http.as_(world.admin))

    with world.db.reading() as session:
        [row] = session.scalars(select(Telemetry)).all()
    assert (row.received_ms, row.ahead) == (first_arrival, True)


def test_still_poison_it_is_open_again(world: World, http: Http) -> None:
    deliver(world, received(world, b"not json"))

    [letter] = replay(http.as_(world.admin))

    assert (letter["state"], letter["times"], letter["reason"]) == ("open", 1, "not_json")


def test_of_what_was_too_long_only_the_head_was_kept_so_it_cannot_be_replayed(world: World, http: Http) -> None:
    deliver(world, received(world, POISON["300 kB"]))
    admin = http.as_(world.admin)
    [letter] = admin.get("/dead-letters")["items"]

    assert (letter["whole"], letter["size"]) == (False, 300_000)
    admin.refused("POST", f"/dead-letters/{letter['id']}/replay", 409, "not_replayable")
    assert [row.state for row in dead_letters(world.db)] == ["open"]


def test_only_an_administrator_replays_and_an_unknown_letter_is_not_found(world: World, http: Http) -> None:
    deliver(world, received(world, b"not json"))
    [letter] = http.as_(world.manager).get("/dead-letters")["items"]

    http.as_(world.manager).refused("POST", f"/dead-letters/{letter['id']}/replay", 403, "forbidden")
    http.as_(world.rep).refused("GET", "/dead-letters", 403, "forbidden")
    http.as_(world.admin).refused("POST", "/dead-letters/no-such-letter/replay", 404, "not_found")


def test_people_see_the_reason_and_a_readable_head_of_every_poison(world: World, http: Http) -> None:
    deliver(world, *[received(world, payload) for payload in POISON.values()])

    shown = http.as_(world.admin).get("/dead-letters?limit=200")["items"]

    assert len(shown) == len(POISON)
    assert all("\x00" not in letter["head"] and len(letter["head"]) <= 8000 and letter["reason"] for letter in shown)


# --- a database that is away is no poison ---


def test_a_database_that_is_away_raises_and_nothing_is_lost(world: World, tmp_path: Path, settings: Settings) -> None:
    batch = world.telemetry(74.9, 74.5, 74.1)
    away = Database(
        f"sqlite:///{tmp_path}/no/such/folder/x.db"
        if world.db.dialect == "sqlite"
        else "postgresql://nobody@127.0.0.1:1/nothing",
        world.db.clock,
    )
    with pytest.raises(OperationalError):
        ingest_batch(away, settings, batch)
    away.close()

    assert deliver(world, *batch)["reading"] == 3
    assert dead_letters(world.db) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no connection that could break
@pytest.mark.parametrize("statement", ["INSERT INTO telemetry", "INSERT INTO device_latest", "INSERT INTO ingest_counters"])
def test_a_connection_that_breaks_in_the_middle_of_a_batch_raises_and_the_same_batch_is_stored_later(
    world: World, statement: str
) -> None:
    broken = []

    def cut(connection: Any, _cursor: Any, sent: str, *_: Any) -> None:
        if statement in sent and not broken:
            broken.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
            with world.db.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": broken[0]})

    event.listen(world.db.engine, "before_cursor_execute", cut)
    batch = world.telemetry(74.9, 74.5, 74.1)
    with pytest.raises(OperationalError):
        deliver(world, *batch)
    assert broken
    assert row_counts(world.db)["telemetry"] == row_counts(world.db)["dead_letters"] == 0

    assert deliver(world, *batch)["reading"] == 3
    assert len(offers(world.db, world.pack)) == 1
    event.remove(world.db.engine, "before_cursor_execute", cut)


@pytest.mark.parametrize("kind", ["InterfaceError", "OperationalError"])
def test_faults_of_the_connection_are_never_taken_for_faults_of_a_message(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    import sqlalchemy.exc

    fault: type[DBAPIError] = getattr(sqlalchemy.exc, kind)

    def fail(*_: object) -> None:
        raise fault("statement", {}, Exception("the connection is closed"))

    with monkeypatch.context() as patch:
        patch.setattr(store, "note_presence", fail)
        with pytest.raises(fault):
            send(world, world.device, Value(MONDAY_MORNING, 80.0, "b:1"))

    assert dead_letters(world.db) == []
    assert send(world, world.device, Value(MONDAY_MORNING, 80.0, "b:1"))["reading"] == 1


def test_while_a_letter_cannot_be_written_either_the_batch_raises(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is acknowledged: better to stand still than to drop."""

    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("statement", {}, Exception("planted"))

    monkeypatch.setattr(store, "insert_new", fail)
    monkeypatch.setattr(store, "bury", fail)

    with pytest.raises(IntegrityError):
        send(world, world.device, Value(MONDAY_MORNING, 80.0, "b:1"))
    with world.db.reading() as session:
        assert session.scalars(select(DeadLetter)).all() == []


@pytest.mark.parametrize("kind", ["telemetry/battery", "status", "events/", "commands", "commands/a/b", "responses"])
def test_a_message_below_a_device_in_no_known_form_becomes_a_dead_letter(world: World, kind: str) -> None:
    [letter_of_nothing, letter] = [b"", telemetry()]
    for payload in (letter_of_nothing, letter):
        deliver(world, Message(f"devices/0/{world.device}/{kind}", payload, False, TS))

    assert [found.reason for found in dead_letters(world.db)] == ["topic_unknown"] * 2


def last_heard(world: World) -> Any:
    """Return when the device was heard last."""
    with world.db.engine.connect() as connection:
        return connection.execute(text("SELECT max(heard_ms) FROM device_presence")).scalar()


def test_our_own_command_that_comes_back_says_nothing(world: World) -> None:
    counts = deliver(world, Message(f"devices/0/{world.device}/commands/command-1", b'{"do": "report_now"}', False, TS))

    assert (+counts, dead_letters(world.db)) == (Counter(message=1), [])
    assert last_heard(world) is None


def test_a_replay_that_fails_again_is_not_counted_as_another_message(world: World, http: Http) -> None:
    bad = Message(f"devices/0/{world.device}/telemetry", b"not json", False, TS)
    deliver(world, bad)
    deliver(world, bad)
    [letter] = dead_letters(world.db)

    http.as_(world.admin).post(f"/dead-letters/{letter.id}/replay")

    [after] = dead_letters(world.db)
    assert (after.state, after.times) == ("open", 2)
