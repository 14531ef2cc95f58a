"""Migrations end where the models are, on both databases, from nothing and from every kept dump, rows included."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Column, Connection, Index, Integer, MetaData, create_engine, inspect, select, text, update
from sqlalchemy.engine import make_url

from app.core.db import Database
from app.core.settings import Settings, read_settings
from app.core.tracked import add
from app.customers.models import Customer, CustomerFact, StationGrant
from app.factory import create_app
from app.jobs import JOBS
from app.migrate import _tables_may_be_copied, migrate, revisions
from app.search.models import SearchRow
from app.tables import METADATA
from app.users.queries import find_by_login
from offline_sync.changes import Point, head_of
from offline_sync.collections import COLLECTIONS
from offline_sync.models import Installation
from tests.conftest import SetClock
from tests.factories import make_user, make_world
from tests.iot.vehicles import Value, Vehicle, alarms, offers, row_counts, send
from tests.people import Http
from tests.sync.phones import Phone

ROOT = Path(__file__).resolve().parent.parent
DUMPS = Path(__file__).parent / "core" / "dumps"
REVISIONS = sorted({path.name.partition(".")[0] for path in DUMPS.glob("*.sql")})


def words_of(condition: str) -> set[str]:
    """Return the texts and numbers in a condition: what is left of it however a database writes it down."""
    return {quoted or number for quoted, number in re.findall(r"'([^']*)'|(-?\d+(?:\.\d+)?)", condition)}


def checks_of(metadata: MetaData) -> dict[tuple[str, str], set[str]]:
    return {
        (table.name, str(check.name)): words_of(str(check.sqltext))
        for table in metadata.sorted_tables
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }


def checks_in(connection: Connection) -> dict[tuple[str, str], set[str]]:
    inspector = inspect(connection)
    return {
        (name, str(check["name"])): words_of(check["sqltext"])
        for name in inspector.get_table_names()
        for check in inspector.get_check_constraints(name)
    }


def partial_indexes_of(metadata: MetaData, dialect: str) -> dict[str, set[str]]:
    conditions = {
        str(index.name): index.dialect_options[dialect]["where"] for table in metadata.sorted_tables for index in table.indexes
    }
    return {name: words_of(str(where)) for name, where in conditions.items() if where is not None}


def partial_indexes_in(connection: Connection) -> dict[str, set[str]]:
    inspector = inspect(connection)
    dialect = connection.dialect.name
    found: dict[str, set[str]] = {}
    for table in inspector.get_table_names():
        for index in inspector.get_indexes(table):
            where = index.get("dialect_options", {}).get(f"{dialect}_where")
            if where is not None:
                found[str(index["name"])] = words_of(str(where))
    return found


def differences(db: Database, metadata: MetaData = METADATA) -> list[Any]:
    """Return what a database has otherwise than the models in tables, columns, keys and indexes."""
    with db.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def other_conditions(db: Database, metadata: MetaData = METADATA) -> set[Any]:
    """Return the checks and the partial indexes whose conditions are not those of the models."""
    with db.engine.connect() as connection:
        checks, present = checks_of(metadata), checks_in(connection)
        indexes, present_indexes = partial_indexes_of(metadata, connection.dialect.name), partial_indexes_in(connection)
    return {name for name in {*checks, *present} if checks.get(name) != present.get(name)} | {
        name for name in {*indexes, *present_indexes} if indexes.get(name) != present_indexes.get(name)
    }


def test_from_nothing_to_head_the_tables_are_those_of_the_models(db: Database) -> None:
    assert differences(db) == []
    assert other_conditions(db) == set()
    found, head = revisions(db)
    assert found == head is not None


def test_both_databases_and_the_models_have_checks_and_partial_indexes_to_compare(db: Database) -> None:
    """Else the comparison above would compare nothing with nothing."""
    with db.engine.connect() as connection:
        assert len(checks_in(connection)) > 15
        assert {"uq_alarms_open", "uq_service_offers_open", "uq_bookings_held"} <= set(partial_indexes_in(connection))


def test_migrating_again_changes_nothing(db: Database) -> None:
    before = row_counts(db)

    migrate(db)

    assert differences(db) == []
    assert row_counts(db) == before


def changed(change: str) -> MetaData:
    """Return the models with one planted change."""
    copy = MetaData(naming_convention=METADATA.naming_convention)
    for table in METADATA.sorted_tables:
        table.to_metadata(copy)
    alarms_table = copy.tables["alarms"]
    if change == "a column more":
        alarms_table.append_column(Column("planted", Integer))
    elif change == "a table less":
        copy.remove(copy.tables["telemetry"])
    elif change == "an index more":
        Index("ix_planted", alarms_table.c.metric)
    elif change == "a longer text":
        alarms_table.c.metric.type = type(alarms_table.c.metric.type)(61)
    elif change == "a column that may be empty":
        alarms_table.c.metric.nullable = True
    elif change == "another state allowed":
        [check] = [c for c in alarms_table.constraints if isinstance(c, CheckConstraint) and str(c.name).endswith("_state")]
        check.sqltext = text("state IN ('raised', 'acknowledged', 'cleared', 'withdrawn', 'planted')")  # type: ignore[assignment]
    elif change == "a check less":
        [check] = [c for c in alarms_table.constraints if isinstance(c, CheckConstraint) and str(c.name).endswith("_state")]
        alarms_table.constraints.discard(check)
    elif change == "an index with another condition":
        [index] = [index for index in alarms_table.indexes if index.name == "uq_alarms_open"]
        for dialect in ("sqlite", "postgresql"):
            index.dialect_options[dialect]["where"] = text("state IN ('raised')")
    return copy


@pytest.mark.parametrize(
    "change", ["a column more", "a table less", "an index more", "a longer text", "a column that may be empty"]
)
def test_a_change_of_the_models_without_a_migration_is_seen(db: Database, change: str) -> None:
    assert differences(db, changed(change)) != []


@pytest.mark.parametrize("change", ["another state allowed", "a check less", "an index with another condition"])
def test_a_change_of_a_condition_without_a_migration_is_seen(db: Database, change: str) -> None:
    assert other_conditions(db, changed("nothing")) == set()
    assert len(other_conditions(db, changed(change))) == 1


# --- from a dump that was kept when its revision was the newest ---


@pytest.fixture(params=REVISIONS)
def kept(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Database]:
    """A database loaded from a kept dump, not migrated yet."""
    url = make_url(database_url)
    kind = url.get_backend_name()
    script = (DUMPS / f"{request.param}.{kind}.sql").read_text()
    if kind == "sqlite":
        url = url.set(database=str(tmp_path / "kept.db"))
        loaded = sqlite3.connect(str(url.database))
        loaded.executescript(script)
        loaded.close()
        admin = None
    else:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        name = f"{url.database}_kept"
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        url = url.set(database=name)
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as loader:
            loader.execute(script)
    db = Database(url.render_as_string(hide_password=False), SetClock())
    yield db
    db.close()
    if admin is not None:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.dispose()


def test_a_kept_database_migrates_to_the_models_and_keeps_every_row(kept: Database) -> None:
    """When this fails because 0001 itself was edited: it is not released yet, so write its dump anew (tests/core/dumps)."""
    with kept.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        before = {name: connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one() for name in tables}
    assert before["alarms"] == before["service_offers"] == before["dead_letters"] == 1
    assert before["telemetry"] == 4

    migrate(kept)

    assert differences(kept) == []
    assert other_conditions(kept) == set()
    after = row_counts(kept)
    with kept.engine.connect() as connection:
        held = "SELECT count(*) FROM scope_grants WHERE scope = 'office:all' AND left_no IS NULL"
        people = "SELECT count(*) FROM users WHERE role IN ('admin', 'manager') AND partner_id IS NULL AND state = 'active'"
        office, grants = (connection.exec_driver_sql(query).scalar_one() for query in (people, held))
    assert grants == office > 0
    # Scopes that came since are held by the people who were there.
    assert after["scope_grants"] >= before.pop("scope_grants", 0)
    assert {name: after[name] for name in before if name in after} == {n: c for n, c in before.items() if n in after}


def test_a_kept_database_goes_on_working_after_the_migration(kept: Database, tmp_path: Path) -> None:
    from tests.factories import World

    migrate(kept)
    with kept.engine.connect() as connection:
        device, asset, pack = connection.execute(
            text("SELECT d.id, d.asset_id, f.component_id FROM devices d JOIN fittings f ON f.asset_id = d.asset_id")
        ).one()
    settings = read_settings(database_url=str(kept.engine.url), var_dir=tmp_path, secret_key="x" * 40)
    world = World(kept, settings, *[""] * 4, [], [], *["", "", ""], asset, pack, device, "")  # type: ignore[arg-type]
    vehicle = Vehicle(asset, pack, device)
    [alarm] = alarms(kept, vehicle.pack)
    assert alarm.state == "raised"

    kept.clock.advance(days=1)  # type: ignore[attr-defined]
    send(world, vehicle.device, Value(kept.clock.now(), 73.0, "after:1"))

    [alarm] = alarms(kept, vehicle.pack)
    assert (alarm.readings, alarm.last_value) == (4, 73.0)
    assert [offer.state for offer in offers(kept, vehicle.pack)] == ["issued"]


def test_what_happened_before_is_told_in_its_customers_story(kept: Database) -> None:
    migrate(kept)

    with kept.engine.connect() as connection:
        rows = connection.execute(text("SELECT subject_kind, customer_id FROM history")).all()
        owner = connection.execute(text("SELECT a.customer_id FROM alarms l JOIN assets a ON a.id = l.asset_id")).scalar_one()
    told: dict[str, set[str | None]] = {}
    for kind, customer_id in rows:
        told.setdefault(kind, set()).add(customer_id)
    for kind in ("alarm", "asset", "component", "work_order", "station_task", "service_offer", "coupon"):
        assert told[kind] == {owner}, kind
    assert told["customer"] >= {owner}
    assert told["reading"] == {None}


def test_what_happened_to_leads_before_their_story_was_told_is_told_now(
    db: Database, http: Http, settings: Settings, clock: SetClock
) -> None:
    """A lead that became a customer and what was done with it; not one that is nobody's yet."""
    world = make_world(db, settings)
    boss = http.as_(world.manager)
    body = {"name": "Chen Wei", "phone": "138 0013 8000", "interest": "forklifts", "territory_id": world.territory}
    became, stays = (boss.post("/leads", body | {"name": name}, expect=201)["id"] for name in ("a", "b"))
    made = {lead: boss.post("/follow-ups", {"kind": "call", "lead_id": lead}, expect=201)["id"] for lead in (became, stays)}
    boss.post(f"/leads/{became}/qualify")
    boss.post(f"/leads/{became}/convert", {"customer_id": world.customer})
    known = boss.post("/follow-ups", {"kind": "note", "customer_id": world.customer}, expect=201)["id"]
    told = text("SELECT subject_id, customer_id FROM history WHERE subject_kind IN ('lead', 'follow_up')")
    with db.engine.execution_options(fieldloop_writes=True).begin() as connection:
        before = set(connection.execute(told).all())
        connection.execute(text("UPDATE history SET customer_id = NULL WHERE subject_kind IN ('lead', 'follow_up')"))
        script = ScriptDirectory(str(Path(__file__).parent.parent / "migrations")).get_revision("0029")
        assert script is not None
        with Operations.context(MigrationContext.configure(connection)):
            script.module.upgrade()
        after = set(connection.execute(told).all())

    assert after == before
    assert {subject for subject, customer in after if customer == world.customer} == {became, made[became], known}
    assert {subject for subject, customer in after if customer is None} == {stays, made[stays]}


def test_leads_of_no_territory_that_were_in_the_pool_come_to_phones_that_go_on(
    db: Database, http: Http, settings: Settings
) -> None:
    world = make_world(db, settings)
    boss, phone = http.as_(world.manager), Phone(http.as_(world.rep))
    boss.post("/lead-routings", {"document": {"rules": []}}, expect=201)
    body = {"name": "Chen Wei", "phone": "138 0013 8000", "interest": "forklifts"}
    shown, elsewhere = (boss.post("/leads", body | {"name": name}, expect=201)["id"] for name in ("a", "b"))
    boss.post(f"/leads/{elsewhere}/lose", {"reason": "x"})
    with db.engine.execution_options(fieldloop_writes=True).begin() as connection:
        connection.execute(text("DELETE FROM scope_entries WHERE scope = 'stations:all' AND collection = 'pool_leads'"))
    phone.pull()
    assert phone.rows.get("pool_leads", {}) == {}

    with db.engine.execution_options(fieldloop_writes=True).begin() as connection:
        script = ScriptDirectory(str(Path(__file__).parent.parent / "migrations")).get_revision("0030")
        assert script is not None
        with Operations.context(MigrationContext.configure(connection)):
            script.module.upgrade()
    phone.pull()

    assert set(phone.rows["pool_leads"]) == {shown}


def test_values_of_own_fields_that_are_withheld_leave_the_phones_that_hold_them(
    db: Database, http: Http, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(db, settings)
    boss = http.as_(world.manager)
    boss.post("/custom-fields", {"key": "tier", "kind": "text", "label_zh": "层", "label_en": "Tier"}, 201)
    boss.edit(f"/customers/{world.customer}", {"custom": {"tier": "watch"}}, 1)
    other = {"code": "C-2", "name": "No such values", "territory_id": world.territory}
    plain = boss.post("/customers", other, expect=201)["id"]
    with db.transaction() as session:
        for task, customer_id in (("task-0001", world.customer), ("task-0002", plain)):
            about = {"customer_id": customer_id, "asset_id": world.asset, "task_id": task}
            add(session, StationGrant(station_id=world.stations[0], **about))
        second = make_user(session, settings, "customer", "of-the-plain-one", customer_id=plain).id
    phones = {name: Phone(http.as_(user)) for name, user in (("owner", world.owner), ("plain", second), ("rep", world.rep))}
    phones["station"] = Phone(http.as_(world.staff[0]))
    with monkeypatch.context() as older:
        older.setitem(COLLECTIONS, "customers", replace(COLLECTIONS["customers"], withheld={}))
        for phone in phones.values():
            phone.pull()
    before = {name: phone.rows["customers"][world.customer]["custom"] for name, phone in phones.items() if name != "plain"}
    assert set(before.values()) == {'{"tier": "watch"}'}
    for phone in phones.values():
        phone.pull()
    assert phones["owner"].rows["customers"][world.customer]["custom"] == before["owner"]

    def upgraded() -> int:
        with db.engine.execution_options(fieldloop_writes=True).begin() as connection:
            script = ScriptDirectory(str(ROOT / "migrations")).get_revision("0038")
            assert script is not None
            with Operations.context(MigrationContext.configure(connection)):
                script.module.upgrade()
            return int(connection.execute(text("SELECT n FROM change_counter")).scalar_one())

    drawn = upgraded()
    told = {name: Phone(phone.person, phone.name) for name, phone in phones.items()}
    for name, phone in phones.items():
        told[name].cursor = phone.cursor
        told[name].pull()
        phone.pull()
    assert {name: set(phone.rows.get("customers", {})) for name, phone in told.items()} == {
        "owner": {world.customer}, "station": {world.customer}, "plain": set(), "rep": set(),
    }  # fmt: skip
    after = {name: phone.rows["customers"][world.customer]["custom"] for name, phone in phones.items() if name != "plain"}
    assert after == {"owner": "{}", "station": "{}", "rep": '{"tier": "watch"}'}
    with db.engine.execution_options(fieldloop_writes=True).begin() as connection:
        connection.execute(text("UPDATE customers SET custom = '{}'"))
    assert upgraded() == drawn, "no number is drawn where nobody is concerned"


@pytest.mark.parametrize("kept", ["0001"], indirect=True)
def test_logins_that_differ_by_case_or_width_alone_stay_apart(kept: Database) -> None:
    """Whoever signed in before does so afterwards; everybody else signs in however they write their name."""
    logins = ["REP", "Rep", "Ｍanager", "manager@example.test", "ß" * 150]
    with kept.engine.execution_options(fieldloop_writes=True).begin() as connection:
        columns = [column["name"] for column in inspect(connection).get_columns("users")]
        others = ", ".join(f'"{name}"' for name in columns if name not in {"id", "login"})
        for i, login in enumerate(logins):
            copied = text(
                f"INSERT INTO users (id, login, {others})"
                f" SELECT :id, :login, {others} FROM users WHERE login = 'rep@example.test'"
            )
            if login != "manager@example.test":
                connection.execute(copied, {"id": f"clashing-{i}", "login": login})

    migrate(kept)

    assert differences(kept) == []
    with kept.reading() as session:
        found = {login: find_by_login(session, login) for login in [*logins, "rep", "MANAGER", "MANAGER@example.TEST"]}
    assert [found[login].login for login in logins] == logins  # type: ignore[union-attr]
    assert {found[name].login for name in ("rep", "MANAGER")} == {"REP", "Ｍanager"}  # type: ignore[union-attr]
    assert found["MANAGER@example.TEST"].login == "manager@example.test"  # type: ignore[union-attr]


def test_a_phone_of_a_kept_database_goes_on_where_it_was(kept: Database, tmp_path: Path) -> None:
    migrate(kept)
    settings = read_settings(
        database_url=str(kept.engine.url), var_dir=tmp_path, secret_key="a key of the tests, long enough", argon2_profile="test"
    )
    with kept.reading() as session:
        rep = find_by_login(session, "rep@example.test")
        assert rep is not None
        known = session.scalars(select(Installation).where(Installation.user_id == rep.id)).first()
        own = set(session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None))))
        cursor = Point(head_of(session).epoch, known.pulled_no).number if known else None
    phone = Phone(Http(create_app(settings, kept), kept, settings).as_(rep.id), known.id if known else "a-new-phone-1")
    phone.cursor = cursor
    phone.rows["customers"] = {row_id: {"id": row_id, "name": "as it was"} for row_id in own} if known else {}
    phone.sync()

    assert set(phone.rows["customers"]) == own
    assert phone.replacements == (0 if known else 1)


def _back_to(db: Database, revision: str) -> None:
    """Take a database back to an older revision, as its migrations say."""
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with db.engine.execution_options(fieldloop_writes=True).connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


@pytest.mark.parametrize("kept", REVISIONS[-1:], indirect=True)
def test_leads_and_contacts_that_were_there_before_they_could_be_found_are_found(kept: Database, tmp_path: Path) -> None:
    migrate(kept)
    settings = read_settings(
        database_url=str(kept.engine.url), var_dir=tmp_path, secret_key="a key of the tests, long enough", argon2_profile="test"
    )
    with kept.reading() as session:
        office = find_by_login(session, "manager@example.test")
        customer = session.scalars(select(Customer).where(Customer.deleted_at.is_(None))).first()
    assert office is not None
    assert customer is not None
    door = Http(create_app(settings, kept), kept, settings).as_(office.id)
    door.post(f"/customers/{customer.id}/contacts", {"name": "王芳"}, 201)
    door.post("/leads", {"name": "陈伟", "phone": "13800138000", "interest": "two forklifts"}, 201)
    _back_to(kept, "0027")
    assert "outranked" not in {column["name"] for column in inspect(kept.engine).get_columns("import_rows")}

    migrate(kept)

    assert differences(kept) == []
    assert door.get("/search?q=王芳")["items"] == []
    with kept.transaction() as session:
        waiting = session.scalars(select(SearchRow.kind).where(SearchRow.stale)).all()
    assert {"lead", "pool_lead", "contact"} <= set(waiting)
    while next(job for job in JOBS if job.id == "keep_search_terms").work(kept, settings):
        pass
    assert [door.get(f"/search?q={asked}")["items"][0]["kind"] for asked in ("王芳", "陈伟")] == ["contact", "lead"]


def test_forms_and_reports_of_the_release_before_are_on_phones_and_count_from_when_they_came(
    db: Database, http: Http, settings: Settings, clock: SetClock
) -> None:
    world = make_world(db, settings)
    office, owner = http.as_(world.manager), http.as_(world.owner)
    words = {"label_zh": "冷柜", "label_en": "Cabinets"}
    asked = {"code": "n", "kind": "number", **words, "suggests_zh": "冷链", "suggests_en": "cold chain"}
    steps = [{"code": "shop", "kind": "form", "required": True, **words, "questions": [asked]}]
    form, old = (
        office.post("/report-forms", {"code": code, "name_zh": "x", "name_en": "x", "steps": steps}, expect=201)
        for code in ("shop", "old")
    )
    body = {"version_id": form["version_id"], "steps": {"shop": {"answers": {"n": 3}}}}
    owner.post("/customer-reports", {"id": "report-0001"} | body, expect=201)
    clock.advance(hours=1)
    office.edit(f"/report-forms/{old['id']}", {"active": False}, old["version"])
    phone = Phone(owner)
    phone.pull()
    before = phone.rows["customer_reports"]["report-0001"]
    engine = db.engine.execution_options(fieldloop_writes=True)
    with engine.connect() as connection, _tables_may_be_copied(connection), connection.begin():
        script = ScriptDirectory(str(Path(__file__).parent.parent / "migrations")).get_revision("0035")
        assert script is not None
        with Operations.context(MigrationContext.configure(connection)):
            script.module.downgrade()
            assert not {"happened_at", "made_ms", "awaiting"} & _columns_of(connection, "customer_reports")
            script.module.upgrade()
    fresh = {
        name: Phone(http.as_(user_id))
        for name, user_id in (("owner", world.owner), ("rep", world.rep), ("office", world.manager))
    }
    for one in fresh.values():
        one.pull()

    assert differences(db) == []
    assert fresh["owner"].rows["customer_reports"]["report-0001"] == before
    assert before["happened_at"] == before["created_at"]
    held = {name: sorted(row["code"] for row in one.rows["report_forms"].values()) for name, one in fresh.items()}
    assert held == {"owner": ["shop"], "rep": ["shop"], "office": ["old", "shop"]}
    [version] = fresh["owner"].rows["report_form_versions"].values()
    assert "suggests" not in version["steps"]
    # What was filled in before the form was retired is taken, and nothing later.
    late = {"id": "report-0002", "version_id": old["version_id"], "steps": body["steps"]}
    at_ms = before["created_at"]
    owner.post("/customer-reports", late | {"made_ms": at_ms + 1}, expect=201)
    owner.refused("POST", "/customer-reports", 409, "report_form_retired", late | {"id": "report-0003"})


def _columns_of(connection: Connection, table: str) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns(table)}


@pytest.mark.parametrize("kept", REVISIONS[-1:], indirect=True)
def test_a_word_that_missed_its_code_in_an_older_release_follows_and_names_are_read_anew(kept: Database, tmp_path: Path) -> None:
    migrate(kept)
    settings = read_settings(
        database_url=str(kept.engine.url), var_dir=tmp_path, secret_key="a key of the tests, long enough", argon2_profile="test"
    )
    with kept.reading() as session:
        office = find_by_login(session, "manager@example.test")
        customer = session.scalars(select(Customer).where(Customer.deleted_at.is_(None))).first()
    assert office is not None
    assert customer is not None
    door = Http(create_app(settings, kept), kept, settings).as_(office.id)
    choices = [{"code": code, "label_zh": code, "label_en": code} for code in ("A", "B")]
    door.post("/custom-fields", {"key": "tier", "kind": "choice", "label_zh": "层", "label_en": "Tier", "choices": choices}, 201)
    fact = {"customer_id": customer.id, "field": "custom.tier", "value": "GOLD"}
    door.post("/customer-facts", {"system": "SAP", "facts": [fact]})
    door.post("/code-mappings", {"list_name": "tier", "system": "SAP", "theirs": "GOLD", "ours": "A"})
    with kept.transaction() as session:  # as a release left it in which the mapping did not see this word
        session.execute(update(CustomerFact).where(CustomerFact.code == "GOLD").values(waiting=True, value=None))
        session.execute(update(Customer).where(Customer.id == customer.id).values(custom={}))
    _back_to(kept, "0033")

    migrate(kept)

    assert differences(kept) == []
    with kept.reading() as session:
        assert "customer" in set(session.scalars(select(SearchRow.kind).where(SearchRow.stale)))
    while next(job for job in JOBS if job.id == "settle_codes").work(kept, settings):
        pass
    assert door.get(f"/customers/{customer.id}")["custom"]["tier"] == "A"
