"""What the tests of attachments share: rows, uploads by tus, downloads, what is kept."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from tusclient.client import TusClient
from werkzeug.test import TestResponse

from app.attachments.models import Attachment
from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World
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


def uploader(person: Http, address: str, raw: bytes, row_id: str, **how: Any) -> Any:
    client = TusClient(address, headers={"Authorization": f"Bearer {person.token}"})
    metadata = {"attachment": row_id} | how.pop("told", {})
    return client.uploader(file_stream=io.BytesIO(raw), metadata=metadata, chunk_size=how.pop("chunk_size", 30_000), **how)
