"""The clock: aware instants only, and the database's own for leases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from app.core.clock import Clock, from_ms, to_ms
from app.core.db import Database, in_ms
from app.core.leases import ProcessBeat, beat


def test_the_clock_and_the_databases_clock_are_aware_and_agree(database_url: str) -> None:
    db = Database(database_url)
    before = datetime.now(UTC)
    with db.transaction() as session:
        found = db.clock.database_now(session)
    after = datetime.now(UTC)

    slack = timedelta(seconds=1)  # both are this machine's; the database may round
    assert found.utcoffset() == timedelta(0)
    assert before - slack <= found <= after + slack
    assert before <= db.clock.now()
    assert db.clock.now().tzinfo is UTC
    db.close()


def test_the_databases_clock_moves_within_a_transaction(database_url: str) -> None:
    """PostgreSQL's now() stands still until the commit; a lease judged by that would never end in a long transaction."""
    db = Database(database_url)
    with db.transaction() as session:
        first = Clock().database_now(session)
        while (later := Clock().database_now(session)) == first:
            pass
    assert later > first
    db.close()


def test_milliseconds_go_there_and_back_without_loss() -> None:
    for at_ms in (0, 1, 999, 1_772_416_800_123, 946_684_800_000, 4_102_444_799_999):
        assert to_ms(from_ms(at_ms)) == at_ms
    east = datetime(2026, 3, 2, 10, 0, tzinfo=timezone(timedelta(hours=8)))
    assert from_ms(to_ms(east)) == east


def test_instants_come_back_aware_and_equal_from_both_databases(db: Database) -> None:
    moment = datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    with db.transaction() as session:
        session.add(ProcessBeat(name="a", at=moment, facts={}))
    with db.reading() as session:
        found = session.scalars(select(ProcessBeat)).one().at

    assert found == moment
    assert found.utcoffset() == timedelta(0)


def test_a_naive_instant_does_not_reach_the_database(db: Database) -> None:
    def write() -> None:
        with db.transaction() as session:
            session.add(ProcessBeat(name="a", at=datetime(2026, 3, 2), facts={}))  # noqa: DTZ001 - the fault under test

    with pytest.raises(StatementError, match="naive"):
        write()


def test_a_process_beats_by_the_databases_clock_and_once(db: Database) -> None:
    for connected in (False, True):
        with db.transaction() as session:
            beat(session, "ingest-0", connected=connected)
    with db.reading() as session:
        [found] = session.scalars(select(ProcessBeat)).all()

    assert (found.at, found.facts) == (db.clock.now(), {"connected": True})


@pytest.mark.parametrize("micros", [0, 1, 499, 999, 123_456, 999_400, 999_499, 999_500, 999_600, 999_999])
def test_the_databases_milliseconds_are_those_of_python(database_url: str, micros: int) -> None:
    db = Database(database_url)
    at = datetime(2026, 3, 1, 23, 59, 59, micros, tzinfo=UTC)
    with db.transaction() as session:
        beat_row = ProcessBeat(name=f"beat-{micros}", at=at, facts={})
        session.add(beat_row)
        session.flush()
        told = session.scalar(select(in_ms(ProcessBeat.at)).where(ProcessBeat.name == beat_row.name))
        session.delete(beat_row)
    assert told == to_ms(at)
    db.close()
