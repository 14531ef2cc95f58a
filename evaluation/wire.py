"""Messages of other makers' devices through a real broker to stored readings and alarms: published ones, and a real battery."""

from __future__ import annotations

import base64
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from app.core.clock import to_ms
from app.core.locales import EN, LOCALES, ZH
from app.rules.detectors import Reading
from evaluation.batteries import by_definition
from evaluation.deployment import BEGIN, Deployment, Vehicle, deployed, find_mosquitto
from evaluation.makers import CONVENTIONS, Convention, Spoken
from evaluation.sparkplug import metric, payload
from evaluation.tables import DAY_MS, Section, SkippedError, cells, rows, table

_CELL = "B0005"
_SEED = 20_261
_BEGIN_MS = to_ms(BEGIN)
# A number with its unit, as the OVMS console shows it; over MQTT the number comes alone.
_WITH_UNIT = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)[^\d\s.,-][^\d,]*")


class _Set(NamedTuple):
    """Published messages: what they are called, who publishes them, the profile, and the messages in order."""

    name: str
    profile: dict[str, Any]
    speakers: tuple[str, ...]
    below: tuple[str, ...]
    messages: list[tuple[str, Spoken]]


_WORDS = {
    EN: {
        "published": "messages|sent|denied|readings stored|passed over|dead letters|sequence gaps",
        "forms": "form|sent|readings stored|alarm on day|by definition|again: sent|stored|dead letters|readings and alarms",
        "same": "the same",
        "different": "DIFFERENT",
        "text": """\
Published to a real Mosquitto with the generated users and rights, each device with its own account; the ingest of the product
stores them in SQLite. Data: the metrics of the OVMS documentation with its examples (over MQTT: the value without its unit), the
topics of the TeslaMate documentation with its examples, the Sparkplug payloads published with benthos-umh (a birth, two values of
which the second comes after a gap, and the death of an earlier connection), and its capture of a plant, whose payloads were not
published: topics, sequence numbers, times and numbers of metrics are real, the values are not. *Passed over*: texts, lists and
empty messages. *Denied*: by the broker; these are messages of nodes (`NDATA`) that name a device, which Sparkplug does not know.

{published}

The capture's gaps by its own column of numbers: {gaps}.

The {battery} readings of NASA's cell {cell}, one a day, told in each form to the default battery rule. *By definition*: as
in the section on that rule. *Again*: a second deployment gets every message twice, and where messages carry a time of their own,
in an order drawn with seed {seed}; where they carry none, the copy arrives at the same instant. Readings and alarms must be those
of the first.

{forms}
""",
    },
    ZH: {
        "published": "消息|发送|被拒绝|入库读数|略过|死信|序号缺口",
        "forms": "形式|发送|入库读数|告警在第几天|按定义|再次：发送|入库|死信|读数与告警",
        "same": "一致",
        "different": "不一致",
        "OVMS, documentation": "OVMS，文档示例",
        "TeslaMate, documentation": "TeslaMate，文档示例",
        "Sparkplug, payloads": "Sparkplug，公开的消息内容",
        "Sparkplug, a plant": "Sparkplug，一座工厂的抓包",
        "text": """\
消息发布到真实的 Mosquitto（用户与权限均由产品生成，每台设备使用自己的账号），由产品的接收进程存入 SQLite。
数据：OVMS 文档中的指标及其示例值（经 MQTT 传送时不带单位）、TeslaMate 文档中的主题及其示例值、benthos-umh 公开的 Sparkplug
消息内容（一次上线、两次数值，其中第二次之前有缺口，以及前一次连接的下线），以及同一项目在一座工厂的抓包。抓包的消息内容未公开：
主题、序号、时间与指标数量是真实的，数值不是。“略过”：文本、列表与空消息。“被拒绝”：由 MQTT 代理服务器拒绝，
即节点消息（`NDATA`）中带有设备名，Sparkplug 没有这种用法。

{published}

按抓包自带的序号一列核对缺口：{gaps}。

NASA 电芯 {cell} 的 {battery} 条读数，每天一条，以各种形式上报，由默认电池规则判断。“按定义”同电池规则一节。
“再次”：另一套部署收到的每条消息都重复一遍；消息自带时间的，以种子 {seed} 打乱顺序；不带时间的，副本在同一时刻到达。
读数与告警必须与第一次一致。

{forms}
""",
    },
}


def judged(folder: Path) -> Section:
    """Publish, take in, and count.

    Raises:
        SkippedError: Mosquitto is not installed.
    """
    if find_mosquitto() is None:
        raise SkippedError("mosquitto is not installed (apt install mosquitto)")
    battery = cells(folder)[_CELL]
    published, gaps_right = _published(folder)
    told, faults = _conventions(battery)
    texts = {}
    for locale in LOCALES:
        words = _WORDS[locale]
        sames = {True: words["same"], False: words["different"]}
        texts[locale] = words["text"].format(
            published=table(words["published"].split("|"), [[words.get(name, name), *line] for name, *line in published]),
            gaps=sames[gaps_right],
            battery=len(battery),
            cell=_CELL,
            seed=_SEED,
            forms=table(words["forms"].split("|"), [[*line, sames[same]] for line, same in told]),
        )
    return Section(texts, bool(faults) or not gaps_right)


def _published(folder: Path) -> tuple[list[list[str]], bool]:
    sets = [_ovms(folder), _teslamate(folder), _vectors(folder), _capture(folder)]
    lines, gaps = [], {}
    for one in sets:
        with deployed() as made:
            vehicle = made.add_vehicle("V-1")
            made.clock.at = BEGIN + timedelta(days=1000)
            profile = made.add_profile(one.profile)
            speakers = {address: made.add_device(profile, vehicle.asset, address) for address in one.speakers}
            for address in one.below:
                made.add_device(profile, vehicle.asset, address)
            with made.running():
                for speaker, spoken in one.messages:
                    made.say(speakers[speaker], spoken)
                counts = made.settle()
            passed = sum(n for name, n in counts.items() if name.startswith("ignored_"))
            gaps[one.name] = counts["sequence_gap"]
            refused = len(one.messages) - counts["message"]
            told = [str(len(one.messages)), str(refused), str(counts["reading"]), str(passed), _reasons(made.dead_letters())]
            lines.append([one.name, *told, str(counts["sequence_gap"]) if one.profile["adapter"] == "sparkplug" else "–"])
    return lines, gaps["Sparkplug, a plant"] == _gaps_by_definition(folder)


def _ovms(folder: Path) -> _Set:
    known = [row for row in rows(folder / "mqtt_ovms/standard_metrics.csv") if row["example"]]
    told = []
    for row in known:
        number = _WITH_UNIT.fullmatch(row["example"])
        value = number[1] if number else row["example"]
        told.append(("anna/CAR1", Spoken(f"ovms/anna/CAR1{row['topic_suffix']}", value, 0, True)))
    profile = {"code": "ovms", "name": "OVMS", "adapter": "ovms", "metrics": {"soh_pct": {"source": "v/b/soh"}}}
    return _Set("OVMS, documentation", profile, ("anna/CAR1",), (), told)


def _teslamate(folder: Path) -> _Set:
    found = [(row["topic"].replace("$car_id", "1"), row["example"]) for row in rows(folder / "mqtt_teslamate/topics.csv")]
    told = [("1", Spoken(topic, example, 1, True)) for topic, example in found]
    metrics = {"range_km": {"source": "rated_battery_range_km"}}
    profile = {"code": "t", "name": "T", "adapter": "teslamate", "metrics": metrics}
    return _Set("TeslaMate, documentation", profile, ("1",), (), told)


def _vectors(folder: Path) -> _Set:
    known = {one["name"]: one for one in json.loads((folder / "mqtt_sparkplug/payload_vectors.json").read_text())}
    told = []
    for name in ("NBIRTH_V1", "NDATA_V1", "NDATA_GAP", "NDEATH_V1"):
        one = known[name]
        told.append(("org/702", Spoken(f"spBv1.0/org/{one['message_type']}/702", base64.b64decode(one["payload_base64"]), 0)))
    profile = {"code": "s", "name": "S", "adapter": "sparkplug", "metrics": {"temperature_c": {"source": "Temperature"}}}
    return _Set("Sparkplug, payloads", profile, ("org/702",), (), told)


def _captured(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the captured messages in order, each with its node."""
    for row in rows(folder / "mqtt_sparkplug/capture.csv"):
        yield row, f"{row['group_id']}/{row['edge_node_id']}"


def _capture(folder: Path) -> _Set:
    told, below = [], set()
    for row, node in _captured(folder):
        if row["device_id"] and row["msg_type"].startswith("D"):
            below.add(f"{node}/{row['device_id']}")
        body = b""
        if row["payload_timestamp_ms"]:
            metrics = [metric(f"m{i}", None, float(row["frame"])) for i in range(int(row["metric_count"]))]
            body = payload(int(row["payload_timestamp_ms"]), int(row["seq"]) if row["seq"] else None, *metrics)
        told.append((node, Spoken(row["topic"], body, 0)))
    profile = {"code": "s", "name": "S", "adapter": "sparkplug", "metrics": {"m0": {}}}
    return _Set("Sparkplug, a plant", profile, tuple(sorted({node for node, _ in told})), tuple(sorted(below)), told)


def _gaps_by_definition(folder: Path) -> int:
    last: dict[str, int] = {}
    gaps = 0
    for row, node in _captured(folder):
        if row["seq"]:
            gaps += node in last and int(row["seq"]) != (last[node] + 1) % 256
            last[node] = int(row["seq"])
    return gaps


class _Told(NamedTuple):
    """What became of a battery told in one form: messages, readings, dead letters, alarms."""

    sent: int
    readings: list[tuple[int, float]]
    dead: Counter[str]
    alarms: list[tuple[Any, ...]]


def _conventions(battery: list[Reading]) -> tuple[list[tuple[list[str], bool]], int]:
    defined = [day for day, _ in by_definition([(reading.at_ms // DAY_MS, reading.value) for reading in battery])]
    told, faults = [], 0
    for convention in CONVENTIONS:
        first = _tell(convention, battery, lambda told: told)
        again = _tell(convention, battery, _shuffled if convention.timed else _doubled)
        days = [(to_ms(alarm[1]) - _BEGIN_MS) // DAY_MS for alarm in first.alarms]
        same = again.alarms == first.alarms and again.readings == first.readings
        faults += not same or days != defined or len(first.readings) != len(battery) or bool(first.dead or again.dead)
        line = [
            convention.__name__,
            str(first.sent),
            str(len(first.readings)),
            ", ".join(map(str, days)) or "–",
            ", ".join(map(str, defined)) or "–",
            str(again.sent),
            str(len(again.readings)),
            _reasons(first.dead + again.dead),
        ]
        told.append((line, same))
    return told, faults


def _doubled(told: list[Reading]) -> list[Reading]:
    return [reading for reading in told for _ in range(2)]


def _shuffled(told: list[Reading]) -> list[Reading]:
    return random.Random(_SEED).sample(_doubled(told), 2 * len(told))


def _tell(convention: type[Convention], battery: list[Reading], order: Callable[[list[Reading]], list[Reading]]) -> _Told:
    """Tell a battery's readings. Those without a time of their own are measured on the day they arrive."""
    speech, sent = convention(), 0
    with deployed() as made:
        vehicle, speaker = _register(made, speech)
        if speech.timed:
            made.clock.at = BEGIN + timedelta(days=battery[-1].at_ms // DAY_MS + 1)
        with made.running():
            made.say(speaker, *speech.births(to_ms(made.clock.at)))
            for reading in order(battery):
                if not speech.timed:
                    made.settle()
                    made.clock.at = BEGIN + timedelta(milliseconds=reading.at_ms)
                spoken = speech.value(reading.value, _BEGIN_MS + reading.at_ms)
                made.say(speaker, *spoken)
                sent += len(spoken)
            made.settle()
        return _Told(sent, made.readings(vehicle.asset), made.dead_letters(), made.alarms(vehicle.pack))


def _register(made: Deployment, speech: Convention) -> tuple[Vehicle, str]:
    vehicle = made.add_vehicle("V-1")
    profile = made.add_profile(speech.profile)
    speaker = made.add_device(profile, vehicle.asset, speech.address)
    if speech.speaker:
        speaker = made.add_device(profile, vehicle.asset, speech.speaker, gateway=speech.gateway)
    return vehicle, speaker


def _reasons(found: Counter[str]) -> str:
    return ", ".join(f"{n} `{reason}`" for reason, n in sorted(found.items())) or "0"
