"""Visits, check-ins, days and tracks. The form is that of ``REASONS``."""

from __future__ import annotations

VISITS: dict[str, tuple[str, str]] = {
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
    "visit.length_not_counted": (
        "By the times that were told the visit took more than {most_h} hours, so nothing of {kind_name} was counted for it. What"
        " was used is to be told by hand.",
        "按上报的时间，本次拜访超过 {most_h} 小时，因此未计入“{kind_name}”，请人工登记实际使用量。",
    ),
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
    "visit.met": ("{name} was met at the visit.", "拜访中见到了 {name}。"),
}
