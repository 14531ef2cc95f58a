"""`python -m app doctor`: each thing that is wrong is named with its cure, and nothing else is."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.assets.device_settings import set_device
from app.assets.models import Device
from app.core.clock import Clock, to_ms
from app.core.db import Database
from app.core.leases import ProcessBeat, beat
from app.core.settings import Settings
from app.core.tracked import add
from app.doctor import examine
from app.jobs import JOBS, Scheduler
from app.rules.models import Rule, RuleVersion
from app.rules.operations import create_rule
from app.stations.models import Station
from app.users.models import User
from iot.ingest import Message, ingest_batch
from iot.models import DeadLetter, IngestCounter
from iot.retention import retire_telemetry
from offline_sync.models import Intent, SyncProblem
from tests.conftest import SetClock
from tests.factories import make_user, make_world
from tests.iot.broker.brokers import free_port
from tests.iot.vehicles import BOSS
from tests.push.conftest import Outbox

WELL = {
    "environment": "production",
    "public_url": "https://field.example",
    "metrics_token": "a token",
    "mqtt_broker": "external",
    "mqtt_password": "at-least-16-characters",
    "smtp_host": "127.0.0.1",
    "fcm_credentials_file": "/etc/fieldloop/fcm.json",
    "fcm_project": "field",
}


class Live(BaseHTTPRequestHandler):
    """Answers as the web server does when it is well."""

    def do_GET(self) -> None:
        assert self.path == "/health/live"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status":"live"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Live) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def well(db: Database, settings: Settings, web_port: int) -> Settings:
    """A production deployment with nothing wrong."""
    make_world(db, settings)
    today = Database(settings.database_url)
    with today.transaction() as session:
        beat(session, "worker", holder="w")
        beat(session, "ingest-0", holder="i", connected=True)
    today.close()
    return replace(settings, **WELL, http_port=web_port, mqtt_port=web_port)  # whoever takes connections there


def told(settings: Settings) -> tuple[int, str]:
    lines: list[str] = []
    return examine(settings, lines.append), "\n".join(lines)


def test_a_sound_deployment_has_no_problem(well: Settings) -> None:
    code, text = told(well)

    assert code == 0, text
    assert text.endswith("0 problem(s)")


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"secret_key": "short"}, "FIELDLOOP_SECRET_KEY"),
        ({"mqtt_password": "short"}, "FIELDLOOP_MQTT_PASSWORD"),
        ({"public_url": "http://field.example"}, "FIELDLOOP_PUBLIC_URL"),
        ({"mqtt_host": "127.0.0.2"}, "FIELDLOOP_MQTT_TLS"),
        ({"mqtt_port": 1}, "nothing takes connections at the broker's address 127.0.0.1:1: "),
        ({"mqtt_broker": "embedded"}, "FIELDLOOP_MQTT_BROKER=external"),
        ({"mqtt_shards": (0, 7)}, "ingest-7"),
        ({"mqtt_shards": (7,)}, "shard 0"),
        ({"database_url": "sqlite:////nowhere/at/all.db"}, "FIELDLOOP_DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_a_problem_that_names_it(well: Settings, changed: dict[str, Any], name: str) -> None:
    code, text = told(replace(well, **changed))

    assert code == 1, text
    assert name in text


@pytest.mark.parametrize("changed", [{"metrics_token": ""}, {"smtp_host": ""}, {"fcm_credentials_file": ""}])
def test_what_may_be_meant_is_a_note(well: Settings, changed: dict[str, Any]) -> None:
    code, text = told(replace(well, **changed))

    assert code == 0
    assert f"FIELDLOOP_{next(iter(changed)).upper()}" in text


def _no_rules(session: Session) -> None:
    session.execute(update(Rule).values(enabled=False))


def _no_admin(session: Session) -> None:
    session.execute(update(User).where(User.role == "admin").values(state="deactivated"))


def _no_broker(session: Session) -> None:
    session.execute(update(ProcessBeat).where(ProcessBeat.name == "ingest-0").values(facts={"connected": False}))


def _no_worker(session: Session) -> None:
    session.execute(delete(ProcessBeat).where(ProcessBeat.name == "worker"))


def _lost_device(session: Session) -> None:
    session.execute(update(Device).values(shard=9))


def _old_rule(session: Session) -> None:
    """A version as an older release may have taken it."""
    document = {"name": {"zh-CN": "x", "en": "x"}, "severity": "minor", "detector": "silence", "silent_after_h": 3}
    rule = create_rule(session, None, "from-before", document)
    [version] = session.scalars(select(RuleVersion).where(RuleVersion.rule_id == rule.id))
    version.document = document | {"silent_after_h": "three"}


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (_old_rule, "the rule from-before is switched on, but cannot be read"),
        (_no_rules, "no rule is switched on"),
        (_no_admin, "python -m app admin"),
        (_no_broker, "ingest-0: no session with the broker"),
        (_no_worker, "worker: not heard"),
        (_lost_device, "1 active device(s) on shard 9"),
    ],
)
def test_what_ails_the_tables_is_told(well: Settings, db: Database, harm: Callable[[Session], None], named: str) -> None:
    with db.transaction() as session:
        harm(session)

    code, text = told(well)

    assert code == 1, text
    assert named in text


def test_backlogs_are_told_with_where_to_look(well: Settings, db: Database, clock: SetClock) -> None:
    with db.transaction() as session:
        session.add(
            DeadLetter(
                id="letter-1", fingerprint="f", topic="t", payload=b"?", size=1, whole=True, reason="malformed", detail="",
                received_at=db.clock.now(), last_at=db.clock.now(), times=1,
            )
        )  # fmt: skip
        session.merge(IngestCounter(name="unknown_device", n=3))
        person = make_user(session, well, "rep", "of-the-field").id
        about = {"user_id": person, "installation_id": "phone-0001"}
        add(session, Intent(**about, kind="coupon.redeem", body="{}", made_ms=0, verdict="needs_review"))
        add(
            session,
            SyncProblem(
                **about, collection="customers", row_id="row-0001", reasons={}, content="{}", content_hash="h", state="open",
            ),
        )  # fmt: skip
    Outbox(db, clock).queue(Outbox(db, clock).person("phone-token"))

    code, text = told(well)

    assert code == 1
    assert "1 open dead letter(s): malformed 1" in text
    assert "GET /api/v1/dead-letters" in text
    assert "3 message(s) came from devices nobody registered" in text
    assert "wait in the outbox for more than 15 minutes, the oldest since 2026-03-02 10:00" in text
    assert "1 row(s) that phones sent could not be taken" in text
    assert "1 thing(s) done in the field wait for the office" in text


def an_hour_ago() -> SetClock:
    return SetClock(datetime.now(UTC) - timedelta(hours=1))


def test_a_job_that_did_not_end_for_an_hour_is_told_and_one_that_keeps_time_is_not(well: Settings) -> None:
    by_id = {job.id: job for job in JOBS}
    for clock, name in ((an_hour_ago(), "expire_offers"), (an_hour_ago(), "forget_old_rows"), (Clock(), "end_storms")):
        database = Database(well.database_url, clock)
        assert Scheduler(database, well).run(by_id[name])
        database.close()

    code, text = told(well)

    assert code == 1
    assert re.search(r"the job expire_offers is (59|60) minutes late\n +-> start python -m app worker", text), text
    assert text.count("minutes late") == 1


def test_a_device_beyond_its_rate_is_named_until_it_is_calm(
    well: Settings, db: Database, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = replace(well, device_messages_per_minute=60, device_burst=3)
    device, payload = "device-0001", b'{"ts":1772416800000,"boot":"b","seq":%d,"m":{"soh_pct":90}}'
    at = to_ms(clock.now())
    ingest_batch(db, slow, [Message(f"devices/0/{device}/telemetry", payload % i, False, at) for i in range(10)])

    code, text = told(well)
    assert code == 1
    assert "1 device(s) send more than their rate; messages not taken: device-0001 (7)" in text
    assert "/rate;" in text
    with monkeypatch.context() as terminal:
        terminal.setenv("LC_ALL", "zh_CN.UTF-8")
        assert "有 1 台设备发送超过限额，未入库的消息数：device-0001 (7)" in told(well)[1]

    clock.advance(minutes=6)
    assert Scheduler(db, slow).run(next(job for job in JOBS if job.id == "end_storms"))
    assert "more than their rate" not in told(well)[1]


def test_devices_that_have_not_taken_over_their_settings_are_a_note_until_they_have(
    well: Settings, db: Database, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = "device-0001"
    with db.transaction() as session:
        set_device(session, BOSS, session.get_one(Device, device), {"report_s": 5})

    code, text = told(well)
    assert code == 0, text
    assert "1 device(s) have not taken over their settings: device-0001\n" in text
    with monkeypatch.context() as terminal:
        terminal.setenv("LC_ALL", "zh_CN.UTF-8")
        assert "有 1 台设备尚未应用其参数：device-0001" in told(well)[1]

    applied = Message(f"devices/0/{device}/settings/applied", b'{"ts":1772416800000,"no":1}', False, to_ms(clock.now()))
    ingest_batch(db, well, [applied])
    assert "their settings" not in told(well)[1]


def test_messages_that_were_too_old_and_those_the_broker_dropped_are_notes(well: Settings, db: Database, clock: SetClock) -> None:
    retire_telemetry(db, replace(well, telemetry_days=30))
    old = to_ms(clock.now() - timedelta(days=31))
    message = Message("devices/0/device-0001/telemetry", b'{"ts":%d,"m":{"soh_pct":90}}' % old, False, to_ms(clock.now()))
    ingest_batch(db, well, [message])
    today = Database(well.database_url)
    with today.transaction() as session:
        beat(session, "ingest-0", connected=True, broker_dropped=12)
    today.close()

    code, text = told(well)

    assert code == 0, text
    assert "1 sample(s) came too old, from before the horizon (now 2026-01-31)" in text
    assert "the broker dropped 12 message(s) since it was started" in text


def test_it_speaks_the_language_of_the_terminal(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")

    code, text = told(replace(well, mqtt_host="127.0.0.2"))

    assert code == 1
    assert "与 MQTT 代理服务器之间的连接没有加密" in text
    assert f"MQTT 代理服务器地址 127.0.0.2:{well.mqtt_port} 无法连接" in text
    assert "共 2 个问题" in text


def test_a_database_that_was_not_migrated_is_told(well: Settings, tmp_path: Path) -> None:
    code, text = told(replace(well, database_url=f"sqlite:///{tmp_path / 'new.db'}"))

    assert code == 1
    assert "python -m app migrate" in text


def test_a_wrong_path_of_the_database_is_told_and_no_empty_one_is_made(well: Settings, tmp_path: Path) -> None:
    wrong = tmp_path / "typo.db"

    code, text = told(replace(well, database_url=f"sqlite:///{wrong}"))

    assert code == 1
    assert f"there is no database file {wrong}" in text
    assert not wrong.exists()


def test_a_web_server_that_is_not_there_is_told(well: Settings) -> None:
    port = free_port()

    code, text = told(replace(well, http_port=port, public_url=f"http://127.0.0.1:{port}"))

    assert code == 1
    assert f"the web server does not answer: http://127.0.0.1:{port} (" in text


def test_a_web_server_that_takes_connections_and_does_not_answer_is_told(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor._WEB_PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as stuck:
        address = f"http://127.0.0.1:{stuck.getsockname()[1]}"

        code, text = told(replace(well, http_port=stuck.getsockname()[1], public_url=address))

    assert code == 1
    assert f"{address} (nothing within 0.3 s)" in text


def test_a_web_server_is_found_where_app_up_put_it(well: Settings) -> None:
    (well.var_dir / "address").write_text(f"http://127.0.0.1:{well.http_port}\n")

    code, text = told(replace(well, http_port=free_port()))

    assert code == 0, text
    assert f"the web server answers at http://127.0.0.1:{well.http_port}" in text


def test_no_secret_is_printed(well: Settings) -> None:
    _, text = told(replace(well, metrics_token="", mqtt_host="127.0.0.2"))

    assert well.secret_key not in text
    assert well.mqtt_password not in text


def test_an_empty_station_list_is_a_note(well: Settings, db: Database) -> None:
    with db.transaction() as session:
        session.execute(update(Station).values(active=False))

    code, text = told(well)

    assert code == 0
    assert "no active station" in text
