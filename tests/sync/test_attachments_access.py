"""Who may have the bytes of an attachment."""

from __future__ import annotations

import pytest

from app.attachments import contents
from app.attachments.models import Attachment
from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_user
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
    tus,
    uploader,
)
from tests.sync.phones import Phone

# --- who may have it ---


def test_another_persons_attachment_does_not_exist(world: World, phone: PhoneOf, db: Database, settings: Settings) -> None:
    """Planted: the upload is found without its maker; the download without the row's scopes."""
    with db.transaction() as session:
        stranger = make_user(session, settings, "rep", "stranger").id
    rep, other, office = phone(world.rep), phone(stranger), phone(world.manager)
    row = pushed(rep, row_of(world, TEXT))
    path = f"/uploads/{row['id']}"

    def tried(who: Phone) -> set[int]:
        return {
            begin(who.person, row).status_code,
            tus(who.person, "HEAD", path).status_code,
            tus(who.person, "PATCH", path, TEXT, Upload_Offset="0").status_code,
            tus(who.person, "DELETE", path).status_code,
        }

    for who in (other, office, phone(world.staff[0])):
        assert tried(who) == {404}
    assert send(rep.person, row, TEXT).status_code == 204
    for who in (other, phone(world.staff[0])):
        assert tried(who) == {404}
        assert download(who, row["id"]).status_code == 404
        who.sync()
        assert who.rows.get("attachments", {}) == {}
    assert download(office, row["id"]).status_code == 200


def test_known_bytes_are_here_at_once_for_who_may_see_them_and_for_nobody_else(
    world: World, phone: PhoneOf, db: Database, settings: Settings
) -> None:
    """Planted: any file of this hash is taken. A hash alone must not be enough to get a file."""
    rep, office, staff = phone(world.rep), phone(world.manager), phone(world.staff[0])
    send(rep.person, pushed(rep, row_of(world, TEXT)), TEXT)
    same = pushed(office, row_of(world, TEXT, "attachment-0002"))
    answer = begin(office.person, same)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(TEXT)))
    office.sync()
    assert office.rows["attachments"]["attachment-0002"]["state"] == "stored"
    assert kept_files(settings) == {sha(TEXT)}

    # Of the station's own: it sees no asset of the world without a task.
    with db.transaction() as session:
        row = session.get_one(Attachment, "attachment-0002")
        values = {
            name: getattr(row, name) for name in ("subject_kind", "subject_id", "name", "mime", "size", "sha256", "made_ms")
        }
        session.add(
            Attachment(
                id="attachment-0003", user_id=world.staff[0], installation_id="phone-00001", created_at=row.created_at,
                updated_at=row.created_at, subject_kind="asset", **{k: v for k, v in values.items() if k != "subject_kind"},
            )
        )  # fmt: skip
    with db.transaction() as session:
        session.get_one(Attachment, "attachment-0003").subject_id = "another-asset"
    answer = begin(staff.person, row_of(world, TEXT, "attachment-0003"))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")


@SQLITE_ONLY
def test_a_tus_client_finishes_where_everything_is_here(world: World, phone: PhoneOf, address: str) -> None:
    rep, office = phone(world.rep), phone(world.manager)
    send(rep.person, pushed(rep, row_of(world, TEXT)), TEXT)
    pushed(office, row_of(world, TEXT, "attachment-0002"))

    uploader(office.person, address, TEXT, "attachment-0002", retries=1, retry_delay=0).upload()

    assert offset_of(office.person, "attachment-0002") == len(TEXT)


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("note.txt", "note.txt"),
        ("../../../etc/passwd", "passwd.txt"),
        ("..\\..\\boot.ini", "boot.ini.txt"),
        ("/etc/shadow.txt", "shadow.txt"),
        ("....", "attachment.txt"),
        (".htaccess", "htaccess.txt"),
        ("note.txt.exe", "note.txt.exe.txt"),
        ("invoice\u202etxt.exe", "invoicetxt.exe.txt"),
        ('a"; filename="b.html', "a filename=b.html.txt"),
        ("裂纹 照片.TXT", "裂纹 照片.txt"),
        ("x" * 200, "x" * 100 + ".txt"),
    ],
)
def test_a_name_leads_nowhere(world: World, phone: PhoneOf, settings: Settings, name: str, offered: str) -> None:
    """Planted: the name is offered as it was given."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT, name=name))
    send(rep.person, row, TEXT)

    answer = download(rep, row["id"])

    assert contents.safe_name(name, "text/plain") == offered
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    if offered.isascii():
        assert disposition in {f"attachment; filename={offered}", f'attachment; filename="{offered}"'}
    assert kept_files(settings) == {sha(TEXT)}


@SQLITE_ONLY
def test_a_download_may_go_on_and_may_be_kept(world: World, phone: PhoneOf) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    send(rep.person, row, TEXT)

    whole = download(rep, row["id"])
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["ETag"] == f'"{sha(TEXT)}"'
    assert whole.headers["Cache-Control"] == "private, no-cache"
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    assert whole.mimetype == "text/plain"
    part = download(rep, row["id"], Range="bytes=1000-1999")
    assert (part.status_code, part.data) == (206, TEXT[1000:2000])
    assert download(rep, row["id"], If_None_Match=f'"{sha(TEXT)}"').status_code == 304
    head = download(rep, row["id"], "HEAD")
    assert (head.status_code, head.content_length, head.data) == (200, len(TEXT), b"")
