"""What the HTTP door needs from outside: database, settings, and who is who."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import flask
from flask import g, request
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.locales import closest
from app.core.settings import Settings


class AnyActor(Protocol):
    """What this door needs to know of a signed-in person; the rest is the rooms' business."""

    @property
    def id(self) -> str:
        """Of the person."""

    @property
    def locale(self) -> str:
        """Language and country, as ``zh-CN``."""


Authenticate = Callable[[Session, Settings, str | None], AnyActor]
Allows = Callable[[AnyActor, str], bool]


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


def locale_of_request() -> str:
    """Return the signed-in person's language, else the one the request asks for."""
    actor = g.get("actor")
    if actor is not None:
        return str(actor.locale)
    edge: Edge = flask.current_app.extensions["fieldloop"]
    return closest(request.headers.get("Accept-Language"), edge.settings.default_locale)
