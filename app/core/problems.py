"""Refusals as problem+json (RFC 9457), in the reader's language; one form for ours, werkzeug's and the database's."""

from __future__ import annotations

from typing import Any

import flask
from flask import Flask, Response, g, request
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from app.core import fields
from app.core.edge import edge_database, locale_of_request
from app.core.errors import (
    DomainError,
    FieldsInvalid,
    TooMany,
    Unauthenticated,
)
from app.core.logs import get_log
from app.core.texts import field_text, problem_text

log = get_log(__name__)
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


class Malformed(DomainError):
    """A body that cannot be read at all."""

    status = 400


class Unsupported(DomainError):
    """A body of another media type."""

    status = 415


class Unavailable(DomainError):
    """The database does not answer; nothing was changed."""

    status = 503


class BodyMissed(DomainError):
    """A body the server did not wait for any longer; nothing was looked at."""

    status = 408


class BodyCrowded(DomainError):
    """Too many bodies are on their way at once; nothing was looked at."""

    status = 503


BODY_FAULT = "fieldloop.body_fault"  # in the WSGI environment: why the server (app/serve.py) did not wait for the body
# The media type of a body of which what came before a cut is of use (tus 1.0.0): it is handed over as it is.
OFFSET_STREAM = "application/offset+octet-stream"
BODY_FAULTS = {
    "body_late": BodyMissed("body_late"),
    "body_crowded": BodyCrowded("body_crowded", retry_after_s=2),
}


def flatten_errors(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Turn marshmallow's nested messages into ``{"a.0.b": [codes]}``."""
    if isinstance(messages, dict):
        flat: dict[str, list[str]] = {}
        for key, inner in messages.items():
            name = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            flat.update(flatten_errors(inner, name))
        return flat
    return {path or "body": [str(message) for message in messages]}


class FieldProblemSchema(fields.Schema):
    """What is wrong with one field."""

    field = fields.Text()
    code = fields.Text()
    text = fields.Text()


class ProblemSchema(fields.Schema):
    """A refusal (RFC 9457). ``code`` is stable; ``title``, ``detail`` and ``text`` are in the reader's language."""

    type = fields.Text()
    title = fields.Text()
    status = fields.Int()
    detail = fields.Text()
    code = fields.Text()
    request_id = fields.Id()
    errors = fields.Listing(fields.Nested(FieldProblemSchema))


def problem(status: int, code: str, facts: dict[str, object], errors: dict[str, list[str]] | None = None) -> Response:
    """Build one problem+json answer (RFC 9457)."""
    locale = locale_of_request()
    title, detail = problem_text(code, locale, facts)
    document: dict[str, Any] = {
        "type": f"urn:fieldloop:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id"),
    }
    if errors:
        document["errors"] = [
            {"field": name, "code": found, "text": field_text(found, locale)} for name, codes in errors.items() for found in codes
        ]
    answer = flask.jsonify(document)
    answer.status_code = status
    answer.mimetype = "application/problem+json"
    answer.headers["Content-Language"] = locale
    g.problem_code = code
    return answer


def answer_domain_error(error: DomainError) -> Response:
    """Answer a refusal; commit the trace it must leave in a transaction of its own."""
    if error.trace is not None:
        try:
            with edge_database().transaction() as session:
                error.trace(session)
        except DATABASE_AWAY as fault:  # a failed try that cannot be counted is not answered as one
            return answer_database_error(fault)
    errors = error.errors if isinstance(error, FieldsInvalid) else None
    answer = problem(error.status, error.code, error.facts, errors)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooMany) and error.retry_after_s is None:
        answer.headers["Retry-After"] = "60"
    return answer


HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def answer_http_error(error: HTTPException) -> Response:
    """Answer what werkzeug refused."""
    status = error.code or 500
    code = HTTP_CODES.get(status, "internal" if status >= 500 else "http_error")
    answer = problem(status, code, {})
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"} and value is not None:
            answer.headers[name] = value
    return answer


def answer_database_error(error: Exception) -> Response:
    """Say 503 when the database is away, locked or full: the same request may be sent again."""
    text = str(error)
    log.error("database unavailable", problem=text.splitlines()[0][:300])
    full = "disk is full" in text or "No space left" in text
    answer = problem(507 if full else 503, "storage_full" if full else "unavailable", {})
    answer.headers["Retry-After"] = "2"
    return answer


def answer_unexpected(error: Exception) -> Response:
    """Log a fault of ours in full and tell the caller only its request id."""
    # The route and not the path: in one path stands a device's secret.
    log.error("request failed", exc_info=error, route=str(request.url_rule or "unknown"), method=request.method)
    return problem(500, "internal", {})


def _answer_integrity(error: IntegrityError) -> Response:
    log.warning("constraint refused a write", problem=str(error.orig).splitlines()[0][:300])
    return problem(409, "conflict", {})


def _answer_stale(_error: StaleDataError) -> Response:
    return problem(409, "conflict", {})


def answer_problems(app: Flask) -> None:
    """Answer every refusal and fault of an application in this form."""
    app.register_error_handler(DomainError, answer_domain_error)
    app.register_error_handler(HTTPException, answer_http_error)
    for kind in DATABASE_AWAY:
        app.register_error_handler(kind, answer_database_error)
    app.register_error_handler(IntegrityError, _answer_integrity)
    app.register_error_handler(StaleDataError, _answer_stale)
    app.register_error_handler(Exception, answer_unexpected)
