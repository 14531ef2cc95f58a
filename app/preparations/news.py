"""What a visit brought to light: facts that come from it, and from nothing else.

New is what the rep of the visit changed at the customer, a file nobody had attached before, goods that were ordered, and an
answer other than the last one. What owners, other people or machines changed meanwhile is not the visit's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from app.assets.models import Asset
from app.attachments.models import Attachment
from app.core.db import among, now
from app.core.history import HistoryEntry
from app.custom_fields.queries import labels_of as fields_in_words
from app.customers.models import Site
from app.preparations.queries import labels_of
from app.preparations.words import NEWS, NOTHING_NEW, in_words, named_fields
from app.users.rights import Actor
from app.visits.models import StepResult, Visit
from app.work_orders.models import WorkOrder

# What is entered after the check-out, on the way or in the evening, is the visit's, too.
AFTERWARDS = timedelta(days=1)
IN_A_ROW = 3
_KINDS = {
    "customer.edited": "field_edited",
    "site.edited": "field_edited",
    "asset.edited": "field_edited",
    "site.created": "site_added",
    "asset.created": "asset_added",
    "work_order.opened": "order_opened",
}
_MOST = 200


def news_of(session: Session, actor: Actor, visit: Visit) -> list[dict[str, Any]]:
    """Return what a visit brought to light, each with ``code``, ``at`` and ``text`` in the reader's language."""
    if visit.began_at is None:
        return []
    until = now(session) if visit.ended_at is None else visit.ended_at + AFTERWARDS
    subjects = _subjects(session, visit)
    found = [
        *_edits(session, actor, visit, subjects, until),
        *_files(session, actor, visit, subjects, until),
        *_answers(session, actor, visit),
    ]
    return sorted(found, key=lambda one: (one["at"], one["code"], one["text"]))


def _subjects(session: Session, visit: Visit) -> dict[str, list[str]]:
    """Return the ids of what belongs to a visit's customer, by kind."""
    tables: Sequence[tuple[str, Any]] = (("site", Site), ("asset", Asset), ("work_order", WorkOrder))
    found = {
        kind: list(session.scalars(select(model.id).where(model.customer_id == visit.customer_id))) for kind, model in tables
    }
    return found | {"customer": [visit.customer_id]}


def _edits(session: Session, actor: Actor, visit: Visit, subjects: dict[str, list[str]], until: datetime) -> list[dict[str, Any]]:
    of_customer = or_(
        *(
            and_(HistoryEntry.subject_kind == kind, among(session, HistoryEntry.subject_id, ids))
            for kind, ids in subjects.items()
            if ids
        )
    )
    mine = (HistoryEntry.actor_id == visit.user_id, HistoryEntry.kind.in_(list(_KINDS)))
    then = (HistoryEntry.recorded_at >= visit.began_at, HistoryEntry.recorded_at <= until)
    entries = session.scalars(select(HistoryEntry).where(of_customer, *mine, *then).order_by(HistoryEntry.id).limit(_MOST))
    labels = fields_in_words(session, "customer", actor.locale)
    return [
        _told(actor, _KINDS[one.kind], one.recorded_at, fields=named_fields(one.facts.get("fields", ()), actor.locale, labels))
        for one in entries
    ]


def _files(session: Session, actor: Actor, visit: Visit, subjects: dict[str, list[str]], until: datetime) -> list[dict[str, Any]]:
    """Return the files that came from the visit and whose bytes nobody had attached before."""
    ids = [row_id for some in subjects.values() for row_id in some]
    earlier = aliased(Attachment)
    seen = select(earlier.id).where(earlier.sha256 == Attachment.sha256, earlier.created_at < Attachment.created_at).exists()
    files = select(Attachment).where(
        Attachment.user_id == visit.user_id,
        Attachment.deleted_at.is_(None),
        among(session, Attachment.subject_id, ids),
        Attachment.created_at >= visit.began_at,
        Attachment.created_at <= until,
        ~seen,
    )
    rows = session.scalars(files.order_by(Attachment.id).limit(_MOST))
    return [_told(actor, "attachment_new", row.created_at, name=row.name) for row in rows]


def _answers(session: Session, actor: Actor, visit: Visit) -> list[dict[str, Any]]:
    """Return the orders, and the results of steps that differ from the last ones at the same site. Photos are files."""
    labels = labels_of(session, visit, actor.locale)
    found = []
    own = select(StepResult).where(StepResult.visit_id == visit.id, StepResult.standing, StepResult.kind != "photo")
    for row in session.scalars(own.order_by(StepResult.id)):
        told = {"step": labels.get(row.step, row.step)}
        if row.kind == "order":
            found += [_told(actor, "goods_ordered", row.created_at, **told)] if row.content.get("lines") else []
        elif row.content != _before(session, visit, row.step):
            found.append(_told(actor, "answer_differs", row.created_at, **told))
    return found


def _before(session: Session, visit: Visit, step: str) -> dict[str, Any] | None:
    """Return what was recorded for a step at the visit to the site before this one."""
    earlier = select(StepResult.content).join(Visit, Visit.id == StepResult.visit_id)
    there = (Visit.site_id == visit.site_id, Visit.id != visit.id, Visit.began_at < visit.began_at)
    same = (StepResult.step == step, StepResult.standing)
    return session.scalar(earlier.where(*there, *same).order_by(Visit.began_at.desc()).limit(1))


def _told(actor: Actor, code: str, at: datetime, **facts: Any) -> dict[str, Any]:
    return {"code": code, "at": at, "text": in_words(NEWS[code], actor.locale, **facts)}


def shown(session: Session, actor: Actor, visit: Visit) -> dict[str, Any]:
    """Return what a visit brought to light, and a hint where the last three to this customer brought nothing."""
    items = news_of(session, actor, visit)
    hint = None
    if not items and _are_all_empty(session, actor, visit):
        hint = in_words(NOTHING_NEW, actor.locale, count=IN_A_ROW)
    return {"visit_id": visit.id, "items": items, "hint": hint}


def _are_all_empty(session: Session, actor: Actor, visit: Visit) -> bool:
    """Tell whether a finished visit and those before it at the same customer, three together, brought nothing new."""
    if visit.state != "finished":
        return False
    before = select(Visit).where(
        Visit.customer_id == visit.customer_id,
        Visit.state == "finished",
        Visit.id != visit.id,
        Visit.ended_at <= visit.ended_at,
    )
    rows = list(session.scalars(before.order_by(Visit.ended_at.desc(), Visit.id.desc()).limit(IN_A_ROW - 1)))
    return len(rows) == IN_A_ROW - 1 and not any(news_of(session, actor, row) for row in rows)
