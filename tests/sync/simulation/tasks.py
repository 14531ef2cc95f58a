"""Station tasks and coupons: a technician accepts, begins, redeems and finishes, whatever their mate on another phone does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.service_offers.models import Coupon, ServiceOffer
from app.work_orders.models import StationTask
from tests.iot.vehicles import DAY, make_vehicle, message, stock_up, values
from tests.races.conftest import Round, code_of, get_ready
from tests.sync.simulation.noun import Found, Habits, Noun

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker

_AGREED = ("station_task.begin", "coupon.redeem", "station_task.finish")
_STEPS = {"station_task.accept", *_AGREED}


class Tasks(Noun):
    collections = ("station_tasks",)
    once = ("coupon.redeemed",)

    def begin(self) -> None:
        """Raise alarms on some vehicles: tasks and coupons come of them. A third of the tasks nobody has answered yet."""
        world, plan = self.company.world, self.company.plan
        stock_up(world)
        vehicles = [make_vehicle(world, f"job-{n:03}") for n in range(plan.jobs)]
        start = world.db.clock.now() - 2 * DAY
        world.send(*[message(world, v.device, one) for v in vehicles for one in values(start, DAY, 74.9, 74.5, 74.1)])
        with world.db.reading() as session:
            query = select(StationTask.work_order_id, StationTask.id, Coupon.id, Coupon.offer_id)
            query = query.join(ServiceOffer, ServiceOffer.work_order_id == StationTask.work_order_id)
            found = session.execute(query.join(Coupon, Coupon.offer_id == ServiceOffer.id).order_by(StationTask.id)).all()
        self.jobs = [
            Round(v, offer, order, task, coupon) for v, (order, task, coupon, offer) in zip(vehicles, found, strict=True)
        ]
        agreed = self.jobs[: -(len(self.jobs) // 3)]
        get_ready(world, agreed, accept=True)
        self.codes = {job.task: code_of(world, job) for job in agreed}

    def habits(self, role: str) -> Habits:
        return [(self.work, 9)]

    def work(self, worker: Worker) -> None:
        tasks = worker.phone.live("station_tasks")
        mine = [job.task for job in self.jobs if job.task in tasks]
        steps = [
            (kind, task)
            for task in mine
            for kind in (_AGREED if task in self.codes else ("station_task.accept",))
            if (kind, task) not in worker.done
        ]
        if not steps:
            return
        kind, task = worker.chance.choice(steps[:2])
        worker.done.add((kind, task))
        body = {"task_id": task} if kind != "coupon.redeem" else {"code": self.codes[task]}
        if kind == "station_task.finish":
            body["serial"] = f"PACK-NEW-{next(self.ledger.numbers)}"
        worker.intend(kind, task, **body)

    def check(self, found: Found) -> None:
        accepted: Counter[tuple[str, str]] = Counter()
        tried = set()
        for intent_id, intent in found.asked.items():
            what = kind, task = self.ledger.intents[intent_id]
            if kind in _STEPS:
                accepted[what] += intent.verdict == "accepted"
                tried |= {task} if kind == "coupon.redeem" else set()
        assert not [what for what, n in accepted.items() if n > 1], f"accepted twice: {accepted}"
        assert all(accepted["coupon.redeem", task] == 1 for task in tried), "a coupon that was shown could not be redeemed"
