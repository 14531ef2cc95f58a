"""docs/quality.md and its Chinese twin: whole or untouched, one content in two languages, and red where we fall short."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

from app.core.geo import Position
from app.core.locales import EN, LOCALES, ZH
from app.positions.regions import Region
from app.rules.detectors import Folded
from evaluation import batteries, cars, datums, machines, page, trends, wire
from evaluation.__main__ import main
from evaluation.borders import NEIGHBOURS, SPECIAL, Place
from evaluation.page import PAGES, PARTS
from evaluation.tables import Section
from tests.evaluation import published

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEADINGS = {locale: [part.headings[locale] for part in PARTS] for locale in LOCALES}


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of each table, without the line below its head."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.M)
    return [[row.strip("| ").split(" | ") for row in rows.splitlines() if not row.startswith("| ---")] for rows in found]


def numbers(text: str) -> list[str]:
    return re.findall(r"[-+]?\d+(?:\.\d+)?", text)


def line(section: Section, table: int, name: str) -> list[str]:
    return next(row for row in tables(section.texts[EN])[table] if row[0] == name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for write in (published.datums, published.cells, published.cars, published.machines):
        write(tmp_path)
    return tmp_path


def test_without_data_each_section_says_what_it_needs_and_the_pages_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in ([], [str(tmp_path)]):
        assert main(argv, tmp_path) == 0
        said = capsys.readouterr().out
        for part in PARTS:
            assert f"{part.headings[EN]}: skipped, needs {', '.join(part.needs)}" in said
    assert list(tmp_path.iterdir()) == []


def test_with_some_of_the_data_some_sections_are_told_and_the_pages_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    assert main([str(published.datums(tmp_path / "public"))], docs) == 0
    said = capsys.readouterr().out

    assert "## Datums" in said
    assert "Machines: skipped, needs machines_pdm" in said
    assert list(docs.iterdir()) == []


def test_a_section_that_cannot_run_here_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "find_mosquitto", lambda: None)
    for name in ("mqtt_ovms", "mqtt_teslamate", "mqtt_sparkplug", "battery_nasa"):
        (tmp_path / name).mkdir()

    reasons = {part.headings[EN]: reason for part, reason in page.judge(tmp_path).skipped}
    assert reasons["Messages of other makers' devices"] == "mosquitto is not installed (apt install mosquitto)"


def test_both_pages_are_written_with_their_day_machine_and_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = [part for part in PARTS if all((folder / name).is_dir() for name in part.needs)]
    monkeypatch.setattr(page, "PARTS", there)
    docs = folder / "docs"
    docs.mkdir()

    assert main([str(folder)], docs) == 0
    capsys.readouterr()
    for locale, name in PAGES.items():
        text = (docs / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (.*)$", text, re.M) == [part.headings[locale] for part in there]
        assert re.search(r"20\d\d-\d\d-\d\d", text)
        assert "`python -m evaluation <folder>`" in text
        assert re.search(r"\d x .*Python 3\.\d+\.\d+", text)


@pytest.mark.parametrize("judged", [batteries.judged, trends.judged, cars.judged, machines.judged, datums.judged])
def test_the_figures_are_the_same_in_both_languages(folder: Path, judged: object) -> None:
    section = judged(folder)  # type: ignore[operator]
    english, chinese = (tables(section.texts[locale]) for locale in (EN, ZH))

    assert english
    assert [[[numbers(cell) for cell in row] for row in rows[1:]] for rows in english] == [
        [[numbers(cell) for cell in row] for row in rows[1:]] for rows in chinese
    ]
    assert [[len(row) for row in rows] for rows in english] == [[len(row) for row in rows] for rows in chinese]
    assert not section.wrong


@pytest.mark.parametrize("locale", LOCALES)
def test_the_pages_that_are_kept_have_every_section_in_its_order(locale: str) -> None:
    text = (DOCS / PAGES[locale]).read_text(encoding="utf-8")

    assert re.findall(r"^## (.*)$", text, re.M) == HEADINGS[locale]
    assert "python -m evaluation <folder>" in text


def test_the_figures_of_the_kept_pages_are_the_same_in_both_languages() -> None:
    english, chinese = (tables((DOCS / PAGES[locale]).read_text(encoding="utf-8")) for locale in (EN, ZH))

    assert len(english) == len(chinese)
    for ours, theirs in zip(english, chinese, strict=True):
        assert [len(row) for row in ours] == [len(row) for row in theirs], ours[0]
        # The examples of what a person reads are sentences, whose numbers stand where each language has them.
        sentences = "as an example" in ours[0][-1]
        for row, twin in zip(ours[1:], theirs[1:], strict=True):
            told, again = (one[:-1] if sentences else one for one in (row, twin))
            assert [numbers(cell) for cell in told] == [numbers(cell) for cell in again]


def test_a_cell_that_falls_is_raised_on_the_day_of_the_definition(folder: Path) -> None:
    section = batteries.judged(folder)

    assert line(section, 0, "falls")[:5] == ["falls", "180", "151", "153", "153"]
    assert line(section, 0, "stays")[2:5] == ["–", "–", "–"]


def test_a_detector_that_never_raises_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(batteries.DETECTORS, "threshold", lambda state, *_: Folded(state, ()))
    section = batteries.judged(folder)

    assert section.wrong
    assert line(section, 0, "falls")[7] == "1"


def test_public_pairs_are_met_within_the_aim_in_both_directions(folder: Path) -> None:
    ways = tables(datums.judged(folder).texts[EN])[0][1:]

    assert [row[0] for row in ways[:4]] == ["GCJ-02 → WGS-84", "BD-09 → WGS-84", "WGS-84 → GCJ-02", "WGS-84 → BD-09"]
    assert all(row[1] == "2" and 0 < float(row[3]) <= datums.AIM_M and row[5] == "0" for row in ways[:4])
    assert [row[3] for row in ways[4:]] == ["0.000", "0.000"]


def test_a_pair_that_is_off_by_more_than_the_aim_is_seen_and_named(tmp_path: Path) -> None:
    name, lat, *rest = published.PAIRS[1]
    section = datums.judged(published.datums(tmp_path, (published.PAIRS[0], (name, lat + 3e-5, *rest))))

    assert section.wrong
    row = line(section, 0, "GCJ-02 → WGS-84")
    assert row[4:] == [name, "1"]
    assert 2 < float(row[3]) < 5


def test_a_case_that_contradicts_the_formula_is_told_and_not_counted(folder: Path) -> None:
    section = datums.judged(folder)
    row = line(section, 1, "`bd-1`")

    assert not section.wrong
    assert 10 < float(row[2]) < 11
    assert 10 < float(row[4]) < 11
    assert row[5] == "contradicts the formula"
    assert "not counted: `bd-1`" in section.texts[EN].replace("\n", " ")
    assert [line(section, 1, name)[5] for name in ("`shanghai`", "`outside-china`")] == ["met", "met"]


def test_a_case_that_the_formula_meets_and_we_do_not_is_counted(tmp_path: Path) -> None:
    *told, lat, lon, allowed = published.SHANGHAI
    section = datums.judged(published.datums(tmp_path, cases=[(*told, lat + 3e-6, lon, allowed)]))

    assert section.wrong
    assert line(section, 1, "`shanghai`")[5] == "MISSED"


def test_a_shift_beyond_the_border_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As programs do that shift inside a box around the country.
    monkeypatch.setattr("app.positions.datum.region_of", lambda _: Region.MAINLAND)
    section = datums.judged(folder)

    assert section.wrong
    assert {row[-1] for row in tables(section.texts[EN])[2][1:]} == {"NO"}
    special = {row[0]: row[-1] for row in tables(section.texts[EN])[3][1:]}
    assert (special["Taipei"], special["Tai Po"], special["Dadeng, Xiamen"]) == ("NO", "NO", "yes")


def test_a_town_that_is_not_shifted_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.positions.datum.region_of", lambda _: Region.ELSEWHERE)

    assert datums.judged(folder).wrong


@pytest.mark.parametrize("place", [*chain(*NEIGHBOURS), *SPECIAL], ids=lambda place: place.names[EN])
def test_every_stated_place_is_shifted_where_its_region_is_named_and_nowhere_else(place: Place) -> None:
    everywhere = datums.shift_at(place, frozenset(Region) - {Region.ELSEWHERE})
    nowhere = datums.shift_at(place, frozenset())

    assert everywhere.right
    assert nowhere.right
    assert min(everywhere.shown_m.values()) > 50 or place.region is Region.ELSEWHERE
    assert max(nowhere.shown_m.values()) == 0


def test_nearer_to_the_border_than_the_shift_one_of_both_readings_is_the_place() -> None:
    # Musan, across the river from the mainland (GeoNames, CC BY 4.0): its numbers taken for BD-09 would lie in the mainland.
    musan = Place({EN: "Musan", ZH: "茂山"}, Position(42.22609, 129.20776), Region.ELSEWHERE)
    shift = datums.shift_at(musan, {Region.MAINLAND})

    assert shift.either
    assert shift.right
    assert shift.back_m == 0
