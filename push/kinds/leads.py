"""What reps and managers read of leads."""

from __future__ import annotations

from push.kinds.base import INSTANT, Kind, Words

_LEAD = {"lead_number": "L-2026-000042", "lead_name": "Chen Wei", "interest": "two forklifts"}

LEADS: dict[str, Kind] = {
    "lead_assigned": Kind(
        {**_LEAD, "due_at": INSTANT},
        Words(
            "New lead: {lead_name}",
            ("Interested in: {interest}.", ("due_at", "Please get in touch by {due_at:moment}.")),
        ),
        Words("新线索：{lead_name}", ("意向：{interest}。", ("due_at", "请在 {due_at:moment} 前首次联系。"))),
    ),
    "lead_asked_again": Kind(
        {**_LEAD, "form_name": "Spring fair"},
        Words(
            "{lead_name} has asked again",
            ("Lead {lead_number} filled in the form “{form_name}”: {interest}.",),
        ),
        Words("{lead_name}再次咨询", ("线索 {lead_number} 再次填写了表单“{form_name}”：{interest}。",)),
    ),
    "lead_waiting": Kind(
        {**_LEAD, "recycle_at": INSTANT},
        Words(
            "{lead_name} is waiting for your call",
            (
                "Nobody has got in touch about lead {lead_number} yet ({interest}).",
                ("recycle_at", "On {recycle_at:moment} it goes back to the pool."),
            ),
        ),
        Words(
            "{lead_name}仍在等待联系",
            ("线索 {lead_number} 尚未跟进（{interest}）。", ("recycle_at", "{recycle_at:moment} 将退回公海。")),
        ),
    ),
    "lead_waits_long": Kind(
        {**_LEAD, "rep_name": "Li Na", "recycle_at": INSTANT},
        Words(
            "Nobody has called {lead_name}",
            (
                "Lead {lead_number} of {rep_name} is still untouched after its time ({interest}).",
                ("recycle_at", "On {recycle_at:moment} it goes back to the pool."),
            ),
        ),
        Words(
            "线索无人跟进：{lead_name}",
            (
                "{rep_name}负责的线索 {lead_number} 已超时未跟进（{interest}）。",
                ("recycle_at", "{recycle_at:moment} 将退回公海。"),
            ),
        ),
    ),
}
