"""The texts of the sections on positions, in both languages."""

from __future__ import annotations

from app.core.locales import EN, ZH

NAMES = {
    "walk": "步行",
    "car": "驾车，含停车",
    "desk": "放在桌上一小时",
    "dropped": "信号中断与野点",
    "cruise": "定速巡航",
    "train": "高铁，含隧道",
    "flight": "航班",
    "lift": "乘电梯",
    "tunnel": "隧道",
    "indoors": "室内无线定位",
    "cold start": "冷启动",
    "all of these": "以上合计",
    "external receiver": "外接接收机（带模拟标记）",
    "whole tracks": "完整轨迹",
    "batches of 60": "每批 60 个定位",
    "check-ins of 3": "每次签到 3 个定位",
    "pinned": "固定坐标",
    "line": "匀速直线",
    "circle": "绕圈",
    "replay": "重放往日轨迹",
    "there and back": "瞬移来回",
    "rounded": "四位小数",
    "script": "脚本批量生成",
    "colleague's stream": "同事的轨迹",
    "all for setting": "设定用合计",
    "jittered pin": "固定坐标加随机抖动",
    "planned route": "规划路线",
    "ellipse or eight": "椭圆或八字",
    "moved replay": "平移或变速重放",
    "emulator": "模拟器",
    "snapped to a map": "吸附到地图格点",
    "clock set back": "回拨时钟",
    "partner's stream": "搭档的轨迹（部分）",
    "numbers of a map": "抄录地图坐标",
    "same spot each day": "每天同一坐标",
    "careful": "处处小心",
    "all for judging": "评判用合计",
}

PLAUSIBILITY = {
    EN: {
        "true": "way|batches|doubtful|implausible|one fix alone: not clear",
        "pattern": "weights|pattern|batches|found|of them implausible|one fix alone: found|signals seen most",
        "signal": "signal|points|what the person reads, as an example",
        "set": "set",
        "judged": "judged",
        "text": """\
The score of `app/positions/plausibility.py`: 100 less the points of each signal; *clear* from 75, *implausible* below 46 if
two kinds of signals speak against a batch, *doubtful* between. Everything here is drawn with seed {seed}, {times} batches a
row. *One fix alone*: the last fix of each batch, judged as a check-in with what was known before. *Goal*: at most 1 % of true
batches are not clear.

True ways, as kinds of phones tell them (Android, iOS, a Chinese map kit in GCJ-02, position and time only, and an app that
fills in 0 for what it does not know); whole or cut to 1 to 100 fixes; with clocks that are wrong or corrected, network
addresses in other provinces, positions that stand at rest, positions given roughly, colleagues beside, and the same way on
the day before. The last row is not in the sum: a receiver outside of the phone, whose positions Android marks as mocked, is
doubtful by its flag, and implausible where a second mishap, such as a clock that is corrected,
comes on top.

{true}

Real ones: GeoLife (Microsoft Research), recorded by loggers and phones from 2007 to 2011. They tell position, time and altitude
only, so they try speeds, shapes, digits and repetitions, and not flags, clocks and accuracies.

{real}

Made-up ones. Weights were set by looking at the patterns marked *set*, drawn with another seed, and were not changed after
those marked *judged* had been looked at. Both were written by the same people, so true liars may be found less often. Whether
the mock flag shows, and what stands in the fields, is drawn: half of the programs hide the flag. *Found*: doubtful or
implausible. The last pattern knows all signals and is not found; nor is a single position that is made up with care.

{patterns}

{signals}
""",
    },
    ZH: {
        "true": "场景|批次|存疑|不可信|仅一个定位：非正常",
        "pattern": "权重|手法|批次|识别|其中不可信|仅一个定位：识别|最常见的信号",
        "signal": "信号|扣分|本人看到的文字（示例）",
        "set": "设定",
        "judged": "评判",
        "text": """\
评分由 `app/positions/plausibility.py` 给出：满分 100，每个信号扣分；75 分及以上为“正常”，
低于 46 分且至少有两类信号为“不可信”，其余为“存疑”。本节数据均以种子 {seed} 抽取，每行 {times} 批。
“仅一个定位”：只取每批的最后一个定位，作为一次签到，结合此前已知的内容评判。目标：真实批次中非“正常”的不超过 1 %。

真实场景，由各类手机上报（安卓、iOS、采用 GCJ-02 的国内地图组件、只上报位置与时间的手机，以及把未知字段填 0 的应用）；
整段使用，或截取 1 至 100 个定位；其间有时钟错误或被校正、网络地址位于外省、静止时坐标不变、只给出大致位置、
同事同行、前一天走过同一条路等情况。最后一行不计入合计：外接接收机的定位会被安卓标记为模拟，仅凭该标记为“存疑”；
若再遇上时钟被校正等情况，则会成为“不可信”。

{true}

真实轨迹：GeoLife（微软研究院），由记录仪与手机在 2007 至 2011 年间采集。其中只有位置、时间与海拔，
因此只检验速度、形状、数字与重复，不涉及标记、时钟与精度。

{real}

编造的轨迹。权重只参照标为“设定”的手法确定（使用另一个种子），看过标为“评判”的手法之后未再改动。
两组手法出自同样的作者，真正的造假者被识别的比例可能更低。是否露出模拟标记、各字段填什么，均随机抽取：一半的程序会隐藏标记。
“识别”：存疑或不可信。最后一种手法了解所有信号，无法识别；精心编造的单个定位也是如此。

{patterns}

{signals}
""",
    },
}

STAYS = {
    EN: {
        "stay": "recording gaps|of the other program|found by us|ours|found by it|open ends|begins differ, s|ends differ, s",
        "mileage": "way|ways|mileage, error|sum of all hops, error",
        "staying": "count as staying",
        "ends": "over {minutes} min end a stay",
        "text": """\
The {fixes} fixes of {tracks} GeoLife tracks; stays by `app/positions/stays.py` (200 m, 20 min) against those of trackintel
1.4.2 with the same numbers, under both rules for recording gaps. A stay is *found* by the other side if stays within 200 m of
its middle cover at least half of its time. *Open ends*: those of ours which it does not find for they end at a gap or with
the track; it leaves these out by definition. *Differ*: medians over stays that overlap.

{stays}

Mileage of generated ways with a receiver's noise (seed {seed}, {times} each, every kind of phone, 1 to 30 s between fixes):
medians of the error, with noise filtered and as the plain sum of hops.

{mileage}
""",
    },
    ZH: {
        "stay": "记录间隔|参照程序|我方找到|我方|其中参照程序找到|未见结束|开始相差（秒）|结束相差（秒）",
        "mileage": "场景|数量|里程误差|逐点相加的误差",
        "staying": "视为停留",
        "ends": "超过 {minutes} 分钟即结束停留",
        "text": """\
GeoLife 的 {tracks} 条轨迹，共 {fixes} 个定位；停留由 `app/positions/stays.py` 求出（200 米、20 分钟），
与参数相同的 trackintel 1.4.2 的结果对照，两种间隔规则各一行。
若中心相距不超过 200 米的停留覆盖了某次停留至少一半的时间，即视为对方“找到”。
“未见结束”：对方未找到的我方停留中，在间隔处或轨迹末尾结束的数量，按参照程序的定义不计入。
“相差”：时间上重叠的停留之间相差的中位数。

{stays}

带接收机噪声的生成轨迹的里程（种子 {seed}，各 {times} 条，涵盖各类手机，定位间隔 1 至 30 秒）：误差的中位数，
分别为滤除噪声后与逐点直接相加。

{mileage}
""",
    },
}
