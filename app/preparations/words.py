"""What changed at a customer, in words of both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.core.locales import EN

# What a line says: (English, Chinese).
LINES: dict[str, tuple[str, str]] = {
    "customer_edited": ("The customer's record was changed: {fields}.", "客户资料已更改：{fields}。"),
    "site_edited": ("Site “{site}” was changed: {fields}.", "站点“{site}”已更改：{fields}。"),
    "asset_added": ("{count} new: {model}.", "新增 {count} 台：{model}。"),
    "asset_edited": ("{model} ({serial}) was changed: {fields}.", "{model}（{serial}）已更改：{fields}。"),
    "alarm_stands": ("An alarm stands on {model} ({serial}): {reason}", "{model}（{serial}）有未解除的告警：{reason}"),
    "alarm_over": ("There was an alarm on {model} ({serial}): {reason}", "{model}（{serial}）曾有告警：{reason}"),
    "work_order": ("Work order {number}: {reason}", "工单 {number}：{reason}"),
    "service_offer": ("An offer: {reason}", "优惠：{reason}"),
    "attachment": ("New attachment: “{name}”.", "新附件：“{name}”。"),
    "next_step": ("Agreed last time: {next_step}", "上次约定的下一步：{next_step}"),
    "left_open": ("Left open last time: {steps}.", "上次未完成：{steps}。"),
    "step_due": ("Next step by {due} ({who}): {step}", "下一步（{who}，{due} 前）：{step}"),
    "step_open": ("Next step ({who}): {step}", "下一步（{who}）：{step}"),
    "number_grew": (
        "The owner reported “{question}”: {before} before, {after} now.",
        "客户上报“{question}”：由 {before} 增至 {after}。",
    ),
    "number_suggests": (
        "The owner reported “{question}”: {before} before, {after} now. It speaks for {suggests}.",
        "客户上报“{question}”：由 {before} 增至 {after}。可推荐：{suggests}。",
    ),
    "owed": ("{text}.", "{text}。"),
    "told": ("{reason}", "{reason}"),
}

# Fields people edit: (English, Chinese).
FIELDS: dict[str, tuple[str, str]] = {
    "name": ("name", "名称"),
    "phone": ("telephone number", "电话"),
    "email": ("e-mail address", "邮箱"),
    "credit_code": ("unified social credit code", "统一社会信用代码"),
    "territory_id": ("territory", "区域"),
    "owner_id": ("rep in charge", "负责业务员"),
    "address": ("address", "地址"),
    "lat": ("position", "位置"),
    "lon": ("position", "位置"),
    "model": ("model", "型号"),
    "site_id": ("site", "站点"),
    "warranty_until": ("warranty", "质保期"),
    "limits": ("limits of rules", "规则限值"),
}

# What a visit brought to light: (English, Chinese).
NEWS: dict[str, tuple[str, str]] = {
    "field_edited": ("Changed by the rep: {fields}.", "业务员更改了：{fields}。"),
    "site_added": ("The rep added a site.", "业务员新增了站点。"),
    "asset_added": ("The rep registered an asset.", "业务员登记了设备资产。"),
    "order_opened": ("The rep opened a work order.", "业务员创建了工单。"),
    "attachment_new": ("A file nobody had attached before: “{name}”.", "首次上传的附件：“{name}”。"),
    "goods_ordered": ("The customer ordered ({step}).", "客户下了订单（{step}）。"),
    "answer_differs": ("Other than last time: “{step}”.", "与上次不同：“{step}”。"),
}
NOTHING_NEW = (
    "{count} visits in a row brought nothing new. What would the customer have to gain from the next one?",
    "连续 {count} 次拜访没有新信息。下一次拜访能为客户带来什么？",
)


def in_words(row: tuple[str, str], locale: str, **facts: object) -> str:
    """Return a row of a table here in a language, with its facts."""
    return row[0 if locale == EN else 1].format(**facts)


def named_fields(fields: Iterable[str], locale: str, labels: Mapping[str, str]) -> str:
    """Return what fields are called, each once; one that has no name is called what it is.

    Args:
        labels: of the company's own fields, by ``custom.<key>``.
    """
    side = 0 if locale == EN else 1
    names = dict.fromkeys(FIELDS[one][side] if one in FIELDS else labels.get(one, one) for one in fields)
    return (", " if locale == EN else "、").join(names) or "–"
