"""What the embedded broker promises, and the facts behind LIMITS_OF_EMBEDDED: an upgrade that changes one fails here."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from app.core.settings import read_settings
from iot import broker as embedded_broker
from iot.broker import HOST, LIMITS_OF_EMBEDDED, TOPIC_SLACK_BYTES, answers, serve
from tests.iot.broker.brokers import PATIENCE_S, ROOT, Client, RunningBroker, accepts, free_port, wait_until

Connect = Callable[..., Client]
Start = Callable[..., RunningBroker]
TELEMETRY = "devices/0/0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000/telemetry"
NUMBERED = [f"{number:05d}" for number in range(2000)]
_shown: set[str] = set()


def shows(code: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Say which of LIMITS_OF_EMBEDDED a test shows to be true."""
    _shown.add(code)
    return lambda test: test


def ingest(connect: Connect, port: int) -> Client:
    """The ingest's way to connect: a session that lasts, acknowledgements by hand."""
    return connect(port, "fieldloop-ingest-0", clean=False, manual_ack=True)


def let_the_session_begin(connect: Connect, port: int) -> None:
    ingest(connect, port).subscribe("devices/0/#").leave()


# The process


def test_it_ends_cleanly_on_sigterm_and_frees_its_port(embedded: Start) -> None:
    broker = embedded()

    assert broker.end(signal.SIGTERM) == 0
    assert not accepts(broker.port)
    assert not answers(HOST, broker.port)
    broker.start()
    assert broker.end(signal.SIGINT) == 0


@shows("plain_local_only")
def test_it_is_reached_through_loopback_only_and_speaks_311_only(embedded: Start) -> None:
    broker = embedded()

    assert accepts(broker.port)
    assert not accepts(broker.port, "127.0.0.2")  # a listener on all addresses would answer here too
    closed = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "five", protocol=mqtt.MQTTv5, reconnect_on_failure=False)
    client.on_disconnect = lambda *_: closed.set()
    client.connect(HOST, broker.port)
    client.loop_start()
    assert closed.wait(PATIENCE_S)
    client.loop_stop()


def test_a_port_that_is_taken_ends_it_with_1(embedded: Start) -> None:
    broker = embedded()
    second = subprocess.run(broker.command, env=broker.env, cwd=ROOT, capture_output=True, timeout=PATIENCE_S, check=False)

    assert second.returncode == 1
    assert b"broker_port_taken" in second.stderr
    assert answers(HOST, broker.port)


def test_a_port_that_is_open_but_silent_is_no_broker() -> None:
    with socket.create_server((HOST, 0)) as silent:
        assert not answers(HOST, silent.getsockname()[1], timeout_s=0.1)


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x05", b"HTTP/1.1 400 Bad Request", b""])
def test_a_port_with_another_answer_is_no_broker_of_ours(answer: bytes) -> None:
    def reply(server: socket.socket) -> None:
        link, _ = server.accept()
        with link:
            link.recv(100)
            link.sendall(answer)

    with socket.create_server((HOST, 0)) as server:
        thread = threading.Thread(target=reply, args=(server,))
        thread.start()
        assert not answers(HOST, server.getsockname()[1])
        thread.join(PATIENCE_S)


def test_a_broker_that_never_answers_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_broker, "answers", lambda *_: False)
    monkeypatch.setattr(embedded_broker, "IotCoreBroker", lambda **_: type("Native", (), {"start": lambda _self: None})())

    assert serve(read_settings(mqtt_port=free_port()), threading.Event(), start_s=0.2) == 1


@shows("shared_subscription_kills")
def test_it_ends_with_1_when_its_router_has_died(embedded: Start, connect: Connect) -> None:
    broker = embedded()
    member = connect(broker.port, "member", clean=False, manual_ack=True).subscribe("$share/group/devices/#")
    connect(broker.port, "sender").publish(TELEMETRY, "unacknowledged")
    member.expect(1)
    member.drop()

    wait_until(broker.ended, "the process to notice")
    assert broker.end() == 1
    assert b"broker_died" in broker.log.read_bytes()


# What holds


def test_a_message_of_the_allowed_size_passes(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd(payload_limit_bytes=50_000)
    reader = connect(broker.port, "reader").subscribe("devices/#")

    longest = f"devices/255/{'d' * 36}/responses/{'r' * 150}"
    connect(broker.port, "sender").publish(longest, "x" * 50_000)

    assert reader.expect(1) == ["x" * 50_000]


def test_an_absent_ingest_finds_everything_in_order(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    sent = [number + "x" * 1000 for number in NUMBERED]
    let_the_session_begin(connect, broker.port)
    connect(broker.port, "sender").publish(TELEMETRY, *sent)

    client = ingest(connect, broker.port)
    assert client.session_present
    done = 0
    while done < len(sent):
        arrived = client.expect(done + 1) and client.messages[done:]
        client.ack(*arrived)
        done += len(arrived)
    assert client.payloads() == sent


@shows("no_duplicate_flag")
def test_messages_come_again_until_they_are_acknowledged(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    let_the_session_begin(connect, broker.port)
    connect(broker.port, "sender").publish(TELEMETRY, *NUMBERED[:10])
    first = ingest(connect, broker.port)
    first.expect(10)
    first.ack(*first.messages[:4])
    first.subscribe("barrier")
    first.drop()

    second = ingest(connect, broker.port)
    assert second.expect(6) == NUMBERED[4:10]
    assert not any(message.dup for message in second.messages)
    second.ack(*second.messages)
    second.subscribe("barrier/2").leave()
    assert ingest(connect, broker.port).subscribe("barrier/3").payloads() == []


def test_a_retained_message_is_marked_for_those_who_come_later(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    early = connect(broker.port, "early").subscribe("ovms/#")
    connect(broker.port, "car").publish("ovms/anna/CAR-1/metric/v/b/soh", "85", retain=True)
    early.expect(1)
    late = connect(broker.port, "late").subscribe("ovms/+/#")
    late.expect(1)

    assert (early.messages[0].retain, late.messages[0].retain) == (False, True)


# What does not hold


@shows("no_accounts")
@shows("no_acl")
def test_fact_anybody_may_sign_in_and_speak_for_any_device(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    reader = connect(broker.port, "reader", user="fieldloop-ingest", password="anything").subscribe("devices/#")

    connect(broker.port, "nobody", user="unknown-device", password="wrong").publish(TELEMETRY, "forged")
    connect(broker.port, "anonymous").publish(TELEMETRY, "forged too")

    assert reader.expect(2) == ["forged", "forged too"]


def test_fact_its_table_of_users_works_takes_clear_passwords_and_gives_no_reason(rumqttd: Start, connect: Connect) -> None:
    users = '[v4.1.connections.auth]\nfieldloop-ingest = "in clear"\n'
    port = rumqttd(lambda text: text + users).port

    assert connect(port, "a", user="fieldloop-ingest", password="in clear").connected
    for user, password in [("fieldloop-ingest", "wrong"), ("unknown-device", "in clear"), (None, None)]:
        client = connect(port, "b", user=user, password=password)
        assert (client.connected, client.refused, client.closed) == (False, None, True)  # no CONNACK: a client cannot tell why


@shows("session_takeover")
def test_fact_anybody_may_end_the_ingests_session(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    let_the_session_begin(connect, broker.port)
    connect(broker.port, "sender").publish(TELEMETRY, "queued")

    connect(broker.port, "fieldloop-ingest-0").leave()

    client = ingest(connect, broker.port)
    assert not client.session_present
    assert client.subscribe("barrier").payloads() == []


@shows("memory_only")
def test_fact_a_restart_loses_sessions_queued_and_retained_messages(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    let_the_session_begin(connect, broker.port)
    connect(broker.port, "sender").publish(TELEMETRY, "queued").publish(TELEMETRY, "retained", retain=True)

    broker.restart(signal.SIGTERM)

    client = ingest(connect, broker.port)
    assert not client.session_present
    assert client.subscribe("devices/0/#").subscribe("barrier").payloads() == []


@shows("bounded_queue")
def test_fact_a_full_log_drops_the_oldest_acknowledged_or_not(
    rumqttd: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_broker, "_SEGMENT_BYTES", 20_000)
    monkeypatch.setattr(embedded_broker, "_SEGMENTS", 3)
    port = rumqttd().port
    let_the_session_begin(connect, port)
    connect(port, "sender").publish(TELEMETRY, *(number + "x" * 995 for number in NUMBERED[:200]))

    kept = [payload[:5] for payload in ingest(connect, port).subscribe("barrier").payloads()]

    # Between 2 and 3 segments of 19 to 21 messages: the newest, without a gap among them.
    assert 38 <= len(kept) <= 63
    assert kept == NUMBERED[200 - len(kept) : 200]


@shows("ack_window_100")
@shows("full_window_is_deaf")
def test_fact_the_window_is_100_and_a_full_one_leaves_pings_unanswered(rumqttd: Start, connect: Connect) -> None:
    port = rumqttd(lambda text: text.replace("max_inflight_count = 100", "max_inflight_count = 1000")).port
    let_the_session_begin(connect, port)
    connect(port, "sender").publish(TELEMETRY, *NUMBERED[:300])

    slow = connect(port, "fieldloop-ingest-0", clean=False, manual_ack=True, keepalive=1)
    slow.wait(lambda: slow.closed, "the end of the connection: no PINGRESP")
    assert slow.payloads() == NUMBERED[:100]

    client = ingest(connect, port)
    client.expect(100)
    client.ack(*client.messages[:50])
    assert client.expect(150) == NUMBERED[:150]


@shows("acks_in_order")
def test_fact_acknowledging_out_of_order_closes_and_loses_the_oldest(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    client = ingest(connect, broker.port).subscribe("devices/0/#")
    connect(broker.port, "sender").publish(TELEMETRY, *NUMBERED[:5])
    client.expect(5)

    client.ack(client.messages[3])

    client.wait(lambda: client.closed, "the end of the connection")
    assert ingest(connect, broker.port).subscribe("barrier").payloads() == NUMBERED[1:5]


@shows("qos_of_subscription")
def test_fact_qos_0_is_queued_and_delivered_as_qos_1(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    let_the_session_begin(connect, broker.port)
    sender = connect(broker.port, "sender")
    sender.paho.publish(TELEMETRY, "qos 0", 0)
    sender.subscribe("barrier")

    client = ingest(connect, broker.port)
    client.expect(1)
    assert client.messages[0].qos == 1


@shows("no_sys_topics")
def test_fact_a_subscription_to_sys_topics_closes_the_connection(rumqttd: Start, connect: Connect) -> None:
    client = connect(rumqttd().port, "watch")

    client.paho.subscribe("$SYS/#")

    client.wait(lambda: client.closed, "the end of the connection")
    assert client.subscribed == 0


@shows("oversize_disconnects")
def test_fact_a_message_above_the_limit_ends_its_sender_unacknowledged_and_harms_nobody_else(
    rumqttd: Start, connect: Connect
) -> None:
    broker = rumqttd(payload_limit_bytes=50_000)
    reader = connect(broker.port, "reader").subscribe("devices/#")
    witness = connect(broker.port, "witness")
    sender = connect(broker.port, "sender")
    largest = 50_000 + TOPIC_SLACK_BYTES - len(TELEMETRY) - 4

    sender.publish(TELEMETRY, "x" * largest)
    sender.paho.publish(TELEMETRY, "x" * (largest + 1), 1)

    sender.wait(lambda: sender.closed, "the end of the connection")
    assert sender.published == 1
    witness.publish(TELEMETRY, "unharmed")
    assert reader.expect(2) == ["x" * largest, "unharmed"]


def test_fact_resubscribing_does_not_send_retained_messages_again(rumqttd: Start, connect: Connect) -> None:
    broker = rumqttd()
    connect(broker.port, "car").publish("ovms/a/b/metric/v/b/soh", "85", retain=True)
    reader = connect(broker.port, "reader").subscribe("ovms/#")
    reader.expect(1)

    assert reader.subscribe("ovms/#").subscribe("barrier").payloads() == ["85"]  # [MQTT-3.8.4-3] asks for a second one


# The list


def test_every_limit_is_shown_by_a_test_and_said_in_both_languages() -> None:
    codes = [code for code, _, _ in LIMITS_OF_EMBEDDED]

    assert set(codes) == _shown
    assert len(codes) == len(set(codes))
    for code, english, chinese in LIMITS_OF_EMBEDDED:
        assert re.fullmatch(r"[a-z0-9_]+", code)
        assert english.isascii()
        assert english.endswith(".")
        assert re.search(r"[\u4e00-\u9fff]", chinese)
        assert chinese.endswith("。")


def test_the_package_is_the_one_the_facts_were_found_with() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import iotcore; print(iotcore.__version__)"], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "0.4.0"
