"""Which topics of other makers' devices the ingest of shard 0 listens to: those the device profiles speak of.

A broker keeps the subscriptions of a lasting session, also those nobody wants any more. So each is noted before it is asked
for, and the note goes when the broker has confirmed that the subscription is gone.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.assets.mappings import FILTERS_OF, filter_of
from app.assets.models import DeviceProfile
from app.core.db import insert_once
from iot.models import BrokerFilter

# Listened to always, see iot.subscriber.topics_of.
_ALWAYS = frozenset({"native", "ovms"})


def wanted(session: Session) -> set[str]:
    """Return the filters the profiles need."""
    rows = session.execute(
        select(DeviceProfile.adapter, DeviceProfile.mapping).where(
            DeviceProfile.adapter.notin_(_ALWAYS), DeviceProfile.deleted_at.is_(None)
        )
    )
    filters: set[str] = set()
    for adapter, mapping in rows:
        filters.update((filter_of(mapping["topic"]),) if mapping else FILTERS_OF.get(adapter, ()))
    return filters


def compare(session: Session) -> tuple[set[str], set[str]]:
    """Note the filters that are wanted; return them, and those that were noted and are wanted no more."""
    noted = set(session.scalars(select(BrokerFilter.topic)))
    following = wanted(session)
    for topic in sorted(following - noted):
        insert_once(session, BrokerFilter, topic=topic)
    return following, noted - following


def forget(session: Session, gone: Collection[str]) -> None:
    """Strike filters off that the broker has confirmed to be gone."""
    if gone:
        session.execute(delete(BrokerFilter).where(BrokerFilter.topic.in_(sorted(gone))))
