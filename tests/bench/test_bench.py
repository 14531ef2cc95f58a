"""The benchmark's own arithmetic and frames; the measurements themselves only on request (BENCH_SMOKE=1)."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from app.core.db import Database, draw_number
from app.core.scopes import ScopeEntry, fill_scopes
from app.customers.models import Customer, Site
from bench import __main__ as command
from bench.figures import Table, percentile, short, spread
from bench.filled import change, fill
from bench.goals import QUICK, WHOLE, Found, Goal, goals
from bench.lab import ROOT
from bench.load import METRICS, Traffic, message
from bench.mqtt import BrokerFault, connect_frame, count_acks, publish_frame, publish_frames, remaining_length
from bench.phone import Phone
from bench.rows import GROUP, Rows
from iot.adapters import decode


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (1, 1.0), (50, 50.0), (50.5, 51.0), (99, 99.0), (99.5, 100.0), (100, 100.0)]
)
def test_a_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7.0], percent) for percent in (0, 50, 99, 100)] == [7.0] * 4


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_a_percentile_of_nothing_is_refused(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, percent)


def test_figures_keep_about_three_digits() -> None:
    assert [short(value) for value in (0.123, 9.876, 12.34, 123.4, 12345.6)] == ["0.12", "9.88", "12.3", "123", "12,346"]
    assert spread([30.0, 10.0, 20.0]) == "10.0 / 20.0 / 30.0"


def test_a_table_is_markdown() -> None:
    table = Table("Speed", ("what", "value"), [("a|b", "1")], ["a note"])

    assert table.markdown() == "## Speed\n\n| what | value |\n| --- | --- |\n| a\\|b | 1 |\n\n- a note\n"


# MQTT 3.1.1, table 2.4
@pytest.mark.parametrize(
    ("size", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_a_length_is_written_as_the_standard_says(size: int, encoded: str) -> None:
    assert remaining_length(size).hex() == encoded


@pytest.mark.parametrize("size", [-1, 268_435_456])
def test_a_length_no_packet_can_have_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        remaining_length(size)


def test_frames_are_those_of_the_standard() -> None:
    assert connect_frame("me").hex(" ") == "10 0e 00 04 4d 51 54 54 04 02 00 3c 00 02 6d 65"
    assert publish_frame("a/b", b"hi", 10).hex(" ") == "32 09 00 03 61 2f 62 00 0a 68 69"


@pytest.mark.parametrize("packet_id", [0, 65_536])
def test_a_packet_id_that_does_not_exist_is_refused(packet_id: int) -> None:
    with pytest.raises(ValueError, match="packet id"):
        publish_frame("a", b"", packet_id)


def test_packet_ids_go_round_without_the_zero() -> None:
    frames = publish_frames([("t", b"")] * 65_537)

    assert [int.from_bytes(frames[i][5:7], "big") for i in (0, 65_534, 65_535)] == [1, 65_535, 1]


def test_acknowledgements_are_counted_however_they_arrive() -> None:
    stream, counted, rest = bytes.fromhex("40020001" * 5), 0, b""
    for start in range(0, len(stream), 3):
        found, rest = count_acks(rest + stream[start : start + 3])
        counted += found

    assert (counted, rest) == (5, b"")
    with pytest.raises(BrokerFault):
        count_acks(bytes.fromhex("4002000130020000"))


def test_the_product_reads_the_messages_as_they_are_expected_to_be_stored() -> None:
    made = Traffic(["bench-road-0001", "bench-road-0002"], 1_772_416_800_000).take(4)

    for one in made:
        [sample] = decode(one.topic, one.payload, retained=False, received_ms=1_772_416_900_000)
        assert {(reading.message_key, reading.at_ms) for reading in one.readings} == {(sample.key, sample.at_ms)}
        assert {reading.metric: reading.value for reading in one.readings} == sample.values
        assert 145 <= len(one.payload) <= 160
    assert len({reading[:3] for one in made for reading in one.readings}) == 4 * len(METRICS)
    assert [one.readings[0].at_ms for one in made] == sorted(one.readings[0].at_ms for one in made)


def test_a_message_under_another_root_differs_in_nothing_else() -> None:
    one, other = (message("bench-road-0001", 3, 1_772_416_800_000, {"soh_pct": 80.5}, root) for root in ("devices", "through"))

    assert len(one.topic) == len(other.topic)
    assert one.payload == other.payload
    assert msgspec.json.decode(one.payload)["m"] == {"soh_pct": 80.5}


def test_the_same_seed_makes_the_same_rows_and_another_seed_others() -> None:
    dealt = [("territory-1", "rep-1"), ("territory-2", "rep-2")]
    made = Rows(dealt, 7).take(400)

    assert made == Rows(dealt, 7).take(400)
    assert made["customers"][0] == next(Rows(dealt, 7).groups(1)).customer
    others = Rows(dealt, 8).take(400)
    assert not {row["id"] for rows in made.values() for row in rows} & {row["id"] for rows in others.values() for row in rows}
    # Whoever changes the rows changes every figure that was measured with them.
    assert (
        hashlib.sha256(msgspec.json.encode(made)).hexdigest()
        == "735c769d81e4f23b852fec66bd2693e2ce431280e63d0a7fab6234217157c442"
    )


def test_rows_are_as_the_description_says() -> None:
    made = Rows([("territory-1", "rep-1")]).take(5_000)
    stamps = {"created_at": 1_772_416_800_000, "updated_at": 1_772_416_800_000}
    size = sum(len(msgspec.json.encode(row | stamps)) + 1 for rows in made.values() for row in rows)
    names = [row["name"] for row in made["customers"]]

    assert (len(made["customers"]), len(made["sites"])) == (500, 4_500)
    assert len({row["id"] for rows in made.values() for row in rows}) == 5_000
    assert 190 <= size / 5_000 <= 215
    assert 0.4 <= sum(name.isascii() for name in names) / len(names) <= 0.6
    assert {row["customer_id"] for row in made["sites"]} == {row["id"] for row in made["customers"]}


def test_a_filled_database_has_the_scope_entries_the_product_computes(db: Database) -> None:
    filled = fill(db, rows=600, areas=3, idle_areas=1, entries=2_000)
    with db.reading() as session:
        before = {(e.scope, e.collection, e.row_id, e.gone) for e in session.scalars(select(ScopeEntry))}
        mine = session.scalars(select(Customer.id).where(Customer.owner_id == filled.reps[0])).all()

    with db.engine.execution_options(fieldloop_writes=True).begin() as connection:
        fill_scopes(connection, draw_number(connection))

    with db.reading() as session:
        assert {(e.scope, e.collection, e.row_id, e.gone) for e in session.scalars(select(ScopeEntry))} == before
    assert len(before) == filled.entries >= 2_000
    assert len(mine) * GROUP == filled.mine == 200
    assert sum(map(len, filled.delta.values())) == 100
    assert len(filled.delta) == 12


def test_a_changed_row_gets_a_number_above_all_that_were_filled_in(db: Database) -> None:
    filled = fill(db, rows=200, areas=1)
    with db.reading() as session:
        before = max(session.scalars(select(ScopeEntry.change_no)).all(), default=0) or 0
    change(db, {Site: filled.delta[Site]})

    with db.reading() as session:
        moved = session.scalars(select(ScopeEntry.row_id).where(ScopeEntry.change_no > before)).all()
    assert set(moved) == set(filled.delta[Site])


def test_a_goal_names_both_databases_where_they_differ() -> None:
    assert Goal("a", "a", (10, 15)).text() == "<= 10 / <= 15"
    assert Goal("a", "a", (40, 40)).text() == "<= 40"
    assert Goal("a", "a", None, (8000, 1000)).text() == ">= 8,000 / >= 1,000"
    assert Goal("a", "a").text() == ""


def test_a_missed_goal_is_bold_and_judged_by_the_median() -> None:
    most, least = Goal("a", "a", (10, 15)), Goal("b", "b", None, (8000, 1000))

    assert most.cell("sqlite", [9.0, 10.0, 30.0]) == "10.0 (9.00 - 30.0)"
    assert most.cell("sqlite", [9.0, 11.0, 30.0]) == "**11.0 (9.00 - 30.0)**"
    assert most.cell("postgresql", [11.0]) == "11.0"
    assert least.cell("sqlite", [7000.0]) == "**7,000**"
    assert least.cell("postgresql", [7000.0]) == "7,000"
    assert least.cell("postgresql", []) == "-"


def test_every_figure_has_a_name_of_its_own() -> None:
    for sizes in (QUICK, WHOLE):
        assert len({goal.key for goal in goals(sizes)}) == len({goal.label for goal in goals(sizes)}) == len(goals(sizes))


def test_a_difference_is_a_fault() -> None:
    found = Found()
    found.check("rows", 3, 3)
    found.check("rows", 2, 3)

    assert found.faults == ["rows: 2 instead of 3"]


@pytest.mark.parametrize("chunked", [False, True])
def test_the_phone_counts_bytes_as_they_come_over_the_wire(chunked: bool) -> None:
    empty = {"created": [], "updated": [], "deleted": []}
    rows = {"customers": empty | {"updated": [{"id": "a"}, {"id": "b"}]}, "sites": empty | {"deleted": ["c"]}}
    plain = msgspec.json.encode({"changes": rows, "timestamp": 7, "has_more": False, "next_page": None})
    packed = gzip.compress(plain)
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(packed)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n" + length + b"\r\n\r\n"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed) if chunked else packed
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            link = server.accept()[0]
            with link:
                asked.append(link.recv(65_536))
                link.sendall(head + body)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with Phone(server.getsockname()[1], "token", "phone-1") as phone:
            pulled = phone.pull()
        thread.join(5)

    assert b"Accept-Encoding: gzip\r\n" in asked[0]
    assert b"last_pulled_at=0" in asked[0]
    assert (pulled.head_bytes, pulled.body_bytes, pulled.plain_bytes) == (len(head), len(packed), len(plain))
    assert (pulled.count, pulled.removed, phone.cursor) == (2, 1, 7)


@pytest.mark.parametrize("peer", ["peer", "peer_node_red"])
def test_the_lock_file_of_a_peer_names_no_registry(peer: str) -> None:
    locked = json.loads((ROOT / "bench" / peer / "package-lock.json").read_text())

    assert len(locked["packages"]) > 100
    assert not any("resolved" in package for package in locked["packages"].values())
    # What a package brings within itself is covered by that package's own digest.
    assert all("integrity" in package or package.get("inBundle") for path, package in locked["packages"].items() if path)


def test_sections_are_chosen_by_name() -> None:
    assert command.sections("writers, ingest") == ["ingest", "writers"]
    with pytest.raises(command.argparse.ArgumentTypeError):
        command.sections("ingest,all")


@pytest.mark.skipif(os.environ.get("BENCH_SMOKE") != "1", reason="measures for minutes; BENCH_SMOKE=1 runs it")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("section", list(command.SECTIONS))
def test_a_section_runs_and_loses_nothing(section: str, tmp_path: Path) -> None:
    report = tmp_path / "bench.md"
    words = [sys.executable, "-m", "bench", "--quick", "--only", section, "--out", str(report)]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=880, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every message and every row was stored exactly once." in report.read_text()
