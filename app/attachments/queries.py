"""The only readers of attachments."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset
from app.attachments.models import Attachment
from app.core.clock import to_ms
from app.core.db import among, now
from app.core.errors import NotFound
from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer, Site
from app.users.rights import Actor
from app.visits.models import CheckIn, StepResult, Visit
from app.work_orders import queries as orders
from app.work_orders.models import WorkOrder

MOST_OF_VISIT = 200


def _about(kind: str, subjects: Select[str]) -> ColumnElement[bool]:
    return and_(Attachment.subject_kind == kind, Attachment.subject_id.in_(subjects))


def visible_to(actor: Actor) -> Select[Attachment]:
    """Return the attachments an actor may see: their own, and those of what they see. Stations: of their tasks only."""
    ways = [
        Attachment.user_id == actor.id,
        _about("asset", assets.visible_to(actor).with_only_columns(Asset.id)),
        _about("work_order", orders.visible_to(actor).with_only_columns(WorkOrder.id)),
    ]
    if customers.granted_stations(actor) is None:
        ways += [
            _about("customer", customers.visible_to(actor).with_only_columns(Customer.id)),
            _about("site", customers.visible_sites(actor).with_only_columns(Site.id)),
        ]
    return select(Attachment).where(Attachment.deleted_at.is_(None), or_(*ways))


def access_attachment(session: Session, actor: Actor, attachment_id: str) -> Attachment:
    """Load one attachment the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Attachment, attachment_id)


def own_attachment(session: Session, actor: Actor, attachment_id: str) -> Attachment:
    """Load one attachment the actor made: nobody else brings its bytes.

    Raises:
        NotFound: when there is none, or it is somebody else's.
    """
    own = (Attachment.id == attachment_id, Attachment.user_id == actor.id, Attachment.deleted_at.is_(None))
    return _found(session.scalar(select(Attachment).where(*own)))


def deleted_attachment(session: Session, actor: Actor, attachment_id: str) -> Attachment:
    """Load a deleted attachment the actor had made.

    Raises:
        NotFound: when there is none, or it was somebody else's.
    """
    own = (Attachment.id == attachment_id, Attachment.user_id == actor.id, Attachment.deleted_at.is_not(None))
    return _found(session.scalar(select(Attachment).where(*own)))


def twin_of(session: Session, actor: Actor, row: Attachment) -> Attachment | None:
    """Return a stored attachment of the same bytes, treated the same way, that the actor may see."""
    same = (
        Attachment.sha256 == row.sha256,
        Attachment.size == row.size,
        Attachment.mime == row.mime,
        Attachment.keep_location == row.keep_location,
        Attachment.state == "stored",
    )
    return session.scalar(visible_to(actor).where(*same).limit(1))


def of_visit(session: Session, actor: Actor, visit: Visit) -> list[Attachment]:
    """Return what an actor may see of a visit's files, the oldest first; one more than are shown where there are more.

    Its files are those that its check-ins and steps name, and those that its rep made between check-in and check-out, by the
    phone's clock, about its customer, its site, or assets and work orders there: pictures, and what was spoken into the phone.
    """
    ways: list[ColumnElement[bool]] = [Attachment.id.in_(sorted(_named_at(session, visit)))]
    span = _span_ms(session, visit)
    if span is not None:
        there = (
            and_(Attachment.subject_kind == "customer", Attachment.subject_id == visit.customer_id),
            and_(Attachment.subject_kind == "site", Attachment.subject_id == visit.site_id),
            _about("asset", select(Asset.id).where(Asset.customer_id == visit.customer_id)),
            _about("work_order", select(WorkOrder.id).where(WorkOrder.customer_id == visit.customer_id)),
        )
        then = Attachment.made_ms.between(*span)
        ways.append(and_(Attachment.user_id == visit.user_id, then, or_(*there)))
    found = visible_to(actor).where(or_(*ways)).order_by(Attachment.made_ms, Attachment.id)
    return list(session.scalars(found.limit(MOST_OF_VISIT + 1)))


def _span_ms(session: Session, visit: Visit) -> tuple[int, int] | None:
    """Return from when to when a visit was, by its phone's clock, as files tell when they were made; None: it has not begun.

    A visit without check-ins has been shown by a track, and is known by our clock alone. So is one in which the phone's clock
    was set back further than the visit took: no span of its own holds what was made before and after that.
    """
    if visit.began_at is None:
        return None
    ours = to_ms(visit.began_at), to_ms(visit.ended_at or now(session))
    told = {row.leaving: row for row in session.scalars(select(CheckIn).where(CheckIn.visit_id == visit.id))}
    came, left = told.get(False), told.get(True)
    since = came.told_ms if came is not None else ours[0]
    until = left.told_ms if left is not None else ours[1] - ((came.skew_ms or 0) if came is not None else 0)
    return (since, until) if since <= until else ours


def _named_at(session: Session, visit: Visit) -> set[str]:
    """Return the ids of the photos that a visit's check-ins and steps name."""
    shown = session.scalars(select(CheckIn.photo_id).where(CheckIn.visit_id == visit.id, CheckIn.photo_id.is_not(None)))
    steps = session.scalars(select(StepResult.content).where(StepResult.visit_id == visit.id, StepResult.kind == "photo"))
    return {str(one) for one in shown} | {photo for content in steps for photo in content.get("photo_ids", ())}


def used_files(session: Session, names: Collection[str]) -> set[str]:
    """Return those of some stored files that an attachment needs."""
    used = select(Attachment.stored_sha256).where(
        among(session, Attachment.stored_sha256, names), Attachment.deleted_at.is_(None), Attachment.state == "stored"
    )
    return {name for name in session.scalars(used) if name is not None}


def _found(row: Attachment | None) -> Attachment:
    if row is None:
        raise NotFound
    return row
