"""Leads, their forms, follow-ups and imports. The form is that of ``REASONS``."""

from __future__ import annotations

SALES: dict[str, tuple[str, str]] = {
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
}
