"""The embedded broker of the default run: rumqttd in this process, on loopback only.

``python -m iot.broker`` serves MQTT 3.1.1 until SIGTERM. It is for the demo, development and tests:
``LIMITS_OF_EMBEDDED`` says what it does not promise. Production runs ``iot/mosquitto.py``'s configuration.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from iotcore import IotCoreBroker

from app.core.logs import get_log, set_up_logs
from app.core.settings import Settings, settings_or_exit

log = get_log(__name__)

HOST = "127.0.0.1"

# rumqttd compares its limit with the packet behind the fixed header: two bytes of topic length, the topic,
# two bytes of packet id, the payload. The longest topic of ours has 200 bytes.
TOPIC_SLACK_BYTES = 1024

# Each subscription filter has a log of this many segments. Full, it drops the oldest segment, read or not: 128 MiB
# held 609,830 messages of 155 bytes in 312 MB of memory (tests/iot/broker/test_figures.py).
_SEGMENT_BYTES = 8 * 1024 * 1024
_SEGMENTS = 16

_CONNECT = b"\x10\x15\x00\x04MQTT\x04\x02\x00\x0a\x00\x09fl-answer"  # clean session, keep-alive 10 s: MQTT 3.1.1, 3.1
_CONNACK = b"\x20\x02\x00\x00"  # accepted, no session: MQTT 3.1.1, 3.2

LIMITS_OF_EMBEDDED: tuple[tuple[str, str, str], ...] = (
    (
        "no_accounts",
        "The embedded broker checks no password: any program on this machine may connect, under any name.",
        "内置 MQTT 代理服务器不校验密码：本机上的任何程序都可以用任意名称连接。",
    ),
    (
        "no_acl",
        "It has no access control: any local client can publish as any device and read all; revoking one changes nothing.",
        "没有访问控制：任何本机客户端都能冒充任意设备发布消息并读取所有主题；已吊销的设备也不会被断开。",
    ),
    (
        "session_takeover",
        "A client that connects with the ingest's client id takes over its session and, with a clean one, ends it.",
        "任何使用接收进程客户端标识连接的程序都会顶替其会话；若使用干净会话，原会话即被清除。",
    ),
    (
        "memory_only",
        "Sessions, queued and retained messages live in memory: a restart of the broker loses them, acknowledged or not.",
        "会话、排队消息和保留消息只存在内存中：MQTT 代理服务器重启后全部丢失，无论是否已确认。",
    ),
    (
        "bounded_queue",
        "Of what waits for an absent ingest the newest 120 MiB per subscription are kept; older messages are dropped silently.",
        "接收进程不在线时，每个订阅只保留最新的 120 MiB；更早的消息会被静默丢弃。",
    ),
    (
        "ack_window_100",
        "At most 100 unacknowledged messages are on their way to a subscriber, whatever the settings say.",
        "发往一个订阅者的未确认消息最多 100 条，且无法通过配置更改。",
    ),
    (
        "full_window_is_deaf",
        "While 100 messages are unacknowledged, pings and subscriptions wait too: a slow ingest is cut off by its keep-alive.",
        "有 100 条消息未确认时，心跳和订阅请求也得不到应答：处理缓慢的接收进程会因心跳超时而断开。",
    ),
    (
        "acks_in_order",
        "Acknowledgements out of order close the connection, and the oldest unacknowledged message is lost.",
        "乱序确认会导致连接被关闭，并丢失最早一条未确认的消息。",
    ),
    (
        "no_duplicate_flag",
        "A message sent again after a reconnect is not marked as a duplicate.",
        "重连后重发的消息不带重复标记。",
    ),
    (
        "qos_of_subscription",
        "Messages arrive with the QoS of the subscription, even those published with QoS 0, and QoS 0 is queued too.",
        "消息按订阅的 QoS 投递，以 QoS 0 发布的也一样，并且 QoS 0 消息也会排队。",
    ),
    (
        "no_sys_topics",
        "There are no $SYS topics, and subscribing to them closes the connection: dropped messages cannot be counted.",
        "没有 $SYS 主题，订阅它会被断开连接：无法统计丢弃的消息数。",
    ),
    (
        "shared_subscription_kills",
        "A client that drops a persistent shared subscription with unacknowledged messages ends the broker.",
        "持久会话的共享订阅在仍有未确认消息时断开，会使 MQTT 代理服务器退出。",
    ),
    (
        "oversize_disconnects",
        "A message above the size limit ends its sender's connection without an acknowledgement; who repeats it gets stuck.",
        "超过大小限制的消息不会被确认，并断开发送方；反复重发该消息的设备将无法继续。",
    ),
    (
        "plain_local_only",
        "It speaks MQTT 3.1.1 without TLS on 127.0.0.1: devices elsewhere cannot reach it.",
        "仅在 127.0.0.1 上提供不加密的 MQTT 3.1.1：其他机器上的设备无法连接。",
    ),
)


def configuration(settings: Settings) -> str:
    """Return rumqttd's configuration (TOML).

    Its table of users is left out: it takes passwords in clear, and a device's secret is kept as a hash only.
    Source: rumqttd 0.20, rumqttd.toml; what the settings do is proven in tests/iot/broker/test_broker.py.
    """
    return f"""\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = {_SEGMENT_BYTES}
max_segment_count = {_SEGMENTS}

[v4.1]
name = "mqtt"
listen = "{HOST}:{settings.mqtt_port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 10000
max_payload_size = {settings.payload_limit_bytes + TOPIC_SLACK_BYTES}
max_inflight_count = 100
dynamic_filters = true
"""


def answers(host: str, port: int, timeout_s: float = 5.0) -> bool:
    """Return whether a broker without passwords answers a CONNECT; an open port alone proves nothing.

    When rumqttd's router has panicked, its listener still accepts connections, and closes them or stays silent.

    Args:
        host: name or address.
        port: 1 to 65535.
        timeout_s: the longest wait for the connection, and again for the answer.
    """
    try:
        with socket.create_connection((host, port), timeout_s) as link:
            link.sendall(_CONNECT)
            answer = b""
            while len(answer) < len(_CONNACK):
                got = link.recv(len(_CONNACK) - len(answer))
                if not got:
                    return False
                answer += got
            link.sendall(b"\xe0\x00")  # DISCONNECT
            return answer == _CONNACK
    except OSError:
        return False


def serve(
    settings: Settings, stop: threading.Event, *, every_s: float = 2.0, timeout_s: float = 10.0, start_s: float = 10.0
) -> int:
    """Run the broker in threads of this process until ``stop`` is set, or until it no longer answers.

    rumqttd cannot be stopped: its port is free again when this process has ended.

    Args:
        settings: of these, ``mqtt_port`` and ``payload_limit_bytes``.
        stop: set by another thread or a signal handler.
        every_s: seconds between two looks at the broker.
        timeout_s: how long it may take to answer one; two failures in a row end the call.
        start_s: how long it may take until the first answer.

    Returns:
        The exit code: 0 after ``stop``, 1 when the port is taken, or the broker died or never came up.
    """
    with tempfile.TemporaryDirectory(prefix="fieldloop-broker-") as folder:
        path = Path(folder) / "broker.toml"
        path.write_text(configuration(settings), encoding="utf-8")
        native = IotCoreBroker(config_path=str(path))  # read here, and not again
    try:
        native.start()
    except OSError as error:
        log.error("broker_port_taken", port=settings.mqtt_port, error=str(error))
        return 1
    deadline = time.monotonic() + start_s
    while not answers(HOST, settings.mqtt_port, timeout_s):
        if stop.wait(0.05):
            return 0
        if time.monotonic() > deadline:
            log.error("broker_never_answered", port=settings.mqtt_port)
            return 1
    limits = [code for code, _, _ in LIMITS_OF_EMBEDDED]
    log.info("broker_ready", host=HOST, port=settings.mqtt_port, limits=limits)
    return _watch(settings, stop, every_s, timeout_s)


def _watch(settings: Settings, stop: threading.Event, every_s: float, timeout_s: float) -> int:
    failures = 0
    while not stop.wait(0.1 if failures else every_s):
        failures = 0 if answers(HOST, settings.mqtt_port, timeout_s) else failures + 1
        if failures == 2:
            log.error("broker_died", port=settings.mqtt_port)
            return 1
    log.info("broker_stopped", port=settings.mqtt_port)
    return 0


def main() -> None:
    """Run the embedded broker in the foreground; ends the process, with 0 on SIGTERM and SIGINT."""
    settings = settings_or_exit()
    set_up_logs(settings, "broker")
    # rumqttd opens an error span for each packet: at any lower level every message becomes a log line.
    for name in ("rumqttd", "tracing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if settings.is_production:
        log.warning("embedded_broker_in_production", advice="set FIELDLOOP_MQTT_BROKER=external, see docs/adr/0009-brokers.md")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    code = serve(settings, stop)
    logging.shutdown()
    sys.stderr.flush()
    # Not sys.exit: the broker's threads may still be logging into an interpreter that is being torn down.
    os._exit(code)


if __name__ == "__main__":
    main()
