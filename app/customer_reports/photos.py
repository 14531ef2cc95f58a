"""Photos of reports that were filled in offline: the report comes first, the bytes later."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.history import Subject, last_entry, record
from app.core.tracked import hold, touch
from app.customer_reports.models import CustomerReport
from app.visits.pictures import pictures_of

_FOLLOWED_FOR = timedelta(days=30)
_MOST_FOLLOWED = 500


def not_here(session: Session, user_id: str, photos: Collection[str]) -> list[str] | None:
    """Return which of some photos are no picture of the owner's whose bytes have arrived; None where all are."""
    here = pictures_of(session, user_id, photos)
    return sorted(photo for photo in photos if not here.get(photo, False)) or None


def awaiting(session: Session) -> list[str]:
    """Return the reports of the last 30 days whose photos have not all arrived, the newest first."""
    since = now(session) - _FOLLOWED_FOR
    waits = (CustomerReport.awaiting.is_not(None), CustomerReport.created_at >= since, CustomerReport.deleted_at.is_(None))
    newest = select(CustomerReport.id).where(*waits).order_by(CustomerReport.created_at.desc(), CustomerReport.id)
    return list(session.scalars(newest.limit(_MOST_FOLLOWED)))


def follow(session: Session, report_id: str) -> int:
    """Look again which photos of a report have arrived; return 1 when that changed."""
    row = hold(session, CustomerReport, report_id)
    was = row.awaiting or []
    left = not_here(session, row.user_id, was)
    if left == row.awaiting:
        return 0
    row.awaiting = left
    touch(session, row)
    about = Subject("customer_report", row.id)
    arrived = [
        last_entry(session, Subject("attachment", photo), "attachment.stored") for photo in was if photo not in (left or ())
    ]
    causes = [last_entry(session, about, "customer_report.received"), *arrived]
    record(session, "customer_report.photos_arrived", about, causes=causes, photos=len(arrived), left=len(left or ()))
    return 1
