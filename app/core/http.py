"""The HTTP door of every room: one way to declare a route, one error format, transactions at the edge.

A route is declared with ``Routes.door``. It cannot be declared without a policy; what the policy's
name allows stands in ``app/users/rights.py``. GET sees one snapshot; everything else runs in one
``transaction()`` that also holds the stored answer of an Idempotency-Key.
"""

from __future__ import annotations

import copy
import functools
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import flask
import structlog
from flask import Flask, Response, g, request
from flask_smorest import Blueprint
from marshmallow import RAISE
from marshmallow import Schema as AnySchema
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from webargs.flaskparser import FlaskParser

from app.core import wire
from app.core.db import is_deadlock
from app.core.edge import Edge
from app.core.errors import (
    DomainError,
    FieldsInvalid,
    Forbidden,
    StaleVersion,
    VersionRequired,
)
from app.core.fault_points import FaultPoint, passed
from app.core.idempotency import KEY_PATTERN, claim_key, is_known, replay, store_answer
from app.core.ids import new_id
from app.core.logs import get_log
from app.core.metrics import HTTP_REQUESTS, HTTP_SECONDS
from app.core.problems import (
    BODY_FAULT,
    BODY_FAULTS,
    Malformed,
    Unsupported,
    answer_problems,
    flatten_errors,
)
from app.core.tracked import Tracked

log = get_log(__name__)

PUBLIC = "public"
_BODY_LIMIT = 1_000_000


# Of any route: a phone's push after weeks without network.
LARGEST_BODY = 16_000_000
_DEADLOCK_TRIES = 5
_DEADLOCK_PAUSE_S = 0.1
_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


class Prepared(Protocol):
    """What a route worked out in a snapshot before its transaction."""

    @property
    def settled(self) -> bool:
        """Whether nothing is to be written."""


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
        """Refuse with the codes of every field that is wrong."""
        messages = error.messages
        inner = next(iter(messages.values()), messages) if isinstance(messages, dict) else messages
        raise FieldsInvalid(flatten_errors(inner))


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
        reads: type[AnySchema] | dict[str, Any] | None = None,
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
            reads: schema of a JSON body that the view reads itself; for the description only.

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
            inner = self.doc(**_documentation(method, policy, idempotent, own_transactions, headers or {}, reads))(inner)
            inner.policy = policy  # type: ignore[attr-defined]
            if method in {"HEAD", "OPTIONS"}:  # they have no body to describe, and smorest describes nothing else
                flask.Blueprint.add_url_rule(self, path, view.__name__, inner, methods=[method])
            else:
                self.route(path, methods=[method])(inner)
            return view

        return declare


def _documentation(
    method: str,
    policy: str,
    idempotent: bool,
    own_transactions: bool,
    headers: Mapping[str, bool],
    reads: type[AnySchema] | dict[str, Any] | None,
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    if method == "POST" and idempotent and policy != PUBLIC:
        parameters.append(
            {
                "in": "header",
                "name": "Idempotency-Key",
                "required": False,
                "schema": {"type": "string", "pattern": f"^{KEY_PATTERN.pattern}$"},
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
    if reads is not None:
        doc["requestBody"] = {"required": True, "content": {"application/json": {"schema": reads}}}
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
                g.actor = edge.authenticate(session, edge.settings, request.headers.get("Authorization"))
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
                if key is None or not is_known(g.session, key):
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
    for tried in range(_DEADLOCK_TRIES - 1):
        try:
            return write()
        except OperationalError as fault:
            if not is_deadlock(fault):
                raise
            log.info("deadlock, trying again", method=request.method)
            for name in ("etag", "version_checked"):
                g.pop(name, None)
            # Not at once: whoever was in the way may be about to do the same.
            time.sleep(random.uniform(0, _DEADLOCK_PAUSE_S * (tried + 1)))  # noqa: S311 - jitter, not a secret
    return write()


def _write(
    inner: Callable[..., Any], edge: Edge, method: str, key: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one writing request in its transaction, with the stored answer of its key."""
    with edge.database.transaction() as g.session:
        if key is not None and (stored := claim_key(g.session, key)) is not None:
            return replay(stored)
        answer = flask.make_response(inner(*args, **kwargs))
        if method in _EDITS and not g.get("version_checked"):
            raise RuntimeError("an edit did not compare If-Match; call check_version")
        if key is not None:
            store_answer(g.session, key, answer)
    passed(FaultPoint.ANSWER_STORED)
    return answer


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


def revalidate(tag: str) -> None:
    """Let a phone keep the answer and ask whether it still says the same: 304 where it has this tag already."""
    g.etag, g.revalidated = f'"{tag}"', True


def install(app: Flask, edge: Edge) -> None:
    """Hang request ids, errors, headers and metrics on an application."""
    app.extensions["fieldloop"] = edge
    app.config["MAX_CONTENT_LENGTH"] = _BODY_LIMIT * 5  # a route that takes more says so itself
    answer_problems(app)

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if wire.ID_PATTERN.fullmatch(given) else new_id()
        g.began = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(process="web", request_id=g.request_id)
        if BODY_FAULT in request.environ:
            raise BODY_FAULTS[request.environ[BODY_FAULT]]

    @app.after_request
    def finish(answer: Response) -> Response:
        if "etag" in g and answer.status_code < 300:
            answer.headers["ETag"] = g.etag
            if "revalidated" in g:
                answer.headers["Cache-Control"] = "private, no-cache"
                answer.make_conditional(request)
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
