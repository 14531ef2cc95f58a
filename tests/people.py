"""Speaking to the application over HTTP as somebody."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.users import secrets
from app.users.models import SignInSession


class Http:
    """Requests under ``/api/v1``; ``as_`` gives the same for a signed-in person."""

    def __init__(self, app: Flask, database: Database, settings: Settings, bearer: tuple[str, str] | None = None) -> None:
        self.app, self.database, self.settings, self.bearer = app, database, settings, bearer

    def as_(self, user_id: str) -> Http:
        """Sign a person in without the cost of a password; their access token is always fresh."""
        with self.database.transaction() as session:
            opened = SignInSession(id=new_id(), user_id=user_id, began_at=self.database.clock.now(), label="test")
            session.add(opened)
        return Http(self.app, self.database, self.settings, (user_id, opened.id))

    @property
    def token(self) -> str | None:
        if self.bearer is None:
            return None
        user_id, session_id = self.bearer
        now_s = self.database.clock.now().timestamp()
        return secrets.make_access_token(self.settings, user_id=user_id, session_id=session_id, issued_s=now_s)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.bearer:
            sent["Authorization"] = f"Bearer {self.token}"
        extra: dict[str, Any] = {"json": body} if body is not None else {}
        extra["buffered"] = path.endswith("/content")  # a file is closed when it was read
        return self.app.test_client().open("/api/v1" + path, method=method, headers=sent, **extra)

    def get(self, path: str, **headers: str) -> Any:
        answer = self.call("GET", path, **headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    def post(self, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
        answer = self.call("POST", path, body, **headers)
        assert answer.status_code == expect, (answer.status_code, answer.get_data(as_text=True))
        return answer.json

    def edit(self, path: str, body: Any, version: int, expect: int = 200, method: str = "PATCH") -> Any:
        answer = self.call(method, path, body, If_Match=f'"{version}"')
        assert answer.status_code == expect, (answer.status_code, answer.get_data(as_text=True))
        return answer.json

    def refused(self, method: str, path: str, status: int, code: str, body: Any = None, **headers: str) -> Any:
        answer = self.call(method, path, body, **headers)
        assert (answer.status_code, answer.json["code"]) == (status, code), answer.get_data(as_text=True)
        assert answer.mimetype == "application/problem+json"
        return answer.json
