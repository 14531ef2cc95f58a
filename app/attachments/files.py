"""Where bytes lie: parts in ``uploads/<id>.part``, whole files in ``attachments/<2 hex>/<sha256>``, all below ``var_dir``.

A file of the one folder is changed only under its own lock, one of the other under the lock of its two digits: processes of
one host, or of several with one shared folder, follow each other by this. Who holds a part may take a shelf, never the
other way round, and a transaction is opened inside of both.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.core.errors import DomainError, NotFound
from app.core.settings import Settings

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHELF = re.compile(r"[0-9a-f]{2}")


class StorageFull(DomainError):
    """There is no room for the bytes."""

    status = 507


@contextmanager
def room_checked() -> Iterator[None]:
    """Say that the disk is full where it is.

    Raises:
        StorageFull: ``storage_full``.
    """
    try:
        yield
    except OSError as fault:
        if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("storage_full") from fault
        raise


def parts_folder(settings: Settings) -> Path:
    """Return the folder of unfinished uploads."""
    return settings.var_dir / "uploads"


def shelves_folder(settings: Settings) -> Path:
    """Return the folder of finished files."""
    return settings.var_dir / "attachments"


def path_of(settings: Settings, sha256: str) -> Path:
    """Return where the file of some bytes lies, or would."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a sha256: {sha256!r}")
    return shelves_folder(settings) / sha256[:2] / sha256


class Part:
    """What of one upload has arrived. Held by one thread of one process at a time."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self.path = path

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def clean_path(self) -> Path:
        """Where the file that is to be kept is prepared."""
        return self.path.with_suffix(".new")

    def append(self, body: bytes) -> None:
        """Write bytes behind those that are here, to the disk; all of them or none."""
        end = self.size
        try:
            with room_checked():
                self._file.seek(end)
                left = memoryview(body)
                while left:
                    left = left[self._file.write(left) :]
                os.fsync(self._file.fileno())
        except BaseException:
            self._file.truncate(end)
            raise

    def remove(self) -> None:
        """Forget the upload."""
        self.clean_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def make_part(settings: Settings, upload_id: str) -> None:
    """Begin an upload, unless it was begun already."""
    folder = parts_folder(settings)
    with room_checked():
        folder.mkdir(parents=True, exist_ok=True)
        os.close(os.open(folder / f"{upload_id}.part", os.O_WRONLY | os.O_CREAT, 0o600))
        sync_folder(folder)


@contextmanager
def hold_part(settings: Settings, upload_id: str) -> Iterator[Part]:
    """Keep what arrived of an upload from others; wait for who has it.

    Raises:
        NotFound: when no such upload was begun, or it is over.
    """
    path = parts_folder(settings) / f"{upload_id}.part"
    try:
        # Unbuffered: a write that failed must not be tried again when the file is closed.
        file = path.open("r+b", buffering=0)
    except FileNotFoundError:
        raise NotFound from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _still_there(path, file):
            raise NotFound
        yield Part(file, path)


def _still_there(path: Path, file: BinaryIO) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def old_parts(settings: Settings, before_s: float) -> list[str]:
    """Return the uploads nothing was written to since."""
    folder = parts_folder(settings)
    found = []
    for path in folder.glob("*.part") if folder.exists() else ():
        try:
            if path.stat().st_mtime < before_s:
                found.append(path.stem)
        except FileNotFoundError:  # it ended meanwhile
            continue
    return found


@contextmanager
def hold_shelf(settings: Settings, digits: str) -> Iterator[Path]:
    """Keep the finished files whose names begin with two digits as they are."""
    folder = shelves_folder(settings) / digits[:2]
    with room_checked():
        folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def put(prepared: Path, shelf: Path, sha256: str) -> None:
    """Move a prepared file, which is on the disk already, to its place; in one step."""
    with room_checked():
        prepared.replace(shelf / sha256)
        sync_folder(shelf)
        sync_folder(shelf.parent)


def shelves(settings: Settings) -> list[str]:
    """Return the two digits of each shelf there is."""
    folder = shelves_folder(settings)
    return sorted(path.name for path in folder.iterdir() if _SHELF.fullmatch(path.name)) if folder.exists() else []


def names_on(shelf: Path) -> list[str]:
    """Return the finished files of a shelf."""
    return sorted(path.name for path in shelf.iterdir() if _SHA256.fullmatch(path.name))


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
