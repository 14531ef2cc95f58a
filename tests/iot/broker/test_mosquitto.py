"""What production promises, on a real Mosquitto with the generated configuration."""

from __future__ import annotations

import os
import pwd
import signal
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.assets.credentials import broker_hash
from app.assets.models import Device
from iot import mosquitto
from tests.iot.broker.brokers import Client, RunningBroker, Site, accepts, free_port, make_certificate, wait_until

NUMBERED = [f"{number:05d}" for number in range(2000)]


def telemetry(device: Device, shard: int = 0) -> str:
    return f"devices/{shard}/{device.id}/telemetry"


def let_the_session_begin(site: Site) -> None:
    """The ingest subscribes once and goes away: from here on the broker queues for it."""
    site.ingest().subscribe("devices/0/#").subscribe("ovms/#").leave()


def reload_until(broker: RunningBroker, worked: Callable[[], bool], what: str) -> None:
    """Signal until it has worked: a signal that comes during a reload is lost."""
    mosquitto.reload(broker.pid)

    def worked_or_signalled_again() -> bool:
        if worked():
            return True
        mosquitto.reload(broker.pid)
        return False

    wait_until(worked_or_signalled_again, what)


# Who may sign in


def test_a_device_signs_in_with_its_secret_only(site: Site, connect: Callable[..., Client]) -> None:
    device = site.add_device()
    site.write()

    with site.running():
        assert site.client(device).connected
        assert site.ingest().connected
        for user, password in [
            (device.id, "wrong"),
            (device.id, ""),
            ("unknown-device", "x"),
            (None, None),
            ("fieldloop-ingest", "x"),
        ]:
            assert connect(site.settings.mqtt_port, "x", user=user, password=password).refused == "Not authorized", user


def test_a_revoked_device_is_cut_off_and_refused_after_a_reload(site: Site) -> None:
    revoked, other = site.add_device(), site.add_device()
    site.write()

    with site.running() as broker:
        let_the_session_begin(site)
        connected, kept = site.client(revoked), site.client(other)
        revoked.state = "revoked"
        site.session.flush()
        site.write()

        reload_until(
            broker, lambda: site.client(revoked, name="again").refused == "Not authorized", "the revoked device to be refused"
        )
        connected.wait(lambda: connected.closed, "the end of the revoked device's connection")
        kept.publish(telemetry(other), "still here")
        assert site.ingest().expect(1) == ["still here"]


def test_an_old_secret_ends_with_a_reload(site: Site) -> None:
    device = site.add_device()
    site.write()

    with site.running() as broker:
        old = site.client(device)
        device.secret_hash = broker_hash("a new secret")
        site.session.flush()
        site.write()

        reload_until(broker, lambda: site.client(device, name="n", password="a new secret").connected, "the new secret to work")
        old.wait(lambda: old.closed, "the end of the connection made with the old secret")
        assert site.client(device).refused


# Who may say and hear what


def test_a_device_publishes_below_its_own_topic_only(site: Site) -> None:
    device, victim, car = site.add_device(), site.add_device(), site.add_device("ovms", "anna/CAR-1")
    site.add_device("ovms", "anna/CAR-2")
    site.write()
    forged = [
        (device, telemetry(victim)), (device, f"devices/0/{victim.id}/events"), (device, f"devices/0/{victim.id}/responses/1"),
        (device, f"devices/0/{victim.id}/commands/1"), (device, f"devices/{device.id}/telemetry"),
        (device, "devices/0/telemetry"), (device, "ovms/anna/CAR-1/metric/v/b/soh"), (car, telemetry(device)),
        (car, "ovms/anna/metric"),
        (car, "ovms/anna/CAR-2/metric/v/b/soh"), (car, "ovms/bert/CAR-1/metric/v/b/soh"),
    ]  # fmt: skip
    own = [
        (device, telemetry(device)), (device, f"devices/0/{device.id}/events"), (device, f"devices/0/{device.id}/responses/1"),
        (car, "ovms/anna/CAR-1/metric/v/b/soh"), (car, "ovms/anna/CAR-1/client/1/response/1"),
    ]  # fmt: skip

    with site.running():
        ingest = site.ingest().subscribe("devices/#").subscribe("ovms/#")
        senders = {one.id: site.client(one) for one in (device, car)}
        for sender, topic in forged:
            # MQTT 3.1.1 has no word for "denied"; the broker acknowledges, or it closes the connection [MQTT-3.3.5-2].
            senders[sender.id].publish(topic, "forged")
        for sender, topic in own:
            senders[sender.id].publish(topic, "own")

        # A PUBACK comes when the message has been routed, so the forged ones would be there first.
        ingest.expect(len(own))
        assert [(message.payload, message.topic) for message in ingest.messages] == [(b"own", topic) for _, topic in own]


def test_fact_without_a_limit_of_messages_a_denied_one_closes_the_connection(site: Site) -> None:
    device = site.add_device()
    conf = site.write()[0]
    conf.write_text(conf.read_text().replace(f"max_queued_messages {mosquitto.MOST_QUEUED_MESSAGES}", "max_queued_messages 0"))

    with site.running():
        client = site.client(device).publish("denied", "x")
        client.wait(lambda: client.closed, "the end of the connection")


def test_a_device_hears_its_own_commands_only(site: Site) -> None:
    device, other, car = site.add_device(), site.add_device(), site.add_device("ovms", "anna/CAR-1")
    site.write()

    with site.running():
        listener, car_listener = site.client(device).subscribe("#"), site.client(car).subscribe("#")
        site.client(other).publish(telemetry(other), "private")
        ingest = site.ingest()
        ingest.publish(f"devices/0/{other.id}/commands/1", "private").publish("ovms/anna/CAR-2/client/1/command/1", "private")
        ingest.publish(f"devices/0/{device.id}/commands/1", "mine").publish("ovms/anna/CAR-1/client/1/command/1", "mine")

        assert listener.expect(1) == ["mine"]
        assert car_listener.expect(1) == ["mine"]


def test_the_ingest_sees_what_the_broker_dropped(site: Site) -> None:
    site.write()

    with site.running():
        ingest = site.ingest().subscribe("$SYS/broker/publish/messages/dropped")

        assert ingest.expect(1) == ["0"]


# What is not lost


def test_a_clean_restart_loses_nothing(site: Site) -> None:
    device = site.add_device()
    site.write()

    with site.running() as broker:
        let_the_session_begin(site)
        before = site.client(device).publish(telemetry(device), *NUMBERED[:1900])
        ingest = site.ingest()
        ingest.expect(100)  # in flight, not acknowledged
        ingest.drop()
        before.leave()
        broker.restart(signal.SIGTERM)
        # The session comes from the snapshot, with the rights it is queued by.
        site.client(device).publish(telemetry(device), *NUMBERED[1900:])

        ingest = site.ingest()
        assert ingest.session_present
        assert ingest.expect(2000) == NUMBERED


def test_messages_come_again_until_they_are_acknowledged(site: Site) -> None:
    device = site.add_device()
    site.write()

    with site.running():
        let_the_session_begin(site)
        site.client(device).publish(telemetry(device), *NUMBERED[:10])
        first = site.ingest()
        first.expect(10)
        first.ack(*first.messages[:4])
        first.subscribe("devices/0/#")  # the broker has read the acknowledgements once it answers
        first.drop()

        second = site.ingest()
        assert second.expect(6) == NUMBERED[4:10]
        assert all(message.dup for message in second.messages)
        second.ack(*second.messages)
        second.subscribe("devices/0/#").leave()
        assert site.ingest().subscribe("devices/0/#").payloads() == []


def test_a_burst_above_the_default_queue_reaches_a_slow_ingest(site: Site) -> None:
    device = site.add_device()
    site.write(ingest_window=100)

    with site.running():
        ingest = site.ingest().subscribe("devices/0/#")
        site.client(device).publish(telemetry(device), *NUMBERED)  # nothing is acknowledged: 1900 are queued

        assert ingest.subscribe("ovms/#").payloads() == NUMBERED[:100]
        done = 0
        while done < 2000:
            ingest.wait(lambda: len(ingest.messages) > done, f"more than {done} messages")  # noqa: B023 - called before it changes
            arrived = ingest.messages[done:]
            ingest.ack(*arrived)
            done += len(arrived)
        assert ingest.payloads() == NUMBERED


def test_fact_the_fuse_drops_the_newest_and_counts_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mosquitto, "MOST_QUEUED_BYTES", 1000)
    device = site.add_device()
    site.write()
    site.folder.joinpath("conf.d/often.conf").write_text("sys_interval 1\n")

    with site.running():
        let_the_session_begin(site)
        site.client(device).publish(telemetry(device), *NUMBERED[:300])  # of 5 bytes each

        ingest = site.ingest()
        assert ingest.subscribe("ovms/#").payloads() == NUMBERED[:200]
        counter = site.ingest(name="watch").subscribe("$SYS/broker/publish/messages/dropped")
        counter.wait(lambda: "100" in counter.payloads(), "the count of 100 dropped messages")


def test_fact_a_kill_loses_what_came_after_the_last_snapshot(site: Site) -> None:
    device = site.add_device()
    site.write()
    snapshot = site.folder / "data" / "mosquitto.db"

    with site.running() as broker:
        let_the_session_begin(site)
        sender = site.client(device).publish(telemetry(device), *NUMBERED[:10])
        os.kill(broker.pid, signal.SIGUSR1)
        wait_until(snapshot.exists, "the snapshot")
        sender.publish(telemetry(device), *NUMBERED[10:20])
        broker.restart(signal.SIGKILL)

        ingest = site.ingest()
        assert ingest.session_present
        assert ingest.subscribe("ovms/#").payloads() == NUMBERED[:10]


# Messages that are too large


def test_a_message_above_the_limit_is_dropped_and_harms_nobody(site: Site) -> None:
    device, other = site.add_device(), site.add_device()
    site.write(payload_limit_bytes=10_000)

    with site.running():
        ingest = site.ingest().subscribe("devices/#")
        witness, sender = site.client(other), site.client(device)
        # Acknowledged, so that it is not sent again and again; mosquitto.conf(5), message_size_limit.
        sender.publish(telemetry(device), "l" * 10_000, "L" * 10_001, "next")
        # A packet far above the limit is not read: the broker would have to hold it.
        flood = site.client(device, name="flood")
        flood.paho.publish(telemetry(device), "F" * 1_100_000, 1)
        flood.wait(lambda: flood.closed, "the end of the connection")
        witness.publish(telemetry(other), "unharmed")

        assert ingest.expect(3) == ["l" * 10_000, "next", "unharmed"]
        assert (flood.published, sender.closed, witness.closed) == (0, False, False)


# Client ids


def test_fact_on_the_trusted_listener_a_device_can_end_the_ingests_session(site: Site) -> None:
    device = site.add_device()
    site.write()

    with site.running():
        let_the_session_begin(site)
        site.client(device).publish(telemetry(device), "queued")
        site.client(device, name="fieldloop-ingest-0", clean=False).subscribe("x").leave()

        assert site.ingest().subscribe("ovms/#").payloads() == []


def test_on_the_devices_listener_nobody_takes_over_a_session(site: Site, connect: Callable[..., Client]) -> None:
    device, other = site.add_device(), site.add_device()
    conf = site.write()[0]
    port = free_port()
    context = make_certificate(site.folder / "certs")
    lines = conf.read_text().split("# listener 8883", 1)[1].replace("\n# ", "\n")
    site.folder.joinpath("conf.d/devices.conf").write_text(f"listener {port} 127.0.0.1{lines}")

    with site.running():
        wait_until(lambda: accepts(port), "the second listener")
        ingest = site.ingest().subscribe("devices/#")
        peer = connect(port, other.id, user=other.id, password=site.secrets[other.id], tls=context)
        sender = connect(port, "fieldloop-ingest-0", user=device.id, password=site.secrets[device.id], tls=context)
        connect(port, other.id, user=device.id, password=site.secrets[device.id], tls=context).publish(telemetry(device), "1")

        sender.wait(lambda: sender.closed, "the same device's own second connection")
        peer.publish(telemetry(other), "2")
        assert ingest.expect(2) == ["1", "2"]
        assert not ingest.closed


def test_an_ingest_told_to_use_tls_finds_it(site: Site, connect: Callable[..., Client]) -> None:
    context = make_certificate(site.folder / "certs")
    site.write(mqtt_tls=True)

    with site.running():
        settings = site.settings
        client = connect(settings.mqtt_port, "x", user=settings.mqtt_username, password=settings.mqtt_password, tls=context)
        assert client.connected


# The files


def options(conf: Path) -> dict[str, str]:
    lines = [line.split(" ", 1) for line in conf.read_text().splitlines() if line and not line.startswith("#")]
    return dict(lines)


def test_the_options_follow_the_settings(site: Site) -> None:
    conf, passwd, acl = site.write(ingest_window=3000, payload_limit_bytes=200_000, mqtt_host="broker.example")
    found = options(conf)

    assert found["listener"] == str(site.settings.mqtt_port)  # every address: the ingest comes from elsewhere
    assert (found["max_inflight_messages"], found["message_size_limit"], found["max_packet_size"]) == (
        "3000",
        "200000",
        "3200000",
    )
    assert (found["max_queued_messages"], found["persistence"], found["allow_anonymous"]) == ("2000000000", "true", "false")
    assert (found["password_file"], found["acl_file"]) == (str(passwd), str(acl))
    assert "persistent_client_expiration" not in found
    assert "memory_limit" not in found
    for host, bound in {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}.items():
        assert options(site.write(mqtt_host=host)[0])["listener"] == f"{site.settings.mqtt_port} {bound}"


def test_secrets_are_for_the_brokers_account_only(site: Site) -> None:
    site.add_device()
    conf, passwd, acl = site.write()
    account = options(conf)["user"]

    for path in (passwd, acl):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert pwd.getpwuid(path.stat().st_uid).pw_name == account
    assert stat.S_IMODE((site.folder / "data").stat().st_mode) == 0o700
    written = conf.read_text() + passwd.read_text() + acl.read_text()
    assert not [secret for secret in (site.settings.mqtt_password, *site.secrets.values()) if secret in written]


def test_a_strict_umask_does_not_shut_the_broker_out(site: Site) -> None:
    before = os.umask(0o077)
    try:
        site.folder = site.folder / "new" / "folder"
        conf = site.write()[0]
    finally:
        os.umask(before)

    assert [stat.S_IMODE(path.stat().st_mode) for path in (conf, conf.parent, conf.parent / "conf.d")] == [0o644, 0o755, 0o755]


def test_without_root_nothing_is_given_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65_432)  # an account without a name, as in containers
    monkeypatch.setattr(os, "chown", None)
    monkeypatch.setattr(os, "fchown", None)

    # Only root heeds the line, and could read the files of any owner.
    assert options(site.write()[0])["user"] == "root"


def test_a_write_that_fails_leaves_the_old_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [path.read_bytes() for path in site.write()]
    names = sorted(os.listdir(site.folder))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    site.add_device()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        site.write(payload_limit_bytes=1)

    assert [(site.folder / name).read_bytes() for name in ("mosquitto.conf", "passwd", "acl")] == before
    assert sorted(os.listdir(site.folder)) == names


def test_the_operators_own_lines_stay(site: Site) -> None:
    site.write()
    own = site.folder / "conf.d" / "own.conf"
    own.write_text("sys_interval 1\n")

    site.write()

    assert own.read_text() == "sys_interval 1\n"


@pytest.mark.parametrize(
    "values",
    [
        {"secret_hash": ""},  # a user without a hash gets in with any password
        {"secret_hash": "$7$101$AAAA$BBBB"},
        {"secret_hash": broker_hash("x") + "\nroot-user:"},
        {"id": "fieldloop-ingest"},
        {"id": "fieldloop-ingest-1"},
        {"id": "fieldloop-keeper"},
        {"id": "device-1\nuser x"},
        {"id": "device:1"},
        {"id": "device/+"},
        {"adapter": "ovms", "address": "anna/car\ntopic readwrite #"},
        {"adapter": "ovms", "address": "+/car"},
        {"adapter": "ovms", "address": "anna/#"},
        {"adapter": "ovms", "address": "anna/car/metric"},
        {"adapter": "ovms", "address": "anna"},
        {"adapter": "ovms", "address": "/car"},
        {"state": "revoked"},
        {"deleted_at": datetime(2026, 6, 1, tzinfo=UTC)},
        {"adapter": "unknown"},
    ],
)
def test_a_device_that_could_harm_the_files_is_left_out(site: Site, values: dict[str, Any]) -> None:
    site.add_device(**values)
    good = site.add_device("ovms", "anna/CAR-1")
    _, passwd, acl = site.write()

    users = [line.split(":")[0] for line in passwd.read_text().splitlines()]
    assert users == ["fieldloop-ingest", good.id]
    assert [line for line in acl.read_text().splitlines() if line.startswith("user")] == [
        "user fieldloop-ingest",
        f"user {good.id}",
    ]
    assert "topic readwrite #" not in acl.read_text()


@pytest.mark.parametrize(
    "changed", [{"mqtt_password": ""}, {"mqtt_username": "a:b"}, {"ingest_window": 0}, {"ingest_window": 65_536}]
)
def test_unusable_settings_are_refused(site: Site, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="FIELDLOOP_"):
        site.write(**changed)
    assert not (site.folder / "passwd").exists()
