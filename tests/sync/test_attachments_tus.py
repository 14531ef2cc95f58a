"""The protocol that brings bytes: tus, from a real client to a real server and request by request."""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from flask import Flask
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from werkzeug.test import TestResponse

from app.attachments import files
from app.attachments.uploads import MOST_AT_ONCE
from app.core.db import Database
from app.core.settings import Settings
from tests.factories import PASSWORD, World
from tests.iot.broker.brokers import wait_until
from tests.sync.attachments import (
    SQLITE_ONLY,
    TEXT,
    PhoneOf,
    b64,
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
    uploader,
)


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
@pytest.mark.parametrize("how", ["goes away", "says no more"])
def test_of_an_upload_cut_at_the_web_process_what_came_is_kept(world: World, phone: PhoneOf, server: str, how: str) -> None:
    """Planted: a body that breaks off is refused whole; what came of it is taken for the whole."""
    row = pushed(phone(world.rep), row_of(world, TEXT))
    signed = httpx.post(f"{server}/auth/sign-in", json={"login": "rep@example.test", "password": PASSWORD}, timeout=30)
    about = {"Authorization": f"Bearer {signed.json()['access_token']}", "Tus-Resumable": "1.0.0"}
    told = {"Upload-Length": str(len(TEXT)), "Upload-Metadata": f"attachment {b64(row['id'])}"}
    with httpx.Client(base_url=server, headers=about, timeout=30) as client:
        assert client.post("/uploads", headers=told).status_code == 201
        path = f"/uploads/{row['id']}"
        where = urlsplit(server)
        head = [f"PATCH {where.path}{path} HTTP/1.1", "Host: x", "Upload-Offset: 0", f"Content-Length: {len(TEXT)}"]
        head += ["Content-Type: application/offset+octet-stream", *(f"{name}: {value}" for name, value in about.items())]
        with socket.create_connection((where.hostname, where.port or 80)) as line:
            line.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + TEXT[:50_000])
            if how == "says no more":
                answer = line.recv(4096)
                assert answer.startswith(b"HTTP/1.1 204")
                assert b"upload-offset: 50000" in answer.lower()

        def offset() -> int:
            return int(client.head(path).headers["Upload-Offset"])

        wait_until(lambda: offset() > 0, "the web process to keep what came", 30)
        assert offset() == 50_000
        rest = {"Upload-Offset": "50000", "Content-Type": "application/offset+octet-stream"}
        assert client.patch(path, content=TEXT[50_000:], headers=rest).status_code == 204
        assert client.get(f"/attachments/{row['id']}/content").content == TEXT


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
