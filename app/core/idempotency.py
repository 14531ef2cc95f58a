"""Idempotency-Key: the answer of a request is stored with its effect, and given again to who repeats it."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from flask import Response, g, request
from sqlalchemy import String, delete, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db import Base, Moment, insert_once, is_deadlock, now
from app.core.errors import (
    Conflict,
    Invalid,
)

KEY_PATTERN = re.compile(r"[A-Za-z0-9_.:-]{8,100}")


class StoredAnswer(Base):
    """The answer given to an Idempotency-Key, written in the transaction of the effect it answers for."""

    __tablename__ = "stored_answers"

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    etag: Mapped[str | None] = mapped_column(String(40))
    body: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(Moment, index=True)


def claim_key(session: Session, key: str) -> StoredAnswer | None:
    """Take the key for this request, or return the answer it got before."""
    if not KEY_PATTERN.fullmatch(key):
        raise Invalid("key_invalid")
    body_hash = hashlib.sha256(request.path.encode() + b"\n" + request.get_data(cache=True)).hexdigest()
    identity = {"user_id": g.actor.id, "route": str(request.url_rule)[:200], "key": key}
    try:
        if insert_once(session, StoredAnswer, **identity, body_hash=body_hash, at=now(session)):
            return None
    except OperationalError as fault:
        if is_deadlock(fault):
            raise
        raise Conflict("key_in_flight", retry_after_s=2) from fault
    stored = session.scalars(select(StoredAnswer).filter_by(**identity)).one()
    if stored.body_hash != body_hash:
        raise Invalid("key_reused")
    return stored


def is_known(session: Session, key: str) -> bool:
    """Tell whether this key was answered before, so that ``claim_key`` will have the answer."""
    return session.get(StoredAnswer, (g.actor.id, str(request.url_rule)[:200], key)) is not None


def store_answer(session: Session, key: str, answer: Response) -> None:
    """Keep the answer of this request for its key."""
    session.execute(
        update(StoredAnswer)
        .where(
            StoredAnswer.user_id == g.actor.id,
            StoredAnswer.route == str(request.url_rule)[:200],
            StoredAnswer.key == key,
        )
        .values(status=answer.status_code, body=answer.get_data(as_text=True), etag=g.get("etag"))
    )


def replay(stored: StoredAnswer) -> Response:
    """Return the answer that was given before, and say so."""
    answer = Response(stored.body or "", status=stored.status, mimetype="application/json")
    answer.headers["Idempotency-Replayed"] = "true"
    if stored.etag:
        answer.headers["ETag"] = stored.etag
    return answer


def forget_answers(session: Session, days: int) -> int:
    """Delete stored answers older than ``days``; return how many."""
    gone = session.execute(delete(StoredAnswer).where(StoredAnswer.at < now(session) - timedelta(days=days)))
    return int(gone.rowcount)  # type: ignore[attr-defined]
