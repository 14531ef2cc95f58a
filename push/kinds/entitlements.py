"""What reps read when news of others changes how what they used stands."""

from __future__ import annotations

from push.kinds.base import Kind, Words

ENTITLEMENTS: dict[str, Kind] = {
    "entitlement_changed": Kind(
        {
            "customer_name": "Chen Logistics",
            "kind_zh": "培训课时",
            "kind_en": "class hours",
            "amount": "2.5",
            "covered": "1",
            "beyond": 1,
        },
        Words(
            "What you used at {customer_name}",
            (
                ("beyond", "Of {amount} {kind_en} only {covered} are covered now. The office decides on the rest."),
                ("!beyond", "All of {amount} {kind_en} are covered now."),
            ),
        ),
        Words(
            "{customer_name}的使用记录有变动",
            (
                ("beyond", "您使用的“{kind_zh}”{amount} 现仅 {covered} 可抵扣，其余由管理人员处理。"),
                ("!beyond", "您使用的“{kind_zh}”{amount} 现已全部抵扣。"),
            ),
        ),
    ),
    "entitlements_changed": Kind(
        {"customer_name": "Chen Logistics", "kind_zh": "培训课时", "kind_en": "class hours", "spends": 12, "beyond": 3},
        Words(
            "What you used at {customer_name}",
            (
                "How {spends} of your uses of {kind_en} stand has changed.",
                ("beyond", "{beyond} of them are not fully covered: the office decides on the rest."),
                ("!beyond", "All of them are covered now."),
            ),
        ),
        Words(
            "{customer_name}的使用记录有变动",
            (
                "您的 {spends} 条“{kind_zh}”使用记录有变动。",
                ("beyond", "其中 {beyond} 条未能全额抵扣，其余由管理人员处理。"),
                ("!beyond", "现已全部抵扣。"),
            ),
        ),
    ),
}
