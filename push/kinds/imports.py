"""What people of the office read when a file they brought in is seen to."""

from __future__ import annotations

from push.kinds.base import Kind, Words

_FILE = {"import_number": "IM-2026-000042", "file_name": "customers.xlsx", "rows": 120}

IMPORTS: dict[str, Kind] = {
    "import_done": Kind(
        {**_FILE, "created": 80, "updated": 20, "unchanged": 15, "refused": 2, "faulty": 3, "outranked": 4, "waiting": 6},
        Words(
            "Import done: {file_name}",
            (
                "{import_number}: {created} of {rows} rows are new, {updated} changed something, {unchanged} changed nothing.",
                ("refused", "{refused} were refused meanwhile."),
                ("faulty", "{faulty} with errors were left out."),
                ("outranked", "Of {outranked} a better source's value stays."),
                ("waiting", "{waiting} hold codes that stand for nothing yet."),
            ),
        ),
        Words(
            "导入完成：{file_name}",
            (
                "{import_number}：共 {rows} 行，新建 {created} 行，更改 {updated} 行，无变化 {unchanged} 行。",
                ("refused", "{refused} 行未被接受。"),
                ("faulty", "{faulty} 行因有错误未导入。"),
                ("outranked", "{outranked} 行有值未被采用。"),
                ("waiting", "{waiting} 行含有尚未对照的代码。"),
            ),
        ),
    ),
    "import_failed": Kind(
        {**_FILE, "done": 50},
        Words(
            "Import stopped: {file_name}",
            (
                "{import_number} stopped after {done} of {rows} rows: who started it may not import any more.",
                "Start it again to go on.",
            ),
        ),
        Words(
            "导入中止：{file_name}",
            ("{import_number} 在处理 {rows} 行中的 {done} 行后中止：发起人已无导入权限。", "重新执行即可从中断处继续。"),
        ),
    ),
    "import_undo_failed": Kind(
        {**_FILE, "done": 50},
        Words(
            "Undoing an import stopped: {file_name}",
            (
                "Undoing {import_number} stopped after {done} of {rows} rows: who began it may not import any more.",
                "Undo it again to go on.",
            ),
        ),
        Words(
            "撤销导入中止：{file_name}",
            ("撤销 {import_number} 在处理 {rows} 行中的 {done} 行后中止：发起人已无导入权限。", "重新撤销即可从中断处继续。"),
        ),
    ),
    "import_taken_back": Kind(
        {**_FILE, "undone": 110, "kept": 5},
        Words(
            "Import taken back: {file_name}",
            (
                "{import_number}: what {undone} rows had brought was taken back.",
                ("kept", "Of {kept} something stays, for somebody has changed or used it since."),
            ),
        ),
        Words(
            "导入已撤销：{file_name}",
            ("{import_number}：已撤回 {undone} 行的内容。", ("kept", "{kept} 行此后被改动或使用，予以保留。")),
        ),
    ),
}
