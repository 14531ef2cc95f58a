"""The second assumption: whatever writes a tracked row, it gets its transaction's number, and numbers commit in order."""

from __future__ import annotations

import ast
import itertools
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.orm import Session

import app.core.db
import app.tables
from app.assets.models import Component
from app.core.db import TRACKED, Base, ChangeCounter, Database, insert_once, last_change, mark_touched, now
from app.core.ids import new_id
from app.core.scopes import ScopeEntry
from app.core.settings import Settings
from app.core.tracked import FieldMark, Tracked, add, touch, transition
from app.stations import operations as stations
from app.stations.models import PartStock
from app.work_orders.models import StationTask
from iot.models import Alarm
from tests.factories import PART, make_world
from tests.races.together import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
WRITERS = 4
TRANSACTIONS = 25
TRACKED_MODELS = {mapper.class_.__name__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Tracked)}


def component(serial: str) -> Component:
    return Component(serial=serial, kind="battery_pack", part_no=PART)


def row_of(session: Session, serial: str) -> dict[str, Any]:
    """Return the values of a component for a Core insert."""
    present = now(session)
    return {
        "id": new_id(),
        "serial": serial,
        "kind": "battery_pack",
        "part_no": PART,
        "version": 1,
        "created_at": present,
        "updated_at": present,
    }


def numbers_of(db: Database, *serials: str) -> list[int | None]:
    with db.reading() as session:
        found = dict(session.execute(select(Component.serial, Component.change_no)).all())
    return [found[serial] for serial in serials]


def counter(db: Database) -> int:
    with db.reading() as session:
        return last_change(session)


def unstamped(db: Database) -> dict[str, int]:
    """Count the tracked rows without a number, by table; none at rest."""
    with db.reading() as session:
        found = {
            name: session.scalar(select(func.count()).select_from(table).where(table.c.change_no.is_(None)))
            for name, table in Base.metadata.tables.items()
            if name in TRACKED
        }
    return {name: n for name, n in found.items() if n}


def highest(db: Database) -> int:
    """Return the highest number on any row."""
    with db.reading() as session:
        return max(
            session.scalar(select(func.max(table.c.change_no))) or 0
            for name, table in Base.metadata.tables.items()
            if name in TRACKED
        )


# --- every kind of write is stamped with the number of its transaction ---


def test_rows_written_through_the_orm_get_the_number_of_their_transaction(db: Database) -> None:
    with db.transaction() as session:
        first = add(session, component("a"))
        add(session, component("b"))
    assert numbers_of(db, "a", "b") == [1, 1]

    with db.transaction() as session:
        row = session.get_one(Component, first.id)
        row.part_no = "OTHER"
        touch(session, row)

    assert numbers_of(db, "a", "b") == [2, 1]
    assert counter(db) == 2


def test_a_row_written_many_times_in_one_transaction_draws_one_number(db: Database) -> None:
    with db.transaction() as session:
        row = add(session, component("a"))
        for part_no in ("x", "y", "z"):
            row.part_no = part_no
            touch(session, row)

    assert (numbers_of(db, "a"), counter(db)) == ([1], 1)


def test_core_inserts_updates_and_insert_once_are_stamped(db: Database) -> None:
    with db.transaction() as session:
        session.execute(insert(Component), [row_of(session, name) for name in "abc"])
    assert numbers_of(db, *"abc") == [1, 1, 1]

    with db.transaction() as session:
        session.execute(update(Component).where(Component.serial.in_(["a", "b"])).values(part_no="bulk"))
    assert numbers_of(db, *"abc") == [2, 2, 1]

    with db.transaction() as session:
        table = Component.__table__
        session.execute(update(table).where(table.c.serial == "c").values(part_no="by table"))
    assert numbers_of(db, *"abc") == [2, 2, 3]

    with db.transaction() as session:
        assert insert_once(session, Component, **row_of(session, "d"))
        assert not insert_once(session, Component, **row_of(session, "a"))
    assert numbers_of(db, *"abcd") == [2, 2, 3, 4]


def test_bulk_methods_of_the_session_are_stamped(db: Database) -> None:
    with db.transaction() as session:
        session.execute(insert(Component), [row_of(session, "a")])
        session.bulk_save_objects([Component(**row_of(session, "b"))])
        session.bulk_insert_mappings(Component.__mapper__, [row_of(session, "c")])
    assert numbers_of(db, *"abc") == [1, 1, 1]

    with db.transaction() as session:
        ids = dict(session.execute(select(Component.serial, Component.id)).all())
        session.bulk_update_mappings(Component.__mapper__, [{"id": ids[name], "part_no": "bulk", "version": 1} for name in "ab"])
    assert numbers_of(db, *"abc") == [2, 2, 1]


def test_a_guarded_transition_is_stamped_and_so_is_everything_a_batch_of_telemetry_leads_to(
    db: Database, settings: Settings
) -> None:
    world = make_world(db, settings)
    before = counter(db)
    world.report(74.9, 74.5, 74.1)

    assert counter(db) == before + 1 == highest(db)
    assert unstamped(db) == {}
    with db.reading() as session:
        [task] = session.scalars(select(StationTask)).all()
        [alarm] = session.scalars(select(Alarm)).all()
        assert task.change_no == alarm.change_no == before + 1

    with db.transaction() as session:
        transition(session, session.get_one(StationTask, task.id), "accepted")
    with db.reading() as session:
        assert session.get_one(StationTask, task.id).change_no == before + 2


def test_counting_parts_with_a_guarded_update_is_stamped(db: Database, settings: Settings) -> None:
    world = make_world(db, settings)
    before = counter(db)

    with db.transaction() as session:
        assert stations.reserve_part(session, world.stations[0], PART)

    with db.reading() as session:
        stock = session.scalars(select(PartStock).where(PartStock.station_id == world.stations[0])).one()
        assert (stock.reserved, stock.change_no) == (1, before + 1)


def test_driver_calls_are_stamped_when_they_say_what_they_touched(db: Database) -> None:
    with db.transaction() as session:
        session.execute(insert(Component), [row_of(session, "a")])
    with db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE components SET part_no = 'raw', change_no = NULL")
        mark_touched(session, ["components"])

    assert numbers_of(db, "a") == [2]


def test_a_statement_that_goes_past_the_registry_would_leave_its_rows_without_a_number(db: Database) -> None:
    """Why the architecture test below exists: the door cannot see into text."""
    with db.transaction() as session:
        session.execute(insert(Component), [row_of(session, "a")])
    with db.transaction() as session:
        session.execute(text("UPDATE components SET part_no = 'raw', change_no = NULL"))

    assert unstamped(db) == {"components": 1}


def test_every_tracked_table_clears_its_number_on_update_and_has_an_index_on_it() -> None:
    tables = [table for name, table in Base.metadata.tables.items() if name in TRACKED]

    assert len(tables) > 15
    assert {mapper.class_.__tablename__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Tracked)} == TRACKED - {
        # Stamped like a row, held by no phone.
        FieldMark.__tablename__,
        ScopeEntry.__tablename__,
    }
    for table in tables:
        assert table.c.change_no.onupdate is not None, table.name
        assert any(next(iter(index.columns)).name == "change_no" for index in table.indexes), table.name


# --- what draws a number and what does not ---


def test_a_rollback_stamps_nothing_and_draws_nothing(db: Database) -> None:
    with db.transaction() as session:
        add(session, component("a"))

    def fail() -> None:
        with db.transaction() as session:
            add(session, component("b"))
            session.execute(update(Component).values(part_no="gone"))
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError):
        fail()
    with db.reading() as session:
        assert session.execute(select(Component.serial, Component.part_no, Component.change_no)).all() == [("a", PART, 1)]
    assert counter(db) == 1


def test_a_fault_while_committing_stamps_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_session: Session) -> None:
        raise RuntimeError("planted")

    def write() -> None:
        with db.transaction() as session:
            add(session, component("a"))

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", fail)
        with pytest.raises(RuntimeError):
            write()

    assert counter(db) == 0
    assert highest(db) == 0


def test_what_touches_nothing_tracked_draws_no_number(db: Database) -> None:
    from app.core.leases import beat

    with db.transaction() as session:
        beat(session, "a process")
    with db.transaction() as session:
        session.scalar(select(func.count()).select_from(Component))
    with db.transaction():
        pass

    assert counter(db) == 0


def test_the_next_transaction_on_the_same_connection_does_not_inherit_what_was_touched(database_url: str) -> None:
    db = Database(database_url, pool_size=1)

    def fail() -> None:
        with db.transaction() as session:
            add(session, component("a"))
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError):
        fail()
    with db.transaction() as session:
        session.scalar(select(func.count()).select_from(Component))

    assert counter(db) == 0
    db.close()


def test_the_number_is_drawn_by_the_last_statements_before_the_commit(db: Database) -> None:
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda c, cur, statement, *_: seen.append(statement))

    with db.transaction() as session:
        add(session, component("a"))
        session.execute(update(Component).values(part_no="x"))

    first = next(i for i, statement in enumerate(seen) if "change_counter" in statement)
    assert first > 0
    assert all("change_counter" in statement or "SET change_no" in statement for statement in seen[first:])


# --- numbers become visible in their own order ---


class Harness:
    """Writers that change rows in transactions of random length, and one puller that must see every change."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db, self.random = db, random.Random(seed)
        self.written: dict[str, int] = {}
        self.pulled: dict[str, int] = {}
        self.cursor = 0
        self.lock = threading.Lock()
        self.nudge = threading.Event()
        self.done = threading.Event()

    def write(self, seed: int) -> None:
        """One writer: new rows, changes to its own older ones, and a rollback now and then."""
        rng = random.Random(seed)
        mine: dict[str, int] = {}
        for n in range(TRANSACTIONS):
            changed: dict[str, int] = {}
            try:
                with self.db.transaction() as session:
                    row = add(session, component(f"{seed}-{n}"))
                    changed[row.id] = 1
                    self.dawdle(rng)
                    for old in rng.sample(sorted(mine), min(len(mine), 2)):
                        values = {"part_no": str(n), "version": Component.version + 1}
                        session.execute(update(Component).where(Component.id == old).values(**values))
                        changed[old] = mine[old] + 1
                    self.dawdle(rng)
                    if rng.random() < 0.1:
                        raise RuntimeError("planted")
            except RuntimeError:
                continue
            mine |= changed
            self.nudge.set()
        with self.lock:
            self.written |= mine

    def dawdle(self, rng: random.Random) -> None:
        """Make this transaction last a while; ends at once when the harness ends."""
        self.done.wait(rng.choice([0, 0.001, 0.004]))

    def pull(self) -> None:
        """Take what changed since the cursor, counter and rows in one snapshot."""
        with self.db.reading() as session:
            upto = last_change(session)
            rows = session.execute(select(Component.id, Component.version).where(Component.change_no > self.cursor)).all()
        self.pulled.update(dict(rows))
        self.cursor = upto

    def run(self) -> set[str]:
        """Let them run and return the rows whose last version was never pulled."""
        seeds = [self.random.randrange(10**6) for _ in range(WRITERS)]
        writers = [threading.Thread(target=self.write, args=(seed,)) for seed in seeds]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            self.nudge.wait(0.5)
            self.nudge.clear()
            self.pull()
        for writer in writers:
            writer.join(PATIENCE_S)
        self.done.set()
        self.pull()
        assert self.written, "the writers wrote nothing"
        return {row_id for row_id, version in self.written.items() if self.pulled.get(row_id) != version}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_puller_that_reads_counter_and_rows_in_one_snapshot_misses_nothing(db: Database, seed: int) -> None:
    assert Harness(db, seed).run() == set()
    assert unstamped(db) == {}


@contextmanager
def numbers_drawn_early(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plant what a sequence does: numbers are drawn when a transaction begins, and commit in whatever order."""
    sequence = itertools.count(1)
    drawn = threading.local()
    begin = Database.transaction

    @contextmanager
    def transaction(self: Database) -> Iterator[Session]:
        drawn.number = next(sequence)
        with begin(self) as session:
            yield session

    def stamp(session: Session) -> int:
        session.execute(update(Component).where(Component.change_no.is_(None)).values(change_no=drawn.number))
        greatest = func.greatest if session.get_bind().dialect.name == "postgresql" else func.max
        session.execute(update(ChangeCounter).values(n=greatest(ChangeCounter.n, drawn.number)))
        return int(drawn.number)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", transaction)
        patch.setattr(app.core.db, "stamp_changes", stamp)
        yield


def test_the_same_harness_finds_what_a_plain_sequence_would_lose(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with numbers_drawn_early(monkeypatch):
        missed = Harness(db, seed=3).run()

    assert missed, "the harness cannot fail, so it proves nothing"


def test_a_puller_never_sees_a_number_before_a_smaller_one_has_been_committed(db: Database) -> None:
    """The same without chance: a slow writer that began first and a quick one that commits in between."""
    began, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with db.transaction() as session:
            if db.dialect == "postgresql":  # SQLite has one writer at a time, so there the quick one goes first
                add(session, component("slow"))
            began.set()
            may_commit.wait(PATIENCE_S)
            if db.dialect == "sqlite":
                add(session, component("slow"))

    def quick() -> None:
        with db.transaction() as session:
            add(session, component("quick"))

    writer = threading.Thread(target=slow)
    if db.dialect == "sqlite":
        quick()
        writer.start()
        began.wait(PATIENCE_S)
    else:
        writer.start()
        began.wait(PATIENCE_S)
        quick()
    cursor = counter(db)
    may_commit.set()
    writer.join(PATIENCE_S)

    [slow_number, quick_number] = numbers_of(db, "slow", "quick")
    assert (quick_number, cursor, slow_number) == (1, 1, 2)


# --- nothing goes past the door ---

RAW = re.compile(r"\b(?:exec_driver_sql|text)\(\s*f?([\"'].*)")


def raw_writes(source: str, writes: Callable[[str], bool]) -> list[str]:
    return [found.group(1) for found in RAW.finditer(source) if writes(found.group(1))]


def writes_to_tracked(statement: str) -> bool:
    words = re.search(r"\b(insert\s+into|update|delete\s+from|truncate|copy)\s+[\"{]?(\w+)", statement, re.IGNORECASE)
    return bool(words) and (words.group(2) in TRACKED or "{" in statement)


def test_no_raw_sql_writes_to_a_tracked_table_outside_the_door() -> None:
    found = {
        str(path.relative_to(ROOT)): raw
        for folder in ("app", "iot", "push", "offline_sync", "demo")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (raw := raw_writes(path.read_text(), writes_to_tracked))
    }

    assert set(found) <= {"app/core/db.py"}, found


def test_the_search_for_raw_sql_finds_what_it_must() -> None:
    bad = [
        'session.execute(text("UPDATE components SET part_no = 1"))',
        "connection.exec_driver_sql(f'DELETE FROM {name}')",
        'text("insert into alarms (id) values (1)")',
    ]

    assert [len(raw_writes(line, writes_to_tracked)) for line in bad] == [1, 1, 1]
    assert not raw_writes('text("SELECT n FROM change_counter")', writes_to_tracked)


def upserted(source: str) -> set[str]:
    """Return the names that a module with an ON CONFLICT DO UPDATE in it hands to what makes an INSERT."""
    if "on_conflict_do_update" not in source:
        return set()
    makers = {"insert_into", "insert", "make", "_upsert", "_Bulk"}
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and ast.unparse(node.func) in makers]
    return {argument.id for call in calls for argument in call.args if isinstance(argument, ast.Name)}


def test_upserts_are_used_on_untracked_tables_only() -> None:
    """ON CONFLICT DO UPDATE does not clear change_no, so a tracked row it changed would never be stamped."""
    found = {
        name
        for folder in ("app", "iot", "push", "offline_sync")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in upserted(path.read_text())
    }

    assert {"DeviceLatest", "ProcessBeat", "RegistrationToken"} <= found
    assert found & TRACKED_MODELS == set()
    assert upserted("def f(session):\n  insert_into(session, Alarm).on_conflict_do_update()") & TRACKED_MODELS == {"Alarm"}


def test_deleting_a_tracked_row_for_good_is_nowhere_in_the_product() -> None:
    """A row that is gone has no number to pull; what phones hold becomes a tombstone instead."""
    deleted = re.compile(r"\bdelete\((\w+)\)|\.delete\((\w+)\)")
    found = {
        (str(path.relative_to(ROOT)), name)
        for folder in ("app", "iot", "push", "offline_sync")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for hit in deleted.finditer(path.read_text())
        if (name := hit.group(1) or hit.group(2)) in TRACKED_MODELS
    }

    assert found == set()
    assert deleted.search("session.execute(delete(Component))").group(1) in TRACKED_MODELS
