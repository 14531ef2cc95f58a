"""Attachments: rows from phones, bytes by tus, what is kept of them, and who may have them."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app.attachments import contents, files
from app.attachments.models import Attachment
from app.attachments.uploads import MOST_AT_ONCE, Uploads
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import JOBS
from offline_sync.models import SyncProblem
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.phones import Phone

SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEXT = b"seen on site: crack in housing\n" * 4000
PhoneOf = Callable[..., Phone]


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def row_of(world: World, raw: bytes, row_id: str = "attachment-0001", **other: Any) -> dict[str, Any]:
    return {
        "id": row_id, "subject_kind": "asset", "subject_id": world.asset, "name": "note.txt", "mime": "text/plain",
        "size": len(raw), "sha256": sha(raw), "state": "waiting", "code": None, "made_at": 1_772_000_000_000,
    } | other  # fmt: skip


def pushed(phone: Phone, row: dict[str, Any]) -> dict[str, Any]:
    """Let a phone make a row and sync it; return what it then holds."""
    phone.create("attachments", row)
    phone.sync()
    assert phone.rejected == {}, phone.rejected
    return dict(phone.rows["attachments"][row["id"]])


def tus(person: Http, method: str, path: str, body: bytes = b"", **headers: str) -> TestResponse:
    sent = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {person.token}"}
    if method == "PATCH":
        sent |= {"Content-Type": "application/offset+octet-stream"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return person.app.test_client().open(f"/api/v1{path}", method=method, data=body, headers=sent)


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def begin(person: Http, row: dict[str, Any], **told: str) -> TestResponse:
    metadata = ",".join(f"{name} {b64(value)}" for name, value in ({"attachment": row["id"]} | told).items())
    return tus(person, "POST", "/uploads", Upload_Length=str(row["size"]), Upload_Metadata=metadata)


def send(person: Http, row: dict[str, Any], raw: bytes, **told: str) -> TestResponse:
    """Begin an upload and bring all its bytes at once."""
    answer = begin(person, row, **told)
    assert answer.status_code == 201, answer.text
    return tus(person, "PATCH", f"/uploads/{row['id']}", raw, Upload_Offset="0")


def offset_of(person: Http, row_id: str) -> int:
    answer = tus(person, "HEAD", f"/uploads/{row_id}")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def download(phone: Phone, row_id: str, method: str = "GET", **headers: str) -> TestResponse:
    sent = {"Authorization": f"Bearer {phone.person.token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/api/v1/attachments/{row_id}/content"
    return phone.person.app.test_client().open(path, method=method, headers=sent, buffered=True)


def stored(db: Database, row_id: str) -> Attachment:
    with db.reading() as session:
        return session.get_one(Attachment, row_id)


def kept_files(settings: Settings) -> set[str]:
    folder = settings.var_dir / "attachments"
    return {path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


# --- a real server, a real client ---


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v1/uploads"
    server.shutdown()
    thread.join()
    server.server_close()


def uploader(person: Http, address: str, raw: bytes, row_id: str, **how: Any) -> Any:
    client = TusClient(address, headers={"Authorization": f"Bearer {person.token}"})
    metadata = {"attachment": row_id} | how.pop("told", {})
    return client.uploader(file_stream=io.BytesIO(raw), metadata=metadata, chunk_size=how.pop("chunk_size", 30_000), **how)


def test_a_tus_client_brings_a_file_that_others_who_see_its_subject_then_get(
    world: World, phone: PhoneOf, db: Database, settings: Settings, address: str
) -> None:
    rep, office = phone(world.rep), phone(world.manager)
    assert pushed(rep, row_of(world, TEXT))["state"] == "waiting"

    uploader(rep.person, address, TEXT, "attachment-0001", upload_checksum=True).upload()

    for each in (rep, office, phone(world.owner)):
        each.sync()
        assert each.rows["attachments"]["attachment-0001"]["state"] == "stored"
        answer = download(each, "attachment-0001")
        assert (answer.status_code, answer.data) == (200, TEXT)
    assert kept_files(settings) == {sha(TEXT)}
    assert stored(db, "attachment-0001").stored_sha256 == sha(TEXT)
    assert list((settings.var_dir / "uploads").iterdir()) == []


@SQLITE_ONLY
def test_an_upload_cut_in_the_middle_of_a_body_goes_on_where_it_was(
    world: World, phone: PhoneOf, address: str, settings: Settings
) -> None:
    """Planted: a broken body is thrown away; the part is opened for writing anew."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    first = uploader(rep.person, address, TEXT, row["id"])
    first.upload(stop_at=30_000)
    where = urlsplit(first.url)
    with socket.create_connection((where.hostname, where.port)) as line:
        head = (
            f"PATCH {where.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rep.person.token}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: 30000\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 60000\r\n\r\n"
        )
        line.sendall(head.encode() + TEXT[30_000:50_000])
        line.shutdown(socket.SHUT_WR)
        while line.recv(4096):
            pass

    assert offset_of(rep.person, row["id"]) == 50_000
    again = TusClient(address, headers={"Authorization": f"Bearer {rep.person.token}"}).uploader(
        file_stream=io.BytesIO(TEXT), url=first.url, chunk_size=40_000
    )
    assert again.offset == 50_000
    again.upload()

    assert download(rep, row["id"]).data == TEXT


@SQLITE_ONLY
def test_a_client_that_lost_the_address_gets_the_same_upload_again(world: World, phone: PhoneOf, address: str) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    uploader(rep.person, address, TEXT, row["id"]).upload(stop_at=60_000)

    answer = begin(rep.person, row)

    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1/uploads/{row['id']}")
    assert answer.headers["Upload-Offset"] == "60000"


@SQLITE_ONLY
def test_a_tus_client_is_refused_what_is_not_its_own(world: World, phone: PhoneOf, address: str) -> None:
    rep, staff = phone(world.rep), phone(world.staff[0])
    pushed(rep, row_of(world, TEXT))

    with pytest.raises(TusCommunicationError) as refused:
        uploader(staff.person, address, TEXT, "attachment-0001").upload()
    assert refused.value.status_code == 404


@SQLITE_ONLY
def test_a_tus_client_hears_of_bytes_that_are_not_the_file(world: World, phone: PhoneOf, address: str) -> None:
    rep = phone(world.rep)
    pushed(rep, row_of(world, TEXT))

    with pytest.raises(TusUploadFailed) as refused:
        uploader(rep.person, address, TEXT[::-1], "attachment-0001").upload()
    assert refused.value.status_code == 422


# --- the protocol ---


@SQLITE_ONLY
def test_what_the_server_can_do_is_told_to_anybody(app: Flask, settings: Settings) -> None:
    for path in ("/api/v1/uploads", "/api/v1/uploads/attachment-0001"):
        answer = app.test_client().options(path)
        assert answer.status_code == 204
        assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
        assert answer.headers["Tus-Extension"] == "creation,checksum,termination"
        assert answer.headers["Tus-Max-Size"] == str(settings.attachment_limit_bytes)
        assert set(answer.headers["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256"}


def test_a_doubled_patch_counts_once(world: World, phone: PhoneOf) -> None:
    """Planted: the offset is not compared."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)

    answers = [tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[:1000], Upload_Offset="0") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 409]
    assert answers[1].json["code"] == "upload_offset_wrong"
    assert "1000" in answers[1].json["detail"]
    assert offset_of(rep.person, row["id"]) == 1000
    tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[1000:], Upload_Offset="1000")
    assert download(rep, row["id"]).data == TEXT
    last = tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[1000:], Upload_Offset="1000")
    assert last.status_code == 409
    assert offset_of(rep.person, row["id"]) == len(TEXT)


def test_of_the_same_patch_many_times_at_once_one_is_written(
    world: World, phone: PhoneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the part is not held while its offset is compared and written."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    gate = threading.Barrier(6)
    append = files.Part.append

    def slow(part: files.Part, body: bytes) -> None:
        time.sleep(0.05)  # the others compare the offset meanwhile, if they can
        append(part, body)

    monkeypatch.setattr(files.Part, "append", slow)

    def patch(_: int) -> int:
        gate.wait()
        return tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[:60_000], Upload_Offset="0").status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(patch, range(6))) == [204] + [409] * 5
    assert offset_of(rep.person, row["id"]) == 60_000


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["sha256", "sha1"])
def test_bytes_that_do_not_fit_their_checksum_are_not_written(world: World, phone: PhoneOf, name: str) -> None:
    """Planted: the checksum is read and not compared."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    good = b64(hashlib.new(name, TEXT[:500]).digest())

    wrong = tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[1:501], Upload_Offset="0", Upload_Checksum=f"{name} {good}")
    assert (wrong.status_code, wrong.json["code"]) == (460, "checksum_mismatch")
    assert offset_of(rep.person, row["id"]) == 0

    right = tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[:500], Upload_Offset="0", Upload_Checksum=f"{name} {good}")
    assert (right.status_code, right.headers["Upload-Offset"]) == (204, "500")


@SQLITE_ONLY
def test_requests_that_are_not_tus_are_refused(world: World, phone: PhoneOf) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    path = f"/uploads/{row['id']}"
    begin(rep.person, row)

    def code(answer: TestResponse) -> tuple[int, str]:
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        return answer.status_code, answer.json["code"] if answer.data else ""

    for version in ("0.2.2", ""):
        answer = tus(rep.person, "PATCH", path, b"x", Upload_Offset="0", Tus_Resumable=version)
        assert code(answer) == (412, "tus_version_unknown")
        assert answer.headers["Tus-Version"] == "1.0.0"
    assert code(tus(rep.person, "PATCH", path, b"x", Upload_Offset="0", Content_Type="text/plain"))[0] == 415
    for offset in ("", "-1", "1.0", "٣", "9" * 30):
        assert code(tus(rep.person, "PATCH", path, b"x", Upload_Offset=offset)) == (422, "validation_failed")
    for checksum in ("md5 AA==", "sha256", "sha256 not-base64!", "shake_128 AA=="):
        status, _ = code(tus(rep.person, "PATCH", path, b"x", Upload_Offset="0", Upload_Checksum=checksum))
        assert status in {422, 460}
    for metadata in ("", "attachment", "attachment !!!", "attachment " + b64("../../etc/passwd"), "attachment " + b64(b"\xff")):
        answer = tus(rep.person, "POST", "/uploads", Upload_Length="5", Upload_Metadata=metadata)
        assert code(answer) == (422, "validation_failed"), metadata
    assert code(tus(rep.person, "POST", "/uploads", Upload_Metadata=f"attachment {b64(row['id'])}"))[0] == 422
    assert code(begin(rep.person, row | {"size": len(TEXT) - 1})) == (422, "upload_length_wrong")
    assert code(begin(rep.person, row | {"size": 10**12})) == (413, "too_large")
    assert offset_of(rep.person, row["id"]) == 0


@SQLITE_ONLY
def test_no_body_is_longer_than_it_may_be(world: World, phone: PhoneOf, settings: Settings) -> None:
    """Planted: bytes beyond the file's length are written."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    path = f"/uploads/{row['id']}"

    long = tus(rep.person, "PATCH", path, b"x" * (MOST_AT_ONCE + 1), Upload_Offset="0")
    assert (long.status_code, long.json["code"]) == (413, "too_large")
    more = tus(rep.person, "PATCH", path, TEXT + b"x", Upload_Offset="0")
    assert (more.status_code, more.json["code"]) == (413, "too_large")
    assert offset_of(rep.person, row["id"]) == 0
    large = row_of(world, TEXT, "attachment-0002", size=settings.attachment_limit_bytes + 1)
    rep.create("attachments", large)
    rep.sync()
    assert rep.rejected == {"attachments": ["attachment-0002"]}


@SQLITE_ONLY
def test_a_body_that_is_too_long_is_refused_before_it_is_read(world: World, phone: PhoneOf, address: str) -> None:
    """Planted: the length of a body is not limited."""
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    where = urlsplit(address)

    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        head = (
            f"PATCH {where.path}/{row['id']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rep.person.token}\r\n"
            f"Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {MOST_AT_ONCE + 1}\r\n\r\n"
        )
        line.sendall(head.encode())
        assert b" 413 " in line.recv(4096)


def test_an_upload_that_was_ended_begins_anew(world: World, phone: PhoneOf) -> None:
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, TEXT))
    begin(rep.person, row)
    tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[:500], Upload_Offset="0")

    assert tus(rep.person, "DELETE", f"/uploads/{row['id']}").status_code == 204
    assert tus(rep.person, "HEAD", f"/uploads/{row['id']}").status_code == 404
    assert tus(rep.person, "PATCH", f"/uploads/{row['id']}", TEXT[500:], Upload_Offset="500").status_code == 404

    assert send(rep.person, row, TEXT).status_code == 204


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


# --- privacy ---

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF exif:GPSLatitude="22,32.4N"/></x:xmpmeta>'


def exif_with_gps() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # which way up
    exif[0x010F] = "Maker"
    exif[0x013B] = "An Artist"
    exif[int(ExifTags.IFD.Exif)] = {0x9003: "2026:03:02 10:00:00", 0x927C: b"maker note GPS 22.54", 0x9286: b"ASCII\0\0\0Depot"}
    exif[int(ExifTags.IFD.GPSInfo)] = {1: "N", 2: (22.0, 32.0, 24.0), 3: "E", 4: (114.0, 3.0, 0.0)}
    return exif


def photo(kind: str, **how: Any) -> bytes:
    image = Image.effect_noise((160, 120), 60).convert("RGB")
    out = io.BytesIO()
    if kind == "PNG":
        told = PngInfo()
        told.add_itxt("XML:com.adobe.xmp", XMP.decode())
        told.add_text("Comment", "taken at 22.54, 114.05")
        image.save(out, "PNG", exif=exif_with_gps(), pnginfo=told)
    else:
        image.save(out, kind, exif=exif_with_gps(), xmp=XMP, icc_profile=b"a profile" * 20, **how)
    return out.getvalue()


def pixels(raw: bytes) -> bytes:
    with Image.open(io.BytesIO(raw)) as image:
        return image.convert("RGB").tobytes()


def tells_of_place(raw: bytes) -> list[str]:
    found = [word.decode() for word in (b"GPSLatitude", b"22.54", b"Depot", b"An Artist", b"ns:meta") if word in raw]
    with Image.open(io.BytesIO(raw)) as image:
        exif = image.getexif()
        found += ["GPS"] if exif.get_ifd(ExifTags.IFD.GPSInfo) else []
        found += ["XMP"] if image.info.get("xmp") or "XML:com.adobe.xmp" in image.info else []
    return found


PHOTOS = [
    ("JPEG", "image/jpeg", {}),
    ("JPEG", "image/jpeg", {"progressive": True}),
    ("JPEG", "image/jpeg", {"restart_marker_rows": 1}),
    ("PNG", "image/png", {}),
    ("WEBP", "image/webp", {}),
    ("WEBP", "image/webp", {"lossless": True}),
]


@pytest.mark.parametrize(("kind", "mime", "how"), PHOTOS)
def test_a_kept_picture_tells_nothing_of_the_place_and_is_the_same_picture(
    tmp_path: Path, kind: str, mime: str, how: dict[str, Any]
) -> None:
    """Planted, one after the other: Exif, XMP and PNG texts are left in; the JPEG is compressed anew."""
    raw = photo(kind, **how)
    assert {"GPS", "XMP", "GPSLatitude", "Depot"} <= set(tells_of_place(raw))
    (tmp_path / "part").write_bytes(raw)

    contents.prepare(tmp_path / "part", tmp_path / "kept", mime, keep_location=False)

    kept = (tmp_path / "kept").read_bytes()
    assert tells_of_place(kept) == []
    assert pixels(kept) == pixels(raw)
    with Image.open(io.BytesIO(kept)) as image:
        assert image.getexif()[0x0112] == 6
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[0x9003] == "2026:03:02 10:00:00"
        if kind != "PNG":
            assert image.info["icc_profile"] == b"a profile" * 20


@pytest.mark.parametrize(("kind", "mime", "how"), PHOTOS)
def test_a_picture_without_descriptions_stays_byte_for_byte(tmp_path: Path, kind: str, mime: str, how: dict[str, Any]) -> None:
    out = io.BytesIO()
    Image.effect_noise((160, 120), 60).convert("RGB").save(out, kind, **how)
    (tmp_path / "part").write_bytes(out.getvalue())

    contents.prepare(tmp_path / "part", tmp_path / "kept", mime, keep_location=False)

    assert (tmp_path / "kept").read_bytes() == out.getvalue()


def test_what_hangs_behind_a_photograph_is_cut_off(tmp_path: Path) -> None:
    """A second picture or a film with a place of its own, as phones hang there; also a script. Planted: the rest is kept."""
    raw = photo("JPEG")
    (tmp_path / "part").write_bytes(raw + photo("JPEG") + b"<script>alert(1)</script>")

    contents.prepare(tmp_path / "part", tmp_path / "kept", "image/jpeg", keep_location=False)

    kept = (tmp_path / "kept").read_bytes()
    assert tells_of_place(kept) == []
    assert b"<script>" not in kept
    assert kept.endswith(b"\xff\xd9")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of broken Exif
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_cut_short_or_broken_anywhere_is_refused_or_tells_nothing(tmp_path: Path, kind: str) -> None:
    mime = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}[kind]
    raw = photo(kind)
    part, kept = tmp_path / "part", tmp_path / "kept"
    broken = [raw[:cut] for cut in range(0, len(raw), max(len(raw) // 60, 1))]
    broken += [raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :] for at in range(0, min(len(raw), 3000), 23)]
    for each in broken:
        part.write_bytes(each)
        try:
            contents.prepare(part, kept, mime, keep_location=False)
        except contents.ContentRefused:
            continue
        assert {"GPSLatitude", "22.54", "Depot"} & set(tells_of_place(kept.read_bytes())) == set()


def box(kind: bytes, body: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


@pytest.mark.parametrize("large", [False, True])
def test_a_film_tells_nothing_of_the_place_and_no_other_byte_moves(tmp_path: Path, *, large: bool) -> None:
    """Planted: the film is copied as it is."""
    place = b"\xa9xyz" + b"+22.5400+114.0500/"
    moov = (
        box(b"mvhd", b"\1" * 100)
        + box(b"udta", place, large=large)
        + box(b"trak", box(b"tkhd", b"\2" * 50) + box(b"meta", place))
    )
    raw = box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", moov, large=large) + box(b"mdat", b"\3" * 1000 + b"udta")
    (tmp_path / "part").write_bytes(raw)

    contents.prepare(tmp_path / "part", tmp_path / "kept", "video/mp4", keep_location=False)

    kept = (tmp_path / "kept").read_bytes()
    assert b"+22.5400" not in kept
    assert len(kept) == len(raw)
    assert kept[-1004:] == raw[-1004:]
    assert kept.count(b"free") == 2
    contents.prepare(tmp_path / "part", tmp_path / "kept", "video/mp4", keep_location=True)
    assert (tmp_path / "kept").read_bytes() == raw


@SQLITE_ONLY
@pytest.mark.parametrize("told", [{}, {"keep_location": "true"}])
def test_the_place_is_kept_only_when_it_is_asked_for(
    world: World, phone: PhoneOf, db: Database, settings: Settings, told: dict[str, str]
) -> None:
    """Planted: ``keep_location`` is not read; it is always so."""
    raw = photo("JPEG")
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, raw, mime="image/jpeg", name="crack.jpg"))

    assert send(rep.person, row, raw, **told).status_code == 204

    got = download(rep, row["id"]).data
    found = stored(db, row["id"])
    assert (found.sha256, found.stored_sha256, found.keep_location) == (sha(raw), sha(got), bool(told))
    assert (got == raw) == bool(told)
    assert ("GPS" in tells_of_place(got)) == bool(told)


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
    assert rep.rejected == {"attachments": ["attachment-0001"]}
    rep.deleted.clear()
    rep.sync()
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


# --- files made to break or to occupy what reads them


def many_scans(scans: int, side: int = 1024) -> bytes:
    """A progressive JPEG whose scans are a few bytes each and go over the whole picture; ``side`` a multiple of 1024."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    blocks = (side // 8) ** 2
    head = b"\xff\xd8" + segment(0xDB, bytes(1) + bytes([1] * 64))
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes((1, 0x11, 0)))
    head += segment(0xC4, bytes((0x00, 1, *[0] * 15, 0x00))) + segment(0xC4, bytes((0x10, 1, *[0] * 15, 0xE0)))
    first = segment(0xDA, bytes((1, 1, 0, 0, 0, 0))) + bytes(blocks // 8)
    runs = "".join("0" + "0" * 14 for _ in range(blocks // 16384))  # the end of 16,384 blocks in 15 bits
    runs += "1" * (-len(runs) % 8)
    scan = segment(0xDA, bytes((1, 1, 0, 1, 63, 0))) + bytes(int(runs[i : i + 8], 2) for i in range(0, len(runs), 8))
    return head + first + scan * scans + b"\xff\xd9"


@pytest.mark.parametrize("keep_location", [True, False])
def test_a_picture_of_very_many_scans_is_not_unpacked(tmp_path: Path, keep_location: bool) -> None:
    part, kept = tmp_path / "part", tmp_path / "kept"
    part.write_bytes(many_scans(60) + b"\xff\xda" * 200)  # what stands behind a picture is none of its scans
    contents.prepare(part, kept, "image/jpeg", keep_location=keep_location)
    for raw in (many_scans(120), many_scans(120).replace(b"\xff\xc2", b"\xff\xff\xc2")):
        part.write_bytes(raw)
        with pytest.raises(contents.ContentRefused, match="image_too_large"):
            contents.prepare(part, kept, "image/jpeg", keep_location=keep_location)


def test_a_film_nested_deeply_is_kept(tmp_path: Path) -> None:
    film = struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0"
    film += b"".join(struct.pack(">I4s", 8 * (3000 - i), b"trak" if i else b"moov") for i in range(3000))
    (tmp_path / "part").write_bytes(film)
    contents.prepare(tmp_path / "part", tmp_path / "kept", "video/mp4", keep_location=False)

    assert (tmp_path / "kept").read_bytes() == film


@pytest.mark.parametrize("odd", ["long", "other type"])
def test_a_picture_with_odd_descriptions_is_kept_without_them(tmp_path: Path, odd: str) -> None:
    if odd == "long":  # told in two segments
        tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x010F, 2, 100_000, 26, 0) + b"A" * 99_999 + b"\0"
    else:  # the maker's name as a fraction
        tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIIIII", 1, 0x010F, 5, 1, 26, 0, 72, 1)
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    told = b"".join(
        b"\xff\xe1" + struct.pack(">H", len(piece) + 8) + b"Exif\0\0" + piece
        for piece in (tiff[i : i + 60_000] for i in range(0, len(tiff), 60_000))
    )
    (tmp_path / "part").write_bytes(plain.getvalue()[:2] + told + plain.getvalue()[2:])
    contents.prepare(tmp_path / "part", tmp_path / "kept", "image/jpeg", keep_location=False)

    assert b"Exif" not in (tmp_path / "kept").read_bytes()
    with Image.open(tmp_path / "kept") as kept:
        assert kept.size == (8, 8)
