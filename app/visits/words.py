"""What a visit lacks, in words of both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.locales import EN

# code: (English, Chinese); ``{step}`` and ``{question}`` are labels of the kit.
LACKS: dict[str, tuple[str, str]] = {
    "step_missing": ("“{step}” was not done.", "“{step}”尚未完成。"),
    "photos_too_few": ("“{step}” has too few photos.", "“{step}”照片数量不足。"),
    "photos_on_the_way": ("Photos of “{step}” have not arrived yet.", "“{step}”的照片尚未上传完毕。"),
    "lines_missing": ("“{step}” names no product.", "“{step}”未填写任何产品。"),
    "answer_missing": ("“{step}”: “{question}” was not answered.", "“{step}”中“{question}”未填写。"),
    "answer_invalid": ("“{step}”: the answer to “{question}” does not fit.", "“{step}”中“{question}”的填写内容不符合要求。"),
}


def told(lacking: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]], locale: str) -> list[dict[str, Any]]:
    """Return what a visit lacks, each with a sentence in a language.

    Args:
        lacking: each with ``step``, ``code`` and ``question``.
        steps: of the visit's kit.
    """
    side = 0 if locale == EN else 1
    label = "label_en" if locale == EN else "label_zh"
    labels = {(step["code"], None): step[label] for step in steps}
    labels |= {(step["code"], one["code"]): one[label] for step in steps for one in step.get("questions") or ()}
    return [
        {
            **lack,
            "text": LACKS[lack["code"]][side].format(
                step=labels[lack["step"], None], question=labels.get((lack["step"], lack["question"]), "")
            ),
        }
        for lack in lacking
    ]
