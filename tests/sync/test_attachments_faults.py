"""Crashes, races and full disks while bytes are kept, and what is forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.attachments import files
from app.attachments.uploads import Uploads
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import JOBS
from tests.conftest import SetClock
from tests.factories import World
from tests.sync.attachments import (
    SQLITE_ONLY,
    TEXT,
    PhoneOf,
    begin,
    download,
    kept_files,
    offset_of,
    pushed,
    row_of,
    send,
    sha,
    stored,
    tus,
)

# --- crashes, races, forgetting ---


def test_two_uploads_of_the_same_bytes_at_once_are_one_file(
    world: World, phone: PhoneOf, db: Database, settings: Settings
) -> None:
    people = [phone(user) for user in (world.rep, world.owner, world.manager, world.admin)]
    rows = [pushed(each, row_of(world, TEXT, f"attachment-000{n}")) for n, each in enumerate(people)]
    for each, row in zip(people, rows, strict=True):
        begin(each.person, row)
    gate = threading.Barrier(len(people))

    def last(n: int) -> int:
        gate.wait()
        return tus(people[n].person, "PATCH", f"/uploads/{rows[n]['id']}", TEXT, Upload_Offset="0").status_code

    with ThreadPoolExecutor(len(people)) as pool:
        assert list(pool.map(last, range(len(people)))) == [204] * len(people)

    assert kept_files(settings) == {sha(TEXT)}
    for each, row in zip(people, rows, strict=True):
        assert download(each, row["id"]).data == TEXT


def test_killed_between_rename_and_commit_no_row_says_stored_and_the_upload_is_finished_later(
    world: World, phone: PhoneOf, db: Database, settings: Settings, tmp_path: Path
) -> None:
    """Planted: the row is committed before the rename; the part is removed before the commit."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    (tmp_path / "body").write_bytes(TEXT)
    script = Path(__file__).parent / "upload_that_dies.py"
    arguments = [settings.database_url, str(settings.var_dir), world.rep, row["id"], str(tmp_path / "body")]
    root = Path(__file__).parents[2]

    died = subprocess.run(
        [sys.executable, str(script), *arguments], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )

    assert died.returncode == -9
    assert kept_files(settings) == {sha(TEXT)}
    assert stored(db, row["id"]).state == "waiting"
    assert offset_of(rep.person, row["id"]) == len(TEXT)
    assert stored(db, row["id"]).state == "stored"
    assert download(rep, row["id"]).data == TEXT
    assert list((settings.var_dir / "uploads").iterdir()) == []


def test_a_fault_at_any_step_leaves_no_stored_row_without_its_bytes(
    world: World, phone: PhoneOf, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the row is committed before the rename."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    path = f"/uploads/{row['id']}"
    with monkeypatch.context() as planted:
        planted.setattr(files.Path, "replace", full)
        assert tus(rep.person, "PATCH", path, TEXT, Upload_Offset="0").status_code == 507
    assert stored(db, row["id"]).state == "waiting"
    with monkeypatch.context() as planted:
        planted.setattr(files, "sync_folder", full)
        assert tus(rep.person, "HEAD", path).status_code == 507
    assert stored(db, row["id"]).state == "waiting"

    assert offset_of(rep.person, row["id"]) == len(TEXT)
    assert stored(db, row["id"]).state == "stored"


@SQLITE_ONLY
def test_a_full_disk_is_507_and_the_part_stays_as_it_was(world: World, phone: PhoneOf, monkeypatch: pytest.MonkeyPatch) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[:1000], Upload_Offset="0")

    with monkeypatch.context() as planted:
        planted.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        answer = tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[1000:2000], Upload_Offset="1000")

    assert (answer.status_code, answer.json["code"]) == (507, "storage_full")
    assert offset_of(rep.person, row["id"]) == 1000


def test_forgetting_takes_old_parts_and_bytes_nothing_needs_and_nothing_else(
    world: World, phone: PhoneOf, db: Database, settings: Settings, clock: SetClock
) -> None:
    """Planted: parts are forgotten at any age; a file goes with the first of its rows."""
    [job] = [job for job in JOBS if job.id == "forget_old_rows"]
    rep, office = phone(world.rep), phone(world.manager)
    send(rep.person, pushed(rep, row_of(world, TEXT)), TEXT)
    send(office.person, pushed(office, row_of(world, TEXT, "attachment-0002")), b"")
    other = TEXT + b"more"
    waiting = pushed(rep, row_of(world, other, "attachment-0003"))
    begin(rep.person, waiting)
    tus(rep.person, "PATCH", "/uploads/attachment-0003", other[:70], Upload_Offset="0")
    orphan = settings.var_dir / "attachments" / "ab" / ("ab" + "0" * 62)
    orphan.parent.mkdir()
    orphan.write_bytes(b"left by a crash")
    part = settings.var_dir / "uploads" / "attachment-0003.part"
    now_s = clock.now().timestamp()

    os.utime(part, (now_s - 6.9 * 86400,) * 2)
    job.work(db, settings)
    assert part.exists()
    assert kept_files(settings) == {sha(TEXT)}

    rep.sync()
    rep.delete("attachments", "attachment-0001")
    rep.sync()
    clock.advance(seconds=1)
    os.utime(part, (now_s - 7.1 * 86400,) * 2)
    job.work(db, settings)
    assert not part.exists()
    assert kept_files(settings) == {sha(TEXT)}
    assert download(office, "attachment-0002").data == TEXT

    office.sync()
    office.delete("attachments", "attachment-0002")
    office.sync()
    clock.advance(seconds=1)
    job.work(db, settings)
    assert kept_files(settings) == set()
    assert tus(rep.person, "HEAD", "/uploads/attachment-0003").status_code == 404
    assert begin(rep.person, waiting).headers["Upload-Offset"] == "0"


@SQLITE_ONLY
def test_sweeping_never_takes_a_file_that_is_just_being_stored(
    world: World, phone: PhoneOf, db: Database, settings: Settings
) -> None:
    """Planted: the shelf is not held while it is swept, or while a file comes in."""
    uploads = Uploads(db, settings)
    rep = phone(world.rep)
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            uploads.forget()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for n in range(25):
            row = pushed(rep, row_of(world, TEXT, f"attachment-{n:04}"))
            assert send(rep.person, row, TEXT).status_code == 204
            assert download(rep, row["id"]).status_code == 200
            rep.delete("attachments", row["id"])
            rep.sync()
    finally:
        stop.set()
        sweeper.join()


@SQLITE_ONLY
def test_the_limit_is_a_setting(world: World, db: Database, settings: Settings) -> None:
    from app.attachments.operations import create_attachment
    from app.core.errors import FieldsInvalid

    small = replace(settings, attachment_limit_bytes=10)
    row = row_of(world, TEXT)
    values = {name: row[name] for name in ("id", "subject_kind", "subject_id", "name", "mime", "size", "sha256")} | {"made_ms": 0}
    with db.transaction() as session, pytest.raises(FieldsInvalid) as refused:
        create_attachment(session, small, world.actor(world.rep), values)
    assert refused.value.errors == {"size": ["too_large"]}
