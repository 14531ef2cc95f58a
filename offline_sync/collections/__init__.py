"""COLLECTIONS: every noun that phones hold, with what of it they get; one file for each part of the work."""

from __future__ import annotations

from offline_sync.collections.base import Collection
from offline_sync.collections.customers import CUSTOMERS
from offline_sync.collections.owed import OWED
from offline_sync.collections.own import OWN
from offline_sync.collections.sales import SALES
from offline_sync.collections.service import SERVICE
from offline_sync.collections.visits import VISITS

COLLECTIONS: dict[str, Collection] = {found.name: found for found in (*CUSTOMERS, *SERVICE, *SALES, *VISITS, *OWED, *OWN)}
