"""Fixtures of the races: a pool as wide as the crowd, and an organisation with enough vehicles for all rounds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import Database, last_change
from app.core.settings import Settings
from app.service_offers import operations as service_offers
from app.service_offers.models import Coupon, ServiceOffer
from app.stations.models import PartStock
from app.work_orders import operations as work_orders
from app.work_orders.models import LIVE_TASK_STATES, StationTask, WorkOrder
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.vehicles import DAY, Vehicle, make_vehicle, message, stock_up, values
from tests.people import Http


@pytest.fixture
def db(database_url: str, clock: SetClock) -> Iterator[Database]:
    # SQLite waits for its one writer with a connection in hand; PostgreSQL's server has 100 for all test processes.
    database = Database(database_url, clock, pool_size=50 if database_url.startswith("sqlite") else 30)
    yield database
    database.close()


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@dataclass(frozen=True)
class Round:
    """One vehicle with an alarm, an offer, and a task that a station was asked to do."""

    vehicle: Vehicle
    offer: str
    order: str
    task: str
    coupon: str


@pytest.fixture
def rounds(world: World) -> Callable[[int], list[Round]]:
    """Return a maker of rounds; all are raised in one batch."""

    def make(n: int) -> list[Round]:
        stock_up(world)
        vehicles = [make_vehicle(world, f"round-{i:02d}") for i in range(n)]
        start = world.db.clock.now() - 2 * DAY
        world.send(*[message(world, v.device, value) for v in vehicles for value in values(start, DAY, 74.9, 74.5, 74.1)])
        with world.db.reading() as session:
            rows = session.execute(
                select(ServiceOffer.component_id, ServiceOffer.id, ServiceOffer.work_order_id, StationTask.id, Coupon.id)
                .join(StationTask, StationTask.work_order_id == ServiceOffer.work_order_id)
                .join(Coupon, Coupon.offer_id == ServiceOffer.id)
            ).all()
        found = {pack: rest for pack, *rest in rows}
        return [Round(vehicle, *found[vehicle.pack]) for vehicle in vehicles]

    return make


def get_ready(world: World, made: Sequence[Round], *, accept: bool) -> None:
    """Let the stations take their tasks and the owner see the offers, and accept them if wanted; all at once, by the verbs."""
    owner = world.actor(world.owner)
    staff = dict(zip(world.stations, map(world.actor, world.staff), strict=True))
    with world.db.transaction() as session:
        for one in made:
            task, offer = session.get_one(StationTask, one.task), session.get_one(ServiceOffer, one.offer)
            work_orders.accept_task(session, staff[task.station_id], task)
            service_offers.view_offer(session, owner, offer)
            if accept:
                _, slots = work_orders.slots_of(session, world.settings, session.get_one(WorkOrder, one.order))
                service_offers.accept_offer(session, world.settings, owner, offer, slots[0])


def code_of(world: World, round_: Round) -> str:
    """Return what the owner shows at the station."""
    with world.db.reading() as session:
        return service_offers.coupon_code(world.settings, session.get_one(Coupon, round_.coupon))


def parts_agree(db: Database) -> None:
    """Compare the promised parts with the tasks that need one; never oversold."""
    with db.reading() as session:
        live = select(StationTask.station_id, func.count()).where(StationTask.state.in_(LIVE_TASK_STATES))
        needed = dict(session.execute(live.group_by(StationTask.station_id)).all())
        for stock in session.scalars(select(PartStock)):
            assert 0 <= stock.reserved <= stock.on_hand
            assert stock.reserved == needed.get(stock.station_id, 0), stock.station_id


class People:
    """Everybody of the world, signed in once."""

    def __init__(self, world: World, http: Http) -> None:
        self.world = world
        self.owner, self.manager = http.as_(world.owner), http.as_(world.manager)
        self.staff = [http.as_(user_id) for user_id in world.staff]

    def asked(self, round_: Round) -> Http:
        """Return the staff of the station that was asked first."""
        with self.world.db.reading() as session:
            return self.staff[self.world.stations.index(session.get_one(StationTask, round_.task).station_id)]


@pytest.fixture
def people(world: World, http: Http) -> People:
    return People(world, http)


def states(db: Database, round_: Round) -> tuple[str, str, str, str]:
    """Return the states of offer, coupon, order, and of the newest task."""
    with db.reading() as session:
        newest = select(StationTask).where(StationTask.work_order_id == round_.order).order_by(StationTask.id.desc()).limit(1)
        return (
            session.get_one(ServiceOffer, round_.offer).state,
            session.get_one(Coupon, round_.coupon).state,
            session.get_one(WorkOrder, round_.order).state,
            session.scalars(newest).one().state,
        )


@contextmanager
def in_a_later_process(url: str, world: World, later_s: float, job: Callable[[Session], int]) -> Iterator[Callable[[], int]]:
    """Give a job as a process runs it for which some seconds more have passed already."""
    clock = SetClock(world.db.clock.now() + timedelta(seconds=later_s))
    late, rng = Database(url, clock, pool_size=2), random.Random(4)

    def run() -> int:
        for _ in range(rng.randrange(25)):  # a request takes a while until it gets there; a job does not
            with late.reading() as session:
                last_change(session)
        with late.transaction() as session:
            return job(session)

    yield run
    late.close()
