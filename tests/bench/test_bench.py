"""The benchmark's own arithmetic and frames; the measurements themselves only on request (BENCH_SMOKE=1)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench import __main__ as command
from bench.figures import Table, percentile, short, spread
from bench.lab import ROOT
from bench.load import METRICS, Traffic, message
from bench.mqtt import BrokerFault, connect_frame, count_acks, publish_frame, publish_frames, remaining_length
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


def test_sections_are_chosen_by_name() -> None:
    assert command.sections("writers, ingest") == ["ingest", "writers"]
    with pytest.raises(command.argparse.ArgumentTypeError):
        command.sections("ingest,all")


@pytest.mark.skipif(os.environ.get("BENCH_SMOKE") != "1", reason="measures for minutes; BENCH_SMOKE=1 runs it")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("section", list(command.SECTIONS))
def test_a_section_runs_and_loses_nothing(section: str, tmp_path: Path) -> None:
    report = tmp_path / "bench.md"
    words = [sys.executable, "-m", "bench", "--quick", "--only", section, "--out", str(report)]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every message was stored exactly once." in report.read_text()
