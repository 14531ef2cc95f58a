"""Equipment and its service: assets, orders, tasks, offers, alarms."""

from __future__ import annotations

from app.assets.models import Asset
from app.service_offers.models import ServiceOffer
from app.stations.models import Station
from app.work_orders.models import StationTask, WorkOrder
from iot.models import Alarm
from offline_sync.collections.base import Collection, plain

SERVICE = (
    Collection(
        "stations",
        Station,
        "stations.read",
        plain("code", "name", "address", "lat", "lon", "opening_hours", "time_zone", "active"),
    ),
    Collection(
        "assets",
        Asset,
        "assets.read",
        plain("serial", "model", "customer_id", "site_id", "warranty_until"),
        optional=frozenset({"warranty_until"}),
    ),
    Collection(
        "alarms",
        Alarm,
        "alarms.read",
        plain(
            "asset_id",
            "state",
            "severity",
            "metric",
            "raised_at",
            "last_at",
            "last_value",
            "readings",
            "cleared_at",
            "end_reason",
        ),
        optional=frozenset({"cleared_at", "end_reason"}),
    ),
    Collection(
        "work_orders",
        WorkOrder,
        "work_orders.read",
        plain(
            "number",
            "job",
            "asset_id",
            "customer_id",
            "site_id",
            "part_no",
            "state",
            "slot_at",
            "finished_at",
            "cancel_reason",
        ),
        optional=frozenset({"slot_at", "finished_at", "cancel_reason"}),
    ),
    Collection(
        "station_tasks",
        StationTask,
        "station_tasks.read",
        plain("work_order_id", "station_id", "state", "part_no", "answer_by", "reason"),
        optional=frozenset({"reason"}),
    ),
    Collection(
        "service_offers",
        ServiceOffer,
        "offers.read",
        plain(
            "kind",
            "state",
            "asset_id",
            "work_order_id",
            "price",
            "discount",
            "amount_due",
            "currency",
            "under_warranty",
            "valid_until",
        ),
    ),
)
