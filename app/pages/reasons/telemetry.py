"""Devices, their readings, alarms and rules. The form is that of ``REASONS``."""

from __future__ import annotations

TELEMETRY: dict[str, tuple[str, str]] = {
    "reading.observed": ("The device measured {metric} = {value} at {at}.", "设备于 {at} 测得 {metric} = {value}。"),
    "fault_code.reported": ("The device reported fault code {code} ({severity}).", "设备上报故障码 {code}（{severity}）。"),
    "alarm.raised": (
        "Rule “{rule}” (version {rule_number}) was met: {condition}.",
        "规则“{rule}”（第 {rule_number} 版）条件成立：{condition}。",
    ),
    "alarm.promoted": (
        "A fresh reading showed that the older alarm still holds, so people were told.",
        "新读数表明先前的告警仍然成立，因此发出通知。",
    ),
    "alarm.escalated": ("It became worse: the alarm is now {severity}.", "情况加重，告警级别升为：{severity}。"),
    "alarm.stood_too_long": (
        "It has stood for {after_h} h: the alarm is now {severity}.",
        "告警已持续 {after_h} 小时，级别升为：{severity}。",
    ),
    "alarm.severity_corrected": (
        "Late data showed that it was not so bad: the alarm is {severity}.",
        "迟到数据表明情况没有那么严重，告警级别更正为：{severity}。",
    ),
    "alarm.reminded": (
        "Nobody has taken charge since {since}: reminder {step} of at most {at_most} went to the next in line ({to}).",
        "自 {since} 起无人受理，已向下一顺位（{to}）发出第 {step} 次提醒（最多 {at_most} 次）。",
    ),
    "alarm.nobody_to_remind": (
        "Nobody has taken charge since {since}, and the rule's line has nobody to remind (reminder {step}).",
        "自 {since} 起无人受理，但规则所列人员均不可用，第 {step} 次提醒未能发出。",
    ),
    "incident.opened": ("The first alarm of this asset opened an incident.", "该资产的首个告警，事件开启。"),
    "incident.alarm_joined": (
        "Another alarm of the same asset joined the incident: rule “{rule}”.",
        "同一资产的另一告警并入事件：规则“{rule}”。",
    ),
    "incident.reopened": ("An alarm of the incident goes on: it is open again.", "事件中的告警再次成立，事件重新打开。"),
    "incident.closed": ("No alarm of the incident stands any more.", "事件中的告警均已结束，事件关闭。"),
    "alarm.acknowledged": ("Somebody took charge of the alarm.", "已有人受理该告警。"),
    "alarm.cleared": ("The alarm ended: {reason}.", "告警已解除：{reason}。"),
    "alarm.condition_ended": (
        "The condition has ended; the alarm is not over by that.",
        "条件已不再成立，但告警不因此结束。",
    ),
    "alarm.condition_returned": ("The condition holds again; it is the same alarm.", "条件再次成立，仍为同一告警。"),
    "alarm.closed": ("Somebody closed the alarm: {reason}.", "已手动关闭告警：{reason}。"),
    "alarm.found_closed": (
        "Late data showed that it stood when somebody closed the alarm, so it is closed, too.",
        "迟到数据表明，手动关闭告警时它已存在，因此一并关闭。",
    ),
    "alarm.snoozed": ("Somebody asked for quiet until {until}.", "已设为静默至 {until}。"),
    "alarm.snooze_ended": (
        "Somebody ended the quiet time early; the alarm still stands ({severity}).",
        "静默已提前结束，告警仍未解除（{severity}）。",
    ),
    "alarm.woke": ("The quiet time is over, and the alarm still stands ({severity}).", "静默结束，告警仍未解除（{severity}）。"),
    "alarm.held_back": ("Nothing followed from it until {until}: {reason}.", "{until} 之前不采取任何措施：{reason}。"),
    "alarm.cooled_down": (
        "The rule's cool-down was over and the alarm still stood, so people were told.",
        "规则冷却期已过，告警仍未解除，因此发出通知。",
    ),
    "alarm.reopened": ("Late data moved the end of the alarm: it is open again.", "迟到数据改变了解除时间，告警重新打开。"),
    "alarm.clear_moved": ("Late data moved the moment the alarm ended.", "迟到数据改变了告警的解除时间。"),
    "alarm.withdrawn": ("The alarm should not have risen: {reason}.", "该告警本不应触发：{reason}。"),
    "device.registered": ("The device was registered.", "设备已登记。"),
    "device.prepared": (
        "The device was prepared for a customer to claim until {until}.",
        "设备已备好，客户可在 {until} 之前认领。",
    ),
    "device.claimed": ("The owner claimed the device with the code on its label.", "车主已凭标签上的认领码认领该设备。"),
    "device.claim_refused": ("A claim code was refused.", "认领码被拒绝。"),
    "device.revoked": ("The device was revoked.", "设备已停用。"),
    "device.secret_renewed": ("The device got a new secret.", "设备密钥已更新。"),
    "device.storm_began": (
        "The device sends more than {per_minute} messages a minute, after {burst} at once; what is more is counted, not taken.",
        "设备发送超过限额（每分钟 {per_minute} 条，突发 {burst} 条），超出部分只计数，不入库。",
    ),
    "device.storm_ended": (
        "The device keeps to its rate again; {not_taken} messages were not taken.",
        "设备发送频率恢复正常，期间有 {not_taken} 条消息未入库。",
    ),
    "device.secret_rotated": (
        "The device got a new user name and secret; the old ones stay valid until {until}.",
        "设备已启用新的用户名和密钥，旧的在 {until} 之前仍可使用。",
    ),
    "device.settings_set": (
        "The device was given settings of its own; with its profile's they are number {number}.",
        "已为设备单独设置参数，与设备档案合并后为第 {number} 版。",
    ),
    "device.settings_applied": (
        "The device took over settings number {number}; wanted was {wanted}.",
        "设备已应用第 {number} 版参数（应为第 {wanted} 版）。",
    ),
    "device.settings_differ": (
        "The device took over settings number {number}, but with other values.",
        "设备已应用第 {number} 版参数，但部分取值不同。",
    ),
    "device.settings_overtaken": (
        "The device knew settings number {reported}, which is higher than ours; they go out again as number {number}.",
        "设备上的参数版本（{reported}）高于服务器，已以第 {number} 版重新下发。",
    ),
    "device.placed": (
        "The device was moved to another asset at {at}; what it measured from then on is that asset's.",
        "设备于 {at} 改装到另一资产，此后的读数归入新资产。",
    ),
    "device.old_secret_ended": ("The device's old secret ended.", "设备的旧密钥已失效。"),
    "device_profile.created": ("The device profile was added.", "设备档案已创建。"),
    "device_command.queued": ("A command to the device was queued.", "设备指令已进入队列。"),
    "device_command.answered": ("The device answered the command.", "设备已应答指令。"),
    "device_command.timed_out": ("The device did not answer in time.", "设备未在时限内应答。"),
    "device_profile.edited": ("The device profile was edited.", "设备档案已修改。"),
    "alarm.service_started": (
        "The alarm that had led to the service fell away; this one goes on with it.",
        "原先触发服务的告警不再成立，由本告警继续。",
    ),
    "dead_letters.dismissed": (
        "{n} dead letters of {source} were closed as of no use.",
        "已将来源 {source} 的 {n} 条死信作为无用信息关闭。",
    ),
    "dead_letter.dismissed": (
        "The message on {topic} that could not be used ({reason}) was closed as of no use.",
        "主题 {topic} 上无法处理的消息（{reason}）已作为无用信息关闭。",
    ),
    "dead_letter.replayed": (
        "The message on {topic} that could not be used was sent through the ingest again, and taken in.",
        "主题 {topic} 上此前无法处理的消息已重放，并成功入库。",
    ),
    "dead_letter.refused_again": (
        "The message on {topic} was sent through the ingest again, and could not be used: {reason}.",
        "主题 {topic} 上的消息已重放，仍无法处理：{reason}。",
    ),
    "rule.created": ("Rule “{code}” was added.", "规则“{code}”已创建。"),
    "rule.edited": ("The rule was changed; it is now version {number}.", "规则已修改，当前为第 {number} 版。"),
}
