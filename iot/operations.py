"""Verbs of people on alarms and dead letters."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Device
from app.core.clock import to_ms
from app.core.db import Database
from app.core.errors import Conflict, NotFound, TooMany, Unauthenticated
from app.core.fault_points import FaultPoint, passed
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import transition
from app.core.wire import WireError
from app.users import tries
from app.users.rights import Actor
from iot import reminders
from iot.adapters import decode, thingsboard
from iot.ingest import Message, ingest_batch
from iot.models import Alarm, DeadLetter
from push import fallback

_TOKEN_TRIES = 30
_LETTERS = Subject("dead_letters", "dead_letters")


def acknowledge(session: Session, actor: Actor, alarm: Alarm) -> Alarm:
    """Somebody has seen the alarm and looks after it; its messages try no further channel, and nobody is reminded any more.

    Raises:
        Conflict: ``state_conflict`` unless it is raised.
    """
    transition(session, alarm, "acknowledged", acknowledged_by=actor.id)
    about = Subject("alarm", alarm.id)
    record(session, "alarm.acknowledged", about, causes=[last_entry(session, about)], actor_id=actor.id)
    fallback.stop(session, about)
    reminders.end(session, alarm)
    return alarm


def device_of_token(database: Database, token: str, origin: str) -> Device:
    """Return the device whose secret a caller brought.

    Wrong tokens are counted by the address they come from. A right one is never held up by them: others behind the same
    address may have guessed.

    Args:
        token: the device's secret.
        origin: the network address of the caller.

    Raises:
        Unauthenticated: ``unauthenticated`` when the token is no active device's; its trace counts the failure.
        TooMany: ``too_many_requests`` instead, while the address is locked.
    """
    subject = tries.subject_of("device-token-address", origin)
    with database.reading() as session:
        try:
            return assets.device_of_token(session, token)
        except Unauthenticated as refused:
            if (left_s := tries.locked_for_s(session, subject)) is not None:
                raise TooMany("too_many_requests", retry_after_s=left_s) from None
            refused.trace = lambda own: tries.count_failure(own, subject, _TOKEN_TRIES)
            raise


def take_telemetry(database: Database, settings: Settings, token: str, payload: bytes, origin: str) -> None:
    """Take in what a device sent over HTTP, as if its gateway had published it. It is stored when this returns.

    Raises:
        Unauthenticated, TooMany: as ``device_of_token``.
        WireError: with the reason, when the payload cannot be used; nothing was stored. ``not_storable``: it was understood,
            but not all of its values can be stored.
        TooMany: ``rate_limited`` when the device sends more than its rate allows; counted, and nothing was stored.
    """
    address = device_of_token(database, token, origin).address
    _check_size(settings, payload)
    if _take(database, settings, thingsboard.TELEMETRY, thingsboard.telemetry_of(address, payload))["rate_limited"]:
        raise TooMany("rate_limited", retry_after_s=60)


def take_answer(database: Database, settings: Settings, token: str, number: int, payload: bytes, origin: str) -> None:
    """Take in a device's answer to a command over HTTP, as if its gateway had published it.

    One to another device's command, or to none, is passed over, as ThingsBoard does.

    Raises:
        Unauthenticated, TooMany: as ``device_of_token``.
        WireError: with the reason, when the payload cannot be used.
    """
    address = device_of_token(database, token, origin).address
    _check_size(settings, payload)
    _take(database, settings, thingsboard.RPC, thingsboard.rpc_answer_of(address, number, payload))


def _check_size(settings: Settings, payload: bytes) -> None:
    if len(payload) > settings.payload_limit_bytes:
        raise WireError("too_large", f"{len(payload)} bytes, at most {settings.payload_limit_bytes}")


def _take(database: Database, settings: Settings, topic: str, payload: bytes) -> Counter[str]:
    message = Message(topic, payload, False, to_ms(database.clock.now()))
    decode(topic, payload, retained=False, received_ms=message.received_ms)
    fates = ingest_batch(database, settings, [message])
    if fates["poison"] or fates["poison_dropped"]:
        raise WireError("not_storable")
    return fates


def dismiss(session: Session, actor: Actor, letter_id: str) -> DeadLetter:
    """Close a dead letter that is of no use; the same message again opens it again.

    Raises:
        NotFound: when there is none.
    """
    letter = session.get(DeadLetter, letter_id, with_for_update=True)
    if letter is None:
        raise NotFound
    if letter.state != "dismissed":
        letter.state = "dismissed"
        _tell(session, actor, letter, "dismissed")
    session.flush()
    return letter


def _tell(session: Session, actor: Actor, letter: DeadLetter, how: str) -> None:
    """Write into the causal log what somebody did with a dead letter."""
    about = Subject("dead_letter", letter.id)
    causes = [last_entry(session, about)]
    record(
        session,
        f"dead_letter.{how}",
        about,
        causes=causes,
        actor_id=actor.id,
        topic=letter.topic,
        source=letter.source,
        reason=letter.reason,
    )


def dismiss_all(session: Session, actor: Actor, source: str, reason: str | None) -> int:
    """Close the open dead letters of a source, of one reason if named; the same messages again open them again.

    Returns:
        How many.
    """
    of_no_use = update(DeadLetter).where(DeadLetter.state == "open", DeadLetter.source == source)
    if reason is not None:
        of_no_use = of_no_use.where(DeadLetter.reason == reason)
    done = session.execute(of_no_use.values(state="dismissed").execution_options(synchronize_session=False))
    n = int(done.rowcount)  # type: ignore[attr-defined]
    if n:
        record(session, "dead_letters.dismissed", _LETTERS, actor_id=actor.id, n=n, source=source)
    return n


def replay(database: Database, settings: Settings, actor: Actor, letter_id: str) -> DeadLetter:
    """Send one dead letter through the ingest again, as if it had just been read, with its first arrival time.

    Raises:
        NotFound: when there is none.
        Conflict: ``not_replayable`` when only its head was kept.
    """
    with database.reading() as session:
        letter = session.get(DeadLetter, letter_id)
        if letter is None:
            raise NotFound
        if not letter.whole:
            raise Conflict("not_replayable")
        times = letter.times
        message = Message(letter.topic, letter.payload, False, to_ms(letter.received_at))
    # It stays open until its content is stored: whoever dies in between leaves a letter that is found again.
    ingest_batch(database, settings, [message], limited=False)
    passed(FaultPoint.LETTER_INGESTED)
    with database.transaction() as session:
        letter = session.get_one(DeadLetter, letter_id, with_for_update=True)
        if letter.times > times:  # it failed again: that was ours, and not the device's
            letter.times -= 1
            _tell(session, actor, letter, "refused_again")
        else:
            letter.state = "replayed"
            _tell(session, actor, letter, "replayed")
        return letter
