"""Uploads by tus 1.0.0, and downloads. The row of an attachment itself comes and goes by sync."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import flask
from flask import Response, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, LengthRequired

from app.attachments import queries, schemas
from app.attachments.contents import safe_name
from app.attachments.models import Attachment
from app.attachments.uploads import MOST_AT_ONCE, Progress, Uploads
from app.core import wire
from app.core.edge import edge_database, edge_settings
from app.core.errors import DomainError, FieldsInvalid
from app.core.http import PUBLIC, Routes
from app.core.problems import OFFSET_STREAM
from app.users.rights import Actor
from app.visits.queries import access_visit

routes = Routes("attachments", __name__, description="Attachments: uploads by tus 1.0.0, downloads")

_VERSION = "1.0.0"
_ALGORITHMS = ("sha256", "sha1")
_PIECE = 1 << 16
_TUS = {"Tus-Resumable": True}


class TusVersionUnknown(DomainError):
    """``Tus-Resumable`` is missing or names another version."""

    status = 412


class ChecksumMismatch(DomainError):
    """The bytes are not those that were sent."""

    status = 460


class OffsetStreamNeeded(DomainError):
    """The body of a PATCH is of another media type."""

    status = 415


def tell_version(answer: Response) -> Response:
    """Name the protocol's version in every answer of an upload."""
    if request.path.startswith("/api/v1/uploads"):
        answer.headers["Tus-Resumable"] = _VERSION
        if answer.status_code == TusVersionUnknown.status:
            answer.headers["Tus-Version"] = _VERSION
    return answer


routes.after_request(tell_version)


def _about() -> Response:
    return Response(
        status=204,
        headers={
            "Tus-Version": _VERSION,
            "Tus-Extension": "creation,checksum,termination",
            "Tus-Max-Size": str(edge_settings().attachment_limit_bytes),
            "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
        },
    )


# The two that answer OPTIONS stand before the others: Flask would answer by itself for those.
@routes.door("OPTIONS", "/uploads", policy=PUBLIC, status=204, idempotent=False, own_transactions=True)
def describe_uploads(_actor: None) -> Response:
    """Tell what this server can do with uploads."""
    return _about()


@routes.door("OPTIONS", "/uploads/<upload_id>", policy=PUBLIC, status=204, idempotent=False, own_transactions=True)
def describe_upload(_actor: None, upload_id: str) -> Response:
    """Tell what this server can do with an upload."""
    return _about()


@routes.door(
    "POST",
    "/uploads",
    policy="attachments.write",
    status=201,
    idempotent=False,
    own_transactions=True,
    headers=_TUS | {"Upload-Length": True, "Upload-Metadata": True},
)
def begin_upload(actor: Actor) -> Response:
    """Begin the upload of an attachment whose row was synced before, or get it again.

    Headers: ``Upload-Length``; ``Upload-Metadata`` with ``attachment`` (its id) and optionally ``keep_location`` (``true``).
    ``Upload-Offset`` of the answer says how much is here; all of it when a file of these bytes was. The same is told by
    HEAD of the address in ``Location``; OPTIONS tells the longest file and the extensions.
    """
    _check_version()
    told = _metadata()
    try:
        attachment_id = wire.check_id(told.get("attachment"))
    except wire.WireError:
        raise FieldsInvalid({"Upload-Metadata": ["invalid"]}) from None
    length = _count("Upload-Length")
    progress = _uploads().begin(actor, attachment_id, length, keep_location=told.get("keep_location") == "true")
    return _answer(progress, 201, Location=f"/api/v1/uploads/{attachment_id}")


@routes.door("HEAD", "/uploads/<upload_id>", policy="attachments.write", own_transactions=True)
def look_at_upload(actor: Actor, upload_id: str) -> Response:
    """Tell how much of an upload is here."""
    _check_version()
    return _answer(_uploads().look(actor, upload_id), 200)


@routes.door(
    "PATCH",
    "/uploads/<upload_id>",
    policy="attachments.write",
    status=204,
    own_transactions=True,
    headers=_TUS | {"Upload-Offset": True, "Upload-Checksum": False},
)
def go_on_with_upload(actor: Actor, upload_id: str) -> Response:
    """Add bytes, at most 8 MiB at once, at ``Upload-Offset``; ``Upload-Checksum`` is sha256 or sha1."""
    _check_version()
    if request.mimetype != OFFSET_STREAM:
        raise OffsetStreamNeeded("offset_stream_needed")
    offset = _count("Upload-Offset")
    checksum = _checksum()
    uploads = _uploads()
    uploads.own(actor, upload_id)  # before anything is read for it
    if request.content_length is None:
        raise LengthRequired
    body, whole = _body(request.content_length)
    if checksum is not None and not (whole and hmac.compare_digest(checksum[0](body).digest(), checksum[1])):
        raise ChecksumMismatch("checksum_mismatch")
    progress = uploads.append(actor, upload_id, offset, body)
    return _answer(progress, 204)


@routes.door("DELETE", "/uploads/<upload_id>", policy="attachments.write", status=204, own_transactions=True, headers=_TUS)
def end_upload(actor: Actor, upload_id: str) -> Response:
    """Forget what arrived of an upload; the attachment goes on waiting."""
    _check_version()
    _uploads().end(actor, upload_id)
    return Response(status=204)


@routes.door("GET", "/attachments/<attachment_id>/content", policy="attachments.read", own_transactions=True)
def show_content(actor: Actor, attachment_id: str) -> Response:
    """Download a file; ``Range`` and ``If-None-Match`` are understood."""
    row, path = _uploads().stored_file(actor, attachment_id)
    answer = flask.send_file(
        path,
        mimetype=row.mime,
        as_attachment=True,
        download_name=safe_name(row.name, row.mime),
        etag=row.stored_sha256 or False,
        conditional=True,
    )
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


@routes.door("GET", "/visits/<visit_id>/attachments", policy="visits.read", answer=schemas.AttachmentsSchema)
def list_of_visit(session: Session, actor: Actor, visit_id: str) -> dict[str, Any]:
    """List the files of a visit: photos of its check-ins and steps, and what its rep attached there meanwhile; at most 200."""
    found = queries.of_visit(session, actor, access_visit(session, actor, visit_id))
    return {"items": [_shown(row) for row in found[: queries.MOST_OF_VISIT]], "cut": len(found) > queries.MOST_OF_VISIT}


def _shown(row: Attachment) -> dict[str, Any]:
    names = set(schemas.AttachmentSchema().fields) - {"content"}
    content = f"/attachments/{row.id}/content" if row.state == "stored" else None
    return {name: getattr(row, name) for name in names} | {"content": content}


def _uploads() -> Uploads:
    return Uploads(edge_database(), edge_settings())


def _check_version() -> None:
    if request.headers.get("Tus-Resumable") != _VERSION:
        raise TusVersionUnknown("tus_version_unknown")


def _count(header: str) -> int:
    given = request.headers.get(header, "")
    if not (given.isascii() and given.isdigit() and len(given) <= 15):
        raise FieldsInvalid({header: ["invalid"]})
    return int(given)


def _metadata() -> dict[str, str]:
    """Read ``Upload-Metadata``: names, each with a value in Base64."""
    found: dict[str, str] = {}
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise FieldsInvalid({"Upload-Metadata": ["invalid"]}) from None
    return found


def _checksum() -> tuple[Any, bytes] | None:
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    name, _, value = given.strip().partition(" ")
    if name not in _ALGORITHMS:
        raise FieldsInvalid({"Upload-Checksum": ["not_one_of"]})
    try:
        return getattr(hashlib, name), base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        raise FieldsInvalid({"Upload-Checksum": ["invalid"]}) from None


def _body(expected: int) -> tuple[bytes, bool]:
    """Return the body, or what came of it before the connection broke, and whether it is whole."""
    request.max_content_length = MOST_AT_ONCE
    stream = request.stream  # refuses a longer body at once
    found = bytearray()
    try:
        while len(found) < expected and (piece := stream.read(min(_PIECE, expected - len(found)))):
            found += piece
    except (BadRequest, OSError):
        pass  # what came is kept
    return bytes(found), len(found) == expected


def _answer(progress: Progress, status: int, **headers: str) -> Response:
    told = {"Upload-Offset": str(progress.offset), "Upload-Length": str(progress.length)}
    return Response(status=status, headers=told | headers)
