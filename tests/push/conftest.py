"""Fixtures of the tests of ``push``: people with phones, an outbox to look into, a channel that keeps what it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core import history
from app.core.db import Database, now
from app.core.ids import new_id
from app.core.settings import Settings, read_settings
from app.core.tracked import add
from app.users.models import OneTimeLink, User
from app.users.secrets import token_hash
from push.channels import Accepted, Address, Outcome
from push.kinds import LINK_KINDS, MESSAGES
from push.messages import Message
from push.models import Notification, OutboxMessage, RegistrationToken
from push.outbox import enqueue


class Outbox:
    """What the tests of ``push`` do with one database."""

    def __init__(self, db: Database, clock: Any) -> None:
        self.db, self.clock = db, clock

    def person(self, *addresses: str, email: str | None = None, **values: Any) -> User:
        """Add an active administrator with registered phones."""
        with self.db.transaction() as session:
            present = now(session)
            given = {"name": "Ann", "role": "admin", "state": "active", "locale": "en", "valid_from": present} | values
            user = add(session, User(login=new_id(), email=email, **given))
            for address in addresses:
                session.add(
                    RegistrationToken(
                        id=new_id(),
                        user_id=user.id,
                        address_kind="token",
                        address=address,
                        registered_at=present,
                        seen_at=present,
                    )
                )
        return user

    def queue(self, user: User, kind: str = "offer_expired", **data: Any) -> Notification:
        """Queue one message of a kind with its sample facts."""
        with self.db.transaction() as session:
            facts = MESSAGES[kind].sample | data if kind in MESSAGES else data
            if kind in LINK_KINDS:
                end = now(session) + timedelta(hours=1)
                hashed = token_hash(facts["link_id"])
                session.add(OneTimeLink(id=facts["link_id"], kind=kind, user_id=user.id, secret_hash=hashed, expires_at=end))
            subject = history.Subject("offer", new_id())
            (made,) = enqueue(session, [user], kind, subject, dedupe=new_id(), **facts)
        return made

    def rows(self, **where: Any) -> list[OutboxMessage]:
        """Return outbox rows, oldest first."""
        with self.db.reading() as session:
            found = list(session.scalars(select(OutboxMessage).filter_by(**where).order_by(OutboxMessage.id)))
            session.expunge_all()
        return found

    def row(self, **where: Any) -> OutboxMessage:
        """Return the only outbox row."""
        (found,) = self.rows(**where)
        return found

    def phones(self) -> set[str]:
        """Return every registered address."""
        with self.db.reading() as session:
            return set(session.scalars(select(RegistrationToken.address)))

    def history(self, kind: str) -> list[history.HistoryEntry]:
        """Return the entries of one kind."""
        with self.db.reading() as session:
            found = list(session.scalars(select(history.HistoryEntry).filter_by(kind=kind)))
            session.expunge_all()
        return found

    def lapse_leases(self) -> None:
        """Let every lease run out, whichever clock judges it."""
        with self.db.transaction() as session:
            session.execute(
                update(OutboxMessage)
                .where(OutboxMessage.leased_until.is_not(None))
                .values(leased_until=datetime(2001, 1, 1, tzinfo=UTC))
            )


@pytest.fixture
def outbox(db: Database, clock: Any) -> Outbox:
    clock.set(datetime(2026, 6, 1, 8, 0, tzinfo=UTC))
    return Outbox(db, clock)


@dataclass
class FakeChannel:
    """A channel that keeps what it is given and answers what it is told; accepts when told nothing."""

    answers: list[Outcome | BaseException | Callable[[], Outcome]] = field(default_factory=list)
    sent: list[tuple[Address, Message, str]] = field(default_factory=list)

    def send(self, to: Address, message: Message, dedupe_id: str) -> Outcome:
        self.sent.append((to, message, dedupe_id))
        answer = self.answers.pop(0) if self.answers else Accepted()
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    @property
    def addresses(self) -> list[str]:
        return [to.value for to, _, _ in self.sent]

    @property
    def dedupe_ids(self) -> list[str]:
        return [dedupe_id for _, _, dedupe_id in self.sent]


@pytest.fixture
def fake_channel() -> type[FakeChannel]:
    return FakeChannel


@pytest.fixture
def with_settings() -> Callable[..., Settings]:
    return lambda **changes: read_settings(**changes)
