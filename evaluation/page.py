"""docs/quality.md and docs/quality.zh-CN.md: which sections there are, what each needs, and how the pages are put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from app.core.locales import EN, ZH
from evaluation import batteries, cars, datums, duplicates, machines, positions, trends, wire
from evaluation.tables import Section, SkippedError


class Part(NamedTuple):
    """A section to be judged.

    Attributes:
        headings: by language.
        needs: the folders of public data it reads.
        judge: what runs the product on them.
    """

    headings: Mapping[str, str]
    needs: tuple[str, ...]
    judge: Callable[[Path], Section]


def _part(english: str, chinese: str, needs: str, judge: Callable[[Path], Section]) -> Part:
    return Part({EN: english, ZH: chinese}, tuple(needs.split()), judge)


PARTS = (
    _part("The default battery rule", "默认电池规则", "battery_nasa battery_lab", batteries.judged),
    _part("When a battery will fall below 75 %", "电池何时跌破 75 %", "battery_nasa battery_lab", trends.judged),
    _part("Cars", "车辆", "ev_leaf_log ev_leaf_survey", cars.judged),
    _part("Machines", "机器", "machines_pdm", machines.judged),
    _part(
        "Messages of other makers' devices",
        "其他厂商设备的消息",
        "mqtt_ovms mqtt_teslamate mqtt_sparkplug battery_nasa",
        wire.judged,
    ),
    _part("Datums", "坐标系", "gcj02_pairs", datums.judged),
    _part("Plausibility of positions", "定位的可信度", "gps_geolife", positions.plausibility),
    _part("Stays and mileage", "停留与里程", "gps_geolife", positions.stays),
    _part("Customers that are one", "重复客户", "er_restaurants er_febrl", duplicates.judged),
)
PAGES = {EN: "quality.md", ZH: "quality.zh-CN.md"}

_HEADS = {
    EN: """# Quality on real data

*[中文](quality.zh-CN.md)*

Written on {day} by `python -m evaluation <folder>` (`make eval DATA=<folder>`) in {seconds} s; the folder holds the public data
sets named in each section, which are not part of this repository. Machine: {machine}.

What runs is the product's own code: the detectors of the ingest (`app/rules/detectors`), the reading of messages, the keys and
scores of customers, the judging of positions. A section that draws by chance names its seed; the others draw nothing. So beside
day and machine the page changes only with the product, with a library that decides figures, or with the data.

How long a phone waits for its home page (p95 42 ms, at most 7.8 kB), a check-in (p95 37 ms) and a search among 100,000 customers
(p95 22 ms) is measured by `python -m bench --only field_day`: [speed](bench.md#12-a-reps-phone-among-100000-customers).
""",
    ZH: """# 真实数据上的质量

*[English](quality.md)*

本页由 `python -m evaluation <folder>`（即 `make eval DATA=<folder>`）于 {day} 生成，用时 {seconds} 秒；
`<folder>` 内为各节所述的公开数据集，不包含在本仓库中。机器：{machine}。

运行的是产品自身的代码：接收进程的检测器（`app/rules/detectors`）、消息的读取、客户的匹配键与评分、定位的评判。
凡随机抽取的章节都写明种子，其余章节没有随机成分。因此除日期与机器外，只有产品、影响结果的库或数据变化时，本页才会变化。

手机首页（p95 为 42 毫秒，不超过 7.8 kB）、签到（p95 为 37 毫秒）和在 100,000 个客户中搜索（p95 为 22 毫秒）的耗时由
`python -m bench --only field_day` 测得，见[速度](bench.md#12-a-reps-phone-among-100000-customers)。
""",
}


class Told(NamedTuple):
    """The sections that could be judged, each with its part, and why the others could not."""

    sections: Sequence[tuple[Part, Section]]
    skipped: Sequence[tuple[Part, str]]

    @property
    def wrong(self) -> bool:
        """Whether the product fell short anywhere."""
        return any(section.wrong for _, section in self.sections)


def judge(folder: Path | None) -> Told:
    """Judge every part whose data is there, side by side: as many at a time as there are cores, each in a process of its own."""
    sections, skipped, running = [], [], []
    # Forked while this process has no other thread, so that each part begins with the modules that are loaded.
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as pool:
        for part in PARTS:
            missing = [name for name in part.needs if folder is None or not (folder / name).is_dir()]
            if folder is None or missing:
                skipped.append((part, f"needs {', '.join(missing)}"))
            else:
                running.append((part, pool.submit(part.judge, folder)))
        for part, run in running:
            try:
                sections.append((part, run.result()))
            except SkippedError as error:
                skipped.append((part, str(error)))
    return Told(sections, skipped)


def page(told: Told, locale: str, day: date, machine: str, seconds: float) -> str:
    """Return the page in a language: the head, then the sections in the order of the parts."""
    head = _HEADS[locale].format(day=day.isoformat(), machine=machine, seconds=f"{seconds:.0f}")
    return "\n".join([head, *(f"## {part.headings[locale]}\n\n{section.texts[locale]}" for part, section in told.sections)])
