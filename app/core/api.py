"""The rooms' routes as one API: their refusals, and the description of all of them."""

from __future__ import annotations

from threading import RLock
from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint
from werkzeug.exceptions import HTTPException

from app.core.problems import ProblemSchema, answer_http_error


class FieldloopApi(Api):
    """smorest's Api with our errors; theirs would drop the Allow header (RFC 9110, 15.5.6).

    Rooms are described when the description is first asked for: it is more than half of the work of a start, and most
    processes are never asked.
    """

    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: Flask) -> None:
        self._undescribed: list[Blueprint] = []
        self._describing = RLock()
        self._spec: Any = None
        super().__init__(app)

    @property
    def spec(self) -> Any:
        """The description of all rooms registered so far."""
        with self._describing:
            while self._undescribed:
                room = self._undescribed.pop(0)
                room.register_views_in_doc(self, self._app, self._spec, name=room.name, parameters=None)
                self._spec.tag({"name": room.name, "description": room.description})
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        self._spec = spec

    def register_blueprint(self, room: Blueprint) -> None:
        """Add a room's routes."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][room.name] = self
        self._app.register_blueprint(room)
        self._undescribed.append(room)

    def _register_responses(self) -> None:
        """Describe refusals under the media type they are sent with; smorest would say application/json."""
        kept: str = self.DEFAULT_RESPONSE_CONTENT_TYPE
        self.DEFAULT_RESPONSE_CONTENT_TYPE: str = "application/problem+json"
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = kept

    def handle_http_exception(self, error: HTTPException) -> Any:
        """Answer werkzeug's own refusals as problem+json, with their headers."""
        return answer_http_error(error)
