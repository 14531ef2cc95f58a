"""Sync over HTTP: both protocols, and what their operators see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import flask
import msgspec
from flask import Response, request
from sqlalchemy.orm import Session

from app.core import wire
from app.core.edge import edge_database, edge_settings
from app.core.errors import FieldsInvalid, NotFound
from app.core.http import LARGEST_BODY, Routes, past_deadlocks
from app.core.paging import PageQuery, page, page_of
from app.core.problems import Malformed
from app.core.streams import hold
from app.core.tracked import fetch
from app.users.rights import Actor
from offline_sync import digests, heirs, installations, operations, rxdb, schemas, watermelon
from offline_sync.arrivals import apply
from offline_sync.changes import Point, head_of, names_for, point_of
from offline_sync.collections import COLLECTIONS
from offline_sync.models import Installation, Intent, SyncConflict, SyncProblem
from offline_sync.news import PhoneListener, changes_told
from offline_sync.sent import Arrival, Outcome, Sender

routes = Routes("sync", __name__, description="Offline sync for WatermelonDB and RxDB")

_PUSH_LIMITS = wire.Limits(size=LARGEST_BODY)
# Each row may take milliseconds, and all of them are one transaction: on SQLite nobody else writes meanwhile.
_MOST_PUSHED = 20_000


@routes.door("GET", "/sync/watermelon", policy="sync", query=schemas.WatermelonPullQuery, own_transactions=True)
def pull_watermelon(actor: Actor, query: dict[str, Any]) -> Response:
    """Pull: what changed since ``last_pulled_at``."""
    with edge_database().reading() as session:
        phone = installations.of_headers(session, actor, dict(request.headers), "watermelon")
        answer = watermelon.pull(
            session,
            actor,
            edge_settings(),
            cursor=query["last_pulled_at"],
            migration=query["migration"],
            page=query.get("page"),
            limit=query["limit"],
        )
    installations.note_pull(edge_database(), phone, None if answer["has_more"] else point_of(answer["timestamp"]).since)
    return _json(answer)


@routes.door(
    "POST",
    "/sync/watermelon",
    policy="sync",
    query=schemas.WatermelonPushQuery,
    reads=schemas.WATERMELON_CHANGES,
    own_transactions=True,
)
def push_watermelon(actor: Actor, query: dict[str, Any]) -> Response:
    """Push: the body is the ``changes`` object of ``pushChanges``. Nothing is refused for a conflict."""
    arrived = _few(watermelon.arrivals(_body()))

    def take(session: Session) -> tuple[Sender, dict[str, Any]]:
        sender = _sender(session, actor, "watermelon", query["last_pulled_at"], query.get("seen"))
        refused = watermelon.rejected(apply(session, sender, arrived))
        merged = heirs.told(session, actor, arrived)
        return sender, {"experimentalRejectedIds": refused} | ({"merged": {"customers": merged}} if merged else {})

    return _json(_push(take))


@routes.door("GET", "/sync/rxdb/<collection>/pull", policy="sync", query=schemas.RxdbPullQuery, own_transactions=True)
def pull_rxdb(actor: Actor, query: dict[str, Any], collection: str) -> Response:
    """Pull one page of a collection."""
    name = _collection(collection)
    with edge_database().reading() as session:
        phone = installations.of_headers(session, actor, dict(request.headers), "rxdb")
        answer = rxdb.pull(session, actor, edge_settings(), name, checkpoint=query.get("checkpoint"), limit=query["limit"])
    installations.note_pull(edge_database(), phone, None if answer["checkpoint"]["after"] else answer["checkpoint"]["since"])
    return _json(answer)


@routes.door("POST", "/sync/rxdb/<collection>/push", policy="sync", reads=schemas.RXDB_ROWS, own_transactions=True)
def push_rxdb(actor: Actor, collection: str) -> Response:
    """Push rows of a collection; answers with the server's state of those that differ from it."""
    name, body = _collection(collection), _body()
    arrived = _few(rxdb.arrivals(name, body))
    outcomes: list[Outcome] = []

    def take(session: Session) -> tuple[Sender, None]:
        sender = _sender(session, actor, "rxdb", None)
        outcomes[:] = apply(session, sender, arrived)
        return sender, None

    _push(take)
    with edge_database().reading() as session:
        return _json(rxdb.conflicts(session, actor, edge_settings(), name, outcomes, body))


@routes.door("POST", "/sync/rxdb/<collection>/reconcile", policy="sync", reads=schemas.ReconcileSchema, own_transactions=True)
def reconcile_rxdb(actor: Actor, collection: str) -> Response:
    """After ``checkpoint_gone``: which of a phone's rows it should not hold."""
    name, body = _collection(collection), _body()
    with edge_database().reading() as session:
        installations.of_headers(session, actor, dict(request.headers), "rxdb")
        return _json(rxdb.reconcile(session, actor, name, body.get("ids") if isinstance(body, dict) else None))


@routes.door("GET", "/sync/rxdb/<collection>/stream", policy="sync", query=schemas.RxdbStreamQuery, own_transactions=True)
def stream_rxdb(actor: Actor, query: dict[str, Any], collection: str) -> Response:
    """Say RESYNC whenever there is something new, as server-sent events."""
    name = _collection(collection)
    with edge_database().reading() as session:
        installations.of_headers(session, actor, dict(request.headers), "rxdb")
        head = head_of(session)
        news = rxdb.has_news(session, actor, name, query.get("since"))
    listener = PhoneListener(edge_database(), actor.id, frozenset({name}), Point(head.epoch, head.n), one=True)
    return _held(listener, b"data: RESYNC\n\n" if news else b": nothing new\n\n")


@routes.door("GET", "/sync/stream", policy="sync", query=schemas.StreamQuery, own_transactions=True)
def stream(actor: Actor, query: dict[str, Any]) -> Response:
    """Name the collections that have something new, as server-sent events: one stream for a whole phone.

    ``since``, or the header Last-Event-ID: the id of the last event; without it, all collections are named first.
    """
    given = request.headers.get("Last-Event-ID", "")
    since = query["since"] or (int(given) if given.isascii() and given.isdigit() and len(given) < 17 else 0)
    with edge_database().reading() as session:
        installations.of_headers(session, actor, dict(request.headers), "stream")
        listener = PhoneListener(edge_database(), actor.id, frozenset(names_for(actor)), point_of(since))
        (first,) = changes_told(session, head_of(session), [listener])
    return _held(listener, first or b": nothing new\n\n")


def _held(listener: PhoneListener, first: bytes) -> Response:
    hold(listener)
    # Where the server cannot hold the answer, it ends here, and the phone comes again.
    return Response(b"retry: %d\n%s" % (edge_settings().sync_retry_ms, first), mimetype="text/event-stream")


@routes.door("GET", "/sync/digest", policy="sync", query=schemas.DigestQuery, answer=schemas.DigestSchema)
def digest(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Return count and hash of the rows this person's phone should hold."""
    return digests.digest_of(session, actor, _collection(query["collection"]))


@routes.door("GET", "/sync/explain", policy="sync.read", query=schemas.ExplainQuery, answer=schemas.ExplanationSchema)
def explain(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Say why a row is, or is not, on a person's phone."""
    if query["collection"] not in COLLECTIONS:
        raise NotFound
    return digests.explain(session, actor, query["collection"], query["id"], query["user"])


@routes.door("GET", "/sync/installations", policy="sync.read", query=PageQuery, answer=page_of(schemas.InstallationSchema))
def list_installations(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List phones: how far each has come, its queue, its clock, its last error."""
    n = head_of(session).n
    found = page(session, installations.all_of(actor), Installation, query)
    return {"items": [installations.shown(row, n) for row in found["items"]], "next": found["next"]}


@routes.door(
    "POST",
    "/sync/installations/<installation_id>/wipe",
    policy="sync.repair",
    body=schemas.WhoseSchema,
    answer=schemas.InstallationSchema,
)
def wipe(session: Session, actor: Actor, body: dict[str, Any], installation_id: str) -> dict[str, Any]:
    """Let the app on a phone delete its data the next time it calls."""
    row = installations.ask_wipe(session, actor, installation_id, body["user_id"])
    return installations.shown(row, head_of(session).n)


@routes.door("POST", "/sync/wiped", policy="self", status=204)
def wiped(session: Session, actor: Actor) -> None:
    """Confirm that all local data of this person on this installation was deleted."""
    installations.confirm_wipe(session, actor, request.headers.get("X-Installation", ""))


@routes.door("GET", "/sync/problems", policy="sync.read", query=schemas.ProblemQuery, answer=page_of(schemas.SyncProblemSchema))
def list_problems(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List rows from phones that could not be taken."""
    found = page(session, operations.problems(query.get("state")), SyncProblem, query)
    return {"items": [operations.problem_shown(row, actor.locale) for row in found["items"]], "next": found["next"]}


@routes.door(
    "POST",
    "/sync/problems/<problem_id>/replay",
    policy="sync.repair",
    body=schemas.ReplaySchema,
    answer=schemas.SyncProblemSchema,
    idempotent=False,
)
def replay(session: Session, actor: Actor, body: dict[str, Any], problem_id: str) -> dict[str, Any]:
    """Take the row again, corrected, in the name of whoever sent it."""
    problem = fetch(session, SyncProblem, problem_id)
    operations.replay(session, edge_settings(), actor, problem, body.get("values") or {})
    return operations.problem_shown(problem, actor.locale)


@routes.door("POST", "/sync/problems/<problem_id>/dismiss", policy="sync.repair", answer=schemas.SyncProblemSchema)
def dismiss(session: Session, actor: Actor, problem_id: str) -> dict[str, Any]:
    """Give a row up."""
    problem = fetch(session, SyncProblem, problem_id)
    operations.dismiss(session, actor, problem)
    return operations.problem_shown(problem, actor.locale)


@routes.door(
    "GET", "/sync/conflicts", policy="sync.read", query=schemas.ConflictQuery, answer=page_of(schemas.SyncConflictSchema)
)
def list_conflicts(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List values that lost where two people changed the same."""
    return page(session, operations.conflicts(query), SyncConflict, query)


@routes.door("POST", "/sync/conflicts/<conflict_id>/restore", policy="sync.repair", answer=schemas.SyncConflictSchema)
def restore(session: Session, actor: Actor, conflict_id: str) -> SyncConflict:
    """Write the value that had lost; where a deletion had won, bring the row back with it."""
    return operations.restore(session, actor, fetch(session, SyncConflict, conflict_id))


@routes.door("GET", "/sync/intents", policy="sync.read", query=schemas.IntentQuery, answer=page_of(schemas.IntentSchema))
def list_intents(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List what people asked for offline, by verdict."""
    return page(session, operations.intents(query.get("verdict")), Intent, query)


@routes.door(
    "POST", "/sync/intents/<intent_id>/settle", policy="sync.repair", body=schemas.SettleSchema, answer=schemas.IntentSchema
)
def settle(session: Session, actor: Actor, body: dict[str, Any], intent_id: str) -> Intent:
    """Decide an intent that waits for a person."""
    return operations.settle(session, edge_settings(), actor, intent_id, body["how"], body["note"])


def _collection(name: str) -> str:
    """Return a collection's name. One that a role may not hold is empty to it: a client repeats a refusal for ever."""
    if name not in COLLECTIONS:
        raise NotFound
    return name


def _sender(session: Session, actor: Actor, protocol: str, cursor: int | None, seen: int | None = None) -> Sender:
    phone = installations.of_headers(session, actor, dict(request.headers), protocol)
    installations.note_push(session, phone)
    head = head_of(session)

    def number(cursor: int | None) -> int:
        point = point_of(cursor)
        # A cursor of another history says nothing about what the phone has seen of this one.
        return point.since if point.since is not None and point.epoch == head.epoch else 0

    since = number(cursor)
    stood = since if seen is None else min(since, number(seen))
    edited_at = installations.edited_at(session, phone, dict(request.headers))
    return Sender(
        actor, edge_settings(), phone.id, since, stood, cursor or 0, waits=protocol == "rxdb", edited_at=edited_at,
        skew_ms=phone.skew_ms,
    )  # fmt: skip


def _few(arrivals: Iterator[Arrival]) -> list[Arrival]:
    found = list(islice(arrivals, _MOST_PUSHED + 1))
    if len(found) > _MOST_PUSHED:
        raise FieldsInvalid({"body": ["too_many"]})
    return found


def _push(take: Callable[[Session], tuple[Sender, Any]]) -> Any:
    """Take a push in one transaction; then write what its refusals must leave, each in one of its own."""

    def once() -> tuple[Sender, Any]:
        with edge_database().transaction() as session:
            return take(session)

    sender, answer = past_deadlocks(once)
    for refusal in sender.refusals:
        if refusal.trace is not None:
            with edge_database().transaction() as session:
                refusal.trace(session)
    return answer


def _body() -> Any:
    """Return the JSON body. One row that no database could store must not stop the others, so rows are checked one by one."""
    request.max_content_length = _PUSH_LIMITS.size
    raw = request.get_data(cache=True)
    if request.mimetype != "application/json":
        raise FieldsInvalid({"Content-Type": ["invalid"]})
    try:
        return wire.parse_rows(raw, _PUSH_LIMITS)
    except wire.WireError as fault:
        raise Malformed("malformed", reason=fault.reason) from None


def _json(answer: Any) -> Response:
    try:
        text = msgspec.json.encode(answer)
    except UnicodeEncodeError:  # half a character that a phone sent, and that goes back to it as it came
        text = flask.json.dumps(answer).encode()
    return flask.current_app.response_class(text, mimetype="application/json")
