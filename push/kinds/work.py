"""What stations read of tasks, and what owners, reps and managers read of work orders."""

from __future__ import annotations

from push.kinds.base import INSTANT, MODEL, Kind, Words

WORK: dict[str, Kind] = {
    "task_offered": Kind(
        {"job": "battery_replacement", **MODEL, "part_no": "BAT-200", "answer_by": INSTANT},
        Words(
            "New task: {asset_model}",
            (
                "{work}.",
                ("part_no", "Part needed: {part_no}."),
                "Please answer by {answer_by:moment}; after that another station is asked.",
            ),
        ),
        Words(
            "新任务：{asset_model}",
            ("{work}。", ("part_no", "所需备件：{part_no}。"), "请在 {answer_by:moment} 前答复，逾期将转派其他服务站。"),
        ),
    ),
    "task_withdrawn": Kind(
        {**MODEL, "reason": "offer_declined"},
        Words(
            "Task withdrawn",
            ("The task for the {asset_model} is no longer needed.", ("why", "{why}"), "Reserved parts are free again."),
        ),
        Words("任务已撤回", ("{asset_model}的任务已取消。", ("why", "{why}"), "预留的备件已释放。")),
    ),
    "task_lapsed": Kind(
        MODEL,
        Words("Task passed on", ("The time to answer is over, so the task for the {asset_model} was passed on.",)),
        Words("任务已转派", ("{asset_model}的任务超过答复时限，已转派。",)),
    ),
    "task_booked": Kind(
        {**MODEL, "slot_at": INSTANT, "part_no": "BAT-200"},
        Words(
            "Booked: {asset_model}", ("The owner comes on {slot_at:moment}.", ("part_no", "Please have part {part_no} ready."))
        ),
        Words("已预约：{asset_model}", ("客户将于 {slot_at:moment} 到店。", ("part_no", "请备好备件 {part_no}。"))),
    ),
    "decision_needed": Kind(
        {"customer_name": "Chen Logistics", **MODEL},
        Words(
            "Your decision is needed: {customer_name}",
            (
                "The alarm for the {asset_model} was withdrawn after the customer had accepted the offer.",
                "Please decide whether the work goes ahead.",
            ),
        ),
        Words("需要您决定：{customer_name}", ("客户接受优惠后，{asset_model}的告警被撤回。", "请决定是否继续安排服务。")),
    ),
    "order_unassigned": Kind(
        {"order_number": "WO-1024", **MODEL, "customer_name": "Chen Logistics", "reason": "no_station_able"},
        Words(
            "No station for {order_number}",
            ("The {asset_model} of {customer_name} is waiting for a station.", ("why", "{why}"), "Please assign one by hand."),
        ),
        Words(
            "工单 {order_number} 无服务站", ("{customer_name}的{asset_model}尚未安排服务站。", ("why", "{why}"), "请手动指派。")
        ),
    ),
    "order_scheduled": Kind(
        {"customer_name": "Chen Logistics", "station_name": "North Service", "slot_at": INSTANT},
        Words("Appointment made: {customer_name}", ("{slot_at:moment} at {station_name}.",)),
        Words("已预约：{customer_name}", ("时间：{slot_at:moment}，地点：{station_name}。",)),
    ),
    "order_finished": Kind(
        {**MODEL, "station_name": "North Service"},
        Words("All done: {asset_model}", ("{station_name} has finished the work on the {asset_model}.",)),
        Words("服务已完成：{asset_model}", ("{station_name}已完成{asset_model}的服务。",)),
    ),
}
