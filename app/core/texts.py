"""What a refused caller reads: title and detail per stable code, in both languages.

``{name}`` places a fact of the error. A code without a row here fails a test.
"""

from __future__ import annotations

from app.core.locales import EN, ZH

# code: (English title, English detail, Chinese title, Chinese detail)
PROBLEMS: dict[str, tuple[str, str, str, str]] = {
    "not_found": ("Not found", "There is no such thing, or you may not see it.", "未找到", "该内容不存在，或您无权查看。"),
    "unauthenticated": ("Sign in first", "A valid access token is needed.", "请先登录", "需要有效的访问令牌。"),
    "forbidden": ("Not allowed", "Your role does not carry this right.", "无权操作", "您的角色没有此项权限。"),
    "bad_credentials": (
        "Sign-in failed",
        "The name or the password is wrong, or the account cannot sign in now.",
        "登录失败",
        "账号或密码错误，或该账号暂时不能登录。",
    ),
    "refresh_refused": ("Sign in again", "This session has ended.", "请重新登录", "本次会话已结束。"),
    "visit_in_progress": (
        "You are at another visit",
        "Check out of visit {number} first.",
        "您正在进行另一次拜访",
        "请先从拜访 {number} 签退。",
    ),
    "link_invalid": (
        "Link no longer valid",
        "This link was used already or has expired.",
        "链接已失效",
        "该链接已被使用或已过期。",
    ),
    "password_weak": (
        "Password too weak",
        "Use at least 10 characters and not your own name.",
        "密码强度不足",
        "请至少使用 10 个字符，且不要包含您的账号。",
    ),
    "channel_unreachable": (
        "Nothing can be sent there",
        "This server does not have the channel, you have switched it off, or it knows no address of yours.",
        "无法通过该渠道发送",
        "服务器未配置该渠道、您已将其关闭，或未登记地址。",
    ),
    "code_wrong": (
        "Code not valid",
        "This code was not sent through this channel within the last 30 minutes.",
        "验证码无效",
        "该渠道在最近 30 分钟内未发送过此验证码。",
    ),
    "validation_failed": ("Please check your input", "Some fields are not valid.", "请检查输入", "部分字段无效。"),
    "trial_running": (
        "A trial is running",
        "Rules are tried out one after the other. Try again in a few seconds.",
        "正在试运行规则",
        "规则试运行须逐个进行，请几秒后重试。",
    ),
    "malformed": (
        "Request cannot be read",
        "The body is not acceptable: {reason}.",
        "无法读取请求",
        "请求内容不符合要求：{reason}。",
    ),
    "unsupported_media_type": (
        "JSON is needed",
        "Send the body as application/json.",
        "需要 JSON",
        "请以 application/json 发送内容。",
    ),
    "method_not_allowed": ("Method not allowed", "This address does not take this method.", "方法不允许", "该地址不支持此方法。"),
    "too_large": ("Request too large", "The request is larger than allowed.", "请求过大", "请求超过允许的大小。"),
    "body_late": (
        "The body did not arrive",
        "The request's body did not come in time or broke off; nothing was changed.",
        "未收到请求内容",
        "请求内容未能按时到达或中途断开，未做任何更改。",
    ),
    "body_crowded": (
        "Try again in a moment",
        "Too many large requests are on their way; nothing was changed.",
        "请稍后重试",
        "正在接收的大请求过多，未做任何更改。",
    ),
    "http_error": ("Request refused", "The request cannot be served.", "请求被拒绝", "无法处理该请求。"),
    "internal": ("Something went wrong", "The fault was logged under the request id.", "系统出错", "故障已按请求编号记录。"),
    "unavailable": (
        "Try again in a moment",
        "The database cannot be reached just now; nothing was changed.",
        "请稍后重试",
        "数据库暂时不可用，未做任何更改。",
    ),
    "storage_full": ("No room left", "The disk is full; nothing was changed.", "存储空间不足", "磁盘已满，未做任何更改。"),
    "too_many_requests": ("Too many tries", "Wait a little before the next try.", "操作过于频繁", "请稍候再试。"),
    "rate_limited": (
        "Too many messages",
        "The device sends more than its rate allows. This message was counted and not stored; send it again later.",
        "消息过于频繁",
        "设备发送频率超过限额。本条消息已计数但未保存，请稍后重发。",
    ),
    "version_required": (
        "If-Match is needed",
        "Send the ETag of the version you edit in If-Match.",
        "缺少 If-Match",
        "请在 If-Match 中提供所编辑版本的 ETag。",
    ),
    "version_stale": (
        "Changed meanwhile",
        "Somebody changed it; the present version is {version}.",
        "内容已被更改",
        "内容已被他人更改，当前版本为 {version}。",
    ),
    "state_conflict": (
        "Not possible any more",
        "Its state is now “{state}”; it cannot become “{wanted}”.",
        "当前状态不允许",
        "当前状态为“{state}”，不能变为“{wanted}”。",
    ),
    "conflict": (
        "Clashes with what is there",
        "It contradicts something that is stored already.",
        "与现有数据冲突",
        "与已存储的内容相冲突。",
    ),
    "snooze_over": (
        "The quiet time is over",
        "It had ended before your phone could send it.",
        "静默时间已过",
        "手机送达该请求之前，静默时间已经结束。",
    ),
    "settled_accepted": ("The office saw to it", "{reason}", "已由管理人员处理", "{reason}"),
    "settled_rejected": ("The office decided against it", "{reason}", "管理人员未予认可", "{reason}"),
    "in_use": ("Still in use", "Something belongs to it; remove that first.", "仍在使用", "仍有内容与其关联，请先移除。"),
    "installation_needed": (
        "The app must name itself",
        "Send the id of this installation in X-Installation.",
        "缺少安装标识",
        "请在 X-Installation 中提供本次安装的标识。",
    ),
    "checkpoint_gone": (
        "Load everything again",
        "This phone was away for too long, or the server was restored; ask for everything once.",
        "需要重新下载",
        "该手机离线过久，或服务器已从备份恢复，请重新下载全部数据。",
    ),
    "wipe_required": (
        "This app was asked to forget its data",
        "Delete all local data and confirm it; then you may begin again.",
        "需要清除本机数据",
        "请删除本机全部数据并确认，之后即可重新开始。",
    ),
    "already_exists": ("Already there", "{what} is taken already.", "已存在", "{what} 已被使用。"),
    "key_reused": (
        "Key used for something else",
        "This Idempotency-Key was sent with another body.",
        "幂等键被重复使用",
        "该 Idempotency-Key 已用于其他内容的请求。",
    ),
    "key_in_flight": (
        "Still working on it",
        "A request with this Idempotency-Key is under way.",
        "处理中",
        "使用该 Idempotency-Key 的请求正在处理中。",
    ),
    "key_invalid": (
        "Idempotency-Key not valid",
        "Use 8 to 100 characters of A-Z a-z 0-9 _ . : -",
        "幂等键无效",
        "请使用 8 至 100 个字符：A-Z a-z 0-9 _ . : -",
    ),
    "unknown_reference": (
        "Points to nothing",
        "{field} names something that does not exist, or that you may not see.",
        "引用无效",
        "{field} 指向的内容不存在，或您无权查看。",
    ),
    "last_admin": (
        "The last administrator stays",
        "Make somebody else administrator first.",
        "需保留一名管理员",
        "请先指定另一名管理员。",
    ),
    "hand_over_needed": (
        "Hand over first",
        "{customers} customers are still theirs: name who takes them over.",
        "请先移交",
        "该用户仍负责 {customers} 个客户，请指定接手人。",
    ),
    "overlap": (
        "Another fitting is in the way",
        "This component, or another of its kind in this asset, has a fitting at that time or later.",
        "安装时间冲突",
        "该部件或该资产上的同类部件，在此时间或之后已有安装记录。",
    ),
    "fitting_ended": (
        "Not in there any more",
        "Only the fitting that a component is in now can be taken back.",
        "该安装已结束",
        "只能撤销部件当前所处的安装记录。",
    ),
    "offer_not_open": ("Offer no longer open", "The offer is “{state}”.", "优惠已不可用", "该优惠当前为“{state}”。"),
    "offer_expired": ("Offer has expired", "It was valid until {until}.", "优惠已过期", "有效期至 {until}。"),
    "slot_unavailable": (
        "Slot not available",
        "This time cannot be booked; choose another.",
        "时段不可用",
        "该时段无法预约，请另选时间。",
    ),
    "coupon_invalid": (
        "Coupon not valid here",
        "No open coupon of this station has this code.",
        "优惠券无效",
        "本站没有与该券码对应的可用优惠券。",
    ),
    "claim_invalid": (
        "Code not valid",
        "This code is unknown, was used already or has expired.",
        "认领码无效",
        "该认领码不存在、已被使用或已过期。",
    ),
    "coupon_redeemed": ("Coupon used already", "It was redeemed on {at}.", "优惠券已使用", "该券已于 {at} 核销。"),
    "part_unavailable": (
        "Part not in stock",
        "The station has no free unit of {part_no}.",
        "备件不足",
        "该服务站没有可用的 {part_no}。",
    ),
    "station_not_able": ("Station cannot do it", "The station lacks: {lacks}.", "服务站无法承接", "该服务站不满足：{lacks}。"),
    "not_redeemed": (
        "Coupon first",
        "Redeem the owner's coupon before finishing the work.",
        "请先核销",
        "完工前请先核销车主的优惠券。",
    ),
    "lease_lapsed": (
        "Too late",
        "The time to answer is over; another station was asked.",
        "已超时",
        "响应时限已过，任务已转派其他服务站。",
    ),
    "rule_invalid": ("Rule not valid", "{reason}", "规则无效", "{reason}"),
    "csv_invalid": ("File cannot be read", "{reason}", "文件无法读取", "{reason}"),
    "hours_invalid": (
        "Opening hours not valid",
        "Write them as in OpenStreetMap, for example “Mo-Fr 09:00-18:00”.",
        "营业时间无效",
        "请按 OpenStreetMap 格式填写，例如“Mo-Fr 09:00-18:00”。",
    ),
    "tus_version_unknown": (
        "Tus-Resumable is needed",
        "Send Tus-Resumable: 1.0.0.",
        "缺少 Tus-Resumable",
        "请发送 Tus-Resumable: 1.0.0。",
    ),
    "offset_stream_needed": (
        "Bytes are needed",
        "Send the body as application/offset+octet-stream.",
        "需要字节流",
        "请以 application/offset+octet-stream 发送内容。",
    ),
    "upload_length_wrong": (
        "Not the length that was said",
        "The attachment was said to have {size} bytes; Upload-Length must be the same.",
        "长度不一致",
        "该附件登记的大小为 {size} 字节，Upload-Length 必须与之相同。",
    ),
    "upload_offset_wrong": (
        "Goes on at another place",
        "Ask by HEAD how much is here, and go on at {offset}.",
        "续传位置不符",
        "请用 HEAD 查询已上传的长度，并从 {offset} 继续。",
    ),
    "checksum_mismatch": (
        "Changed on the way",
        "The bytes do not fit their checksum; send them again.",
        "传输有误",
        "内容与校验和不符，请重新发送。",
    ),
    "content_differs": (
        "Not the file that was said",
        "The bytes are not the ones whose SHA-256 the phone gave.",
        "文件不一致",
        "上传的内容与手机登记的 SHA-256 不符。",
    ),
    "type_differs": (
        "Not of the type that was said",
        "The bytes are of another type than the phone said.",
        "类型不符",
        "文件内容与登记的类型不符。",
    ),
    "image_unreadable": (
        "Picture cannot be read",
        "The picture is broken or cut short.",
        "图片无法读取",
        "图片已损坏或不完整。",
    ),
    "image_too_large": (
        "Picture too large",
        "The picture has too many pixels.",
        "图片过大",
        "图片的像素数量过多。",
    ),
    "device_silent": (
        "Device cannot be reached",
        "The device has not been heard of lately.",
        "设备无法连接",
        "近期未收到该设备的消息。",
    ),
    "not_replayable": (
        "Cannot be replayed",
        "Only the first part of this message was kept.",
        "无法重放",
        "该消息仅保留了开头部分。",
    ),
}

# A field's code: (English, Chinese)
FIELD_PROBLEMS: dict[str, tuple[str, str]] = {
    "read_only": ("cannot be changed on a phone", "不能在手机上修改"),
    "too_large": ("is larger than allowed", "超过允许的大小"),
    "in_use": ("is still in use", "仍在使用"),
    "not_found": ("does not exist, or you may not see it", "不存在或您无权查看"),
    "forbidden": ("is not yours to change", "您无权修改"),
    "unknown_collection": ("is no collection of this server", "服务器没有该数据集"),
    "unknown_kind": ("is no kind of action known here", "未知的操作类型"),
    "required": ("is needed", "必填"),
    "null": ("may not be empty", "不能为空"),
    "invalid": ("is not valid", "格式无效"),
    "unknown": ("is not known here", "未知字段"),
    "not_text": ("must be a text", "必须为文本"),
    "too_short": ("is too short", "过短"),
    "too_long": ("is too long", "过长"),
    "text_invalid": ("contains characters that cannot be stored", "包含无法存储的字符"),
    "control_characters": ("must be one line without control characters", "不能包含换行或控制字符"),
    "text_too_long": ("is too long", "过长"),
    "not_integer": ("must be a whole number", "必须为整数"),
    "not_number": ("must be a number", "必须为数字"),
    "out_of_range": ("is out of range", "超出范围"),
    "not_flag": ("must be true or false", "必须为 true 或 false"),
    "time_invalid": (
        "must be a time with an offset, inside the years 2000 to 2100",
        "必须为带时区偏移的时间，且在 2000 至 2100 年之间",
    ),
    "unchanged": ("is the same as before", "与原来相同"),
    "in_future": ("lies in the future", "晚于当前时间"),
    "id_invalid": ("must be 8 to 36 characters of A-Z a-z 0-9 _ . -", "须为 8 至 36 个字符：A-Z a-z 0-9 _ . -"),
    "not_one_of": ("is none of the allowed values", "不是允许的取值"),
    "amount_invalid": ("must be an amount with at most two decimals, as a text", "须为最多两位小数的金额文本"),
    "native_address": ("is for other conventions; here the id is the address", "仅用于其他协议，此处以设备编号为地址"),
    "one_payload": ("is needed, or payload_base64, but not both", "须提供 payload 或 payload_base64 之一"),
    "topic_address": (
        "does not fit the topics: user/vehicle for OVMS, id or namespace/id for TeslaMate, without + # or blanks",
        "不符合该约定的主题：OVMS 为 用户/车辆，TeslaMate 为 编号 或 命名空间/编号，且不含 +、# 与空格",
    ),
    "node_address": ("must be group/node, or group/node/device", "须为 组/节点 或 组/节点/设备"),
    "not_scalar": ("must be a text, a number, true or false", "必须为文本、数字或 true/false"),
    "setting_name": (
        "must be named with 1 to 40 characters of A-Z a-z 0-9 _ . -, beginning with a letter",
        "名称须为 1 至 40 个字符：A-Z a-z 0-9 _ . -，以字母开头",
    ),
    "setting_reserved": ("has a meaning of its own in messages to devices", "是发送给设备的消息中的保留名称"),
    "no_settings": ("cannot be sent to devices of this adapter", "无法发送给该协议的设备"),
    "not_mapped": ("is only for profiles of the adapter “mapped”", "仅适用于协议为“mapped”的设备档案"),
    "pattern_invalid": (
        "must be a topic with {address} as one whole level; + may stand for others, {metric} for one of a text payload",
        "须为主题，其中一整级为 {address}；其他级可用 +，纯文本内容可用一个 {metric}",
    ),
    "pattern_reserved": ("covers topics that have a meaning of their own", "涵盖了另有用途的主题"),
    "pattern_taken": ("covers topics that another profile reads", "涵盖了其他设备档案使用的主题"),
    "place_invalid": (
        "must be a place such as $.battery.soh in JSON, or the number of a column in CSV",
        "须为取值位置：JSON 如 $.battery.soh，CSV 为列号",
    ),
    "not_list": ("must be a list", "必须为列表"),
    "too_many": ("has too many entries", "条目过多"),
    "not_object": ("must be an object", "必须为对象"),
    "phone_invalid": ("is not a valid phone number", "不是有效的电话号码"),
    "email_invalid": ("is not a valid e-mail address", "不是有效的邮箱地址"),
    "hours_invalid": ("must be opening hours as in OpenStreetMap", "须为 OpenStreetMap 格式的营业时间"),
    "service_not_allowed": ("is at no push service this server may call", "不属于本服务器允许的推送服务"),
    "key_invalid": ("is not a valid key", "不是有效的密钥"),
    "not_each_once": ("must name at least one, and each only once", "至少填写一项，且不能重复"),
    "span_empty": ("must differ from the beginning", "不能与开始时间相同"),
    "until_or_hours": ("is needed, or hours, but not both", "须提供 until 或 hours 之一"),
    "sources_missing": (
        "needs the fields battery_level and rated_battery_range_km as metrics, too",
        "还须将 battery_level 与 rated_battery_range_km 列为指标",
    ),
    "zone_invalid": ("is no known time zone", "不是有效的时区"),
    "date_invalid": ("must be a date such as 2026-05-31", "须为日期，例如 2026-05-31"),
    "unknown_reference": ("names something that does not exist, or that you may not see", "指向的内容不存在，或您无权查看"),
    "already_exists": ("is taken already", "已被使用"),
    "duplicate": ("appears more than once", "重复出现"),
    "ambiguous": ("fits more than one", "对应多个结果"),
    "cells_wrong": ("has more or fewer cells than the header", "单元格数量与表头不一致"),
}


_CODED = frozenset({"state", "wanted", "reason", "lacks"})
# A state, a reason or a lack inside a refusal's facts: (English, Chinese)
# What is said of a fix against a site: (English, Chinese).
POSITIONS: dict[str, tuple[str, str]] = {
    "fence_inside": ("inside the fence", "围栏内"),
    "fence_near": ("near the fence", "围栏附近"),
    "fence_outside": ("outside the fence", "围栏外"),
    "fence_unsure": ("not sure where", "位置不确定"),
    "datum_unknown": ("the phone does not say in which datum its position is", "手机未说明位置所用的坐标系"),
    "datum_at_border": ("so near the border it may lie on either side", "距边境过近，无法确定位于哪一侧"),
    "accuracy_missing": ("the phone does not say how accurate its position is", "手机未说明定位精度"),
    "accuracy_too_coarse": ("the position is less accurate than the fence is wide", "定位精度低于围栏半径"),
    "photo_missing": ("there is no photo", "缺少照片"),
    "note_missing": ("there is no explanation", "缺少说明"),
    "mock_location": ("the phone says that another app made up the position", "手机提示位置由其他应用模拟"),
    "time_ahead": ("by the phone's clock it is in the future", "按手机时钟，时间在未来"),
    "time_old": ("it is more than 30 days old", "已超过 30 天"),
}

FACTS: dict[str, tuple[str, str]] = POSITIONS | {
    "waiting": ("waiting for its bytes", "等待上传"),
    "stored": ("stored", "已保存"),
    "refused": ("refused", "已拒收"),
    "live": ("not deleted", "未删除"),
    "deleted": ("deleted", "已删除"),
    "accepted": ("accepted", "已接受"),
    "acknowledged": ("acknowledged", "已受理"),
    "active": ("active", "启用"),
    "answered": ("answered", "已应答"),
    "cancelled": ("cancelled", "已取消"),
    "cleared": ("cleared", "已解除"),
    "closed": ("closed", "已关闭"),
    "planned": ("planned", "已计划"),
    "needs_review": ("to be looked at", "待核实"),
    "deactivated": ("deactivated", "已停用"),
    "declined": ("declined", "已拒绝"),
    "dismissed": ("dismissed", "已关闭"),
    "expired": ("expired", "已过期"),
    "finished": ("finished", "已完工"),
    "held": ("held", "已占用"),
    "in_progress": ("in progress", "进行中"),
    "invited": ("invited", "已邀请"),
    "issued": ("issued", "已发出"),
    "lapsed": ("lapsed", "超时未答复"),
    "mended": ("put right", "已改正"),
    "offered": ("offered", "待答复"),
    "open": ("open", "未处理"),
    "proposed": ("proposed", "待安排"),
    "queued": ("queued", "排队中"),
    "raised": ("raised", "已触发"),
    "redeemed": ("redeemed", "已核销"),
    "rejected": ("given back", "已退回"),
    "replayed": ("replayed", "已重放"),
    "restored": ("restored", "已恢复"),
    "revoked": ("revoked", "已停用"),
    "scheduled": ("scheduled", "已预约"),
    "sent": ("sent", "已发送"),
    "timed_out": ("timed out", "应答超时"),
    "unassigned": ("unassigned", "未分配"),
    "snoozed": ("snoozed", "已静默"),
    "viewed": ("viewed", "已查看"),
    "void": ("void", "已作废"),
    "withdrawn": ("withdrawn", "已撤回"),
    "certificate": ("the certificate", "资质"),
    "part": ("the part", "备件"),
    "empty": ("it is empty", "内容为空"),
    "not_json": ("it is not JSON", "不是有效的 JSON"),
    "number_out_of_range": ("a number is out of range", "数字超出范围"),
    "not_storable": ("a value in it cannot be stored", "其中有无法存储的数值"),
    "text_invalid": ("a text contains characters that cannot be stored", "文本包含无法存储的字符"),
    "text_too_long": ("a text is too long", "文本过长"),
    "too_deep": ("it is nested too deeply", "嵌套层数过多"),
    "too_large": ("it is too large", "内容过大"),
    "too_many_values": ("it has too many values", "值的数量过多"),
    "shape_invalid": ("it has another form than expected", "内容结构不符合要求"),
    "time_invalid": ("a time is not in milliseconds inside the years 2000 to 2100", "时间不是 2000 至 2100 年之间的毫秒数"),
}


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def problem_text(code: str, locale: str, facts: dict[str, object]) -> tuple[str, str]:
    """Return (title, detail) of a refusal in a language."""
    row = PROBLEMS.get(code, PROBLEMS["http_error"])
    title, detail = (row[0], row[1]) if locale == EN else (row[2], row[3])
    return title, detail.format_map(
        _Facts({name: _told(value, locale) if name in _CODED else value for name, value in facts.items()})
    )


def _told(value: object, locale: str) -> object:
    """Return a coded fact in words; ``lacks`` is a list of them."""
    if isinstance(value, list | tuple):
        return (", " if locale == EN else "、").join(str(_told(each, locale)) for each in value)
    row = FACTS.get(value) if isinstance(value, str) else None
    return value if row is None else row[0 if locale == EN else 1]


def field_text(code: str, locale: str) -> str:
    """Return what is wrong with a field, in a language."""
    row = FIELD_PROBLEMS.get(code, FIELD_PROBLEMS["invalid"])
    return row[0] if locale != ZH else row[1]
