"""Whoever began an import hears how it ended, once, with what came of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.db import Database
from app.core.settings import Settings
from app.imports import running
from app.users.models import User
from push.models import Notification
from tests.app.imports.test_uploads import checked, sheet_csv, undone
from tests.factories import World
from tests.people import Http

ROWS = [["code", "name", "territory"], ["K-1", "鹏程", "SZ"], ["K-2", "大海", "SZ"], ["K-3", "", "SZ"]]


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def told(db: Database) -> list[tuple[str, str]]:
    with db.reading() as session:
        rows = session.execute(select(Notification.user_id, Notification.kind).order_by(Notification.id))
        return [(row.user_id, row.kind) for row in rows if row.kind.startswith("import_")]


def inbox(door: Http) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.get("/notifications")["items"]
    return found


def test_a_run_and_its_undoing_are_told_to_who_started_each(
    office: Http, http: Http, db: Database, settings: Settings, world: World
) -> None:
    found = checked(office, sheet_csv(ROWS))
    admin = http.as_(world.admin)
    admin.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
    assert told(db) == []
    for _ in range(2):
        running.run_imports(db, settings)
    assert told(db) == [(world.admin, "import_done")]
    [message] = inbox(admin)
    assert (message["subject_kind"], message["subject_id"]) == ("import", found["id"])
    assert message["title"] == "Import done: kunden.xlsx"
    assert "2 of 3 rows are new" in message["body"]
    assert "1 with errors were left out." in message["body"]
    assert "refused" not in message["body"]
    why = admin.get(f"/notifications/{message['id']}/why")
    assert "import.done" in str(why)

    office.post(f"/imports/{found['id']}/undo")
    running.run_imports(db, settings)
    assert told(db)[1:] == [(world.manager, "import_taken_back")]
    assert "2 rows" in inbox(office)[0]["body"]


def test_messages_are_in_the_readers_language(office: Http, db: Database, settings: Settings, world: World) -> None:
    with db.transaction() as session:
        session.execute(update(User).where(User.id == world.manager).values(locale="zh-CN"))
    found = checked(office, sheet_csv(ROWS))
    office.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
    running.run_imports(db, settings)
    undone(office, db, settings, found["id"])

    assert {one["title"] for one in inbox(office)} == {"导入完成：kunden.xlsx", "导入已撤销：kunden.xlsx"}


def test_an_import_whose_starter_is_gone_is_told_to_who_uploaded_it(
    office: Http, http: Http, db: Database, settings: Settings, world: World
) -> None:
    found = checked(office, sheet_csv(ROWS[:3]))
    http.as_(world.admin).post(f"/imports/{found['id']}/run", {})
    with db.transaction() as session:
        session.execute(update(User).where(User.id == world.admin).values(state="deactivated"))
    running.run_imports(db, settings)
    assert told(db) == [(world.manager, "import_failed")]
    assert "after 0 of 2 rows" in inbox(office)[0]["body"]

    office.post(f"/imports/{found['id']}/run", {})
    running.run_imports(db, settings)
    assert told(db)[1:] == [(world.manager, "import_done")]


@pytest.mark.parametrize(
    ("locale", "title", "tells"),
    [
        ("en", "Undoing an import stopped: kunden.xlsx", "Undo it again to go on."),
        ("zh-CN", "撤销导入中止：kunden.xlsx", "重新撤销即可从中断处继续。"),
    ],
)
def test_an_undoing_that_stopped_is_undone_again_and_not_run(
    office: Http, http: Http, db: Database, settings: Settings, world: World, locale: str, title: str, tells: str
) -> None:
    found = checked(office, sheet_csv(ROWS[:3]))
    office.post(f"/imports/{found['id']}/run", {})
    running.run_imports(db, settings)
    http.as_(world.admin).post(f"/imports/{found['id']}/undo")
    with db.transaction() as session:
        session.execute(update(User).where(User.id == world.admin).values(state="deactivated"))
        session.execute(update(User).where(User.id == world.manager).values(locale=locale))
    running.run_imports(db, settings)

    assert told(db)[1:] == [(world.manager, "import_undo_failed")]
    message = inbox(office)[0]
    assert (message["title"], tells in message["body"]) == (title, True)
    office.refused("POST", f"/imports/{found['id']}/run", 409, "state_conflict", {})
    gone = undone(office, db, settings, found["id"])
    assert (gone["state"], gone["counts"]["undone"]) == ("undone", 2)
