"""Engines of one kind share what SQLAlchemy has compiled, as all requests of a process of the product do.

Each test opens databases of its own. With a cold cache it would compile every statement anew: a third of the time of a test.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Engine, event
from sqlalchemy.util import LRUCache

import app.core.db

# Statements of all tests of a process: more than one deployment of the product has.
_SIZE = 5_000
_caches: dict[str, LRUCache[Any, Any]] = {}
_dialects: dict[str, Dialect] = {}


def share_compiled_statements() -> None:
    """Let every ``Database`` of this process use the statements compiled for the ones before it."""
    make_engine = app.core.db._make_engine

    def make_warm_engine(url: str, pool_size: int) -> Engine:
        engine = make_engine(url, pool_size)
        kind = engine.url.drivername
        engine._compiled_cache = _caches.setdefault(kind, LRUCache(_SIZE))
        # Statements are kept by the dialect they are compiled for. It learns about the server when it first connects.
        if kind in _dialects:
            engine.dialect = _dialects[kind]
        else:
            event.listen(engine.pool, "connect", lambda *_: _dialects.setdefault(kind, engine.dialect))
        return engine

    app.core.db._make_engine = make_warm_engine
