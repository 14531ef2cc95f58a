"""Ids: UUIDv7 as RFC 9562 has it, growing within a process, and a form that every client can make."""

from __future__ import annotations

import time
import uuid

import pytest

import app.core.ids
from app.core import wire
from app.core.ids import new_id
from tests.races.together import together


@pytest.fixture(autouse=True)
def fresh_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the ids other tests made; they may have made them in the future."""
    monkeypatch.setattr(app.core.ids, "_last", 0)


def test_an_id_is_a_uuid_of_version_7_with_the_present_time_in_it() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_later_ids_sort_later_even_within_one_tick_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = time.time_ns() + 10**9
    monkeypatch.setattr(app.core.ids.time, "time_ns", lambda: moment)

    made = [new_id() for _ in range(5000)]

    assert made == sorted(made)
    assert len(set(made)) == 5000


def test_a_clock_that_goes_back_does_not_make_ids_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(app.core.ids.time, "time_ns", lambda: 1_000_000_000)

    assert new_id() > first


def test_threads_never_make_the_same_id_and_each_sees_its_own_grow() -> None:
    made = together(*[lambda: [new_id() for _ in range(2000)]] * 8)

    assert len({one for ids in made for one in ids}) == 16_000
    assert all(ids == sorted(ids) for ids in made)


def test_our_ids_and_those_of_client_databases_pass_and_others_do_not() -> None:
    for good in (new_id(), "a1B2c3D4e5F6g7H8", "rxdb_0.1-2", "12345678"):
        assert wire.check_id(good) == good
    for bad in ("short", "x" * 37, "with blank here", "ümlaut-abc", "semi;colon1", "", None, 12345678, "newline-abc\n"):
        with pytest.raises(wire.WireError) as refused:
            wire.check_id(bad)
        assert refused.value.reason == "id_invalid"
