"""What a signal says to the person whose positions they are, in both languages; ``{name}`` places a fact.

They tell what was seen, not what somebody did.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.locales import EN

# code: (English, Chinese)
SENTENCES: dict[str, tuple[str, str]] = {
    "mock_flag": (
        "The phone marked {fixes} of {of} positions as made by a program.",
        "手机将 {of} 个定位中的 {fixes} 个标记为由程序模拟。",
    ),
    "accuracy_zero": (
        "{fixes} of {of} positions claim an accuracy of 0 m, which no receiver has.",
        "{of} 个定位中有 {fixes} 个声称精度为 0 米，任何接收机都达不到。",
    ),
    "accuracy_coarse": (
        "{fixes} of {of} positions are accurate to {accuracy_m} m only.",
        "{of} 个定位中有 {fixes} 个的精度仅为 {accuracy_m} 米。",
    ),
    "altitude_zero": (
        "The altitude is exactly 0 m in {fixes} of {of} positions over {extent_m} m.",
        "在 {extent_m} 米的范围内，{of} 个定位中有 {fixes} 个的海拔恰为 0 米。",
    ),
    "speed_contradicts": (
        "The phone says {told_mps} m/s, its positions move at {moved_mps} m/s ({fixes} of {of}).",
        "手机报告的速度为 {told_mps} 米/秒，而位置的移动速度为 {moved_mps} 米/秒（{of} 个中的 {fixes} 个）。",
    ),
    "heading_contradicts": (
        "The direction the phone tells is {off_deg}° off that of its positions ({fixes} positions).",
        "手机报告的方向与位置移动的方向相差 {off_deg}°（{fixes} 个定位）。",
    ),
    "speed_impossible": (
        "{fixes} of {of} positions claim up to {speed_mps} m/s.",
        "{of} 个定位中有 {fixes} 个声称速度高达 {speed_mps} 米/秒。",
    ),
    "heading_impossible": (
        "{fixes} of {of} positions claim a direction of {heading_deg}°; there are 360.",
        "{of} 个定位中有 {fixes} 个声称方向为 {heading_deg}°，超出 360°。",
    ),
    "too_fast": (
        "{distance_m} m in {seconds} s ({kmh} km/h): no transport is so fast from where the phone was (jumps: {jumps}).",
        "{seconds} 秒内移动 {distance_m} 米（{kmh} 公里/小时），从手机先前的位置出发，没有交通工具能做到（跳变 {jumps} 次）。",
    ),
    "frozen": (
        "{fixes} positions over {minutes} minutes are the same to the last digit.",
        "{minutes} 分钟内的 {fixes} 个定位，每一位数字都相同。",
    ),
    "frozen_moving": (
        "{fixes} of {of} positions are the same to the last digit while the phone says it moves.",
        "{of} 个定位中有 {fixes} 个每一位数字都相同，而手机报告自己在移动。",
    ),
    "grid_rounded": (
        "All coordinates are rounded to {decimals} decimals, {step_m} m apart ({places} places).",
        "所有坐标都只有 {decimals} 位小数，间隔 {step_m} 米（{places} 个地点）。",
    ),
    "noise_free": (
        "{windows} of {of} stretches follow a drawn {shape} to {noise_m} m; receivers have more noise.",
        "{of} 段轨迹中有 {windows} 段沿着绘制的{shape}，误差仅 {noise_m} 米，接收机的噪声比这更大。",
    ),
    "replayed": (
        "{steps} of {of} steps repeat, to the last digit, what this phone told before.",
        "{of} 步中有 {steps} 步与本机先前上报的完全相同，每一位数字都一致。",
    ),
    "shared": (
        "{steps} of {of} steps are, to the last digit, those of another phone.",
        "{of} 步中有 {steps} 步与另一部手机完全相同，每一位数字都一致。",
    ),
    "same_digits": (
        "{places} of {of} places are, to the last digit, ones told before, or by another phone ({others}).",
        "{of} 个地点中有 {places} 个与先前上报的（或其他手机的，{others} 个）完全相同，每一位数字都一致。",
    ),
    "clock_set": (
        "The phone's clock was set back while positions were recorded: {times} times, by up to {seconds} s.",
        "记录期间手机时钟被往回调了 {times} 次，最多 {seconds} 秒。",
    ),
    "clock_rushed": (
        "{times} of {of} positions say they are minutes or seconds apart, but were made at once.",
        "{of} 个定位中有 {times} 个声称相隔数秒或数分钟，实际上是同时生成的。",
    ),
    "from_the_future": (
        "{fixes} of {of} positions are later than when they were sent, by up to {seconds} s.",
        "{of} 个定位中有 {fixes} 个的时间晚于发送时间，最多晚 {seconds} 秒。",
    ),
    "clock_wrong": ("The phone's clock is {seconds} s off ours.", "手机时钟与服务器相差 {seconds} 秒。"),
    "sequence_contradicts": (
        "The times of the positions go back {times} times against their numbering ({of} positions).",
        "定位的时间与其编号顺序相反 {times} 次（共 {of} 个定位）。",
    ),
    "null_island": (
        "{fixes} of {of} positions are 0° N, 0° E, what a program says that found none.",
        "{of} 个定位中有 {fixes} 个为北纬 0°、东经 0°，即程序未能定位时给出的值。",
    ),
    "network_far": (
        "Cells and Wi-Fi place the phone {distance_m} m away ({fixes} of {of} times).",
        "基站与无线网络显示手机在 {distance_m} 米之外（{of} 次中的 {fixes} 次）。",
    ),
    "address_far": (
        "The network address belongs to a place {distance_m} m away.",
        "网络地址所属地点在 {distance_m} 米之外。",
    ),
    "datum_switched": (
        "The position is told in {told}, otherwise this phone tells {usual}; with that it is {otherwise_m} m from the site, not"
        " {distance_m} m.",
        "该定位声称采用 {told}，而本机平时采用 {usual}；按后者计算，距站点 {otherwise_m} 米，而非 {distance_m} 米。",
    ),
    "copied_from_map": (
        "The numbers are those a {map} map shows for the site (off by {off_m} m), told as {told}, which is {distance_m} m away.",
        "这些数字正是 {map} 地图上该站点的坐标（相差 {off_m} 米），却声称为 {told}，实际相距 {distance_m} 米。",
    ),
}

# What facts that are no numbers are called.
_NAMES: dict[str, tuple[str, str]] = {
    "wgs84": ("WGS-84", "WGS-84"),
    "gcj02": ("GCJ-02", "GCJ-02"),
    "bd09": ("BD-09", "BD-09"),
    "curve": ("curve", "曲线"),
    "circle": ("circle", "圆"),
}


def sentence(code: str, facts: Mapping[str, float | str], locale: str) -> str:
    """Return what a signal says, with its numbers.

    Raises:
        KeyError: there is no such signal, or a fact of it is missing.
    """
    which = 0 if locale == EN else 1
    told = {name: _NAMES[fact][which] if isinstance(fact, str) else f"{fact:.10g}" for name, fact in facts.items()}
    return SENTENCES[code][which].format_map(told)
