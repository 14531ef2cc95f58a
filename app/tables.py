"""Imports every module that declares tables, so that the registry is complete for migrations and tests."""

from __future__ import annotations

import app.assets.models
import app.attachments.models
import app.calendar.models
import app.core.history
import app.core.idempotency
import app.core.leases
import app.core.numbers
import app.customers.models
import app.rules.models
import app.service_offers.models
import app.stations.models
import app.territories.models
import app.users.models
import app.visits.models
import app.work_orders.models
import iot.models
import offline_sync.models
import push.models
from app.core.db import Base

METADATA = Base.metadata
__all__ = ["METADATA", "app", "iot", "offline_sync", "push"]
