"""Equipment, orders, tasks, offers, stations and parts. The form is that of ``REASONS``."""

from __future__ import annotations

SERVICE: dict[str, tuple[str, str]] = {
    "service_offer.issued": (
        "An offer for {service} was made: {amount_due} {currency}, valid until {valid_until}.",
        "已生成优惠（{service}）：{amount_due} {currency}，有效期至 {valid_until}。",
    ),
    "service_offer.not_made": ("No offer was made: {reason}.", "未生成优惠：{reason}。"),
    "service_offer.viewed": ("The owner opened the offer.", "车主已查看优惠。"),
    "service_offer.accepted": ("The owner accepted the offer for {slot_at}.", "车主已接受优惠，预约时间 {slot_at}。"),
    "service_offer.slot_changed": ("The owner chose another time: {slot_at}.", "车主改约至 {slot_at}。"),
    "service_offer.declined": ("The owner declined: {reason}.", "车主已拒绝：{reason}。"),
    "service_offer.expired": ("Nobody answered the offer in time.", "优惠超过有效期未答复。"),
    "service_offer.withdrawn": ("The offer was taken back: {reason}.", "优惠已撤回：{reason}。"),
    "service_offer.left_to_decide": (
        "The alarm was withdrawn after the owner had accepted; a manager decides.",
        "告警撤回时车主已接受优惠，交由经理决定。",
    ),
    "coupon.issued": (
        "A personal coupon over {discount} {currency} belongs to the offer.",
        "优惠附带一张 {discount} {currency} 的专属券。",
    ),
    "coupon.redeemed": ("Station {station} redeemed the coupon.", "服务站“{station}”已核销该券。"),
    "coupon.refused": ("A code was refused at the station.", "券码在服务站被拒绝。"),
    "work_order.opened": ("Work order {number} was opened for {job}.", "已创建工单 {number}（{job}）。"),
    "work_order.stations_ranked": (
        "Stations were ranked: authorised, certified and stocked first, then open now, load, distance.",
        "服务站已排序：先看授权区域、资质与备件，再看是否营业、负荷与距离。",
    ),
    "work_order.unassigned": ("No station could take it: {reason}.", "没有服务站可以承接：{reason}。"),
    "work_order.assigned_by_hand": ("A manager chose station {station}.", "经理指定了服务站“{station}”。"),
    "work_order.scheduled": ("Booked at {station} for {slot_at}.", "已预约“{station}”，时间 {slot_at}。"),
    "work_order.slot_lost": ("The station gave the task back, so the booked time was lost.", "服务站退回任务，原预约时间作废。"),
    "work_order.coupon_redeemed": (
        "The owner's coupon was redeemed, so the work may be finished.",
        "车主的优惠券已核销，可以完工。",
    ),
    "work_order.finished": ("Work order {number} is finished.", "工单 {number} 已完工。"),
    "work_order.cancelled": ("The work order was cancelled: {reason}.", "工单已取消：{reason}。"),
    "station_task.offered": (
        "Station {station} was asked, with one {part_no} reserved, to answer by {answer_by}.",
        "已派给“{station}”，预留 1 件 {part_no}，请于 {answer_by} 前答复。",
    ),
    "station_task.accepted": ("The station accepted the task.", "服务站已接单。"),
    "station_task.rejected": ("The station gave the task back: {reason}.", "服务站退回任务：{reason}。"),
    "station_task.lapsed": ("The station did not answer in time.", "服务站未在时限内答复。"),
    "station_task.withdrawn": ("The task was withdrawn: {reason}.", "任务已撤回：{reason}。"),
    "station_task.begun": ("The station began to work.", "服务站已开工。"),
    "station_task.finished": ("The station fitted {serial}.", "服务站已安装 {serial}。"),
    "part.released": ("The reserved {part_no} was given back to the stock.", "预留的 {part_no} 已释放回库存。"),
    "component.created": ("The component was registered.", "部件已登记。"),
    "component.fitted": ("Component {serial} was fitted.", "部件 {serial} 已安装。"),
    "component.fitting_undone": (
        "The fitting of {serial} at {fitted_at} was recorded wrongly and taken back: {reason}.",
        "{serial} 于 {fitted_at} 的安装记录有误，已撤销：{reason}。",
    ),
    "component.put_back": (
        "The fitting of {serial} was taken back, so this component is in the asset again.",
        "{serial} 的安装记录已撤销，本部件恢复为已安装。",
    ),
    "component.removed": ("The component was replaced by {replaced_by}.", "部件已被 {replaced_by} 替换。"),
    "asset.edited": ("The asset was edited.", "设备资产信息已修改。"),
    "asset.created": ("The asset was registered.", "设备资产已登记。"),
    "station.created": ("The station was added.", "服务站已创建。"),
    "station.edited": ("The station was changed.", "服务站信息已修改。"),
    "stock.counted": ("Stock of {part_no} was set to {on_hand}.", "{part_no} 的库存已设为 {on_hand}。"),
}
