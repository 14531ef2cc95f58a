"""What owners report, and what customers are owed. The form is that of ``REASONS``."""

from __future__ import annotations

OWED: dict[str, tuple[str, str]] = {
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
}
