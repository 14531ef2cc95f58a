"""What reps read of owners' reports, and owners of the answers."""

from __future__ import annotations

from push.kinds.base import Kind, Words

_FORM = {"form_zh": "门店情况", "form_en": "My shop"}

REPORTS: dict[str, Kind] = {
    "customer_reported": Kind(
        {"customer_name": "Chen Logistics", **_FORM, "grew": 1},
        Words(
            "{customer_name} reported something",
            ("“{form_en}” came from the owner.", ("grew", "A number has grown: have a look before your next visit.")),
        ),
        Words("{customer_name}有新上报", ("客户提交了“{form_zh}”。", ("grew", "其中有数字增长，请在下次拜访前查看。"))),
    ),
    "report_answered": Kind(
        {**_FORM, "answer": "Thank you, I bring an offer on Tuesday."},
        Words("Answer to your report", ("“{form_en}”: {answer}",)),
        Words("您的上报已回复", ("“{form_zh}”：{answer}",)),
    ),
}
