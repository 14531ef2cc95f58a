"""Imports every module that declares tables, so that the registry is complete for migrations and tests."""

from __future__ import annotations

import app.assets.models
import app.attachments.models
import app.calendar.models
import app.completeness.models
import app.contacts.models
import app.core.history
import app.core.idempotency
import app.core.leases
import app.core.numbers
import app.custom_fields.models
import app.customer_reports.models
import app.customers.models
import app.day_plans.models
import app.entitlements.models
import app.facts.models
import app.follow_ups.models
import app.imports.models
import app.lead_forms.models
import app.leads.models
import app.participants.models
import app.preparations.models
import app.rules.models
import app.search.models
import app.service_offers.models
import app.stations.models
import app.teams.models
import app.territories.models
import app.tracks.models
import app.users.models
import app.visit_plans.models
import app.visit_types.models
import app.visits.models
import app.work_orders.models
import iot.models
import offline_sync.models
import push.models
from app.core.db import Base

METADATA = Base.metadata
__all__ = ["METADATA", "app", "iot", "offline_sync", "push"]
