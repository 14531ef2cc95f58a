"""What reps and managers read of alarms, and of devices that are silent."""

from __future__ import annotations

from push.kinds.base import INSTANT, MODEL, Kind, Words

ALARMS: dict[str, Kind] = {
    "battery_alarm": Kind(
        {
            "customer_name": "Chen Logistics",
            **MODEL,
            "asset_serial": "LFP-0042",
            "soh_pct": 71.4,
            "measured_on": INSTANT,
            "late": False,
        },
        Words(
            "Battery alarm: {customer_name}",
            (
                ("!late", "The battery health of the {asset_model} ({asset_serial}) is down to {soh_pct:pct}."),
                (
                    "late",
                    "Measured on {measured_on:day}: the battery health of the {asset_model} ({asset_serial}) was {soh_pct:pct}.",
                ),
            ),
        ),
        Words(
            "电池告警：{customer_name}",
            (
                ("!late", "{asset_model}（序列号 {asset_serial}）电池健康度已降至 {soh_pct:pct}。"),
                ("late", "{measured_on:day}测得：{asset_model}（序列号 {asset_serial}）电池健康度为 {soh_pct:pct}。"),
            ),
        ),
    ),
    "alarm_raised": Kind(
        {
            "customer_name": "Chen Logistics",
            **MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "major",
            "measured_on": INSTANT,
            "late": False,
        },
        Words(
            "{rule_en}: {customer_name}",
            (
                ("!late", "{asset_model} ({asset_serial}), measured {measured_on:moment}."),
                ("late", "Measured on {measured_on:day}: {asset_model} ({asset_serial})."),
                "Severity: {grade}.",
            ),
        ),
        Words(
            "{rule_zh}：{customer_name}",
            (
                ("!late", "{asset_model}（序列号 {asset_serial}），测量时间 {measured_on:moment}。"),
                ("late", "测量日期 {measured_on:day}：{asset_model}（序列号 {asset_serial}）。"),
                "级别：{grade}。",
            ),
        ),
    ),
    "alarm_escalated": Kind(
        {
            "customer_name": "Chen Logistics",
            **MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "critical",
        },
        Words("Now {grade}: {rule_en}", ("{asset_model} ({asset_serial}) of {customer_name} has become worse.",)),
        Words("升级为{grade}：{rule_zh}", ("{customer_name}的{asset_model}（序列号 {asset_serial}）情况加重。",)),
    ),
    "alarm_stands": Kind(
        {
            "customer_name": "Chen Logistics",
            **MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "critical",
            "after_h": 24.0,
        },
        Words(
            "Now {grade}: {rule_en}",
            ("{asset_model} ({asset_serial}) of {customer_name}: the alarm has stood for {after_h:g} h.",),
        ),
        Words(
            "升级为{grade}：{rule_zh}",
            ("{customer_name}的{asset_model}（序列号 {asset_serial}）：告警已持续 {after_h:g} 小时。",),
        ),
    ),
    "alarm_woke": Kind(
        {
            "customer_name": "Chen Logistics",
            **MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "major",
        },
        Words(
            "Still there: {rule_en}",
            ("The quiet time is over: {asset_model} ({asset_serial}) of {customer_name}, severity: {grade}.",),
        ),
        Words(
            "告警仍未解除：{rule_zh}",
            ("静默已结束：{customer_name}的{asset_model}（序列号 {asset_serial}），级别：{grade}。",),
        ),
    ),
    "alarm_unacknowledged": Kind(
        {
            "customer_name": "Chen Logistics",
            **MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "major",
            "since": INSTANT,
        },
        Words(
            "Nobody is on it yet: {rule_en}",
            (
                "{asset_model} ({asset_serial}) of {customer_name}; severity: {grade}.",
                "Nobody has taken charge since {since:moment}. Please see to it.",
            ),
        ),
        Words(
            "告警无人受理：{rule_zh}",
            (
                "{customer_name}的{asset_model}（序列号 {asset_serial}），级别：{grade}。",
                "自 {since:moment} 起无人受理，请尽快处理。",
            ),
        ),
    ),
    "alarm_withdrawn": Kind(
        {"customer_name": "Chen Logistics", **MODEL, "reason": "readings_do_not_show_it"},
        Words("Alarm withdrawn: {customer_name}", ("The alarm for the {asset_model} no longer stands.", ("why", "{why}"))),
        Words("告警已撤回：{customer_name}", ("{asset_model}的告警不再成立。", ("why", "{why}"))),
    ),
    "device_silent": Kind(
        {"device_id": "device-00042", **MODEL, "customer_name": "Chen Logistics", "last_heard": INSTANT},
        Words(
            "Device silent: {customer_name}",
            (
                ("last_heard", "Device {device_id} ({asset_model}) has not reported since {last_heard:moment}."),
                ("!last_heard", "Device {device_id} ({asset_model}) has never reported."),
                "Please check its power and its connection.",
            ),
        ),
        Words(
            "设备失联：{customer_name}",
            (
                ("last_heard", "设备 {device_id}（{asset_model}）自 {last_heard:moment} 起未再上报数据。"),
                ("!last_heard", "设备 {device_id}（{asset_model}）从未上报过数据。"),
                "请检查其供电与网络连接。",
            ),
        ),
    ),
}
