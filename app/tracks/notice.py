"""What a rep is told before they agree to tracks: the text, its version, and its digest. Pure."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from app.core.settings import Settings

VERSION = 1
"""Grows with each change of the words below."""

_ENGLISH = """\
May we record where you are during a shift?

This is a question of its own. Nothing else hangs on it: you can do all your work, and check in at customers, without it.

What: during a shift that you start yourself, your phone tells positions with their time and accuracy. Outside of a shift \
nothing is recorded; what comes all the same is not kept. A shift ends when you end it. One begun during the day ends at the \
latest {overtime_min} minutes after the working day ({workday_ends}); none lasts longer than {shift_hours} hours.

What for: to count your kilometres, and to propose visits that you forgot to check in. You decide on each proposal. The track \
is not used to rate you.

Who sees it: you. A manager only for one of these purposes: kilometres, visits, safety, a complaint. They must say why, you are \
told, and you can read each look. No colleague, no partner and no station ever sees it.

How long: {days} days, then the positions are deleted, with proof. The kilometres of a shift and the visits you confirmed stay.

Your rights: you can see your track, and withdraw this consent at any time, without giving a reason and without harm to you. \
It ends a running shift at once, and you choose whether what was recorded so far is deleted."""

_CHINESE = """\
是否同意在班次中记录您的行踪？

这是一项单独征求的同意，与其他事项互不捆绑：不同意也能完成全部工作，照常在客户处签到。

记录什么：仅在您自行开始的班次内，手机上报位置及其时间、精度。班次之外不记录；即使上报也不保存。班次由您结束；\
白天开始的班次最迟在工作日结束（{workday_ends}）后 {overtime_min} 分钟自动结束，任何班次都不超过 {shift_hours} 小时。

用于什么：计算您的里程；对您忘记签到的拜访提出建议，是否成立由您逐条决定。行踪不用于对您的考核评价。

谁能查看：您本人。经理仅可出于以下目的之一查看：里程、拜访、人身安全、投诉处理，且须说明理由；您会收到通知，并可查阅每一次查看记录。\
同事、合作方和服务站一律不能查看。

保存多久：位置保存 {days} 天，之后删除并留存删除证明。班次里程和您已确认的拜访会保留。

您的权利：您可以查看自己的行踪，并可随时撤回同意，无须说明理由，也不会因此受到不利对待。\
撤回后进行中的班次立即结束，已记录的行踪是否删除由您选择。"""


class Notice(NamedTuple):
    """The text as this deployment says it. ``digest``: SHA-256 over both languages, so that it is known what was agreed to."""

    text_version: int
    english: str
    chinese: str
    digest: str


def notice_of(settings: Settings) -> Notice:
    """Return the present text; where a deployment changes what it promises, the digest is another one."""
    told = {
        "days": settings.track_days,
        "shift_hours": settings.track_shift_hours,
        "overtime_min": settings.track_overtime_min,
        "workday_ends": settings.workday_ends,
    }
    english, chinese = _ENGLISH.format(**told), _CHINESE.format(**told)
    return Notice(VERSION, english, chinese, hashlib.sha256(f"{english}\n\n{chinese}".encode()).hexdigest())
