"""Everything that a person may ask for while offline, by its kind; one file for each part of the work."""

from __future__ import annotations

from offline_sync.intent_kinds.base import IntentKind
from offline_sync.intent_kinds.entitlements import ENTITLEMENTS
from offline_sync.intent_kinds.notifications import NOTIFICATIONS
from offline_sync.intent_kinds.reports import REPORTS
from offline_sync.intent_kinds.sales import SALES
from offline_sync.intent_kinds.service import SERVICE
from offline_sync.intent_kinds.tracks import TRACKS
from offline_sync.intent_kinds.visits import VISITS

INTENTS: dict[str, IntentKind] = SERVICE | VISITS | SALES | TRACKS | REPORTS | ENTITLEMENTS | NOTIFICATIONS
