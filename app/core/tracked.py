"""What a phone may hold: id, version, change number, tombstone; and the one door for state transitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import BigInteger, Integer, Select, String, inspect, null, select, update
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column
from sqlalchemy.orm.attributes import flag_modified

from app.core.db import TRACKED, Base, Moment, among, insert_into, insert_many, now
from app.core.errors import Conflict, NotFound
from app.core.ids import new_id

T = TypeVar("T", bound="Tracked")
R = TypeVar("R", bound=Base)


class Tracked(Base):
    """A row that phones may keep a copy of.

    ``change_no`` is empty from a write until the end of its transaction; see ``core/db.py``.
    A deleted row stays as a tombstone with ``deleted_at`` set.
    """

    __abstract__ = True
    STATES: ClassVar[dict[str, frozenset[str]]] = {}
    # Columns a phone may edit while it is offline; who changed each last is kept, to merge by field.
    MERGED: ClassVar[frozenset[str]] = frozenset()

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id, sort_order=-10)
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1, sort_order=90)
    change_no: Mapped[int | None] = mapped_column(BigInteger, default=None, onupdate=null(), index=True, sort_order=91)
    created_at: Mapped[datetime] = mapped_column(Moment, nullable=False, sort_order=92)
    updated_at: Mapped[datetime] = mapped_column(Moment, nullable=False, sort_order=93)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment, default=None, sort_order=94)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy passes the class
        return {"version_id_col": cls.version}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__tablename__" in cls.__dict__:
            TRACKED.add(cls.__tablename__)


class FieldMark(Base):
    """When a field that phones may edit last changed, and by which installation (empty: not by a phone)."""

    __tablename__ = "field_marks"
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    field: Mapped[str] = mapped_column(String(40), primary_key=True)
    change_no: Mapped[int | None] = mapped_column(BigInteger, default=None, onupdate=null(), index=True)
    installation_id: Mapped[str] = mapped_column(String(36))


TRACKED.add(FieldMark.__tablename__)


def add(session: Session, row: T) -> T:
    """Insert a tracked row, dated by the session's clock, and flush it."""
    row.created_at = row.updated_at = now(session)
    session.add(row)
    session.flush()
    return row


def add_many(session: Session, model: type[Tracked], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Insert many tracked rows, dated by the session's clock, without loading them; return their ids.

    Args:
        rows: values by column; a missing ``id`` is made, and a column that a row leaves out is null.
    """
    present = now(session)
    given = list(rows)
    names = sorted({name for row in given for name in row})
    ids = [str(row.get("id") or new_id()) for row in given]
    dated = {"version": 1, "created_at": present, "updated_at": present}
    made = [dict.fromkeys(names) | dated | {**row, "id": row_id} for row, row_id in zip(given, ids, strict=True)]
    insert_many(session, model, made)
    return ids


def touch(session: Session, row: Tracked) -> None:
    """Date an edited row and flush it; a concurrent edit raises ``Conflict``.

    Fields that phones may edit are marked with the phone's database named in ``session.info["marked_by"]``, if any.
    """
    row.updated_at = now(session)
    # Also where nothing else changed and the clock did not move: somebody else's fact about this row may have.
    flag_modified(row, "updated_at")
    state = inspect(row)
    edited = [name for name in sorted(row.MERGED) if state.attrs[name].history.has_changes()]
    session.flush()
    if edited:
        mark_fields(session, row, edited)


def renumber(session: Session, row: Tracked) -> None:
    """Give a row a new change number though it did not change: a fact about it did, or a phone must hear of it again."""
    renumber_many(session, type(row), [row.id])


def renumber_many(session: Session, model: type[Tracked], ids: Collection[str]) -> None:
    """As ``renumber``, of many rows."""
    some = update(model).where(among(session, model.id, ids))
    session.execute(some.values(change_no=None).execution_options(synchronize_session=False))


def mark_fields(session: Session, row: Tracked, edited: Collection[str]) -> None:
    """Note that fields of a row changed now, and by whom, for phones that did not see it; also names of parts of a field."""
    by = session.info.get("marked_by", "")
    insert = insert_into(session, FieldMark).values(
        [
            {"collection": row.__tablename__, "row_id": row.id, "field": name, "change_no": None, "installation_id": by}
            for name in edited
        ]
    )
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["collection", "row_id", "field"],
            set_={"change_no": None, "installation_id": insert.excluded.installation_id},
        )
    )


def can_become(row: Tracked, to: str) -> bool:
    """Tell whether the state machine of the row's model allows the step to ``to``."""
    return row.state in sources_of(type(row), to)  # type: ignore[attr-defined]


def sources_of(model: type[Tracked], to: str) -> frozenset[str]:
    """Return the states from which ``to`` may be entered."""
    return frozenset(state for state, following in model.STATES.items() if to in following)


def transition(session: Session, row: Tracked, to: str, *, expect: Iterable[str] | None = None, **values: Any) -> None:
    """Move a row to another state, guarded in SQL: of two racing callers one wins.

    Args:
        row: the loaded row; it is refreshed.
        to: the new state.
        expect: states it may come from; by default all that the model's ``STATES`` allow.
        values: further columns set in the same statement.

    Raises:
        Conflict: ``state_conflict`` when the row is in none of the expected states any more.
    """
    if not try_transition(session, row, to, expect=expect, **values):
        raise Conflict("state_conflict", state=row.state, wanted=to)  # type: ignore[attr-defined]


def try_transition(session: Session, row: Tracked, to: str, *, expect: Iterable[str] | None = None, **values: Any) -> bool:
    """As ``transition``, but tell by the answer whether this caller won."""
    model = type(row)
    sources = frozenset(expect) if expect is not None else sources_of(model, to)
    session.flush()
    moved = session.execute(
        update(model)
        .where(model.id == row.id, model.state.in_(sorted(sources)), model.deleted_at.is_(None))  # type: ignore[attr-defined]
        .values(state=to, version=model.version + 1, updated_at=now(session), **values)
        .execution_options(synchronize_session=False)
    )
    session.refresh(row)
    return moved.rowcount == 1  # type: ignore[attr-defined, no-any-return]


def one_of(session: Session, visible: Select[R], model: type[R], row_id: str) -> R:
    """Load one of the rows that somebody may see.

    Args:
        visible: a select of them, as a room's ``visible_to`` gives it.

    Raises:
        NotFound: when it is none of them, be there such a row or not.
    """
    rows: Any = model
    row = session.scalar(visible.where(rows.id == row_id))
    if row is None:
        raise NotFound
    return row


def fetch(session: Session, model: type[T], row_id: str) -> T:
    """Load a live row by id without asking who may see it; for verbs that already hold a right to it.

    Raises:
        NotFound: when there is none.
    """
    return _found(session.scalar(select(model).where(model.id == row_id, model.deleted_at.is_(None))))


def hold(session: Session, model: type[T], row_id: str) -> T:
    """As ``fetch``, but as it is this instant, and keep it from others until the commit.

    Verbs on one offer or one order follow each other by this, so that none decides by what another
    is just changing. Who holds several takes the offer first, then the order, so that none waits in a circle.
    """
    query = select(model).where(model.id == row_id, model.deleted_at.is_(None))
    return _found(session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True)))


def _found(row: T | None) -> T:
    if row is None:
        raise NotFound
    return row
