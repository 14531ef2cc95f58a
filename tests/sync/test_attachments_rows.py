"""Which files and rows of attachments are taken, and what becomes of a row."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from offline_sync.models import SyncProblem
from tests.factories import World
from tests.sync.attachments import (
    SQLITE_ONLY,
    TEXT,
    PhoneOf,
    b64,
    begin,
    download,
    kept_files,
    pushed,
    row_of,
    send,
    stored,
    tus,
)

# --- what is taken ---


def test_bytes_that_are_not_the_file_are_refused_and_phones_hear_why(
    world: World, phone: PhoneOf, db: Database, settings: Settings
) -> None:
    """Planted: the hash is not compared with the row's."""
    rep, office = phone(world.rep), phone(world.manager)
    row = pushed(rep, row_of(world, TEXT))

    answer = send(rep.person, row, TEXT[::-1])

    assert (answer.status_code, answer.json["code"]) == (422, "content_differs")
    for each in (rep, office):
        each.sync()
        assert each.rows["attachments"][row["id"]]["state"] == "refused"
        assert each.rows["attachments"][row["id"]]["code"] == "content_differs"
    assert download(rep, row["id"]).status_code == 404
    assert begin(rep.person, row).json["code"] == "state_conflict"
    assert kept_files(settings) == set()


SCRIPT = b"#!/bin/sh\nrm -rf /\n"


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("mime", "raw", "code"),
    [
        ("image/jpeg", SCRIPT, "type_differs"),
        ("image/png", SCRIPT, "type_differs"),
        ("image/webp", SCRIPT, "type_differs"),
        ("application/pdf", SCRIPT, "type_differs"),
        ("video/mp4", SCRIPT, "type_differs"),
        ("audio/mp4", SCRIPT, "type_differs"),
        ("audio/aac", SCRIPT, "type_differs"),
        ("text/plain", b"\x7fELF\0\0\0", "type_differs"),
        ("text/plain", b"caf\xe9", "type_differs"),
        ("image/jpeg", b"\x89PNG\r\n\x1a\n" + bytes(100), "type_differs"),
        ("image/jpeg", b"\xff\xd8\xff\xe0" + bytes(100), "image_unreadable"),
    ],
)
def test_a_file_of_another_type_is_refused_whatever_its_name(
    world: World, phone: PhoneOf, db: Database, mime: str, raw: bytes, code: str
) -> None:
    """Planted: the type is taken from what the phone says."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, raw, mime=mime, name="photo.jpg"))

    answer = send(rep.person, row, raw)

    assert answer.status_code == 422
    assert answer.json["code"] in {code, "type_differs"}
    assert stored(db, row["id"]).state == "refused"


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"mime": "text/html"}, "mime", "not_one_of"),
        ({"mime": "image/svg+xml"}, "mime", "not_one_of"),
        ({"size": 0}, "size", "out_of_range"),
        ({"size": "7"}, "size", "not_integer"),
        ({"size": 26_214_401}, "size", "too_large"),
        ({"sha256": "0" * 63 + "G"}, "sha256", "invalid"),
        ({"sha256": "../" + "0" * 61}, "sha256", "invalid"),
        ({"subject_kind": "user"}, "subject_kind", "not_one_of"),
        ({"subject_id": "nobody-knows-it"}, "subject_id", "unknown_reference"),
        ({"name": ""}, "name", "required"),
        ({"name": "x" * 201}, "name", "too_long"),
    ],
)
def test_a_row_that_cannot_be_taken_is_kept_as_a_problem(
    world: World, phone: PhoneOf, db: Database, change: dict[str, Any], field: str, code: str
) -> None:
    rep = phone(world.rep)
    rep.create("attachments", row_of(world, TEXT) | change)

    rep.sync()

    assert rep.rejected == {"attachments": ["attachment-0001"]}
    with db.reading() as session:
        [problem] = session.query(SyncProblem).all()
    assert problem.reasons == {field: [code]}


def test_a_row_about_something_unseen_is_refused(world: World, phone: PhoneOf, db: Database) -> None:
    """Planted: the subject's visibility is not asked."""
    staff = phone(world.staff[0])
    staff.create("attachments", row_of(world, TEXT))

    staff.sync()

    assert staff.rejected == {"attachments": ["attachment-0001"]}


# --- rows ---


def test_a_row_is_not_edited_and_comes_again_as_it_was(world: World, phone: PhoneOf) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))

    rep.update("attachments", row["id"], name="other.txt", state="stored", sha256="0" * 64)
    rep.sync()

    assert rep.rejected == {}
    assert rep.rows["attachments"][row["id"]] == row | {"updated_at": rep.rows["attachments"][row["id"]]["updated_at"]}


@SQLITE_ONLY
def test_rxdb_brings_a_row_and_is_told_what_the_server_made_of_it(world: World, phone: PhoneOf) -> None:
    rep = phone(world.rep)
    row = row_of(world, TEXT, state="stored", code="mine") | {"_deleted": False, "created_at": 0, "updated_at": 0}

    answer = rep.http("POST", "/sync/rxdb/attachments/push", [{"newDocumentState": row}])

    [server] = answer.get_json()
    assert (server["state"], server["code"], server["name"]) == ("waiting", None, "note.txt")
    gone = rep.http("POST", "/sync/rxdb/attachments/push", [{"newDocumentState": server | {"_deleted": True}}])
    assert gone.get_json() == []


def test_no_row_holds_the_bytes_of_a_file_and_none_are_taken_from_a_row(world: World, phone: PhoneOf, settings: Settings) -> None:
    rep, office = phone(world.rep), phone(world.manager)
    row = pushed(rep, row_of(world, TEXT) | {"content": b64(TEXT[:600]), "data": TEXT[:600].decode()})
    assert kept_files(settings) == set()
    assert send(rep.person, row, TEXT).status_code == 204
    rep.sync()
    pulled = [
        office.http("GET", "/sync/watermelon?last_pulled_at=0").get_data(as_text=True),
        office.http("GET", "/sync/rxdb/attachments/pull").get_data(as_text=True),
    ]

    assert rep.rows["attachments"][row["id"]]["state"] == "stored"
    for text in pulled:
        assert row["id"] in text
        assert "crack in housing" not in text
        assert b64(TEXT)[:40] not in text


def test_its_maker_and_the_office_delete_it_and_nobody_else(world: World, phone: PhoneOf, db: Database) -> None:
    """Planted: whoever sees it may delete it."""
    rep, office, owner = phone(world.rep), phone(world.manager), phone(world.owner)
    for n in (1, 2):
        pushed(owner, row_of(world, TEXT, f"attachment-000{n}"))
    rep.sync()
    rep.delete("attachments", "attachment-0001")
    rep.sync()
    rep.sync()
    assert "attachment-0001" in rep.rows["attachments"], "it is not stuck between deleted and not"
    assert rep.waiting() == 0
    assert stored(db, "attachment-0001").deleted_at is None

    owner.delete("attachments", "attachment-0001")
    office.sync()
    office.delete("attachments", "attachment-0002")
    owner.sync()
    office.sync()

    for each in (owner, office, rep):
        each.sync()
        assert each.rows["attachments"] == {}


@SQLITE_ONLY
def test_bytes_for_a_row_that_was_deleted_meanwhile_are_not_kept(world: World, phone: PhoneOf, settings: Settings) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    rep.delete("attachments", row["id"])
    rep.sync()

    assert tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT, Upload_Offset="0").status_code == 404
    assert kept_files(settings) == set()


def test_it_goes_from_others_with_its_subject_and_comes_back_with_it(world: World, phone: PhoneOf) -> None:
    """Planted: a deleted site moves nothing of what is attached to it."""
    rep, office = phone(world.rep), phone(world.manager)
    site = {"id": "a-new-site-0001", "customer_id": world.customer, "name": "Yard", "address": "", "lat": 22.5, "lon": 114.0}
    rep.create("sites", site)
    pushed(rep, row_of(world, TEXT, subject_kind="site", subject_id=site["id"]))
    office.sync()
    assert set(office.rows["attachments"]) == {"attachment-0001"}

    office.delete("sites", site["id"])
    office.sync()
    assert office.rows["attachments"] == {}
    rep.sync()
    assert set(rep.rows["attachments"]) == {"attachment-0001"}

    office.person.post(f"/sites/{site['id']}/undelete")
    office.sync()
    assert set(office.rows["attachments"]) == {"attachment-0001"}
