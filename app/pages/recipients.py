"""Why a message went to whom, and which way it took: words for each part in a matter and each choice of a channel."""

from __future__ import annotations

# Why a message went to this person, by their part in the matter: (English, Chinese)
RECIPIENTS: dict[str, tuple[str, str]] = {
    "rep": ("You look after this customer.", "您负责该客户。"),
    "manager": ("You are the manager in charge of this territory.", "您是该区域的负责经理。"),
    "admin": ("You are an administrator.", "您是管理员。"),
    "customer": ("It is about something of yours.", "该消息与您的资产或服务有关。"),
    "station_staff": ("You work at the station it concerns.", "您任职于相关的服务站。"),
    "asked_for": ("You asked for it yourself.", "这是您本人申请的消息。"),
    "unknown": ("It was not yet written down then why it came to you.", "当时尚未记录发送给您的原因。"),
}

# The same, said to an administrator about somebody else.
OTHER_RECIPIENTS: dict[str, tuple[str, str]] = {
    "rep": ("They look after this customer.", "对方负责该客户。"),
    "manager": ("They are the manager in charge of this territory.", "对方是该区域的负责经理。"),
    "admin": ("They are an administrator.", "对方是管理员。"),
    "customer": ("It is about something of theirs.", "该消息与对方的资产或服务有关。"),
    "station_staff": ("They work at the station it concerns.", "对方任职于相关的服务站。"),
    "asked_for": ("They asked for it themselves.", "这是对方本人申请的消息。"),
    "unknown": ("It was not yet written down then why it went to them.", "当时尚未记录发送给对方的原因。"),
}

# Why a channel was taken or left out: (English, Chinese)
CHANNEL_REASONS: dict[str, tuple[str, str]] = {
    "chosen": ("You have it switched on, and it knows an address of yours.", "您已启用该渠道，且留有可用地址。"),
    "switched_off": ("You have switched this channel off.", "您已关闭该渠道。"),
    "no_address": ("It knows no address of yours.", "您在该渠道没有登记地址。"),
    "not_for_this_kind": ("Messages of this kind do not take this channel.", "此类消息不走该渠道。"),
    "later": ("It comes later in your order of channels.", "在您设置的渠道顺序中靠后。"),
    "not_in_order": ("It is not in your order of channels.", "不在您设置的渠道顺序中。"),
    "unknown": ("It was left out.", "未使用该渠道。"),
}
OTHER_CHANNEL_REASONS: dict[str, tuple[str, str]] = CHANNEL_REASONS | {
    "chosen": ("They have it switched on, and it knows an address of theirs.", "对方已启用该渠道，且留有可用地址。"),
    "switched_off": ("They have switched this channel off.", "对方已关闭该渠道。"),
    "no_address": ("It knows no address of theirs.", "对方在该渠道没有登记地址。"),
    "later": ("It comes later in their order of channels.", "在对方设置的渠道顺序中靠后。"),
    "not_in_order": ("It is not in their order of channels.", "不在对方设置的渠道顺序中。"),
}
