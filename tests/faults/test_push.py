"""Messages and coupons under faults of a provider on loopback that speaks as FCM does, and of people who guess."""

from __future__ import annotations

import base64
import random
import secrets as randomness
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.service_offers.models import Coupon
from push.channels.fcm import FcmChannel
from push.delivery import drain
from push.models import OutboxMessage, RegistrationToken
from push.operations import send_test
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.faults.plant import SOAK
from tests.faults.provider import BAD, BUSY, CROWDED, DEAD, Provider
from tests.faults.told import count
from tests.iot.vehicles import DAY, Value, message
from tests.people import Http

pytestmark = pytest.mark.timeout(3600 if SOAK else 300)
PHONES = 1000 if SOAK else 60


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.release.set()
    running.stop()


@pytest.fixture
def deliver(world: World, settings: Settings, provider: Provider, with_fcm: Callable[[str], FcmChannel]) -> Callable[[], int]:
    channel = with_fcm(provider.url)
    return lambda: drain(world.db, settings, {"fcm": channel}, limit=200)


@pytest.fixture
def with_fcm(settings: Settings, clock: SetClock) -> Iterator[Callable[[str], FcmChannel]]:
    made: list[FcmChannel] = []

    def make(url: str) -> FcmChannel:
        made.append(FcmChannel(replace(settings, fcm_url=url), clock))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def give_phones(world: World, n: int) -> list[str]:
    """Give the rep so many registered phones."""
    present = world.db.clock.now()
    phones = [f"phone-{i:04d}" for i in range(n)]
    with world.db.transaction() as session:
        for address in phones:
            phone = {"address_kind": "token", "address": address, "registered_at": present, "seen_at": present}
            session.add(RegistrationToken(id=new_id(), user_id=world.rep, **phone))
    return phones


def tell(world: World) -> None:
    """Queue one message for each of the rep's phones."""
    rep = world.actor(world.rep)
    with world.db.transaction() as session:
        send_test(session, rep)


def rows(world: World) -> list[OutboxMessage]:
    with world.db.reading() as session:
        found = list(session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "fcm").order_by(OutboxMessage.id)))
        session.expunge_all()
    return found


def test_a_provider_that_does_not_answer_holds_up_neither_requests_nor_the_ingest(
    world: World, http: Http, provider: Provider, deliver: Callable[[], int]
) -> None:
    give_phones(world, 3)
    tell(world)
    provider.release.clear()
    admin = http.as_(world.admin)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(deliver)
        assert provider.asked.wait(60)
        for n in range(20):
            admin.post("/territories", {"code": f"T{n}", "name": f"Territory {n}"}, 201)
            assert (
                world.send(message(world, world.device, Value(MONDAY_MORNING + n * DAY / 1000, 80.0, f"b:{n}")))["reading"] == 1
            )
        assert not sending.done(), "the provider was still silent"
        assert {row.state for row in rows(world)} == {"queued"}
        provider.release.set()
        assert sending.result(60) == 3
    assert {row.state for row in rows(world)} == {"accepted"}


def test_what_was_refused_together_comes_back_apart_not_before_it_was_asked_for_and_is_not_lost(
    world: World, clock: SetClock, provider: Provider, deliver: Callable[[], int]
) -> None:
    phones = give_phones(world, PHONES)
    tell(world)
    wait_s = 60
    provider.answers = dict.fromkeys(phones, (CROWDED[0], CROWDED[1], CROWDED[2], str(wait_s)))
    while deliver():
        pass
    refused_at, first = clock.now(), Counter(provider.tries)
    assert set(first.values()) == {1}, "one try each, and no repetition by the channel"

    provider.answers = {}
    provider.sent.clear()
    left = [(row.next_at - refused_at).total_seconds() for row in rows(world)]
    assert min(left) >= wait_s
    per_second = Counter(int(one) for one in left)
    assert max(per_second.values()) <= len(phones) / 2, "jitter: not all in one second"
    for _ in range(wait_s * 2):
        clock.advance(seconds=1)
        deliver()

    assert provider.tries == dict.fromkeys(phones, 1)
    assert {(row.state, row.attempts) for row in rows(world)} == {("accepted", 2)}


def test_a_provider_that_is_down_for_days_gets_few_tries_and_no_message_that_is_too_old(
    world: World, clock: SetClock, provider: Provider, deliver: Callable[[], int]
) -> None:
    phones = give_phones(world, 10)
    tell(world)
    provider.answers = dict.fromkeys(phones, BUSY)
    end = max(row.expires_at for row in rows(world))
    while clock.now() < end - timedelta(hours=1):
        deliver()
        clock.advance(minutes=20)
    tries_while_down = provider.tries
    provider.answers = {}
    clock.set(end + timedelta(hours=1))
    sent_before = len(provider.sent)
    while deliver():
        pass

    assert len(provider.sent) == sent_before, "nobody wants to read it any more"
    assert {row.state for row in rows(world)} == {"failed"}
    assert max(tries_while_down.values()) <= 8
    assert {(row.last_error or "").partition(":")[0] for row in rows(world)} <= {"expired", "attempts_exhausted"}


def test_dead_phones_are_tried_once_and_deleted_and_living_ones_and_bad_messages_delete_nothing(
    world: World, provider: Provider, deliver: Callable[[], int]
) -> None:
    phones = give_phones(world, PHONES)
    dice = random.Random(5)
    dead = set(dice.sample(phones, PHONES * 3 // 10))
    bad = set(dice.sample(sorted(set(phones) - dead), PHONES // 10))
    provider.answers = dict.fromkeys(dead, DEAD) | dict.fromkeys(bad, BAD)
    tell(world)
    while deliver():
        pass

    assert provider.tries == dict.fromkeys(phones, 1)
    with world.db.reading() as session:
        assert set(session.scalars(select(RegistrationToken.address))) == set(phones) - dead
    assert Counter(row.state for row in rows(world)) == {"failed": len(dead | bad), "accepted": PHONES - len(dead | bad)}

    provider.sent.clear()
    provider.answers = {}
    tell(world)
    while deliver():
        pass
    assert provider.tries == dict.fromkeys(set(phones) - dead, 1)


def test_a_message_the_provider_took_without_an_answer_comes_again_as_the_same_message(
    world: World, clock: SetClock, provider: Provider, deliver: Callable[[], int]
) -> None:
    """The app shows one per ``dedupe_id``; the phone's own label is the same, too."""
    give_phones(world, 5)
    tell(world)
    provider.hang_up = 3
    for _ in range(6):
        deliver()
        clock.advance(minutes=3)

    assert {row.state for row in rows(world)} == {"accepted"}
    assert set(provider.ids) == {row.dedupe_key for row in rows(world)}
    assert sum(provider.ids.values()) == 5 + 3
    for one in provider.ids:
        of_one = [m for m in provider.sent if m["data"]["dedupe_id"] == one]
        assert len({(m["android"]["notification"]["tag"], m["apns"]["headers"]["apns-collapse-id"]) for m in of_one}) == 1


# --- coupons ---


def test_guesses_at_coupons_never_hit_and_only_few_a_minute_are_looked_at(world: World, http: Http, clock: SetClock) -> None:
    """80 random bits; at the default of ten tries a minute, then ever longer pauses for that person."""
    world.report(74.9, 74.5, 74.1)
    assert count(world, Coupon) == 1
    staff = http.as_(world.staff[0])
    guesses = 100_000 if SOAK else 300
    looked_at: Counter[int] = Counter()
    began = clock.now()
    for n in range(guesses):
        code = base64.b32encode(randomness.token_bytes(10)).decode()
        answer = staff.call("POST", "/coupons/redeem", {"code": code})
        assert answer.status_code in {422, 429}
        if answer.status_code == 422:
            assert answer.json["code"] == "coupon_invalid"
            looked_at[int((clock.now() - began).total_seconds() // 60)] += 1
        else:
            assert int(answer.headers["Retry-After"]) > 0
        clock.advance(seconds=0.5 if n % 50 else 20)

    assert max(looked_at.values()) <= 20
    assert sum(looked_at.values()) < guesses / 2
    with world.db.reading() as session:
        coupon = session.scalars(select(Coupon)).one()
        assert (coupon.state, len(coupon.code_hash)) == ("open", 64)
    print(f"{guesses} guesses: {sum(looked_at.values())} looked at, at most {max(looked_at.values())} a minute, 0 hits")


def test_guesses_of_many_people_at_once_are_counted_for_each_and_none_is_lost(world: World, http: Http) -> None:
    people = [http.as_(user) for user in world.staff]
    start = threading.Barrier(8)

    def guess(n: int) -> list[int]:
        start.wait(60)
        bad = {"code": "A" * 16}
        return [people[n % len(people)].call("POST", "/coupons/redeem", bad).status_code for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        found = Counter(status for answers in pool.map(guess, range(8)) for status in answers)

    assert set(found) == {422, 429}
    assert found[422] <= 10 * len(people) + 8, "those that were just being looked at when the lock fell"
