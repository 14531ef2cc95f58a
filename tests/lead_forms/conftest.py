"""What the tests of lead forms share: the organisation of the tests of leads, a form of a fair, and senders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.leads.models import Lead
from tests.leads.conftest import Desk, desk, world
from tests.people import Http

__all__ = ["desk", "world"]

ORIGIN = "https://fair.example.com"
SENT = {"姓名": "陈伟", "手机": "138 0013 8000", "产品": "叉车两台", "预算": "10-20万", "邮箱": "Chen@Example.com"}


def document(desk: Desk, **more: Any) -> dict[str, Any]:
    """Return the document of a fair's form."""
    return {
        "fields": [
            {"from": "姓名", "to": "name", "required": True},
            {"from": "手机", "to": "phone"},
            {"from": "产品", "to": "interest"},
            {"from": "留言", "to": "note"},
            {"from": "邮箱", "to": "email"},
            {"from": "预算", "to": "budget", "range": "upper"},
        ],
        "defaults": {"source": "fair", "territory_id": desk.world.territory},
        "origins": [ORIGIN],
        "trap": "website",
    } | more


@dataclass
class Form:
    """A form, its token, and those who send through it."""

    desk: Desk
    nobody: Http
    id: str
    token: str

    def send(self, body: Any = None, expect: int = 202, **headers: str) -> TestResponse:
        """Send a JSON object, as a program does."""
        sent = SENT if body is None else body
        answer = self.nobody.call("POST", f"/form-submissions/{self.token}", sent, **headers)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer

    def raw(self, data: bytes, content_type: str = "application/x-www-form-urlencoded", **headers: str) -> TestResponse:
        """Send bytes, as a browser does."""
        path = f"/api/v1/form-submissions/{self.token}"
        return self.nobody.app.test_client().post(path, data=data, content_type=content_type, headers=headers)

    @property
    def path(self) -> str:
        return f"/lead-forms/{self.id}"

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.desk.boss.get(self.path)
        return found

    def counts(self) -> dict[str, int]:
        """Return how many are in which state, of those of which there are any."""
        return {name: count for name, count in self.read()["counts"].items() if count}

    def submissions(self, state: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.desk.boss.get(f"{self.path}/submissions" + (f"?state={state}" if state else ""))[
            "items"
        ]
        return items

    def change(self, **more: Any) -> dict[str, Any]:
        changed: dict[str, Any] = self.desk.boss.edit(
            self.path, {"document": document(self.desk, **more)}, self.read()["version"]
        )
        return changed

    def leads(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.desk.boss.get("/leads")["items"]
        return items

    def lead(self) -> dict[str, Any]:
        """Return the one lead there is."""
        [found] = self.leads()
        return found


def make_form(desk: Desk, nobody: Http, **more: Any) -> Form:
    made = desk.boss.post("/lead-forms", {"name": "春季展会", "document": document(desk, **more)}, expect=201)
    return Form(desk, nobody, made["id"], made["token"])


@pytest.fixture
def form(desk: Desk, http: Http) -> Form:
    return make_form(desk, http)


def lead_count(desk: Desk) -> int:
    with desk.world.db.reading() as session:
        return session.scalar(select(func.count()).select_from(Lead)) or 0
