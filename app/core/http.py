"""The HTTP door of every room: one way to declare a route, one error format, transactions at the edge.

A route is declared with ``Routes.door``. It cannot be declared without a policy; what the policy's
name allows stands in ``app/users/rights.py``. GET sees one snapshot; everything else runs in one
``transaction()`` that also holds the stored answer of an Idempotency-Key.
"""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import flask
import structlog
from flask import Flask, Response, g, request
from flask_smorest import Api, Blueprint
from marshmallow import RAISE
from marshmallow import Schema as AnySchema
from sqlalchemy import Select, String, delete, select, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.exc import StaleDataError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

from app.core import fields, wire
from app.core.db import Base, Database, Moment, insert_once, is_deadlock, now
from app.core.errors import (
    Conflict,
    DomainError,
    FieldsInvalid,
    Forbidden,
    Invalid,
    StaleVersion,
    TooMany,
    Unauthenticated,
    VersionRequired,
)
from app.core.ids import new_id
from app.core.locales import closest
from app.core.logs import get_log
from app.core.metrics import HTTP_REQUESTS, HTTP_SECONDS
from app.core.settings import Settings
from app.core.texts import field_text, problem_text
from app.core.tracked import Tracked

log = get_log(__name__)

PUBLIC = "public"
BODY_FAULT = "fieldloop.body_fault"  # in the WSGI environment: why the server (app/serve.py) did not wait for the body
_KEY_PATTERN = re.compile(r"[A-Za-z0-9_.:-]{8,100}")
_BODY_LIMIT = 1_000_000
# Of any route: a phone's push after weeks without network.
LARGEST_BODY = 16_000_000
_DEADLOCK_TRIES = 3
_DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


class AnyActor(Protocol):
    """What this door needs to know of a signed-in person; the rest is the rooms' business."""

    @property
    def id(self) -> str: ...
    @property
    def locale(self) -> str: ...


Authenticate = Callable[[Session, str | None], AnyActor]
Allows = Callable[[AnyActor, str], bool]


class Prepared(Protocol):
    """What a route worked out in a snapshot before its transaction."""

    @property
    def settled(self) -> bool:
        """Whether nothing is to be written."""


class StoredAnswer(Base):
    """The answer given to an Idempotency-Key, written in the transaction of the effect it answers for."""

    __tablename__ = "stored_answers"

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    etag: Mapped[str | None] = mapped_column(String(40))
    body: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class StrictParser(FlaskParser):
    """webargs on top of the strict input layer instead of Flask's lenient JSON; unknown names in a query are refused, too."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": RAISE}

    def _raw_load_json(self, req: Any) -> Any:
        if req.mimetype != "application/json":
            raise Unsupported("unsupported_media_type")
        try:
            return wire.parse_json(req.get_data(cache=True))
        except wire.WireError as fault:
            raise Malformed("malformed", reason=fault.reason) from None

    def handle_error(self, error: Any, req: Any, schema: Any, *, error_status_code: Any, error_headers: Any) -> Any:
        messages = error.messages
        inner = next(iter(messages.values()), messages) if isinstance(messages, dict) else messages
        raise FieldsInvalid(flatten_errors(inner))


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


_BODY_FAULTS = {
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


class Routes(Blueprint):
    """A smorest blueprint whose routes are declared with ``door``."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, description: str = "") -> None:
        super().__init__(name, import_name, url_prefix="/api/v1", description=description)

    def door(
        self,
        method: str,
        path: str,
        *,
        policy: str,
        answer: type[AnySchema] | AnySchema | None = None,
        query: type[AnySchema] | None = None,
        body: type[AnySchema] | None = None,
        status: int = 200,
        idempotent: bool = True,
        own_transactions: bool = False,
        prepare: Callable[[Session, Any, Any], Prepared] | None = None,
        headers: Mapping[str, bool] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare one route.

        Args:
            method: GET, POST, PUT, PATCH or DELETE; HEAD and OPTIONS where a protocol asks for more than Flask gives.
                POST takes an Idempotency-Key (unless ``idempotent`` is False); PUT, PATCH and DELETE need If-Match.
            path: below ``/api/v1``; ``<id>`` parameters are checked as ids.
            policy: the name of a right, or ``PUBLIC``.
            answer: schema of the answer; None for no body.
            query: schema of the query string.
            body: schema of the JSON body.
            status: of a success.
            own_transactions: the view conducts transactions itself; it is called without a session,
                and looks after keys and versions itself.
            prepare: called with session, actor and body in a snapshot, before the transaction; the view
                gets what it returns in place of the body. When that is ``settled``, the view only
                answers, and no transaction is begun.
            headers: further ones of the request, with whether they are needed; for the description only.

        Returns:
            A decorator for ``view(session, actor, [query], [body], **path)``; the view's
            docstring becomes the operation's summary and text.
        """

        def declare(view: Callable[..., Any]) -> Callable[..., Any]:
            names = [name for name, given in (("query", query), ("body", body)) if given]

            @functools.wraps(view)
            def call(*parsed: Any, **path_values: Any) -> Any:
                for name, value in path_values.items():
                    if name.endswith("id") and not wire.ID_PATTERN.fullmatch(value):
                        raise NotFoundHere
                who = (g.get("actor"),) if own_transactions else (g.session, g.get("actor"))
                found = view(*who, **dict(zip(names, parsed, strict=True)), **path_values)
                _set_etag(found)
                return found

            inner: Callable[..., Any] = self.response(status, answer)(call)
            if not own_transactions:
                inner = _transact(inner, method, idempotent and method == "POST" and policy != PUBLIC, prepare)
            if body is not None:
                inner = self.arguments(body)(inner)
            inner = _without_query(inner) if query is None else self.arguments(query, location="query")(inner)
            inner = _admit(inner, policy)
            inner = self.doc(**_documentation(method, policy, idempotent, own_transactions, headers or {}))(inner)
            inner.policy = policy  # type: ignore[attr-defined]
            if method in {"HEAD", "OPTIONS"}:  # they have no body to describe, and smorest describes nothing else
                flask.Blueprint.add_url_rule(self, path, view.__name__, inner, methods=[method])
            else:
                self.route(path, methods=[method])(inner)
            return view

        return declare


def _documentation(
    method: str, policy: str, idempotent: bool, own_transactions: bool, headers: Mapping[str, bool]
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    if method == "POST" and idempotent and policy != PUBLIC:
        parameters.append(
            {
                "in": "header",
                "name": "Idempotency-Key",
                "required": False,
                "schema": {"type": "string", "pattern": f"^{_KEY_PATTERN.pattern}$"},
            }
        )
    if method in _EDITS and not own_transactions:
        parameters.append({"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}})
    parameters += [
        {"in": "header", "name": name, "required": needed, "schema": {"type": "string"}} for name, needed in headers.items()
    ]
    doc: dict[str, Any] = {"security": [] if policy == PUBLIC else [{"bearer": []}], "x-policy": policy}
    if parameters:
        doc["parameters"] = parameters
    return doc


class _NotFoundHere(DomainError):
    status = 404


NotFoundHere = _NotFoundHere("not_found")


def _admit(inner: Callable[..., Any], policy: str) -> Callable[..., Any]:
    """Know who calls, and refuse whom the policy does not name, before the body is looked at."""

    @functools.wraps(inner)
    def admitted(*args: Any, **kwargs: Any) -> Any:
        edge: Edge = flask.current_app.extensions["fieldloop"]
        if policy != PUBLIC:
            with edge.database.reading() as session:
                g.actor = edge.authenticate(session, request.headers.get("Authorization"))
            if not edge.allows(g.actor, policy):
                raise Forbidden("forbidden")
        return inner(*args, **kwargs)

    return admitted


def _without_query(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a query string where none is known, as unknown fields of a body are refused."""

    @functools.wraps(inner)
    def strict(*args: Any, **kwargs: Any) -> Any:
        if request.args:
            raise FieldsInvalid({name: ["unknown"] for name in request.args})
        return inner(*args, **kwargs)

    return strict


_EDITS = frozenset({"PUT", "PATCH", "DELETE"})


def _transact(
    inner: Callable[..., Any], method: str, idempotent: bool, prepare: Callable[..., Prepared] | None
) -> Callable[..., Any]:
    """Open the snapshot or the one transaction of this request around the view and its answer."""

    @functools.wraps(inner)
    def transacted(*args: Any, **kwargs: Any) -> Any:
        edge: Edge = flask.current_app.extensions["fieldloop"]
        if method == "GET":
            with edge.database.reading() as g.session:
                return inner(*args, **kwargs)
        if method in _EDITS and not request.headers.get("If-Match"):
            raise VersionRequired("version_required")
        key = request.headers.get("Idempotency-Key") if idempotent else None
        if prepare is not None:
            with edge.database.reading() as g.session:
                if key is None or not _is_known(g.session, key):
                    found = prepare(g.session, g.actor, args[-1])
                    args = (*args[:-1], found)
                    if found.settled:
                        return inner(*args, **kwargs)
        return past_deadlocks(lambda: _write(inner, edge, method, key, copy.deepcopy(args), copy.deepcopy(kwargs)))

    return transacted


def past_deadlocks(write: Callable[[], Any]) -> Any:
    """Write again where the database ended the transaction to break a deadlock: that one has left nothing.

    Args:
        write: opens, fills and ends its own transaction.
    """
    for _ in range(_DEADLOCK_TRIES - 1):
        try:
            return write()
        except OperationalError as fault:
            if not is_deadlock(fault):
                raise
            log.info("deadlock, trying again", method=request.method)
            for name in ("etag", "version_checked"):
                g.pop(name, None)
    return write()


def _write(
    inner: Callable[..., Any], edge: Edge, method: str, key: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one writing request in its transaction, with the stored answer of its key."""
    with edge.database.transaction() as g.session:
        if key is not None and (stored := _claim_key(g.session, key)) is not None:
            return _replay(stored)
        answer = flask.make_response(inner(*args, **kwargs))
        if method in _EDITS and not g.get("version_checked"):
            raise RuntimeError("an edit did not compare If-Match; call check_version")
        if key is not None:
            _store_answer(g.session, key, answer)
        return answer


def _claim_key(session: Session, key: str) -> StoredAnswer | None:
    """Take the key for this request, or return the answer it got before."""
    if not _KEY_PATTERN.fullmatch(key):
        raise Invalid("key_invalid")
    body_hash = hashlib.sha256(request.path.encode() + b"\n" + request.get_data(cache=True)).hexdigest()
    identity = {"user_id": g.actor.id, "route": str(request.url_rule)[:200], "key": key}
    try:
        if insert_once(session, StoredAnswer, **identity, body_hash=body_hash, at=now(session)):
            return None
    except OperationalError as fault:
        if is_deadlock(fault):
            raise
        raise Conflict("key_in_flight", retry_after_s=2) from fault
    stored = session.scalars(select(StoredAnswer).filter_by(**identity)).one()
    if stored.body_hash != body_hash:
        raise Invalid("key_reused")
    return stored


def _is_known(session: Session, key: str) -> bool:
    """Tell whether this key was answered before, so that ``_claim_key`` will have the answer."""
    return session.get(StoredAnswer, (g.actor.id, str(request.url_rule)[:200], key)) is not None


def _store_answer(session: Session, key: str, answer: Response) -> None:
    session.execute(
        update(StoredAnswer)
        .where(
            StoredAnswer.user_id == g.actor.id,
            StoredAnswer.route == str(request.url_rule)[:200],
            StoredAnswer.key == key,
        )
        .values(status=answer.status_code, body=answer.get_data(as_text=True), etag=g.get("etag"))
    )


def _replay(stored: StoredAnswer) -> Response:
    answer = Response(stored.body or "", status=stored.status, mimetype="application/json")
    answer.headers["Idempotency-Replayed"] = "true"
    if stored.etag:
        answer.headers["ETag"] = stored.etag
    return answer


def forget_answers(session: Session, days: int) -> int:
    """Delete stored answers older than ``days``; return how many."""
    gone = session.execute(delete(StoredAnswer).where(StoredAnswer.at < now(session) - timedelta(days=days)))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _set_etag(found: Any) -> None:
    version = found.get("version") if isinstance(found, Mapping) else getattr(found, "version", None)
    if isinstance(version, int):
        g.etag = f'"{version}"'


def check_version(row: Tracked) -> None:
    """Compare If-Match with the row's version; every edit calls this once it has loaded the row.

    Raises:
        StaleVersion: ``version_stale`` with the present version.
    """
    g.version_checked = True
    given = request.headers.get("If-Match", "")
    if given != "*" and f'"{row.version}"' not in [tag.strip().removeprefix("W/") for tag in given.split(",")]:
        raise StaleVersion("version_stale", version=row.version)


class PageQuery(fields.Schema):
    """Cursor and size of a page."""

    cursor = fields.Text(200)
    limit = fields.Int(1, 200, from_text=True, load_default=50)


def page_of(item: type[AnySchema]) -> type[AnySchema]:
    """Return the schema of a page of ``item``: ``{"items": [...], "next": cursor or null}``."""
    return fields.Schema.from_dict(
        {"items": fields.Listing(fields.Nested(item)), "next": fields.Text(allow_none=True)},
        name=f"{item.__name__.removesuffix('Schema')}Page",
    )


def page(session: Session, query: Select[Any], model: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of a scoped query, newest first, keyed by id.

    Raises:
        Invalid: ``validation_failed`` for a cursor we did not make.
    """
    limit = wanted["limit"]
    cursor = wanted.get("cursor")
    if cursor:
        try:
            after = base64.urlsafe_b64decode(cursor.encode()).decode()
            wire.check_id(after)
        except (ValueError, UnicodeError):
            raise FieldsInvalid({"cursor": ["invalid"]}) from None
        query = query.where(model.id < after)
    rows = list(session.scalars(query.order_by(model.id.desc()).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    following = base64.urlsafe_b64encode(rows[-1].id.encode()).decode() if more else None
    return {"items": rows, "next": following}


class Edge:
    """What the door needs from outside: database, settings, and who is who."""

    def __init__(self, database: Database, settings: Settings, authenticate: Authenticate, allows: Allows) -> None:
        self.database = database
        self.settings = settings
        self.authenticate = authenticate
        self.allows = allows


def edge_settings() -> Settings:
    """Return the settings of the application that serves this request."""
    edge: Edge = flask.current_app.extensions["fieldloop"]
    return edge.settings


def edge_database() -> Database:
    """Return the database of the application that serves this request."""
    edge: Edge = flask.current_app.extensions["fieldloop"]
    return edge.database


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


class FieldloopApi(Api):
    """smorest's Api with our errors; theirs would drop the Allow header (RFC 9110, 15.5.6)."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        """Describe refusals under the media type they are sent with; smorest would say application/json."""
        kept: str = self.DEFAULT_RESPONSE_CONTENT_TYPE
        self.DEFAULT_RESPONSE_CONTENT_TYPE: str = "application/problem+json"
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = kept

    def handle_http_exception(self, error: HTTPException) -> Any:
        """Answer werkzeug's own refusals as problem+json, with their headers."""
        return answer_http_error(error)


def locale_of_request() -> str:
    """Return the signed-in person's language, else the one the request asks for."""
    actor = g.get("actor")
    if actor is not None:
        return str(actor.locale)
    edge: Edge = flask.current_app.extensions["fieldloop"]
    return closest(request.headers.get("Accept-Language"), edge.settings.default_locale)


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
        except _DATABASE_AWAY as fault:  # a failed try that cannot be counted is not answered as one
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


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def answer_http_error(error: HTTPException) -> Response:
    """Answer what werkzeug refused."""
    status = error.code or 500
    code = _HTTP_CODES.get(status, "internal" if status >= 500 else "http_error")
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
    log.error("request failed", exc_info=error, path=request.path, method=request.method)
    return problem(500, "internal", {})


def _answer_integrity(error: IntegrityError) -> Response:
    log.warning("constraint refused a write", problem=str(error.orig).splitlines()[0][:300])
    return problem(409, "conflict", {})


def _answer_stale(_error: StaleDataError) -> Response:
    return problem(409, "conflict", {})


def install(app: Flask, edge: Edge) -> None:
    """Hang request ids, errors, headers and metrics on an application."""
    app.extensions["fieldloop"] = edge
    app.config["MAX_CONTENT_LENGTH"] = _BODY_LIMIT * 5  # a route that takes more says so itself
    app.register_error_handler(DomainError, answer_domain_error)
    app.register_error_handler(HTTPException, answer_http_error)
    for kind in _DATABASE_AWAY:
        app.register_error_handler(kind, answer_database_error)
    app.register_error_handler(IntegrityError, _answer_integrity)
    app.register_error_handler(StaleDataError, _answer_stale)
    app.register_error_handler(Exception, answer_unexpected)

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if wire.ID_PATTERN.fullmatch(given) else new_id()
        g.began = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(process="web", request_id=g.request_id)
        if BODY_FAULT in request.environ:
            raise _BODY_FAULTS[request.environ[BODY_FAULT]]

    @app.after_request
    def finish(answer: Response) -> Response:
        if "etag" in g and answer.status_code < 300:
            answer.headers["ETag"] = g.etag
        answer.headers["X-Request-Id"] = g.request_id
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Frame-Options"] = "DENY"
        route = str(request.url_rule) if request.url_rule else "unknown"
        seconds = time.perf_counter() - g.began
        method = request.method if request.method in _METHODS else "other"  # a label anybody may choose must be bounded
        HTTP_REQUESTS.labels(method, route, str(answer.status_code)).inc()
        HTTP_SECONDS.labels(method, route).observe(seconds)
        if not route.startswith("/health"):
            actor = g.get("actor")
            log.info(
                "request",
                method=request.method,
                route=route,
                status=answer.status_code,
                ms=round(seconds * 1000, 1),
                user=actor.id if actor else None,
                refusal=g.get("problem_code"),
            )
        return answer


def check_policies(app: Flask, known: set[str]) -> None:
    """Refuse to start when a route declares no policy, or one nobody defined.

    Raises:
        RuntimeError: naming the route.
    """
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "api-docs.openapi_json":  # smorest's own, and meant for everybody
            continue
        view = app.view_functions[rule.endpoint]
        policy = getattr(view, "policy", None)
        if policy is None or (policy != PUBLIC and policy not in known):
            raise RuntimeError(f"route {rule} declares no known policy ({policy!r}); every route must")


__all__ = [
    "PUBLIC",
    "Edge",
    "FieldloopApi",
    "PageQuery",
    "Routes",
    "check_policies",
    "check_version",
    "install",
    "page",
    "page_of",
]
