"""Datums: where a phone in a Chinese datum is, inside the country, at its borders, and beyond them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.core.geo import Position, distance_m
from app.positions.datum import Datum, Placed, from_wgs84, to_wgs84
from app.positions.regions import Region, region_of

SHIFTED = frozenset({Region.MAINLAND, Region.HONG_KONG, Region.MACAO})

# Published pairs: from the tests of eviltransform and of gcoord (both MIT).
PAIRS = {
    "Shanghai": (Position(31.1774276, 121.5272106), Datum.GCJ02, Position(31.17530398364597, 121.531541859215)),
    "Beijing": (Position(39.911954, 116.377817), Datum.GCJ02, Position(39.91334545536069, 116.38404722455657)),
    "Zhumadian": (Position(33.0133556, 114.0164322), Datum.BD09, Position(33.0176697, 114.0287781)),
    "Xingtai": (Position(37.0700925, 114.498916), Datum.BD09, Position(37.0766797, 114.5113116)),
}

# A town at the border and its neighbour abroad, in WGS-84.
NEIGHBOURS = {
    "Dandong and Sinuiju": (Position(40.1237, 124.3850), Position(40.1006, 124.3986)),
    "Heihe and Blagoveshchensk": (Position(50.2450, 127.5000), Position(50.2900, 127.5300)),
    "Manzhouli and Zabaikalsk": (Position(49.5980, 117.3790), Position(49.6510, 117.3270)),
    "Ruili and Muse": (Position(24.0128, 97.8517), Position(23.9870, 97.9000)),
    "Dongxing and Mong Cai": (Position(21.5500, 107.9720), Position(21.5250, 107.9680)),
    "Hekou and Lao Cai": (Position(22.5300, 103.9570), Position(22.4800, 103.9700)),
    "Tumen and Namyang": (Position(42.9680, 129.8430), Position(42.9450, 129.8620)),
    "Erenhot and Zamyn-Uud": (Position(43.6530, 111.9770), Position(43.7300, 111.9000)),
    "Zhangmu and Kodari": (Position(27.9990, 85.9830), Position(27.9500, 85.9400)),
    "Suifenhe and Pogranichny": (Position(44.3960, 131.1510), Position(44.4080, 131.3830)),
}
FAR_ABROAD = {
    "Seoul": Position(37.5665, 126.9780),
    "Hanoi": Position(21.0285, 105.8542),
    "Tokyo": Position(35.6812, 139.7671),
    "Ulaanbaatar": Position(47.9184, 106.9177),
    "Taipei": Position(25.0375, 121.5637),
    "Kaohsiung": Position(22.6273, 120.3014),
    "Kinmen": Position(24.4340, 118.3500),
}
SPECIAL = {
    Region.HONG_KONG: Position(22.3193, 114.1694),
    Region.MACAO: Position(22.1987, 113.5439),
}


@pytest.mark.parametrize("name", PAIRS)
def test_published_pairs_are_met_in_both_directions(name: str) -> None:
    true, datum, shown = PAIRS[name]

    assert distance_m(to_wgs84(shown, datum, SHIFTED).position, true) <= 1
    assert distance_m(from_wgs84(true, datum, SHIFTED), shown) <= 1


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_border_town_is_shifted_and_its_neighbour_is_not(name: str, datum: Datum) -> None:
    here, abroad = NEIGHBOURS[name]
    shown = from_wgs84(here, datum, SHIFTED)

    assert (region_of(here), region_of(abroad)) == (Region.MAINLAND, Region.ELSEWHERE)
    assert 50 < distance_m(here, shown) < 2_000
    assert distance_m(to_wgs84(shown, datum, SHIFTED).position, here) <= 1
    assert from_wgs84(abroad, datum, SHIFTED) == abroad
    assert abroad in to_wgs84(abroad, datum, SHIFTED)[:2]


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
@pytest.mark.parametrize("name", FAR_ABROAD)
def test_nothing_is_shifted_where_maps_are_true(name: str, datum: Datum) -> None:
    assert to_wgs84(FAR_ABROAD[name], datum, SHIFTED) == Placed(FAR_ABROAD[name])
    assert from_wgs84(FAR_ABROAD[name], datum, SHIFTED) == FAR_ABROAD[name]


@pytest.mark.parametrize("region", SPECIAL)
def test_whether_hong_kong_and_macao_are_shifted_is_a_setting(region: Region) -> None:
    place = SPECIAL[region]
    shown = from_wgs84(place, Datum.GCJ02, SHIFTED)

    assert region_of(place) is region
    assert distance_m(place, shown) > 300
    assert distance_m(to_wgs84(shown, Datum.GCJ02, SHIFTED).position, place) <= 1
    assert to_wgs84(place, Datum.GCJ02, SHIFTED - {region, Region.MAINLAND}) == Placed(place)


@settings(max_examples=300)
@given(lat=some.floats(18.2, 53.5), lon=some.floats(73.6, 134.7), datum=some.sampled_from([Datum.GCJ02, Datum.BD09]))
def test_what_a_map_shows_is_found_again_wherever_that_is(lat: float, lon: float, datum: Datum) -> None:
    place = Position(lat, lon)
    found = to_wgs84(from_wgs84(place, datum, SHIFTED), datum, SHIFTED)

    # Within the shift from a border both may be; one of them is.
    assert min(distance_m(one, place) for one in found[:2] if isinstance(one, Position)) <= 1


def test_a_true_position_stays_what_it_is_and_an_unknown_datum_is_never_guessed() -> None:
    beijing = PAIRS["Beijing"][0]

    assert to_wgs84(beijing, Datum.WGS84, SHIFTED) == Placed(beijing)
    assert to_wgs84(beijing, Datum.UNKNOWN, SHIFTED) == Placed(beijing, is_known=False)


def test_a_datum_taken_for_another_one_is_farther_off_than_a_fence() -> None:
    for true, datum, shown in PAIRS.values():
        assert distance_m(to_wgs84(shown, Datum.WGS84, SHIFTED).position, true) > 200, datum
