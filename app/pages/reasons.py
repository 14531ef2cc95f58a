"""The reason of each entry of the causal log as a sentence, in both languages; ``{name}`` places a fact.

A kind without a row here fails a test. What the facts read as: ``app.pages.codes``, ``app.pages.conditions``.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from app.core.locales import EN
from app.pages.codes import coded
from app.pages.conditions import condition_of

# kind: (English, Chinese)
REASONS: dict[str, tuple[str, str]] = {
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
    "visit.planned": ("Visit {number} was planned.", "已计划拜访 {number}。"),
    "visit.moved": ("The plan of the visit changed: {fields}.", "拜访计划已更改：{fields}。"),
    "visit.began": ("The rep checked in: the visit began.", "业务员已签到，拜访开始。"),
    "visit.ended": ("The rep checked out: the visit ended.", "业务员已签退，拜访结束。"),
    "visit.rescheduled": (
        "The visit was put to {planned_from}; its time changed for the {count}. time: {reason}.",
        "拜访改到 {planned_from}（第 {count} 次改期）：{reason}。",
    ),
    "visit.planned_by_plan": (
        "Visit plan “{plan}” planned visit {number}: one is due from {first} to {last}.",
        "拜访计划“{plan}”已安排拜访 {number}：{first} 至 {last} 期间应拜访一次。",
    ),
    "visit.handed_over": (
        "The customer has another rep in charge, and the visit went with it.",
        "客户已更换负责业务员，拜访随之移交。",
    ),
    "visit.missed": (
        "Nobody had come when the day was over (planned until {until}).",
        "计划拜访日已过（截至 {until}），未签到。",
    ),
    "visit.not_missed": ("The visit was not missed after all: {reason}.", "该拜访并未错过：{reason}。"),
    "visit.no_show": ("The rep was there, the customer was not: {reason}.", "业务员已到场，客户不在：{reason}。"),
    "visit.step_recorded": ("Step “{step}” was recorded.", "已记录步骤“{step}”。"),
    "visit.step_corrected": ("Step “{step}” was recorded anew.", "已更正步骤“{step}”的记录。"),
    "visit.left_incomplete": (
        "The visit ended without what its kit asks for ({steps}): {reason}.",
        "拜访结束时仍有必做步骤未完成（{steps}）：{reason}。",
    ),
    "visit.explained": ("The rep says why something was left: {reason}.", "业务员说明了未完成的原因：{reason}。"),
    "visit.completed": ("What the visit had still lacked is there now.", "拜访所缺内容已补齐。"),
    "visit_type.created": ("Visit type “{code}” was added.", "拜访类型“{code}”已创建。"),
    "visit_type.edited": (
        "The visit type was changed; its kit is number {number}.",
        "拜访类型已修改，步骤清单当前为第 {number} 版。",
    ),
    "report_form.created": ("Report form “{code}” was added.", "上报表单“{code}”已创建。"),
    "report_form.edited": (
        "The report form was changed ({fields}); its version is number {number}.",
        "上报表单已修改（{fields}），当前为第 {number} 版。",
    ),
    "customer_report.received": ("“{form}” was reported by {source}.", "{source}上报了“{form}”。"),
    "customer_report.number_grew": ("“{question}” has grown from {before} to {after}.", "“{question}”由 {before} 增至 {after}。"),
    "customer_report.number_not_grown": (
        "“{question}” had not grown after all: a report from before came later.",
        "“{question}”其实并未增长：更早填写的一份上报后来才到达。",
    ),
    "customer_report.photos_arrived": (
        "Photos of the report arrived: {photos}; still on the way: {left}.",
        "上报的照片已到达 {photos} 张，另有 {left} 张尚未到达。",
    ),
    "customer_report.seen": ("Somebody looked at the report.", "上报已被查看。"),
    "customer_report.answered": ("The report was answered: {text}", "上报已回复：{text}"),
    "entitlement_kind.created": ("The entitlement “{code}” was added.", "权益类型“{code}”已创建。"),
    "entitlement_kind.edited": ("The entitlement was changed: {fields}.", "权益类型已修改：{fields}。"),
    "entitlement_grant.given": (
        "{amount} of {kind_name} were granted from {valid_from} to {valid_until} ({reference}).",
        "已发放“{kind_name}”{amount}，有效期 {valid_from} 至 {valid_until}（{reference}）。",
    ),
    "entitlement_grant.withdrawn": ("The grant was withdrawn: {reason}", "该笔发放已撤回：{reason}"),
    "entitlement_grant.ended": (
        "The grant ended on {day}; {left} of it were left.",
        "该笔发放已于 {day} 到期，剩余 {left} 未使用。",
    ),
    "entitlement_spend.told": (
        "{amount} of {kind_name} were used (note: {note}).",
        "使用了“{kind_name}”{amount}（备注：{note}）。",
    ),
    "visit.length_not_counted": (
        "By the times that were told the visit took more than {most_h} hours, so nothing of {kind_name} was counted for it. What"
        " was used is to be told by hand.",
        "按上报的时间，本次拜访超过 {most_h} 小时，因此未计入“{kind_name}”，请人工登记实际使用量。",
    ),
    "entitlement_spend.covered": (
        "What was used ({amount}) is covered by what the customer is owed.",
        "本次使用的 {amount} 已由客户权益抵扣。",
    ),
    "entitlement_spend.beyond": (
        "What was used ({amount}) is more than the customer was owed then: {covered} of it are covered ({lack}).",
        "本次使用的 {amount} 超出客户当时的额度，其中 {covered} 可抵扣（{lack}）。",
    ),
    "entitlement_spend.forgiven": ("What was used is at the company's cost: {reason}", "本次使用由公司承担：{reason}"),
    "entitlement_spend.returned": ("What was used does not count: {reason}", "本次使用不计入：{reason}"),
    "visit_plan.created": ("Visit plan “{name}” was added.", "拜访计划“{name}”已创建。"),
    "visit_plan.edited": ("Visit plan “{name}” was changed: {fields}.", "拜访计划“{name}”已修改：{fields}。"),
    "bring_rule.created": ("A rule about what to bring was added: “{name}”.", "已新增携带物品规则“{name}”。"),
    "bring_rule.edited": ("A rule about what to bring was changed: “{name}”.", "携带物品规则“{name}”已修改。"),
    "visit.cancelled": ("The visit was cancelled: {reason}.", "拜访已取消：{reason}。"),
    "day_plan.asked": ("The order of {visits} visits on {day} was asked for.", "已请求规划 {day} 的 {visits} 次拜访。"),
    "day_plan.ready": (
        "An order was found: {stops} visits fit, {left_out} do not.",
        "规划完成：可安排 {stops} 次拜访，{left_out} 次无法安排。",
    ),
    "day_plan.failed": ("No order was found in {tries} tries.", "尝试 {tries} 次后仍未完成规划。"),
    "day_plan.applied": ("The plan was taken over: its visits got its times.", "规划已采用，拜访时间已按规划更新。"),
    "check_in.recorded": (
        "The phone told where it was: {where}, {distance_m} m from the site, plausible by {score} of 100 points. "
        "To be looked at: {reasons}.",
        "手机上报了位置：{where}，距站点 {distance_m} 米，可信度 {score} 分（满分 100）。需核实：{reasons}。",
    ),
    "check_in.appealed": ("The rep says why the check-in is right: {reason}.", "业务员对签到提出申诉：{reason}。"),
    "check_in.accepted": ("A manager accepted the check-in: {reason}.", "经理已认可该签到：{reason}。"),
    "check_in.refused": ("A manager did not accept the check-in: {reason}.", "经理未认可该签到：{reason}。"),
    "check_in.borne_out": (
        "It told where the site is, so nothing is left to look at.",
        "该签到已用于确认站点位置，无需再核实。",
    ),
    "lead.created": ("Lead {number} was added.", "已新增线索 {number}。"),
    "lead.edited": ("The lead was edited: {fields}.", "线索已修改：{fields}。"),
    "lead.assigned": (
        "{name} got the lead (rule: {rule}); the first touch is due by {due_at}.",
        "线索已分配给{name}（规则：{rule}），首次跟进截止时间：{due_at}。",
    ),
    "lead.claimed": (
        "{name} claimed the lead from the pool; the first touch is due by {due_at}.",
        "{name}从公海认领了线索，首次跟进截止时间：{due_at}。",
    ),
    "lead.kept": (
        "{name} had followed the lead up in time, as a phone told later; it is theirs again.",
        "手机稍后上报的记录表明{name}已按时跟进，线索归还其名下。",
    ),
    "lead.pooled": (
        "The lead went into the pool: {because} (rule: {rule}). Said: {reason}.",
        "线索进入公海：{because}（规则：{rule}）。说明：{reason}。",
    ),
    "lead.first_touched": ("The lead was followed up for the first time.", "线索已首次跟进。"),
    "lead.contacted": ("The lead was contacted.", "线索已联系。"),
    "lead.reminded": (
        "Nobody has followed the lead up since {since}; a reminder went to {to}.",
        "自 {since} 起线索无人跟进，已提醒{to}。",
    ),
    "lead.qualified": ("The lead is worth going on with.", "线索已确认有效。"),
    "lead.lost": ("Nothing comes of the lead: {reason}.", "线索关闭（未成交）：{reason}。"),
    "lead.reopened": ("The lost lead was opened again.", "已关闭的线索重新打开。"),
    "lead.converted": ("The lead became customer {name}.", "线索已转化为客户{name}。"),
    "lead.rescored": (
        "Another version of the score is in force: {before} became {score}.",
        "评分规则更新，得分由 {before} 变为 {score}。",
    ),
    "lead.asked_again": (
        "Form “{form}” was filled in again with the lead's number: {interest}.",
        "同一电话再次填写了表单“{form}”：{interest}。",
    ),
    "form.submitted": ("Somebody filled in form “{form}”.", "有人填写了表单“{form}”。"),
    "form.held_back": (
        "What was sent could not become a lead; to be looked at: {fields}.",
        "提交内容暂时无法生成线索，需核对：{fields}。",
    ),
    "form.mended": ("What was sent was mended: {fields}.", "提交内容已更正：{fields}。"),
    "form.tried_again": ("What was sent was tried again by form “{form}” as it is now.", "已按表单“{form}”的当前设置重新处理。"),
    "form.dismissed": ("Nothing is to come of what was sent: {reason}.", "提交内容不再处理：{reason}。"),
    "lead_form.created": ("Form “{name}” was added.", "表单“{name}”已创建。"),
    "lead_form.edited": ("Form “{name}” was changed: {fields}.", "表单“{name}”已修改：{fields}。"),
    "lead_form.token_renewed": ("Form “{name}” got another token.", "表单“{name}”的令牌已更换。"),
    "lead_form.retired": ("Form “{name}” was retired.", "表单“{name}”已停用。"),
    "lead_score.set": ("Version {number} of a lead score was switched on.", "已启用线索评分规则第 {number} 版。"),
    "lead_routing.set": ("Version {number} of the routing of leads was switched on.", "已启用线索分配规则第 {number} 版。"),
    "follow_up.logged": ("Followed up ({kind_of}): {summary}.", "已跟进（{kind_of}）：{summary}。"),
    "follow_up.done": ("The next step was done: {step}.", "下一步已完成：{step}。"),
    "import.uploaded": ("The file “{file}” with {rows} rows was uploaded.", "已上传文件“{file}”，共 {rows} 行。"),
    "import.mapped": ("Its columns were mapped to fields.", "已设置列与字段的对应关系。"),
    "import.checked": ("The rows were checked: {faulty} of {rows} have errors.", "已检查：{rows} 行中有 {faulty} 行存在错误。"),
    "import.started": ("The import was started.", "导入已开始。"),
    "import.done": ("The import is done: {rows} rows were seen to.", "导入完成，共处理 {rows} 行。"),
    "import.failed": ("The import stopped: {reason}.", "导入中止：{reason}。"),
    "import.undo_started": ("Somebody asked to take the import back.", "已请求撤销导入。"),
    "import.undone": ("The import was taken back, as far as nobody had touched its rows.", "导入已撤销，此后被改动的内容除外。"),
    "import_mapping.kept": ("A mapping of columns was kept as “{name}”.", "列对应关系已保存为“{name}”。"),
    "import_mapping.forgotten": ("A kept mapping of columns was deleted.", "已删除保存的列对应关系。"),
    "lead.imported": ("It came, or was changed, with row {row} of an import.", "由导入文件的第 {row} 行新建或更改。"),
    "customer.imported": ("It came, or was changed, with row {row} of an import.", "由导入文件的第 {row} 行新建或更改。"),
    "site.placed": ("{by} found the address “{address}”: {name}.", "{by} 已找到地址“{address}”：{name}。"),
    "site.placed_roughly": (
        "Of the address “{address}” only {name} is known; its centre stands for the site.",
        "地址“{address}”仅能定位到{name}，暂以其中心作为站点位置。",
    ),
    "visit.found": ("Visit {number} was recorded from the rep's track.", "根据业务员的行踪记录了拜访 {number}。"),
    "track_consent.given": (
        "The rep agreed to the recording of tracks (text {version}).",
        "业务员同意记录行踪（文本第 {version} 版）。",
    ),
    "track_consent.withdrawn": ("The rep withdrew the consent to tracks.", "业务员撤回了记录行踪的同意。"),
    "track_shift.began": ("The rep began a shift.", "业务员开始了班次。"),
    "track_shift.ended": ("The shift ended: {reason}.", "班次结束：{reason}。"),
    "track_shift.figured": (
        "The track was reckoned: {distance_m} m, of them {unseen_m} m not seen; plausible by {score} of 100 points.",
        "已计算行踪：{distance_m} 米，其中 {unseen_m} 米未记录到；可信度 {score} 分（满分 100）。",
    ),
    "track.received": ("{stored} positions were stored.", "已保存 {stored} 个位置。"),
    "track.looked_at": (
        "{by} looked at the track. Purpose: {what_for}. Reason: {reason}.",
        "{by}查看了行踪。目的：{what_for}。理由：{reason}。",
    ),
    "track.deleted": (
        "{fixes} positions from {since} to {until} were deleted: {reason}.",
        "已删除 {since} 至 {until} 的 {fixes} 个位置：{reason}。",
    ),
    "visit_proposal.made": (
        "The track shows a stay of {minutes} min at a known site.",
        "行踪显示在已知站点停留 {minutes} 分钟。",
    ),
    "visit_proposal.deleted": ("The proposed visit was deleted: {reason}.", "拜访建议已删除：{reason}。"),
    "visit_proposal.withdrawn": ("The proposed visit was withdrawn: {reason}.", "拜访建议已撤回：{reason}。"),
    "visit_proposal.confirmed": ("The rep says that it was a visit.", "业务员确认这是一次拜访。"),
    "visit_proposal.rejected": ("The rep says that it was no visit. {reason}", "业务员表示这不是拜访。{reason}"),
    "service_offer.issued": (
        "An offer for {service} was made: {amount_due} {currency}, valid until {valid_until}.",
        "已生成优惠（{service}）：{amount_due} {currency}，有效期至 {valid_until}。",
    ),
    "service_offer.not_made": ("No offer was made: {reason}.", "未生成优惠：{reason}。"),
    "service_offer.viewed": ("The owner opened the offer.", "车主已查看优惠。"),
    "service_offer.accepted": ("The owner accepted the offer for {slot_at}.", "车主已接受优惠，预约时间 {slot_at}。"),
    "service_offer.slot_changed": ("The owner chose another time: {slot_at}.", "车主改约至 {slot_at}。"),
    "service_offer.declined": ("The owner declined: {reason}.", "车主已拒绝：{reason}。"),
    "service_offer.expired": ("Nobody answered the offer in time.", "优惠超过有效期未答复。"),
    "service_offer.withdrawn": ("The offer was taken back: {reason}.", "优惠已撤回：{reason}。"),
    "service_offer.left_to_decide": (
        "The alarm was withdrawn after the owner had accepted; a manager decides.",
        "告警撤回时车主已接受优惠，交由经理决定。",
    ),
    "coupon.issued": (
        "A personal coupon over {discount} {currency} belongs to the offer.",
        "优惠附带一张 {discount} {currency} 的专属券。",
    ),
    "coupon.redeemed": ("Station {station} redeemed the coupon.", "服务站“{station}”已核销该券。"),
    "coupon.refused": ("A code was refused at the station.", "券码在服务站被拒绝。"),
    "work_order.opened": ("Work order {number} was opened for {job}.", "已创建工单 {number}（{job}）。"),
    "work_order.stations_ranked": (
        "Stations were ranked: authorised, certified and stocked first, then open now, load, distance.",
        "服务站已排序：先看授权区域、资质与备件，再看是否营业、负荷与距离。",
    ),
    "work_order.unassigned": ("No station could take it: {reason}.", "没有服务站可以承接：{reason}。"),
    "work_order.assigned_by_hand": ("A manager chose station {station}.", "经理指定了服务站“{station}”。"),
    "work_order.scheduled": ("Booked at {station} for {slot_at}.", "已预约“{station}”，时间 {slot_at}。"),
    "work_order.slot_lost": ("The station gave the task back, so the booked time was lost.", "服务站退回任务，原预约时间作废。"),
    "work_order.coupon_redeemed": (
        "The owner's coupon was redeemed, so the work may be finished.",
        "车主的优惠券已核销，可以完工。",
    ),
    "work_order.finished": ("Work order {number} is finished.", "工单 {number} 已完工。"),
    "work_order.cancelled": ("The work order was cancelled: {reason}.", "工单已取消：{reason}。"),
    "station_task.offered": (
        "Station {station} was asked, with one {part_no} reserved, to answer by {answer_by}.",
        "已派给“{station}”，预留 1 件 {part_no}，请于 {answer_by} 前答复。",
    ),
    "station_task.accepted": ("The station accepted the task.", "服务站已接单。"),
    "station_task.rejected": ("The station gave the task back: {reason}.", "服务站退回任务：{reason}。"),
    "station_task.lapsed": ("The station did not answer in time.", "服务站未在时限内答复。"),
    "station_task.withdrawn": ("The task was withdrawn: {reason}.", "任务已撤回：{reason}。"),
    "station_task.begun": ("The station began to work.", "服务站已开工。"),
    "station_task.finished": ("The station fitted {serial}.", "服务站已安装 {serial}。"),
    "part.released": ("The reserved {part_no} was given back to the stock.", "预留的 {part_no} 已释放回库存。"),
    "component.created": ("The component was registered.", "部件已登记。"),
    "component.fitted": ("Component {serial} was fitted.", "部件 {serial} 已安装。"),
    "component.fitting_undone": (
        "The fitting of {serial} at {fitted_at} was recorded wrongly and taken back: {reason}.",
        "{serial} 于 {fitted_at} 的安装记录有误，已撤销：{reason}。",
    ),
    "component.put_back": (
        "The fitting of {serial} was taken back, so this component is in the asset again.",
        "{serial} 的安装记录已撤销，本部件恢复为已安装。",
    ),
    "component.removed": ("The component was replaced by {replaced_by}.", "部件已被 {replaced_by} 替换。"),
    "notification.queued": ("A message “{message}” was queued.", "消息“{message}”已进入发送队列。"),
    "notification.delivered_to_channel": ("The message was handed over: {channel}.", "消息已交付发送：{channel}。"),
    "notification.fell_back": ("The next channel was tried ({channel}): {reason}.", "改用下一渠道（{channel}）：{reason}。"),
    "notification.held": (
        "It is the reader's quiet time, so the message waits until {until} ({channel}).",
        "收件人处于免打扰时段，消息将于 {until} 发送（{channel}）。",
    ),
    "notification.superseded": (
        "A newer message about the same says more, so this one was not sent any more ({channel}).",
        "已有关于同一事项的更新消息，本条不再发送（{channel}）。",
    ),
    "notification.delivered": ("The app showed the message.", "应用已显示该消息。"),
    "notification.opened": ("The person opened the message.", "收件人已打开该消息。"),
    "notification.failed": ("The message could not be sent ({channel}): {reason}.", "消息未能发送（{channel}）：{reason}。"),
    "outbox.held": ("Messages are held back: {reason}.", "消息暂停发送：{reason}。"),
    "outbox.resumed": (
        "An operator let messages leave again; {discarded} older ones were given up.",
        "运维人员已恢复消息发送，放弃较早的消息 {discarded} 条。",
    ),
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
    "asset.edited": ("The asset was edited.", "设备资产信息已修改。"),
    "alarm.service_started": (
        "The alarm that had led to the service fell away; this one goes on with it.",
        "原先触发服务的告警不再成立，由本告警继续。",
    ),
    "asset.created": ("The asset was registered.", "设备资产已登记。"),
    "attachment.created": ("A phone took “{name}” up to be sent.", "手机已添加附件“{name}”，等待上传。"),
    "attachment.stored": ("The attachment arrived and was stored.", "附件已上传并保存。"),
    "attachment.refused": ("The attachment's bytes were refused: {code}.", "附件内容被拒绝：{code}。"),
    "attachment.deleted": ("The attachment was deleted.", "附件已删除。"),
    "customer.created": ("The customer was added.", "客户已创建。"),
    "customer.edited": ("The customer was changed.", "客户信息已修改。"),
    "customer.handed_over": ("The customer was handed over to another rep.", "客户已移交给其他业务员。"),
    "customer.deleted": ("The customer was deleted.", "客户已删除。"),
    "customer.undeleted": ("The customer was brought back.", "客户已恢复。"),
    "customer.merged": (
        "{name} ({code}) turned out to be the same customer and was merged into this one: {rows} rows came with it.",
        "{name}（{code}）确认为同一客户，已并入本客户，随之转入 {rows} 条记录。",
    ),
    "customer.merged_away": (
        "This turned out to be the same customer as {name} ({code}) and was merged into it.",
        "确认与 {name}（{code}）为同一客户，已并入该客户。",
    ),
    "customer.unmerged": (
        "The merge with {name} ({code}) was undone: {rows} rows went back to it.",
        "已撤销与 {name}（{code}）的合并，{rows} 条记录已归还。",
    ),
    "customer.came_back": (
        "The merge into {name} ({code}) was undone; this is a customer of its own again.",
        "已撤销并入 {name}（{code}）的合并，恢复为独立客户。",
    ),
    "customer.edited_after_merge": (
        "Somebody who did not know of the merge yet changed this customer.",
        "尚不知晓合并的人员修改了该客户的信息。",
    ),
    "customer.duplicate_dismissed": (
        "Somebody looked at {name} ({code}), {score} % likely the same, and said that it is another customer.",
        "经人工确认，{name}（{code}）与本客户不是同一客户（系统评分 {score}%）。",
    ),
    "customer.fact_told": (
        "Somebody told more of the customer: {fields} (source: {source}).",
        "客户信息有新的说法：{fields}（来源：{source}）。",
    ),
    "customer.fact_outranked": (
        "Something else was said of {fields} (source: {source}); a better source's value stays, and this one is kept as a rival.",
        "{fields}另有说法（来源：{source}）；更可靠来源的值保持不变，此值留作备选。",
    ),
    "customer.fact_withdrawn": (
        "What was said of {fields} (source: {source}) was taken back.",
        "关于{fields}的说法（来源：{source}）已撤回。",
    ),
    "customer.fact_chosen": (
        "Somebody decided which value of {fields} holds (source: {source}): {reason}.",
        "已人工选定{fields}的取值（来源：{source}）：{reason}。",
    ),
    "customer.code_understood": (
        "It is known now what the code “{code}” of another system stands for: {fields}.",
        "其他系统的代码“{code}”已有对照，据此更新：{fields}。",
    ),
    "customer.decided_anew": (
        "By the new rules for facts another value holds: {fields}.",
        "按新的取值规则重新判定，已更新：{fields}。",
    ),
    "customer.repair_needed": (
        "The customer is {score} % complete; missing: {fields}.",
        "客户资料完整度 {score}%，缺少：{fields}。",
    ),
    "customer.repaired": ("What was missing of the customer is there: {fields}.", "客户缺少的资料已补齐：{fields}。"),
    "custom_field.added": ("The field “{label}” ({key}) was added.", "已新增自定义字段“{label}”（{key}）。"),
    "custom_field.changed": ("The field {key} was changed: {fields}.", "自定义字段 {key} 已更改：{fields}。"),
    "fact_rules.set": ("How facts are decided was changed (version {version}).", "取值规则已更改（第 {version} 版）。"),
    "completeness_rule.set": (
        "What counts as complete was changed (version {version}).",
        "完整度规则已更改（第 {version} 版）。",
    ),
    "code.met": (
        "System {system} used the code “{code}” ({list}), and nobody has said what it stands for.",
        "系统 {system} 使用了未对照的代码“{code}”（{list}）。",
    ),
    "code.mapped": (
        "The code “{code}” of system {system} ({list}) stands for “{ours}”.",
        "系统 {system} 的代码“{code}”（{list}）对应“{ours}”。",
    ),
    "code.ignored": (
        "The code “{code}” of system {system} ({list}) stands for nothing of ours.",
        "系统 {system} 的代码“{code}”（{list}）不对应任何选项。",
    ),
    "contact.created": ("Contact {name} was added.", "已添加联系人 {name}。"),
    "contact.proposed": (
        "{name} was met and is in no record: proposed as a contact.",
        "拜访中见到的 {name} 尚无记录，已列为待确认联系人。",
    ),
    "contact.confirmed": ("{name} was confirmed as a contact.", "已确认 {name} 为联系人。"),
    "contact.rejected": ("{name} is no contact, somebody decided.", "经确认，{name} 不作为联系人。"),
    "contact.edited": ("Contact {name} was changed: {fields}.", "联系人 {name} 的信息已修改：{fields}。"),
    "contact.left": ("{name} does not work there any more.", "{name} 已离职。"),
    "contact.deleted": ("Contact {name} was deleted.", "联系人 {name} 已删除。"),
    "contact.undeleted": ("Contact {name} was brought back.", "联系人 {name} 已恢复。"),
    "contact.merged": (
        "Another record of the same person, {name}, was merged into this one.",
        "同一人的另一条记录（{name}）已并入本联系人。",
    ),
    "contact.merged_away": (
        "This was another record of {name} and was merged into it.",
        "本记录与 {name} 为同一人，已并入该联系人。",
    ),
    "contact_relation.created": (
        "A relation was noted: {name} – {relation} – {other}.",
        "已记录关系：{name} – {relation} – {other}。",
    ),
    "contact_relation.edited": (
        "A relation was changed: {name} – {relation} – {other}.",
        "已修改关系：{name} – {relation} – {other}。",
    ),
    "contact_relation.deleted": (
        "A relation was taken away: {name} – {relation} – {other}.",
        "已删除关系：{name} – {relation} – {other}。",
    ),
    "contact_scheme.drafted": (
        "Version {number} of the roles and relations was written.",
        "已起草角色与关系设定第 {number} 版。",
    ),
    "contact_scheme.activated": (
        "Version {number} of the roles and relations was switched on.",
        "角色与关系设定第 {number} 版已启用。",
    ),
    "contact_scheme.retired": (
        "Version {number} of the roles and relations was retired.",
        "角色与关系设定第 {number} 版已停用。",
    ),
    "visit.met": ("{name} was met at the visit.", "拜访中见到了 {name}。"),
    "site.created": ("The site was added.", "站点已创建。"),
    "site.edited": ("The site was changed.", "站点信息已修改。"),
    "site.position_found": ("A check-in showed where the site is.", "签到确定了站点位置。"),
    "site.position_confirmed": (
        "A check-in showed where the site is: {away_m} m from where it was thought to be ({was_source}).",
        "签到确认了站点位置，与原位置相距 {away_m} 米（原位置：{was_source}）。",
    ),
    "site.deleted": ("The site was deleted.", "站点已删除。"),
    "site.undeleted": ("The site was brought back.", "站点已恢复。"),
    "sync_conflict.restored": ("A value that had lost a conflict was restored.", "已恢复冲突中落选的值。"),
    "sync_problem.replayed": ("A row a phone could not store was corrected and stored.", "手机提交失败的记录已修正并保存。"),
    "sync_problem.dismissed": ("A row a phone could not store was dismissed.", "手机提交失败的记录已放弃。"),
    "installation.wipe_asked": ("The app's data is to be wiped from a phone.", "已要求清除某台手机上的应用数据。"),
    "installation.wiped": ("A phone confirmed that the app's data was wiped.", "手机已确认清除应用数据。"),
    "intent.settled": (
        "The office looked at what was asked for offline: {how}. {note}",
        "管理人员已复核离线提交的操作：{how}。{note}",
    ),
    "intent.decided": ("What was asked for offline was judged: {verdict}.", "离线提交的操作已判定：{verdict}。"),
    "station.created": ("The station was added.", "服务站已创建。"),
    "station.edited": ("The station was changed.", "服务站信息已修改。"),
    "stock.counted": ("Stock of {part_no} was set to {on_hand}.", "{part_no} 的库存已设为 {on_hand}。"),
    "calendar.days_set": (
        "{n} days of the calendar were set, from {since} to {until}.",
        "已设置日历 {n} 天，自 {since} 至 {until}。",
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
    "calendar.day_removed": ("{day} is an ordinary day again.", "{day} 恢复为普通日期。"),
    "territory.created": ("The territory was added.", "区域已创建。"),
    "team.created": ("The team “{name}” was added.", "团队“{name}”已创建。"),
    "team.edited": ("The team was given another code or name.", "团队的编号或名称已修改。"),
    "partner.created": ("The partner was added.", "合作方已创建。"),
    "rule.created": ("Rule “{code}” was added.", "规则“{code}”已创建。"),
    "rule.edited": ("The rule was changed; it is now version {number}.", "规则已修改，当前为第 {number} 版。"),
    "user.created": ("The account was made.", "账号已创建。"),
    "user.invited": ("Invited as {role}.", "已邀请，角色为 {role}。"),
    "user.invited_again": ("A new invitation was sent; the earlier one ended.", "已重新发送邀请，先前的链接失效。"),
    "user.joined": ("The invitation was accepted.", "已接受邀请。"),
    "user.reset_requested": ("A link to choose a new password was asked for.", "已申请重设密码链接。"),
    "user.deactivated": (
        "The account was deactivated; {customers} customers were handed over.",
        "账号已停用，移交客户 {customers} 个。",
    ),
    "user.reactivated": ("The account was opened again.", "账号已重新启用。"),
    "user.signed_in": ("Signed in.", "已登录。"),
    "user.sign_in_failed": ("A sign-in failed.", "登录失败。"),
    "user.refresh_token_reused": ("A refresh token was used twice; the session was ended.", "刷新令牌被重复使用，会话已终止。"),
    "user.password_set": ("The password was set.", "密码已设置。"),
    "user.edited": ("The person's data were changed.", "用户资料已修改。"),
    "user.territories_assigned": ("Territories were assigned.", "已分配负责区域。"),
    "user.channel_set": ("A message channel was switched.", "消息渠道设置已更改。"),
    "user.browser_subscribed": ("A browser was registered for messages.", "已登记接收消息的浏览器。"),
    "user.browser_forgotten": ("A browser was taken off the messages.", "已移除接收消息的浏览器。"),
    "user.channel_verified": ("A message channel was shown to reach the person: {channel}.", "已确认消息渠道可达：{channel}。"),
    "user.fallback_order_set": ("The order in which channels are tried was set.", "已设置渠道尝试顺序。"),
    "user.fallback_order_forgotten": ("All channels carry every message again.", "已恢复为所有渠道同时发送。"),
    "user.quiet_hours_set": (
        "Quiet hours were set: {begins} to {ends} ({time_zone}).",
        "已设置免打扰时段：{begins} 至 {ends}（{time_zone}）。",
    ),
    "user.quiet_hours_forgotten": ("Quiet hours were taken away.", "已取消免打扰时段。"),
    "user.phone_registered": ("A phone was registered for messages.", "已登记接收消息的手机。"),
    "user.phone_forgotten": ("A phone was taken off the messages.", "已移除接收消息的手机。"),
}


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "–"


def reason_of(kind: str, facts: dict[str, Any], locale: str, time_zone: tzinfo) -> str:
    """Return the sentence that says why, or what, an entry of the causal log is.

    Args:
        time_zone: instants inside the sentence are told in this zone.
    """
    row = REASONS.get(kind)
    if row is None:
        return kind
    # A fact that holds nothing is told like one that is missing.
    told = {name: coded(value, locale, time_zone) for name, value in facts.items() if value is not None and value != ""}
    if isinstance(facts.get("condition"), dict):
        told["condition"] = condition_of(facts["condition"], facts.get("metric"), locale, time_zone)
    return (row[0] if locale == EN else row[1]).format_map(_Facts(told))
