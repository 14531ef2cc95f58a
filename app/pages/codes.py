"""What facts of the causal log read as: coded reasons in words of both languages, instants as local time."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any

from app.core.locales import EN
from app.core.texts.facts import FACTS, POSITIONS

_LETTERS = (
    "empty", "not_json", "not_storable", "number_out_of_range", "shape_invalid", "text_invalid", "text_too_long", "time_invalid",
    "too_deep", "too_large", "too_many_values",
)  # fmt: skip
# Why a message of a device could not be used.
LETTERS: dict[str, tuple[str, str]] = {code: FACTS[code] for code in _LETTERS} | {
    "topic_unknown": ("its topic has an unknown form", "主题格式无法识别"),
    "id_invalid": ("its topic names no possible device", "主题中的设备编号不合规则"),
    "wrong_shard": ("it came on another shard than the device's", "分片与设备所属分片不符"),
    "value_invalid": (
        "a value in it is no number and no text its profile knows",
        "其中的值既不是数字，也不是设备档案中的已知文本",
    ),
    "nothing_mapped": ("none of its profile's metrics is in it", "其中没有设备档案列出的任何指标"),
    "time_missing": ("there is nothing where its time should stand", "时间所在位置没有内容"),
    "key_invalid": ("there is no usable key where it should stand", "键所在位置的内容不可用"),
    "csv_invalid": ("it is not CSV", "不是有效的 CSV"),
    "protobuf_invalid": ("it is not protobuf of the expected form", "不是有效的 protobuf"),
    "alias_unknown": ("the birth that names a value in it was not heard", "未收到为其中的值命名的出生消息"),
}
# What a coded reason inside the facts reads as. kind of fact value: (English, Chinese)
CODED: dict[str, tuple[str, str]] = (
    POSITIONS
    | LETTERS
    | {
        "told_late": ("the rep had checked in in time, and it was told late", "业务员当日已按时签到，信息迟到"),
        "held_later": ("the rep came on a later day", "业务员于之后的日期到访"),
        "held_ahead": ("the rep had come before its day, and it was told late", "业务员已提前到访，信息迟到"),
        "visited_meanwhile": ("the customer was visited meanwhile", "该客户近期已拜访"),
        "plan_switched_off": ("the visit plan was switched off", "拜访计划已停用"),
        "left_the_plan": ("the site is not part of the visit plan any more", "该站点已不在拜访计划范围内"),
        "position_surveyed": ("measured on the spot", "现场测得"),
        "position_given": ("told by a person", "人工填写"),
        "position_geocoded": ("found by its address", "由地址解析"),
        "position_district": ("the middle of its district", "所在区县的中心"),
        "importer_gone": ("who started it may not import any more", "发起人已无导入权限"),
        "nominatim": ("OpenStreetMap", "OpenStreetMap 地图"),
        "geonames": ("The table of districts", "区县位置表"),
        "amap": ("Amap", "高德地图"),
        "baidu": ("Baidu Maps", "百度地图"),
        "readings_recovered": ("the readings recovered", "读数已恢复"),
        "component_replaced": ("the component was replaced", "部件已更换"),
        "heard_again": ("the device was heard again", "设备恢复通信"),
        "readings_do_not_show_it": ("the readings, with late ones, do not show it", "补齐迟到数据后，读数不支持该告警"),
        "part_of_earlier_episode": ("late readings show it was part of the earlier alarm", "迟到数据表明它属于先前的告警"),
        "rule_changed": ("the rule was changed and does not show it any more", "规则已修改，不再满足条件"),
        "alarm_withdrawn": ("the alarm was withdrawn", "告警已撤回"),
        "by_rep": ("the rep ended it", "业务员结束"),
        "by_calendar": ("the working day was over", "工作日已结束"),
        "too_long": ("it had lasted as long as a shift may", "已达班次最长时间"),
        "next_began": ("the next shift began", "下一班次已开始"),
        "consent_withdrawn": ("the consent was withdrawn", "同意已撤回"),
        "track_retention": ("they had been kept as long as they may be", "已到保存期限"),
        "track_consent_withdrawn": ("the consent was withdrawn", "同意已撤回"),
        "track_after_the_end": ("they were taken after the shift had ended", "采集于班次结束之后"),
        "track_deleted": ("the track was deleted", "行踪已删除"),
        "track_changed": ("later positions do not show it any more", "补充的位置不再支持该建议"),
        "purpose_mileage": ("kilometres", "里程"),
        "purpose_visits": ("visits", "拜访"),
        "purpose_safety": ("safety", "人身安全"),
        "purpose_complaint": ("a complaint", "投诉处理"),
        "track_shift_ended": ("shift ended", "班次已结束"),
        "track_looked_at": ("somebody looked at a track", "行踪被查看"),
        "offer_open": ("an offer for this component is open already", "该部件已有未结束的优惠"),
        "cool_down": ("the last offer ended too short a time ago", "距上一次优惠结束时间过短"),
        "rule_cool_down": ("the rule's last alarm here ended too short a time ago", "距该规则上一次告警结束时间过短"),
        "order_open": ("a work order for this component is open already", "该部件已有未完成的工单"),
        "no_station": ("there is no active station", "没有启用的服务站"),
        "no_station_able": ("no station is able now", "暂无符合条件的服务站"),
        "not_answered_in_time": ("it was not answered in time", "未在期限内答复"),
        "order_cancelled": ("the work order was cancelled", "工单已取消"),
        "offer_declined": ("the owner declined the offer", "车主拒绝了优惠"),
        "offer_expired": ("the offer expired", "优惠已过期"),
        "offer_withdrawn": ("the offer was withdrawn", "优惠已撤回"),
        "content_differs": ("they are not the ones the phone had", "与手机上的文件不一致"),
        "type_differs": ("they are of another type than was said", "与声明的类型不符"),
        "image_unreadable": ("the picture cannot be read", "图片无法读取"),
        "image_too_large": ("the picture has too many pixels", "图片像素过多"),
        "battery_replacement": ("battery replacement", "电池更换"),
        "soh_pct": ("battery health (%)", "电池健康度（%）"),
        "battery_alarm": ("battery alarm", "电池告警"),
        "alarm_raised": ("alarm", "告警"),
        "alarm_escalated": ("alarm became worse", "告警升级"),
        "alarm_woke": ("alarm still stands", "告警仍未解除"),
        "alarm_stands": ("alarm stands for long", "告警持续未解除"),
        "alarm_unacknowledged": ("alarm nobody has taken charge of", "告警无人受理"),
        "by_rule": ("a rule says so", "按分配规则"),
        "no_rule": ("no rule holds for it", "没有适用的分配规则"),
        "no_room": ("nobody the rule names is active and has room for another lead", "规则指定的人员均已离岗或线索已满"),
        "no_territory": ("the lead has no territory", "线索没有区域"),
        "nobody_in_charge": ("nobody works in its territory", "该区域没有负责的业务员"),
        "untouched": ("nobody followed it up in time", "未在期限内跟进"),
        "given_back": ("its rep gave it back", "业务员退回"),
        "rep_left": ("its rep left", "业务员离职"),
        "deleted_on_phone": ("it was deleted on a phone", "在手机上被删除"),
        "import_undone": ("the import that brought it was taken back", "带来它的导入已撤销"),
        "import_done": ("import done", "导入完成"),
        "import_failed": ("import stopped", "导入中止"),
        "import_undo_failed": ("undoing an import stopped", "撤销导入中止"),
        "import_taken_back": ("import taken back", "导入已撤销"),
        "by_call": ("call", "通话"),
        "by_message": ("message", "消息"),
        "by_meeting": ("meeting", "会面"),
        "by_note": ("note", "备注"),
        "lead_assigned": ("new lead", "新线索"),
        "lead_waiting": ("lead that waits", "待跟进线索"),
        "lead_waits_long": ("lead nobody follows up", "线索无人跟进"),
        "lead_asked_again": ("a lead asked again", "线索再次咨询"),
        "to_rep": ("the rep", "业务员"),
        "to_manager": ("the managers", "经理"),
        "to_admin": ("the administrators", "管理员"),
        "incident_has_order": ("the incident has a work order already", "该事件已有工单"),
        "inside": ("inside", "内"),
        "outside": ("outside", "外"),
        "critical": ("critical", "紧急"),
        "major": ("major", "重要"),
        "minor": ("minor", "次要"),
        "warning": ("warning", "提示"),
        "task_offered": ("new task", "新任务"),
        "offer_made": ("personal offer", "专属优惠"),
        "service_offer_made": ("personal offer", "专属优惠"),
        "offer_slots_ready": ("choose an appointment", "请选择预约时间"),
        "offer_new_slot_needed": ("choose a new time", "请重新选择时间"),
        "task_withdrawn": ("task withdrawn", "任务已撤回"),
        "task_lapsed": ("time to answer is over", "任务超时未答复"),
        "task_booked": ("appointment booked", "客户已预约"),
        "decision_needed": ("decision needed", "需要您决定"),
        "order_unassigned": ("work order without a station", "工单无服务站承接"),
        "order_scheduled": ("work order scheduled", "工单已预约"),
        "route_set": ("your route", "路线安排"),
        "order_finished": ("work order finished", "工单已完工"),
        "device_silent": ("device not heard", "设备失联"),
        "restored": ("a backup was restored", "已从备份恢复"),
        "held_by_operator": ("an operator stopped them", "运维人员已暂停"),
        "discarded_by_operator": ("an operator gave it up", "运维人员已放弃发送"),
        "invitation": ("invitation", "邀请"),
        "password_reset": ("new password", "重设密码"),
        "test": ("test message", "测试消息"),
        "customer_reported": ("report of a customer", "客户上报"),
        "entitlement_changed": ("change of what was used", "使用记录变动"),
        "entitlements_changed": ("changes of what was used", "多条使用记录变动"),
        "no_grant": ("nothing was owed on that day", "当日没有该项权益"),
        "used_up": ("the rest was used before", "其余此前已用完"),
        "report_answered": ("answer to a report", "上报已回复"),
        "channel_check": ("check of a channel", "渠道验证"),
        "fcm": ("push to the app", "应用推送"),
        "web_push": ("push to the browser", "浏览器推送"),
        "service_not_allowed": ("its push service is not allowed any more", "其推送服务已不被允许"),
        "email": ("e-mail", "电子邮件"),
        "channel_not_configured": ("this server has no such channel", "服务器未配置该渠道"),
        "recipient_gone": ("the account is closed", "账号已停用"),
        "switched_off": ("the reader has switched the channel off", "收件人已关闭该渠道"),
        "not_opened": ("nobody opened the message in time", "消息未在期限内打开"),
        "channel_failed": ("the one before failed", "前一渠道发送失败"),
        "no_address": ("the reader has no address there", "收件人在该渠道没有地址"),
        "not_for_this_kind": ("this kind of message does not take that channel", "此类消息不走该渠道"),
        "address_gone": ("the address is gone", "地址已失效"),
        "address_invalid": ("the address cannot be used", "地址无法使用"),
        "unregistered": ("the app was removed from the phone", "手机上的应用已卸载"),
        "link_over": ("the link is used or has expired", "链接已使用或已过期"),
        "owner_portal": ("the customer", "客户本人"),
        "rep": ("a rep", "业务员"),
        "office": ("the office", "后台"),
        "erp": ("another system", "其他系统"),
        "device": ("a device", "设备"),
        "import": ("a file", "导入文件"),
        "attempts_exhausted": ("it was tried too often", "尝试次数过多"),
    }
)

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def coded(value: Any, locale: str, time_zone: tzinfo) -> Any:
    """Return what a fact reads as: coded reasons in words, instants as local time, round numbers without a point.

    What has a name in each language (``{"zh", "en"}``) reads as the one of the reader's.
    """
    if isinstance(value, dict) and value.keys() == {"zh", "en"}:
        return value["en"] if locale == EN else value["zh"]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return (", " if locale == EN else "、").join(str(coded(one, locale, time_zone)) for one in value) or "–"
    if not isinstance(value, str):
        return value
    if _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value).astimezone(time_zone).strftime("%Y-%m-%d %H:%M")
    if value in CODED:
        return CODED[value][0] if locale == EN else CODED[value][1]
    return value
