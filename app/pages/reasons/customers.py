"""Customers, their sites, contacts, facts and files. The form is that of ``REASONS``."""

from __future__ import annotations

CUSTOMERS: dict[str, tuple[str, str]] = {
    "customer.imported": ("It came, or was changed, with row {row} of an import.", "由导入文件的第 {row} 行新建或更改。"),
    "site.placed": ("{by} found the address “{address}”: {name}.", "{by} 已找到地址“{address}”：{name}。"),
    "site.placed_roughly": (
        "Of the address “{address}” only {name} is known; its centre stands for the site.",
        "地址“{address}”仅能定位到{name}，暂以其中心作为站点位置。",
    ),
    "attachment.created": ("A phone took “{name}” up to be sent.", "手机已添加附件“{name}”，等待上传。"),
    "attachment.stored": ("The attachment arrived and was stored.", "附件已上传并保存。"),
    "attachment.refused": ("The attachment's bytes were refused: {code}.", "附件内容被拒绝：{code}。"),
    "attachment.deleted": ("The attachment was deleted.", "附件已删除。"),
    "customer.created": ("The customer was added.", "客户已创建。"),
    "customer.edited": ("The customer was changed.", "客户信息已修改。"),
    "customer.handed_over": ("The customer was handed over to another rep.", "客户已移交给其他业务员。"),
    "customer.deleted": ("The customer was deleted.", "客户已删除。"),
    "customer.undeleted": ("The customer was brought back.", "客户已恢复。"),
    "customer.merged": (
        "{name} ({code}) turned out to be the same customer and was merged into this one: {rows} rows came with it.",
        "{name}（{code}）确认为同一客户，已并入本客户，随之转入 {rows} 条记录。",
    ),
    "customer.merged_away": (
        "This turned out to be the same customer as {name} ({code}) and was merged into it.",
        "确认与 {name}（{code}）为同一客户，已并入该客户。",
    ),
    "customer.unmerged": (
        "The merge with {name} ({code}) was undone: {rows} rows went back to it.",
        "已撤销与 {name}（{code}）的合并，{rows} 条记录已归还。",
    ),
    "customer.came_back": (
        "The merge into {name} ({code}) was undone; this is a customer of its own again.",
        "已撤销并入 {name}（{code}）的合并，恢复为独立客户。",
    ),
    "customer.edited_after_merge": (
        "Somebody who did not know of the merge yet changed this customer.",
        "尚不知晓合并的人员修改了该客户的信息。",
    ),
    "customer.duplicate_dismissed": (
        "Somebody looked at {name} ({code}), {score} % likely the same, and said that it is another customer.",
        "经人工确认，{name}（{code}）与本客户不是同一客户（系统评分 {score}%）。",
    ),
    "customer.fact_told": (
        "Somebody told more of the customer: {fields} (source: {source}).",
        "客户信息有新的说法：{fields}（来源：{source}）。",
    ),
    "customer.fact_outranked": (
        "Something else was said of {fields} (source: {source}); a better source's value stays, and this one is kept as a rival.",
        "{fields}另有说法（来源：{source}）；更可靠来源的值保持不变，此值留作备选。",
    ),
    "customer.fact_withdrawn": (
        "What was said of {fields} (source: {source}) was taken back.",
        "关于{fields}的说法（来源：{source}）已撤回。",
    ),
    "customer.fact_chosen": (
        "Somebody decided which value of {fields} holds (source: {source}): {reason}.",
        "已人工选定{fields}的取值（来源：{source}）：{reason}。",
    ),
    "customer.code_understood": (
        "It is known now what the code “{code}” of another system stands for: {fields}.",
        "其他系统的代码“{code}”已有对照，据此更新：{fields}。",
    ),
    "customer.decided_anew": (
        "By the new rules for facts another value holds: {fields}.",
        "按新的取值规则重新判定，已更新：{fields}。",
    ),
    "customer.repair_needed": (
        "The customer is {score} % complete; missing: {fields}.",
        "客户资料完整度 {score}%，缺少：{fields}。",
    ),
    "customer.repaired": ("What was missing of the customer is there: {fields}.", "客户缺少的资料已补齐：{fields}。"),
    "custom_field.added": ("The field “{label}” ({key}) was added.", "已新增自定义字段“{label}”（{key}）。"),
    "custom_field.changed": ("The field {key} was changed: {fields}.", "自定义字段 {key} 已更改：{fields}。"),
    "fact_rules.set": ("How facts are decided was changed (version {version}).", "取值规则已更改（第 {version} 版）。"),
    "completeness_rule.set": (
        "What counts as complete was changed (version {version}).",
        "完整度规则已更改（第 {version} 版）。",
    ),
    "code.met": (
        "System {system} used the code “{code}” ({list}), and nobody has said what it stands for.",
        "系统 {system} 使用了未对照的代码“{code}”（{list}）。",
    ),
    "code.mapped": (
        "The code “{code}” of system {system} ({list}) stands for “{ours}”.",
        "系统 {system} 的代码“{code}”（{list}）对应“{ours}”。",
    ),
    "code.ignored": (
        "The code “{code}” of system {system} ({list}) stands for nothing of ours.",
        "系统 {system} 的代码“{code}”（{list}）不对应任何选项。",
    ),
    "contact.created": ("Contact {name} was added.", "已添加联系人 {name}。"),
    "contact.proposed": (
        "{name} was met and is in no record: proposed as a contact.",
        "拜访中见到的 {name} 尚无记录，已列为待确认联系人。",
    ),
    "contact.confirmed": ("{name} was confirmed as a contact.", "已确认 {name} 为联系人。"),
    "contact.rejected": ("{name} is no contact, somebody decided.", "经确认，{name} 不作为联系人。"),
    "contact.edited": ("Contact {name} was changed: {fields}.", "联系人 {name} 的信息已修改：{fields}。"),
    "contact.left": ("{name} does not work there any more.", "{name} 已离职。"),
    "contact.deleted": ("Contact {name} was deleted.", "联系人 {name} 已删除。"),
    "contact.undeleted": ("Contact {name} was brought back.", "联系人 {name} 已恢复。"),
    "contact.merged": (
        "Another record of the same person, {name}, was merged into this one.",
        "同一人的另一条记录（{name}）已并入本联系人。",
    ),
    "contact.merged_away": (
        "This was another record of {name} and was merged into it.",
        "本记录与 {name} 为同一人，已并入该联系人。",
    ),
    "contact_relation.created": (
        "A relation was noted: {name} – {relation} – {other}.",
        "已记录关系：{name} – {relation} – {other}。",
    ),
    "contact_relation.edited": (
        "A relation was changed: {name} – {relation} – {other}.",
        "已修改关系：{name} – {relation} – {other}。",
    ),
    "contact_relation.deleted": (
        "A relation was taken away: {name} – {relation} – {other}.",
        "已删除关系：{name} – {relation} – {other}。",
    ),
    "contact_scheme.drafted": (
        "Version {number} of the roles and relations was written.",
        "已起草角色与关系设定第 {number} 版。",
    ),
    "contact_scheme.activated": (
        "Version {number} of the roles and relations was switched on.",
        "角色与关系设定第 {number} 版已启用。",
    ),
    "contact_scheme.retired": (
        "Version {number} of the roles and relations was retired.",
        "角色与关系设定第 {number} 版已停用。",
    ),
    "site.created": ("The site was added.", "站点已创建。"),
    "site.edited": ("The site was changed.", "站点信息已修改。"),
    "site.position_found": ("A check-in showed where the site is.", "签到确定了站点位置。"),
    "site.position_confirmed": (
        "A check-in showed where the site is: {away_m} m from where it was thought to be ({was_source}).",
        "签到确认了站点位置，与原位置相距 {away_m} 米（原位置：{was_source}）。",
    ),
    "site.deleted": ("The site was deleted.", "站点已删除。"),
    "site.undeleted": ("The site was brought back.", "站点已恢复。"),
}
