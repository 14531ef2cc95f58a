"""Engines of one kind share what costs to have anew: compiled statements, and connections to PostgreSQL.

Each test opens databases of its own, where a process of the product opens one. With a cold cache a test would compile every
statement anew, and each new connection would read again what every table is like.
"""

from __future__ import annotations

import os
from typing import Any

import psycopg
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.util import LRUCache

import app.core.db

# Statements of all tests of a process: more than one deployment of the product has.
_SIZE = 5_000
_MOST_IDLE = 8
_caches: dict[str, LRUCache[Any, Any]] = {}
_dialects: dict[str, Dialect] = {}
# Process and URL -> connections that nobody has; a fork must not use those of its parent.
_idle: dict[str, list[psycopg.Connection[Any]]] = {}


def share_what_is_warm() -> None:
    """Let every ``Database`` of this process use what the ones before it have compiled and opened."""
    make_engine = app.core.db._make_engine

    def make_warm_engine(url: str, pool_size: int) -> Engine:
        engine = make_engine(url, pool_size)
        kind = engine.url.drivername
        engine._compiled_cache = _caches.setdefault(kind, LRUCache(_SIZE))
        if engine.name == "postgresql":
            _share_connections(engine)
        # Statements are kept by the dialect they are compiled for. It learns about the server when it first connects.
        if kind in _dialects:
            engine.dialect = _dialects[kind]
        else:
            event.listen(engine.pool, "connect", lambda *_: _dialects.setdefault(kind, engine.dialect))
        return engine

    app.core.db._make_engine = make_warm_engine


def _share_connections(engine: Engine) -> None:
    """Let the engine begin with connections that another one closed; to the server they are as new."""

    def take(_dialect: Dialect, _record: object, _arguments: Any, options: dict[str, Any]) -> psycopg.Connection[Any] | None:
        name = f"{os.getpid()} {engine.url.render_as_string(hide_password=False)}"
        waiting = _idle.setdefault(name, [])
        while waiting:
            connection = waiting.pop()
            if _as_new(connection):
                homes[connection] = waiting
                return connection
            connection.close()
        connection = engine.pool._dialect.connect(**options)  # type: ignore[attr-defined]
        homes[connection] = waiting
        return connection

    def close(connection: psycopg.Connection[Any]) -> None:
        waiting = homes.pop(connection, [])
        if len(waiting) < _MOST_IDLE and _as_new(connection):
            waiting.append(connection)
        else:
            connection.close()

    homes: dict[psycopg.Connection[Any], list[psycopg.Connection[Any]]] = {}
    event.listen(engine, "do_connect", take)
    engine.pool._dialect.do_close = close  # type: ignore[attr-defined]


def _as_new(connection: psycopg.Connection[Any]) -> bool:
    """Forget locks, settings, prepared statements; False where the server has ended it."""
    try:
        connection.rollback()
        connection.isolation_level = connection.read_only = None
        connection.autocommit = True
        connection.execute("DISCARD ALL", prepare=False)
        connection._prepared.clear()  # psycopg does not see that these are gone, too
        connection.autocommit = False
    except psycopg.Error:
        return False
    return True
