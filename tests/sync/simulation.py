"""A company whose people work on phones, offline and over a bad network, and a ledger of what the server said yes to.

The ledger needs no order of events. Every edit writes a value that nobody wrote before and names the value it replaced
before its author's eyes. So an acknowledged value is lost unless it stands in the row, or somebody who saw it (or
a later one) replaced it, or it stands where the office finds it: in the journal of conflicts or among the refused rows.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from app.attachments.models import Attachment
from app.core.history import HistoryEntry
from app.core.scopes import begin_history_anew, forget_removals
from app.customers.models import Customer, Site
from app.service_offers.models import Coupon, ServiceOffer
from app.territories import operations as territories
from app.work_orders.models import StationTask
from offline_sync import arrivals, early
from offline_sync.models import EarlyRow, Intent, SyncConflict, SyncProblem
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.iot.vehicles import BOSS, DAY, make_vehicle, message, stock_up, values
from tests.people import Http
from tests.races.conftest import Round, code_of, get_ready
from tests.races.together import together
from tests.sync.phones import Answer, KilledError, LostError, Phone, Row, Send, Witness, digest_of
from tests.sync.rxdb_phones import RxdbPhone

Key = tuple[str, str, str, Any]
MODELS: dict[str, Any] = {"customers": Customer, "sites": Site, "attachments": Attachment}
FIELDS = {"customers": ("name", "phone", "email"), "sites": ("name", "address", "lat")}
RXDB_NAMES = ("customers", "sites", "intents", "station_tasks", "sync_problems")
_YEAR_MS = 365 * 86_400_000


class Ticking(SetClock):
    """A clock that moves on by a millisecond whenever it is asked, so that no two instants are the same."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self.at += timedelta(milliseconds=1)
            return self.at


class SpreadHttp(Http):
    """Requests go to one of several instances of the application, as behind a load balancer."""

    apps: Sequence[Any] = ()
    _turn = itertools.count()

    def as_(self, user_id: str) -> SpreadHttp:
        signed = super().as_(user_id)
        mine = SpreadHttp(signed.app, signed.database, signed.settings, signed.bearer)
        mine.apps = self.apps
        return mine

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        chosen = self.apps[next(self._turn) % len(self.apps)]
        return Http(chosen, self.database, self.settings, self.bearer).call(method, path, body, **headers)


@dataclass(frozen=True)
class Plan:
    """How much is simulated. Every person has a phone of each protocol."""

    reps: int
    managers: int
    staff: int
    areas: int
    days: int
    turns_a_day: int
    operations_a_day: int
    jobs: int
    threads: int
    rows: int  # customers and sites that live at the same time, about
    keep_days: int
    # Whether a busy server may ask a phone to come again (503 ``unavailable``: a lock was held for longer than 8 s).
    busy: bool = False
    # After so long no further day begins; 0 for as long as it takes.
    limit_s: float = 0

    @property
    def phones(self) -> int:
        return 2 * (self.reps + self.managers + self.staff)


class Ledger:
    """What phones and the office did, and what the server said to it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        self.n: Counter[str] = Counter()
        self.parents: dict[Key, Key] = {}
        self.authors: dict[Key, tuple[str, str]] = {}
        self.arrived: set[Key] = set()
        self.acked: set[Key] = set()
        self.superseded: set[Key] = set()
        self.made: set[tuple[str, str]] = set()
        self.created: set[tuple[str, str]] = set()
        self.intents: dict[str, tuple[str, str]] = {}
        self.verdicts: dict[str, Any] = {}
        # How often each row was brought back; the present deletion of each row on each phone; who deleted what in which life.
        self.lives: Counter[tuple[str, str]] = Counter()
        self.deleting: dict[tuple[Any, str, str], int] = {}
        self.told: set[int] = set()
        # Deleted a second time on one phone: where somebody edited the row meanwhile, it may have to be deleted a third time.
        self.again: set[tuple[str, str]] = set()
        self.deletions: dict[tuple[str, str], set[int]] = {}
        self.faults: list[str] = []
        self.story: dict[tuple[str, str], deque[Any]] = {}

    def note(self, table: str, row_id: str, *what: Any) -> None:
        """Keep what happened to a row, to be read when something is wrong with it."""
        with self.lock:
            self.story.setdefault((table, row_id), deque(maxlen=4000)).append(what)

    def told_of(self, rows: Iterable[tuple[str, str]]) -> str:
        return "\n".join(f"{row}: {what}" for row in list(rows)[:2] for what in self.story.get(row, ()))

    def count(self, what: str, by: int = 1) -> None:
        with self.lock:
            self.n[what] += by

    def edited(self, table: str, row_id: str, name: str, old: Any, new: Any) -> None:
        with self.lock:
            self.note(table, row_id, "edit", name, old, new)
            self.parents[table, row_id, name, new] = (table, row_id, name, old)

    def went_on(self, key: Key, author: tuple[str, str]) -> bool:
        """Tell whether the author of a value wrote another one in its place later on."""
        with self.lock:
            return any(old == key and self.authors.get(new) == author for new, old in self.parents.items())

    def supersede(self, key: Key) -> None:
        """Note that somebody replaced a value knowingly, and with it all those that it had replaced."""
        with self.lock:
            found: Key | None = key
            while found is not None and found not in self.superseded:
                self.superseded.add(found)
                found = self.parents.get(found)

    def deleted(self, row: tuple[str, str], token: int | None = None) -> None:
        """Note a deletion the server took; one that arrives again is none."""
        with self.lock:
            if token is None or token not in self.told:
                self.deletions.setdefault(row, set()).add(self.lives[row])
            if token is not None:
                self.told.add(token)

    def arrive(self, keys: Iterable[Key]) -> None:
        with self.lock:
            for key in keys:
                if key in self.arrived:
                    continue
                self.arrived.add(key)
                if key in self.parents:
                    self.supersede(self.parents[key])


class Line:
    """One phone's network. ``late`` keeps messages that the network delivers once more, much later."""

    def __init__(self, ledger: Ledger, chance: random.Random, *, busy: bool) -> None:
        self.ledger, self.chance, self.busy, self.good = ledger, chance, busy, False
        self.late: deque[Send] = deque(maxlen=4)

    def __call__(self, send: Send) -> Answer:
        if self.good:
            return self._checked(send())
        luck = self.chance.random()
        if luck < 0.06:
            self.ledger.count("requests lost")
            if luck < 0.03:  # for the phone; it arrives when nobody waits for it any more
                self.late.append(send)
            raise LostError("request")
        if luck < 0.12:
            self.late.append(send)
        if 0.12 < luck < 0.16:
            self.ledger.count("doubled at once")
            answer, other = together(send, send)
            for found in (answer, other):
                if isinstance(found, BaseException):
                    raise found
            self._checked(other)
        else:
            answer = send()
            if 0.16 < luck < 0.20:
                self.ledger.count("doubled")
                answer = send()
        self._checked(answer)
        if luck > 0.94:
            self.ledger.count("answers lost")
            raise LostError("answer")
        return answer  # type: ignore[no-any-return]

    def deliver_late(self) -> None:
        """Deliver an old message again, after newer ones."""
        if self.late and self.chance.random() < 0.5:
            send = self.late.popleft()
            self.ledger.count("delivered late")
            with suppress(LostError):
                self._checked(send())

    def _checked(self, answer: Answer) -> Answer:
        self.ledger.count("requests")
        if self.busy and answer.status_code == 503:
            self.ledger.count("busy answers")
            raise LostError("busy")
        if answer.status_code >= 500:
            self.ledger.faults.append(f"{answer.status_code}: {answer.get_data(as_text=True)}")
        return answer


class Watch(Witness):
    """Sits on one phone: tells the ledger, kills the app, and lets its person type while it syncs."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.ledger = worker, worker.ledger

    def edited(self, table: str, row_id: str, field: str, old: Any, new: Any) -> None:
        self.ledger.edited(table, row_id, field, old, new)
        phone = self.worker.phone
        self.ledger.authors[table, row_id, field, new] = (phone.person.bearer[0], phone.name)

    def dropped(self, phone: Any, table: str, row_id: str) -> None:
        self.ledger.note(table, row_id, "deleted on", phone.name)
        with self.ledger.lock:
            if (phone, table, row_id) in self.ledger.deleting:
                self.ledger.again.add((table, row_id))
            self.ledger.deleting[phone, table, row_id] = next(self.ledger.numbers)

    def taken(self, phone: Any, sent: Any, answer: Any) -> None:
        self.ledger.count("pushes")
        for table, row_id, row, fields, refused in _rows(phone, sent, answer):
            self.ledger.note(
                table, row_id, "taken", phone.name, refused, row and {name: row[name] for name in fields},
                (phone.cursor, phone.seen) if phone.protocol == "watermelon" else phone.checkpoints.get(table),
            )  # fmt: skip
            if row is None:
                if not refused:
                    self.ledger.deleted((table, row_id), self.ledger.deleting.get((phone, table, row_id)))
            elif not refused:
                self.ledger.arrive((table, row_id, name, row[name]) for name in fields)

    def answered(self, phone: Any, sent: Any, answer: Any) -> None:
        for table, row_id, row, fields, refused in _rows(phone, sent, answer):
            self.ledger.note(table, row_id, "answered", phone.name, refused)
            if row is None or refused:
                continue
            with self.ledger.lock:
                self.ledger.acked.update((table, row_id, name, row[name]) for name in fields)
                if table in MODELS:
                    self.ledger.created.add((table, row_id))

    def step(self, phone: Any) -> None:
        worker = self.worker
        if worker.line.good:
            return
        luck = worker.chance.random()
        if luck < worker.kill_rate:
            raise KilledError
        if luck > 0.97 and worker.kept is None:
            worker.operate()


def _rows(phone: Any, sent: Any, answer: Any) -> Iterable[tuple[str, str, Row | None, list[str], bool]]:
    """Yield what a push says: table, id, row (None: deleted), the fields that are the phone's, and whether it was refused."""
    for table, found in sent.items():
        editable = FIELDS.get(table, ())
        if phone.protocol == "watermelon":
            refused = set(answer.get(table, ()))
            for row in found["created"]:
                yield table, row["id"], row, [name for name in editable if name in row], row["id"] in refused
            for row in found["updated"]:
                named = set(row["_changed"].split(","))
                yield table, row["id"], row, [name for name in editable if name in named], row["id"] in refused
            for row_id in found["deleted"]:
                yield table, row_id, None, [], row_id in refused
        else:
            states = {state["id"]: state for state in answer}
            for entry in found:
                row, base = entry["newDocumentState"], entry.get("assumedMasterState")
                state = states.get(row["id"], row)
                if row["_deleted"]:
                    yield table, row["id"], None, [], not state["_deleted"]
                else:
                    changed = [name for name in editable if base is None or row.get(name) != base.get(name)]
                    yield table, row["id"], row, changed, base is None and state["_deleted"]


class Worker:
    """One phone with its person, network and habits."""

    def __init__(self, company: Company, person: Http, phone_of: Callable[[Worker], Any], role: str, number: int) -> None:
        self.company, self.ledger, self.role = company, company.ledger, role
        self.chance = random.Random(f"{company.seed}-{number}")
        self.line = Line(self.ledger, self.chance, busy=company.plan.busy)
        self.kill_rate = 0.0
        self.kept: Any = None
        self.done: set[tuple[str, str]] = set()
        self.skew_ms = self.chance.choice([0, 1, -1]) * self.chance.randrange(40) * _YEAR_MS + self.chance.randrange(100_000)
        self.asleep = 0
        self.newest: tuple[str, str] | None = None
        self.person = person
        self.phone: Any = phone_of(self)
        self.phone.headers = self.headers

    def headers(self) -> dict[str, str]:
        return {
            "X_Device_Time": str(self.company.now_ms() + self.skew_ms),
            "X_App_Version": "1.0",
            "X_Queue_Age": str(self.chance.randrange(10**8)),
        }

    def turn(self, operations: int) -> None:
        """Work for some hours, and sync if there is a network."""
        self.line.deliver_late()
        for _ in range(operations):
            self.operate()
        if self.asleep:
            self.asleep -= 1
            return
        luck = self.chance.random()
        if luck < 0.01:
            self.asleep = self.chance.randrange(2, 3 * self.company.plan.turns_a_day * self.company.plan.keep_days)
        if luck < 0.75:
            self.sync()

    def sync(self) -> None:
        self.ledger.count("syncs")
        killed = self.chance.random() < 0.15
        self.kill_rate = 0.25 if killed else 0.0
        # A kill may also lose all that this sync wrote down; what was typed before it is safe on every phone.
        self.kept = self.phone.snapshot() if killed and self.chance.random() < 0.5 else None
        try:
            self._converse()
        except LostError:
            pass
        except KilledError:
            self.ledger.count("kills")
            if self.kept is not None:
                self.phone.go_back(self.kept)
        finally:
            self.kept = None
        self.line.deliver_late()
        self.phone.give_up_refused()

    def _converse(self) -> None:
        if self.chance.random() < 0.2:
            self.ledger.count("pulls")
            if self.phone.protocol == "watermelon":
                self.phone.pull(limit=self.chance.randrange(1, 40))
            else:
                for table in self.phone.names:
                    if self.phone.has_news(table):
                        self.phone.pull(table, limit=self.chance.randrange(1, 40))
        self.ledger.count("pulls")
        self.phone.sync()

    def operate(self) -> None:
        """Do one thing on the phone, offline."""
        self.ledger.count("operations")
        verb = self.chance.choices(
            [self.edit_customer, self.edit_site, self.make_customer, self.make_site, self.delete, self.attach, self.intend],
            [40, 30, 5, 8, 4, 3, 9],
        )[0]
        if self.role == "station_staff":
            verb = self.intend
        verb()

    def fresh(self, name: str) -> Any:
        """Return a value that no field of any row ever had."""
        n = next(self.ledger.numbers)
        return {"phone": f"+86138{n:08}", "email": f"a{n}@example.test", "lat": n / 10**7}.get(name, f"{name} {n}")

    def edit(self, table: str) -> None:
        row = self.phone.some(table, self.chance)
        if row is not None:
            name = self.chance.choice([name for name in FIELDS[table] if name in row])
            self.phone.update(table, row["id"], **{name: self.fresh(name)})

    def edit_customer(self) -> None:
        self.edit("customers")

    def edit_site(self) -> None:
        self.edit("sites")

    def make_customer(self) -> None:
        if self.company.crowded():
            return self.edit("customers")
        n = next(self.ledger.numbers)
        row = {"id": f"customer-{n:07}", "code": "", "territory_id": self.chance.choice(self.company.areas), "owner_id": None}
        self._make("customers", row | {name: self.fresh(name) for name in FIELDS["customers"]})
        return None

    def make_site(self) -> None:
        parent = self.phone.some("customers", self.chance)
        if parent is None or self.company.crowded():
            return self.edit("sites")
        row = {"id": f"site-{next(self.ledger.numbers):07}", "customer_id": parent["id"], "lon": 114.0}
        self._make("sites", row | {name: self.fresh(name) for name in FIELDS["sites"]})
        return None

    def attach(self) -> None:
        subject = self.phone.some("customers", self.chance)
        if subject is None or "attachments" not in self.phone.tables():
            return
        row = {"id": f"attachment-{next(self.ledger.numbers):07}", "subject_kind": "customer", "subject_id": subject["id"]}
        row |= {"name": "photo.txt", "mime": "text/plain", "size": 1, "sha256": "0" * 64, "state": "waiting", "code": None}
        self._make("attachments", row | {"made_at": self.company.now_ms() + self.skew_ms})

    def _make(self, table: str, row: Row) -> None:
        with self.ledger.lock:
            self.ledger.made.add((table, row["id"]))
        self.phone.create(table, row)
        if table in FIELDS:
            self.newest = (table, row["id"])

    def delete(self) -> None:
        table = self.chance.choices(["customers", "sites"], [1, 2])[0]
        row = self.phone.some(table, self.chance)
        if self.newest is not None and self.chance.random() < 0.4:  # made by mistake: maybe it was not even sent yet
            table, row = self.newest[0], self.phone.live(self.newest[0]).get(self.newest[1])
        # What equipment belongs to is not deleted; an app would not offer it.
        if row is not None and row["id"] not in {self.company.world.customer, self.company.world.site}:
            self.phone.delete(table, row["id"])

    def intend(self) -> None:
        """A technician accepts, begins, redeems and finishes, whatever their mate on another phone does."""
        tasks = self.phone.live("station_tasks")
        mine = [job for job in self.company.jobs if job.task in tasks]
        agreed = ("station_task.begin", "coupon.redeem", "station_task.finish")
        steps = [
            (kind, job.task)
            for job in mine
            for kind in (agreed if job.task in self.company.codes else ("station_task.accept",))
            if (kind, job.task) not in self.done
        ]
        if not steps:
            return
        kind, task = self.chance.choice(steps[:2])
        self.done.add((kind, task))
        n = next(self.ledger.numbers)
        body = {"task_id": task} if kind != "coupon.redeem" else {"code": self.company.codes[task]}
        if kind == "station_task.finish":
            body["serial"] = f"PACK-NEW-{n}"
        with self.ledger.lock:
            self.ledger.intents[f"intent-{n:07}"] = (kind, task)
        self.phone.intend(f"intent-{n:07}", kind, json.dumps(body), self.company.now_ms() + self.skew_ms)


class Company:
    """People, phones, an office, and the days that pass."""

    def __init__(
        self, world: World, http: Http, plan: Plan, seed: int, *, now_ms: Callable[[], int], advance: Callable[[timedelta], None]
    ) -> None:
        self.world, self.db, self.plan, self.seed = world, world.db, plan, seed
        self.http, self.now_ms, self.advance = http, now_ms, advance
        self.ledger = Ledger()
        self.chance = random.Random(f"{seed}-office")
        self.days = 0
        self.admin, self.manager = http.as_(world.admin), http.as_(world.manager)
        self._hire()
        self._open_jobs()
        self.workers = self._give_phones()

    def crowded(self) -> bool:
        """Tell whether there are rows enough; then people edit."""
        return len(self.ledger.made) - len(self.ledger.deletions) > self.plan.rows

    def _hire(self) -> None:
        world, plan = self.world, self.plan
        with self.db.transaction() as session:
            made = [territories.create_territory(session, BOSS, f"A{n}", f"Area {n}").id for n in range(plan.areas - 1)]
            self.areas = [world.territory, *made]

            def hire(role: str, n: int, **more: Any) -> str:
                return make_user(session, world.settings, role, f"{role}-{n}", **more).id

            self.reps = [world.rep]
            self.reps += [hire("rep", n, territory_ids=self.chance.sample(self.areas, 2)) for n in range(1, plan.reps)]
            self.managers = [world.manager, *(hire("manager", n) for n in range(1, plan.managers))]
            self.staff = world.staff[: plan.staff]
            self.staff += [
                hire("station_staff", n, station_id=world.stations[n % len(world.stations)])
                for n in range(len(world.stations), plan.staff)
            ]

    def _open_jobs(self) -> None:
        """Raise alarms on some vehicles: tasks and coupons come of them. A third of the tasks nobody has answered yet."""
        stock_up(self.world)
        vehicles = [make_vehicle(self.world, f"job-{n:03}") for n in range(self.plan.jobs)]
        start = self.db.clock.now() - 2 * DAY
        self.world.send(*[message(self.world, v.device, one) for v in vehicles for one in values(start, DAY, 74.9, 74.5, 74.1)])
        with self.db.reading() as session:
            query = select(StationTask.work_order_id, StationTask.id, Coupon.id, Coupon.offer_id)
            query = query.join(ServiceOffer, ServiceOffer.work_order_id == StationTask.work_order_id)
            found = session.execute(query.join(Coupon, Coupon.offer_id == ServiceOffer.id).order_by(StationTask.id)).all()
        self.jobs = [
            Round(v, offer, order, task, coupon) for v, (order, task, coupon, offer) in zip(vehicles, found, strict=True)
        ]
        agreed = self.jobs[: -(len(self.jobs) // 3)]
        get_ready(self.world, agreed, accept=True)
        self.codes = {job.task: code_of(self.world, job) for job in agreed}

    def _give_phones(self) -> list[Worker]:
        found: list[Worker] = []
        people = [(user, "rep") for user in self.reps] + [(user, "manager") for user in self.managers]
        people += [(user, "station_staff") for user in self.staff]
        for n, (user, role) in enumerate(people):
            person = self.http.as_(user)
            # Two people in turn on one device: the app keeps a database for each, the installation is the same.
            device = f"shared-device-{n // 2:03}" if role == "rep" and n < 2 * (self.plan.reps // 3) else f"melon-{n:05}"
            old_app = n % 2 == 0

            def melon(worker: Worker, person: Http = person, device: str = device, old_app: bool = old_app) -> Phone:
                lacks = {"attachments": None, "customers": {"email"}} if old_app else {}
                return Phone(person, device, worker.line, Watch(worker), lacks)  # type: ignore[arg-type]

            def rxdb(worker: Worker, person: Http = person, n: int = n, old_app: bool = old_app) -> RxdbPhone:
                names, later = (RXDB_NAMES, ("attachments",)) if not old_app else ((*RXDB_NAMES, "attachments"), ())
                return RxdbPhone(
                    person, f"rxdb-{n:05}", worker.line, Watch(worker), names, later,
                    lambda some: worker.chance.sample(some, len(some)),
                )  # fmt: skip

            found += [Worker(self, person, melon, role, 2 * n), Worker(self, person, rxdb, role, 2 * n + 1)]
        return found

    # Time passes

    def run(self) -> None:
        """Let all days pass: in each turn all phones and the office work side by side."""
        plan = self.plan
        turns, began = plan.days * plan.turns_a_day, time.monotonic()
        each, rest = divmod(plan.operations_a_day, plan.turns_a_day)
        with ThreadPoolExecutor(plan.threads) as pool:
            for turn in range(turns):
                order = self.chance.sample(self.workers, len(self.workers))
                share = each + (turn % plan.turns_a_day < rest)
                futures = [pool.submit(worker.turn, share) for worker in order]
                futures += [pool.submit(self.office, random.Random(f"{self.seed}-{turn}-{n}")) for n in range(2)]
                for future in futures:
                    future.result()
                assert not self.ledger.faults, self.ledger.faults[:3]
                self.between(turn, turns)
                if turn % plan.turns_a_day == plan.turns_a_day - 1:
                    self.days, spent = turn // plan.turns_a_day + 1, time.monotonic() - began
                    if plan.busy:
                        print(f"day {self.days}: {spent:.0f} s; {self.result()}", flush=True)
                    if 0 < plan.limit_s < spent:
                        return
                self.advance(timedelta(days=1) / plan.turns_a_day)

    def between(self, turn: int, turns: int) -> None:
        """What nothing else runs beside: rows brought back, upgrades of the app, the nightly job, a restored backup."""
        self.bring_back()
        self.restore_conflict()
        if turn % self.plan.turns_a_day == 0:
            with self.db.transaction() as session:
                forget_removals(session, self.plan.keep_days)
        if turn == turns // 2:
            for worker in self.workers:
                worker.phone.upgrade()
        if turn == 2 * turns // 3:
            with self.db.transaction() as session:
                begin_history_anew(session)

    # The office

    def office(self, chance: random.Random) -> None:
        """Do a few things over REST while phones sync."""
        for _ in range(2):
            verb = chance.choices([self.assign, self.hand_over, self.correct, self.drop, self.add], [2, 4, 6, 1, 1])[0]
            verb(chance)

    def call(self, person: Http, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = person.call(method, path, body, **headers)
        self.ledger.count("office calls")
        if answer.status_code >= 500 and not (self.plan.busy and answer.status_code == 503):
            self.ledger.faults.append(f"{method} {path}: {answer.status_code} {answer.get_data(as_text=True)}")
        return answer

    def assign(self, chance: random.Random) -> None:
        """Give a rep other territories."""
        some = chance.sample(self.areas, chance.randrange(1, 3))
        self.call(self.admin, "PUT", f"/users/{chance.choice(self.reps)}/territories", {"territory_ids": some}, If_Match="*")
        self.ledger.count("territories assigned")

    def _known(self, chance: random.Random, table: str) -> str:
        with self.ledger.lock:
            found = sorted(row[1] for row in self.ledger.created if row[0] == table and row not in self.ledger.deletions)
        return chance.choice(found) if found else (self.world.customer if table == "customers" else self.world.site)

    def hand_over(self, chance: random.Random) -> None:
        """Give a customer to another rep or another territory."""
        change = chance.choice([{"territory_id": chance.choice(self.areas)}, {"owner_id": chance.choice([None, *self.reps])}])
        path = f"/customers/{self._known(chance, 'customers')}"
        self.call(self.manager, "PATCH", path, change, If_Match="*")
        self.ledger.count("customers handed over")

    def _read(self, table: str, row_id: str) -> Row | None:
        """Return a row as the office sees it now."""
        if table == "customers":
            answer = self.call(self.manager, "GET", f"/customers/{row_id}")
            return answer.json if answer.status_code == 200 else None  # type: ignore[no-any-return]
        with self.db.reading() as session:
            site = session.get(Site, row_id)
        if site is None or site.deleted_at is not None:
            return None
        items = self.call(self.manager, "GET", f"/sites?customer_id={site.customer_id}&limit=200").json["items"]
        return next((item for item in items if item["id"] == row_id), None)

    def correct(self, chance: random.Random) -> None:
        """Edit a field, by the version that was read: so it is known which value was replaced."""
        table = chance.choice(["customers", "sites"])
        row = self._read(table, self._known(chance, table))
        if row is None:
            return
        name, n = chance.choice(FIELDS[table]), next(self.ledger.numbers)
        new = {"phone": f"+86139{n:08}", "email": f"o{n}@example.test", "lat": n / 10**7}.get(name, f"office {n}")
        answer = self.call(self.manager, "PATCH", f"/{table}/{row['id']}", {name: new}, If_Match=f'"{row["version"]}"')
        if answer.status_code == 200:
            self.ledger.edited(table, row["id"], name, row[name], new)
            self.ledger.arrive([(table, row["id"], name, new)])
            with self.ledger.lock:
                self.ledger.acked.add((table, row["id"], name, new))
            self.ledger.count("office edits")

    def drop(self, chance: random.Random) -> None:
        table = chance.choice(["customers", "sites"])
        row_id = self._known(chance, table)
        if row_id in {self.world.customer, self.world.site}:
            return
        if self.call(self.manager, "DELETE", f"/{table}/{row_id}", If_Match="*").status_code == 200:
            self.ledger.note(table, row_id, "deleted by the office")
            self.ledger.deleted((table, row_id))
            self.ledger.count("office deletions")

    def add(self, chance: random.Random) -> None:
        n = next(self.ledger.numbers)
        body = {"id": f"customer-{n:07}", "name": f"name {n}", "territory_id": chance.choice(self.areas)}
        if self.call(self.manager, "POST", "/customers", body).status_code == 201:
            with self.ledger.lock:
                self.ledger.made.add(("customers", body["id"]))
                self.ledger.created.add(("customers", body["id"]))

    def bring_back(self) -> None:
        """Undelete a customer or a site; a customer's sites that went with it must come, too."""
        table = self.chance.choice(["customers", "sites"])
        with self.db.reading() as session:
            model = MODELS[table]
            dead = sorted(session.scalars(select(model.id).where(model.deleted_at.is_not(None))))
        if dead:
            row_id = self.chance.choice(dead)
            before = self._dead_sites(row_id)
            if self.call(self.manager, "POST", f"/{table}/{row_id}/undelete").status_code == 200:
                self._lives_again(table, row_id, before)
                self.ledger.count("brought back")

    def _dead_sites(self, customer_id: str) -> set[str]:
        with self.db.reading() as session:
            return set(session.scalars(select(Site.id).where(Site.customer_id == customer_id, Site.deleted_at.is_not(None))))

    def _lives_again(self, table: str, row_id: str, before: set[str]) -> None:
        self.ledger.note(table, row_id, "lives again")
        self.ledger.lives[table, row_id] += 1
        if table == "customers":
            still = self._dead_sites(row_id)
            for site_id in before - still:
                self.ledger.note("sites", site_id, "lives again with", row_id)
                self.ledger.lives["sites", site_id] += 1
            own = {
                site_id
                for site_id in still
                if self.ledger.lives["sites", site_id] in self.ledger.deletions.get(("sites", site_id), set())
            }
            assert still <= own, f"sites that went with {row_id} did not come back with it: {sorted(still - own)}"

    def restore_conflict(self) -> None:
        """Take one lost value out of the journal and write it again."""
        items = self.call(self.manager, "GET", "/sync/conflicts?state=open&limit=200").json["items"]
        if not items or self.chance.random() < 0.3:
            return
        lost = self.chance.choice(items)
        table, row_id = lost["collection"], lost["row_id"]
        before, sites = self._read(table, row_id), self._dead_sites(row_id)
        with self.db.reading() as session:
            stored = session.get_one(MODELS[table], row_id)
        if self.call(self.manager, "POST", f"/sync/conflicts/{lost['id']}/restore").status_code != 200:
            return
        self.ledger.count("conflicts restored")
        self.ledger.note(table, row_id, "restored", lost["field"], lost["lost"])
        if before is None:
            self._lives_again(table, row_id, sites)
        for name, value in lost["lost"].items() if not lost["field"] else [(lost["field"], lost["lost"])]:
            self.ledger.supersede((table, row_id, name, getattr(stored, name)))
            with self.ledger.lock:
                key = (table, row_id, name, value)
                if key in self.ledger.superseded:
                    continue
                self.ledger.acked.add(key)

    # The end

    def come_to_rest(self) -> None:
        """Sync every phone over a good network until nothing waits and nothing is new; in a bounded number of rounds."""
        for worker in self.workers:
            worker.line.good, worker.line.busy, worker.asleep = True, False, 0
            while worker.line.late:
                worker.line.deliver_late()
        if self._rest() and (not self._give_up_waiting() or self._rest()):
            return
        waiting = {w.phone.name: (w.role, w.phone.waiting()) for w in self.workers if w.phone.waiting()}
        told = ""
        for worker in self.workers:
            for table, ids in getattr(worker.phone, "rejected", {}).items():
                for row_id in ids:
                    whose = worker.person.bearer[0]  # type: ignore[index]
                    why = self.call(self.manager, "GET", f"/sync/explain?collection={table}&id={row_id}&user={whose}")
                    told += f"{why.json}\n{self.ledger.told_of([(table, row_id)])}\n"
        raise AssertionError(f"still not at rest: {waiting}\n{told}")

    def _rest(self) -> bool:
        for _ in range(8):
            pushed = False
            for worker in self.workers:
                worker.ledger.count("pulls")
                pushed = worker.phone.sync() or pushed
                worker.phone.give_up_refused()
            if not pushed and not any(worker.phone.waiting() for worker in self.workers):
                return True
        return False

    def _give_up_waiting(self) -> int:
        """Let the patience with rows end whose parent left the phone so long ago that nobody knows of it; return how many."""
        with self.db.transaction() as session:
            waiting = len(session.scalars(select(EarlyRow)).all())
            if waiting:
                with patch.object(early, "PATIENCE", timedelta(0)):
                    arrivals.forget(session, self.world.settings)
        self.ledger.count("given up", waiting)
        return waiting

    def check(self) -> None:
        """Compare every phone with the server, and the server with the ledger."""
        for worker in self.workers:
            self._check_phone(worker)
        with self.db.reading() as session:
            conflicts = list(session.scalars(select(SyncConflict)))
            problems = list(session.scalars(select(SyncProblem)))
            stored = {(table, row.id): row for table, model in MODELS.items() for row in session.scalars(select(model))}
            intents = list(session.scalars(select(Intent)))
            once = ("customer.created", "site.created", "attachment.created", "coupon.redeemed", "intent.decided")
            entries = select(HistoryEntry.kind, HistoryEntry.subject_id).where(HistoryEntry.kind.in_(once))
            happened = Counter((kind, subject) for kind, subject in session.execute(entries))
        self.ledger.n["conflicts"] = len(conflicts)
        self.ledger.n["refused rows"] = len(problems)
        assert not self.ledger.faults, self.ledger.faults[:3]
        self._check_values(stored, conflicts, problems)
        self._check_repeats(conflicts)
        self._check_rows(
            stored,
            refused={(p.collection, p.row_id) for p in problems if json.loads(p.content)["deleted"]},
            kept={(p.collection, p.row_id) for p in problems},
        )
        doubled = {what: n for what, n in happened.items() if n > 1}
        assert not doubled, f"carried out more than once: {doubled}"
        self._check_intents(intents)

    def _check_phone(self, worker: Worker) -> None:
        phone = worker.phone
        fresh: Any = Phone(worker.person, f"fresh-{phone.name}")
        fresh.pull()
        for table in phone.tables():
            if table not in fresh.rows:
                continue
            mine, should = phone.live(table), fresh.rows[table]
            if phone.protocol == "rxdb":
                assert not phone.has_news(table), (phone.name, table, "the stream promises something that no pull brings")
            differ = {row_id for row_id in mine.keys() | should.keys() if mine.get(row_id) != should.get(row_id)}
            pairs = [(mine.get(row_id), should.get(row_id)) for row_id in sorted(differ)[:2]]
            told = self.ledger.told_of((table, row_id) for row_id in sorted(differ))
            assert not differ, f"{phone.name} of a {worker.role} differs in {table}: {pairs}\n{told}"
            told = self.call(worker.person, "GET", f"/sync/digest?collection={table}").json
            assert {"collection": table} | digest_of(mine.values()) == told, (phone.name, table)
        if worker.role != "station_staff":
            listed, cursor = set(), ""
            while cursor is not None:
                found = self.call(worker.person, "GET", f"/customers?limit=200{cursor}").json
                listed |= {item["id"] for item in found["items"]}
                cursor = f"&cursor={found['next']}" if found["next"] else None
            assert listed == set(phone.live("customers")), (phone.name, "holds not what its person may see")

    def _check_values(self, stored: dict[Any, Any], conflicts: list[SyncConflict], problems: list[SyncProblem]) -> None:
        kept: set[Key] = set()
        for conflict in conflicts:
            found = conflict.lost if not conflict.field else {conflict.field: conflict.lost}
            kept |= {(conflict.collection, conflict.row_id, name, value) for name, value in found.items()}
        for problem in problems:
            content = json.loads(problem.content)
            kept |= {
                (problem.collection, problem.row_id, name, content[name])
                for name in FIELDS.get(problem.collection, ())
                if name in content
            }
        lost = []
        for key in self.ledger.acked - self.ledger.superseded - kept:
            table, row_id, name, value = key
            row = stored.get((table, row_id))
            if key not in self.ledger.parents and value is None:
                continue
            if row is None and (table, row_id) in self.ledger.deletions:
                continue
            if row is None or getattr(row, name) != value:
                lost.append((key, getattr(row, name, None)))
        assert not lost, (
            f"{len(lost)} of {len(self.ledger.acked)} acknowledged values are lost: {lost[:5]}\n"
            + "\n".join(
                f"{c.field} {c.kept!r} over {c.lost!r} {c.state} by {c.installation_id} {c.created_at}"
                for c in conflicts
                if lost and (c.collection, c.row_id) == lost[0][0][:2]
            )
            + self.ledger.told_of(key[:2] for key, _ in lost)
        )
        self.ledger.n["values"] = len(self.ledger.acked)

    def _check_repeats(self, conflicts: list[SyncConflict]) -> None:
        """A push that arrived again must not have undone what somebody else, who knew of it, did since."""
        # What the office put back knowingly is no repeat, whoever had written it first.
        put_back = {(c.collection, c.row_id, c.field, c.lost) for c in conflicts if c.state == "restored" and c.field}
        for conflict in conflicts:
            if not conflict.field:
                continue
            kept, found = ((conflict.collection, conflict.row_id, conflict.field, v) for v in (conflict.kept, conflict.lost))
            sender = (conflict.user_id, conflict.installation_id)
            authors = self.ledger.authors
            if authors.get(kept) != sender or authors.get(found) == sender or kept in put_back:
                continue
            between: set[Any] = set()
            while found in self.ledger.parents:
                found = self.ledger.parents[found]
                if found == kept:
                    # An RxDB phone says nothing by which an older push of it is told from its last one.
                    told = f"{conflict.field}: {conflict.kept!r} over {conflict.lost!r} by {sender} at {conflict.created_at}"
                    told += f"\n{self.ledger.told_of([kept[:2]])}"
                    hidden = sender[1].startswith("rxdb") and (sender in between or self.ledger.went_on(kept, sender))
                    assert hidden, f"a repeat undid a change: {told}"
                between.add(authors.get(found))

    def _check_rows(self, stored: dict[Any, Any], refused: set[tuple[str, str]], kept: set[tuple[str, str]]) -> None:
        ledger = self.ledger
        with self.world.db.reading() as session:
            waiting = [(row.collection, row.row_id, row.parent_id) for row in session.scalars(select(EarlyRow))]
        assert not waiting, f"rows wait for what nobody sends any more: {waiting[:5]}\n{ledger.told_of([waiting[0][:2]])}"
        # A row that came early, and whose parent was refused or left, is a problem with all that it held.
        missing = {row for row in ledger.created if row not in stored and row not in ledger.deletions} - kept
        assert not missing, f"acknowledged rows are not there: {sorted(missing)[:5]}"
        stranger = {row for row in stored if row not in ledger.made} - {
            ("customers", self.world.customer),
            ("sites", self.world.site),
        }
        assert not stranger, f"rows that nobody made: {sorted(stranger)[:5]}"
        codes = [row.code for (table, _), row in stored.items() if table == "customers"]
        assert len(codes) == len(set(codes))
        drawn = sorted(int(code.rsplit("-", 1)[1]) for code in codes if code != "C-1")
        assert drawn == list(range(1, len(drawn) + 1)), "numbers were drawn for rows that are not there"
        for row, deletions in ledger.deletions.items():
            # A deletion of what its person may not see any more is refused; an RxDB phone is rid of the row anyway.
            if row in stored and ledger.lives[row] in deletions and row not in refused | ledger.again:
                assert stored[row].deleted_at is not None, f"{row} was deleted and lives\n{ledger.told_of([row])}"
        for row, found in stored.items():
            if found.deleted_at is None or row[0] == "attachments":
                continue
            with_parent = row[0] == "sites" and ("customers", found.customer_id) in ledger.deletions
            assert ledger.lives[row] in ledger.deletions.get(row, ()) or with_parent, (
                f"{row} is deleted, and nobody did it\n{ledger.told_of([row])}"
            )

    def _check_intents(self, intents: list[Intent]) -> None:
        found = {intent.id: intent for intent in intents}
        assert set(found) <= set(self.ledger.intents)
        accepted: Counter[tuple[str, str]] = Counter()
        for intent_id, intent in found.items():
            assert intent.verdict is not None
            kind, task = self.ledger.intents[intent_id]
            accepted[kind, task] += intent.verdict == "accepted"
            self.ledger.n[f"verdicts {intent.verdict}"] += 1
        assert not [what for what, n in accepted.items() if n > 1], f"accepted twice: {accepted}"
        tried = {task for kind, task in map(self.ledger.intents.get, found) if kind == "coupon.redeem"}  # type: ignore[misc]
        assert all(accepted["coupon.redeem", task] == 1 for task in tried), "a coupon that was shown could not be redeemed"

    def result(self) -> str:
        n = self.ledger.n
        names = (
            "operations", "syncs", "pushes", "requests", "requests lost", "answers lost", "busy answers", "doubled",
            "doubled at once",
            "delivered late", "kills", "office calls", "brought back", "conflicts", "conflicts restored", "refused rows",
            "values",
        )  # fmt: skip
        verdicts = ", ".join(f"{n[name]} {name[9:]}" for name in sorted(n) if name.startswith("verdicts"))
        return (
            f"{len(self.workers)} phones, {self.days} days; "
            + ", ".join(f"{n[name]:,} {name}" for name in names)
            + f"; verdicts: {verdicts}"
        )
