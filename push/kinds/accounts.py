"""What people read of their accounts and channels."""

from __future__ import annotations

from push.kinds.base import Kind, Words

ACCOUNTS: dict[str, Kind] = {
    "invitation": Kind(
        {"link_id": "link-00000042"},
        Words(
            "Welcome to {organisation}",
            (
                "You have been invited to {organisation}.",
                ("link", "Open this link to choose your password:\n{link}\n\nIt works once."),
                ("!link", "The link to choose your password is in your e-mail."),
            ),
        ),
        Words(
            "欢迎加入{organisation}",
            (
                "您已受邀使用{organisation}。",
                ("link", "请打开以下链接设置密码：\n{link}\n\n链接仅可使用一次。"),
                ("!link", "设置密码的链接已发送至您的邮箱。"),
            ),
        ),
    ),
    "password_reset": Kind(
        {"link_id": "link-00000042"},
        Words(
            "Choose a new password",
            (
                "Somebody, hopefully you, asked to reset your password.",
                ("link", "Open this link to choose a new one:\n{link}\n\nIt works once."),
                ("!link", "The link to choose a new one is in your e-mail."),
                "If it was not you, do nothing: your password stays as it is.",
            ),
        ),
        Words(
            "重设密码",
            (
                "我们收到了重设您密码的请求。",
                ("link", "请打开以下链接设置新密码：\n{link}\n\n链接仅可使用一次。"),
                ("!link", "设置新密码的链接已发送至您的邮箱。"),
                "如非您本人操作，请忽略本消息，您的密码不会改变。",
            ),
        ),
    ),
    "test": Kind(
        {},
        Words("Test message", ("It works: messages from {organisation} reach you here.",)),
        Words("测试消息", ("一切正常：您可以在这里收到{organisation}的消息。",)),
    ),
    "channel_check": Kind(
        {},
        Words(
            "Does this reach you?",
            (
                ("code", "Enter {code} in {organisation} to confirm that messages reach you here. It is valid for 30 minutes."),
                ("!code", "The code is in the message that came the way you are checking."),
            ),
        ),
        Words(
            "确认接收渠道",
            (
                ("code", "请在{organisation}中输入 {code}，确认您可在此收到消息。30 分钟内有效。"),
                ("!code", "验证码在通过该渠道发送的消息中。"),
            ),
        ),
    ),
}
