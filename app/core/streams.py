"""Answers that stay open: what a view leaves to the server, which holds many of them without a thread (``app/serve.py``).

Under a server that knows nothing of it, such an answer ends at once, and its reader comes again after ``retry``. A request may
also wait without any answer yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

from flask import request

HOLD = "fieldloop.hold"  # in the WSGI environment
WAIT = "fieldloop.wait"


class Listener(Protocol):
    """One open answer, of one person."""

    @property
    def user_id(self) -> str:
        """Who listens."""
        ...

    @classmethod
    def look(cls, listeners: Sequence[Self]) -> list[bytes]:
        """Return what is to be sent to each now, or nothing; called in a thread, for all of one kind together."""


def hold(listener: Listener) -> None:
    """Ask the server to keep this request's answer open."""
    request.environ[HOLD] = listener


def wait(listener: Listener, patience_s: float) -> None:
    """Ask the server to keep this request, which is answered 408, until there is something for it, and then to answer it anew.

    Args:
        patience_s: after so many seconds the answer leaves as it is.
    """
    request.environ[WAIT] = (listener, patience_s)
