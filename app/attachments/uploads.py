"""Conducts uploads: bytes first, to the disk, then the row; a crash in between leaves bytes without a row, never the reverse.

An upload has the id of its attachment, so a phone that lost its address asks for the same one again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.attachments import files
from app.attachments.contents import ContentRefused, hash_of, prepare
from app.attachments.models import Attachment
from app.attachments.operations import mark_refused, mark_stored
from app.attachments.queries import access_attachment, own_attachment, twin_of, used_files
from app.core.db import Database, now
from app.core.errors import Conflict, DomainError, Invalid, NotFound
from app.core.fault_points import FaultPoint, passed
from app.core.logs import get_log
from app.core.settings import Settings
from app.users.rights import CUSTOMER, Actor

log = get_log(__name__)

KEPT_DAYS = 7
# The longest body of one PATCH; it is held in memory.
MOST_AT_ONCE = 8 * 1024 * 1024


class OffsetWrong(Conflict):
    """The phone goes on at another place than where the part ends."""


class TooLarge(DomainError):
    """More bytes than were said, or than are allowed."""

    status = 413


@dataclass(frozen=True)
class Progress:
    """How much of an upload is here."""

    offset: int
    length: int


@dataclass(frozen=True)
class Uploads:
    """The uploads of one deployment."""

    database: Database
    settings: Settings

    def begin(self, actor: Actor, attachment_id: str, length: int, *, keep_location: bool) -> Progress:
        """Begin, or go on with, the upload of an attachment the actor made. A customer's pictures lose their place in any case.

        Raises:
            NotFound: when there is none.
            Invalid: ``upload_length_wrong``.
            TooLarge: ``too_large``.
            Conflict: ``state_conflict`` when the bytes were refused before.
        """
        row = self.own(actor, attachment_id)
        if length > self.settings.attachment_limit_bytes:
            raise TooLarge("too_large")
        if length != row.size:
            raise Invalid("upload_length_wrong", size=row.size)
        if row.state == "refused":
            raise Conflict("state_conflict", state=row.state, wanted="stored")
        if row.state == "stored":
            return Progress(row.size, row.size)
        keep_location = keep_location and actor.role != CUSTOMER
        if row.keep_location != keep_location:
            with self.database.transaction() as session:
                row = own_attachment(session, actor, attachment_id)
                row.keep_location = keep_location
        if self._take_from_twin(actor, row):
            return Progress(row.size, row.size)
        files.make_part(self.settings, row.id)
        return self.look(actor, row.id)

    def look(self, actor: Actor, attachment_id: str) -> Progress:
        """Return how far an upload is. One whose last bytes came before a crash is finished now.

        Raises:
            NotFound: when there is none.
            ContentRefused: when the bytes are not what was said.
        """
        row = self.own(actor, attachment_id)
        if row.state == "stored":
            return Progress(row.size, row.size)
        with files.hold_part(self.settings, attachment_id) as part:
            return self._settle(actor, row, part)

    def append(self, actor: Actor, attachment_id: str, offset: int, body: bytes) -> Progress:
        """Write bytes behind those that are here; with the last of them finish.

        Raises:
            NotFound: when there is no such upload.
            OffsetWrong: ``upload_offset_wrong`` with where it goes on.
            TooLarge: ``too_large`` for more than was said.
            ContentRefused: when the bytes are not what was said.
        """
        row = self.own(actor, attachment_id)
        if row.state == "stored":
            if offset == row.size and not body:
                return Progress(row.size, row.size)
            raise OffsetWrong("upload_offset_wrong", offset=row.size)
        with files.hold_part(self.settings, attachment_id) as part:
            if part.size != offset:
                raise OffsetWrong("upload_offset_wrong", offset=part.size)
            if offset + len(body) > row.size:
                raise TooLarge("too_large")
            part.append(body)
            return self._settle(actor, row, part)

    def end(self, actor: Actor, attachment_id: str) -> None:
        """Forget what arrived. The attachment goes on waiting, until it is deleted or begun again.

        Raises:
            NotFound: when there is no such upload.
        """
        self.own(actor, attachment_id)
        with files.hold_part(self.settings, attachment_id) as part:
            part.remove()

    def stored_file(self, actor: Actor, attachment_id: str) -> tuple[Attachment, Path]:
        """Return an attachment the actor may see, and where its bytes lie.

        Raises:
            NotFound: when there is none, or its bytes are not here.
        """
        with self.database.reading() as session:
            row = access_attachment(session, actor, attachment_id)
        if row.state != "stored" or row.stored_sha256 is None:
            raise NotFound
        path = files.path_of(self.settings, row.stored_sha256)
        if not path.exists():
            log.error("the bytes of an attachment are not there", attachment=row.id, file=row.stored_sha256)
            raise NotFound
        return row, path

    def forget(self) -> int:
        """Delete parts nothing was added to for days, and files that no attachment needs; return how many."""
        with self.database.reading() as session:
            old = now(session) - timedelta(days=KEPT_DAYS)
        gone = 0
        for upload_id in files.old_parts(self.settings, old.timestamp()):
            try:
                with files.hold_part(self.settings, upload_id) as part:
                    part.remove()
            except NotFound:  # it ended meanwhile
                continue
            gone += 1
        return gone + sum(self._sweep(digits) for digits in files.shelves(self.settings))

    def _sweep(self, digits: str) -> int:
        with files.hold_shelf(self.settings, digits) as shelf:
            names = files.names_on(shelf)
            with self.database.reading() as session:
                orphans = set(names) - used_files(session, names)
            for name in orphans:
                (shelf / name).unlink()
        return len(orphans)

    def own(self, actor: Actor, attachment_id: str) -> Attachment:
        """Return the attachment, if the actor made it.

        Raises:
            NotFound: when there is none.
        """
        with self.database.reading() as session:
            return own_attachment(session, actor, attachment_id)

    def _take_from_twin(self, actor: Actor, row: Attachment) -> bool:
        """Use bytes that are here already, if the actor may see them: else a hash would be enough to get a file."""
        with self.database.reading() as session:
            twin = twin_of(session, actor, row)
        if twin is None or twin.stored_sha256 is None:
            return False
        with files.hold_shelf(self.settings, twin.stored_sha256) as shelf:
            if not (shelf / twin.stored_sha256).exists():
                return False
            self._mark_stored(actor, row, twin.stored_sha256)
        return True

    def _settle(self, actor: Actor, row: Attachment, part: files.Part) -> Progress:
        """Finish an upload whose bytes are all here."""
        here = part.size
        if here != row.size:
            return Progress(here, row.size)
        try:
            if hash_of(part.path) != row.sha256:
                raise ContentRefused("content_differs")
            with files.room_checked():
                prepare(part.path, part.clean_path, row.mime, keep_location=row.keep_location)
        except ContentRefused as fault:
            with self.database.transaction() as session:
                mark_refused(session, own_attachment(session, actor, row.id), fault.code)
            part.remove()
            raise
        stored_sha256 = hash_of(part.clean_path)
        with files.hold_shelf(self.settings, stored_sha256) as shelf:
            files.put(part.clean_path, shelf, stored_sha256)
            passed(FaultPoint.FILE_IN_PLACE)
            self._mark_stored(actor, row, stored_sha256)
        part.remove()
        return Progress(row.size, row.size)

    def _mark_stored(self, actor: Actor, row: Attachment, stored_sha256: str) -> None:
        with self.database.transaction() as session:
            mark_stored(session, own_attachment(session, actor, row.id), stored_sha256)
