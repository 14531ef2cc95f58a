"""What owners read of offers."""

from __future__ import annotations

from push.kinds.base import INSTANT, MODEL, Kind, Words

OFFERS: dict[str, Kind] = {
    "offer_made": Kind(
        MODEL
        | {"asset_serial": "LFP-0042", "soh_pct": 71.4, "measured_on": INSTANT, "amount_due": "4300.00", "currency": "CNY"}
        | {"discount": "500.00", "valid_until": "2026-06-14T10:00:00Z", "warranty": False, "late": False},
        Words(
            "A battery offer for your {asset_model}",
            (
                ("!late", "The battery health of your {asset_model} ({asset_serial}) is down to {soh_pct:pct}."),
                (
                    "late",
                    "Measured on {measured_on:day}: the battery health of your {asset_model} ({asset_serial}) was {soh_pct:pct}.",
                ),
                ("covered", "Your warranty covers a replacement, so there is nothing to pay."),
                ("share", "Your warranty bears part of a replacement; your share is {amount_due:money}."),
                (
                    "reduced",
                    "We can replace it for {amount_due:money}; your personal discount of {discount:money} is already taken off.",
                ),
                ("plain", "We can replace it for {amount_due:money}."),
                "Please let us know by {valid_until:moment}.",
            ),
        ),
        Words(
            "您的{asset_model}电池更换优惠",
            (
                ("!late", "您的{asset_model}（序列号 {asset_serial}）电池健康度已降至 {soh_pct:pct}。"),
                ("late", "{measured_on:day}测得：您的{asset_model}（序列号 {asset_serial}）电池健康度为 {soh_pct:pct}。"),
                ("covered", "本次更换在保修范围内，您无需付费。"),
                ("share", "保修承担部分更换费用，您只需支付 {amount_due:money}。"),
                ("reduced", "为您准备了专属优惠：更换仅需 {amount_due:money}，已优惠 {discount:money}。"),
                ("plain", "更换费用为 {amount_due:money}。"),
                "请在 {valid_until:moment} 前答复我们。",
            ),
        ),
    ),
    "service_offer_made": Kind(
        MODEL
        | {"asset_serial": "LFP-0042", "rule_zh": "机油该换了", "rule_en": "Oil change due", "measured_on": INSTANT}
        | {"job": "oil_change", "amount_due": "380.00", "currency": "CNY", "discount": "20.00"}
        | {"valid_until": "2026-06-14T10:00:00Z", "warranty": False},
        Words(
            "An offer for your {asset_model}",
            (
                "{rule_en}: {asset_model} ({asset_serial}), measured on {measured_on:day}.",
                ("covered", "Your warranty covers the work ({work}), so there is nothing to pay."),
                ("share", "Your warranty bears part of the work ({work}); your share is {amount_due:money}."),
                (
                    "reduced",
                    "We can do the work ({work}) for {amount_due:money}; your personal discount of {discount:money} is already"
                    " taken off.",
                ),
                ("plain", "We can do the work ({work}) for {amount_due:money}."),
                "Please let us know by {valid_until:moment}.",
            ),
        ),
        Words(
            "您的{asset_model}专属优惠",
            (
                "{rule_zh}：{asset_model}（序列号 {asset_serial}），测量日期 {measured_on:day}。",
                ("covered", "本次服务（{work}）在保修范围内，您无需付费。"),
                ("share", "保修承担部分服务（{work}）费用，您只需支付 {amount_due:money}。"),
                ("reduced", "为您准备了专属优惠：服务（{work}）仅需 {amount_due:money}，已优惠 {discount:money}。"),
                ("plain", "服务（{work}）费用为 {amount_due:money}。"),
                "请在 {valid_until:moment} 前答复我们。",
            ),
        ),
    ),
    "offer_slots_ready": Kind(
        {"station_name": "North Service", **MODEL},
        Words(
            "Choose your appointment", ("{station_name} is ready for your {asset_model}.", "Pick the time that suits you best.")
        ),
        Words("请选择预约时间", ("{station_name}已为您的{asset_model}做好准备，", "请挑选您方便的时间。")),
    ),
    "offer_new_slot_needed": Kind(
        {"station_name": "North Service", **MODEL},
        Words(
            "Please choose a new time",
            ("We are sorry: the appointment for your {asset_model} ({station_name}) has to be moved.", "Please pick a new time."),
        ),
        Words("请重新选择时间", ("非常抱歉，您的{asset_model}预约（{station_name}）需要改期，", "请重新选择方便的时间。")),
    ),
    "offer_expired": Kind(
        MODEL,
        Words(
            "Your offer has ended",
            (
                "The battery offer for your {asset_model} has expired.",
                "Still interested? Just get in touch, we are happy to help.",
            ),
        ),
        Words("您的优惠已到期", ("您的{asset_model}电池更换优惠已到期。", "如仍有需要，欢迎随时联系我们。")),
    ),
    "offer_withdrawn": Kind(
        {**MODEL, "reason": "readings_do_not_show_it"},
        Words(
            "Your offer was withdrawn",
            ("We have withdrawn the battery offer for your {asset_model}.", ("why", "{why}"), "There is nothing you need to do."),
        ),
        Words("优惠已撤回", ("我们已撤回您的{asset_model}电池更换优惠。", ("why", "{why}"), "您无需进行任何操作。")),
    ),
}
