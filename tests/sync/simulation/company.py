"""A company: its people with their phones, an office, and the days that pass."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from app.core.history import HistoryEntry
from app.core.scopes import begin_history_anew
from app.territories import operations as territories
from offline_sync import arrivals, early
from offline_sync.models import EarlyRow, Intent, SyncConflict, SyncProblem
from tests.factories import World, make_user
from tests.iot.vehicles import BOSS
from tests.people import Http
from tests.sync.phones import Phone, Row, digest_of
from tests.sync.rxdb_phones import RxdbPhone
from tests.sync.simulation import values
from tests.sync.simulation.contacts import Contacts
from tests.sync.simulation.custom import CustomFields
from tests.sync.simulation.customers import Customers
from tests.sync.simulation.days import DayPlans, Tracks
from tests.sync.simulation.entitlements import Entitlements
from tests.sync.simulation.follow_ups import FollowUps
from tests.sync.simulation.leads import Leads
from tests.sync.simulation.ledger import MODELS, Ledger
from tests.sync.simulation.merges import Merges
from tests.sync.simulation.noun import Found, Noun, Rivals
from tests.sync.simulation.reports import OWNER, Reports
from tests.sync.simulation.tasks import Tasks
from tests.sync.simulation.visits import Visits
from tests.sync.simulation.watch import Watch
from tests.sync.simulation.worker import Worker

NOUNS: tuple[type[Noun], ...] = (
    Customers, Tasks, Leads, FollowUps, Visits, Contacts, CustomFields, DayPlans, Tracks, Entitlements, Merges, Reports,
)  # fmt: skip
_ROLES = ("rep", "manager", "station_staff")


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
    # What one of the two in the office does in a turn.
    office: int = 2
    # Every so many-th RxDB phone holds a noun beyond customers and tasks; WatermelonDB's hold all there is for their person.
    share: int = 1
    # Whether a busy server may ask a phone to come again (503 ``unavailable``: a lock was held for longer than 8 s).
    busy: bool = False
    # After so long no further day begins; 0 for as long as it takes.
    limit_s: float = 0

    @property
    def phones(self) -> int:
        return 2 * (self.reps + self.managers + self.staff + 2)


class Company:
    """People, phones, an office, and the days that pass."""

    def __init__(
        self, world: World, http: Http, plan: Plan, seed: int, *, now_ms: Callable[[], int], advance: Callable[[timedelta], None]
    ) -> None:
        self.world, self.db, self.plan, self.seed = world, world.db, plan, seed
        self.http, self.now_ms, self.advance = http, now_ms, advance
        self.ledger = Ledger()
        self.chance = random.Random(f"{seed}-office")
        self.days, self.is_morning = 0, True
        self.admin, self.manager = http.as_(world.admin), http.as_(world.manager)
        # What equipment belongs to is neither deleted nor merged away.
        self.fixed = {world.customer, world.site}
        self._hire()
        self.nouns = [noun(self) for noun in NOUNS]
        [self.reports] = [noun for noun in self.nouns if isinstance(noun, Reports)]
        for noun in self.nouns:
            noun.begin()
        self.habits = {role: _weighed(found for noun in self.nouns for found in noun.habits(role)) for role in _ROLES}
        self.habits[OWNER] = _weighed(self.reports.habits(OWNER))
        self.duties = _weighed([(self.assign, 2), *(found for noun in self.nouns for found in noun.duties())])
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

    def _give_phones(self) -> list[Worker]:
        found: list[Worker] = []
        people = [(user, "rep") for user in self.reps] + [(user, "manager") for user in self.managers]
        people += [(user, "station_staff") for user in self.staff]
        people += [(user, OWNER) for user in self.reports.owners()]
        for n, (user, role) in enumerate(people):
            person = self.http.as_(user)
            # Two people in turn on one device: the app keeps a database for each, the installation is the same.
            device = f"shared-device-{n // 2:03}" if role == "rep" and n < 2 * (self.plan.reps // 3) else f"melon-{n:05}"
            old_app = n % 2 == 0

            def melon(worker: Worker, person: Http = person, device: str = device, old_app: bool = old_app) -> Phone:
                lacks = {"attachments": None, "customers": {"email"}} if old_app else {}
                return Phone(person, device, worker.line, Watch(worker), lacks)  # type: ignore[arg-type]

            held = self._held(n, role)

            def rxdb(
                worker: Worker, person: Http = person, n: int = n, old_app: bool = old_app, held: tuple[str, ...] = held
            ) -> RxdbPhone:
                names, later = (held, ("attachments",)) if not old_app else ((*held, "attachments"), ())
                return RxdbPhone(
                    person, f"rxdb-{n:05}", worker.line, Watch(worker), names, later,
                    lambda some: worker.chance.sample(some, len(some)),
                )  # fmt: skip

            found += [Worker(self, person, melon, role, 2 * n), Worker(self, person, rxdb, role, 2 * n + 1)]
        return found

    def _held(self, number: int, role: str) -> tuple[str, ...]:
        """Return the collections of an RxDB phone: customers and tasks, and of people who sell its share of the other nouns."""
        if role == OWNER:
            return ("intents", "customers", *self.reports.collections)
        mine = self.nouns[:2]
        if role != "station_staff":
            mine += [noun for place, noun in enumerate(self.nouns[2:]) if (place + number) % self.plan.share == 0]
        return ("intents", *(name for noun in mine for name in noun.collections))

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
        """What nothing else runs beside: rows brought back, upgrades of the app, nightly jobs, a restored backup."""
        self.is_morning = turn % self.plan.turns_a_day == 0
        for noun in self.nouns:
            noun.between(last=turn == turns - 1)
        if turn == turns // 2:
            for worker in self.workers:
                worker.phone.upgrade()
        if turn == 2 * turns // 3:
            with self.db.transaction() as session:
                begin_history_anew(session)

    # The office

    def office(self, chance: random.Random) -> None:
        """Do a few things over REST while phones sync."""
        verbs, weights = self.duties
        for verb in chance.choices(verbs, weights, k=self.plan.office):
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

    def known(self, chance: random.Random, table: str) -> str:
        """Return a row that phones or the office made and nobody deleted; at first the one that was always there."""
        with self.ledger.lock:
            found = sorted(row[1] for row in self.ledger.created if row[0] == table and row not in self.ledger.deletions)
        return chance.choice(found) if found else (self.world.site if table == "sites" else self.world.customer)

    def correct(self, path: str, table: str, row: Row, name: str, new: Any) -> None:
        """Edit a field of a row as the office read it: it is known which value is replaced."""
        custom = name.startswith("custom.")
        key = name.removeprefix("custom.")
        old = row["custom"].get(key) if custom else row[name]
        body = {"custom": {key: new}} if custom else {name: new}
        if self.call(self.manager, "PATCH", path, body, If_Match=f'"{row["version"]}"').status_code == 200:
            self.ledger.edited(table, row["id"], name, old, new)
            self.ledger.arrive([(table, row["id"], name, new)])
            with self.ledger.lock:
                self.ledger.acked.add((table, row["id"], name, new))
            self.ledger.count("office edits")

    def drop(self, path: str, table: str, row_id: str) -> None:
        """Delete a row."""
        if self.call(self.manager, "DELETE", path, If_Match="*").status_code == 200:
            self.ledger.note(table, row_id, "deleted by the office")
            self.ledger.deleted((table, row_id))
            self.ledger.count("office deletions")

    def heir_of(self, table: str, row_id: str) -> str:
        """Return what a row is now, if it was merged."""
        with self.db.reading() as session:
            while table == "customers" and (row := session.get(MODELS[table], row_id)) and row.merged_into_id:
                row_id = row.merged_into_id
        return row_id

    lost_values = staticmethod(values.lost_values)

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
                worker.give_up_refused()
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
        found = self._find()
        self.ledger.n["conflicts"] = len(found.conflicts)
        self.ledger.n["refused rows"] = len(found.problems)
        assert not self.ledger.faults, self.ledger.faults[:3]
        rivals: Rivals = {}
        for noun in self.nouns:
            for where, told in noun.rivals().items():
                rivals.setdefault(where, set()).update(told)
        values.check_values(self.ledger, found, rivals)
        values.check_repeats(self.ledger, found)
        self._check_intents(found)
        doubled = {what: n for what, n in found.happened.items() if n > 1}
        assert not doubled, f"carried out more than once: {doubled}"
        for noun in self.nouns:
            noun.check(found)

    def _find(self) -> Found:
        once = ("intent.decided", *itertools.chain.from_iterable(noun.once for noun in self.nouns))
        with self.db.reading() as session:
            problems = list(session.scalars(select(SyncProblem)))
            entries = select(HistoryEntry.kind, HistoryEntry.subject_id).where(HistoryEntry.kind.in_(once))
            waiting = [(row.collection, row.row_id, row.parent_id) for row in session.scalars(select(EarlyRow))]
            found = Found(
                stored={(table, row.id): row for table, model in MODELS.items() for row in session.scalars(select(model))},
                asked={intent.id: intent for intent in session.scalars(select(Intent))},
                happened=Counter((kind, subject) for kind, subject in session.execute(entries)),
                conflicts=list(session.scalars(select(SyncConflict))),
                problems=problems,
                refused={(p.collection, p.row_id) for p in problems if json.loads(p.content)["deleted"]},
                kept={(p.collection, p.row_id) for p in problems},
            )
        told = self.ledger.told_of([waiting[0][:2]]) if waiting else ""
        assert not waiting, f"rows wait for what nobody sends any more: {waiting[:5]}\n{told}"
        return found

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

    def _check_intents(self, found: Found) -> None:
        """Every intent that the server said yes to is there, decided once, as it was asked."""
        assert set(found.asked) <= set(self.ledger.intents)
        lost = self.ledger.answered - set(found.asked) - {row_id for _, row_id in found.kept}
        assert not lost, f"acknowledged intents are not there: {[(row, self.ledger.intents[row]) for row in sorted(lost)[:5]]}"
        for intent in found.asked.values():
            assert intent.verdict is not None
            assert intent.kind == self.ledger.intents[intent.id][0]
            self.ledger.n[f"verdicts {intent.verdict}"] += 1

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


def _weighed(found: Any) -> tuple[list[Any], list[int]]:
    pairs = list(found)
    return [verb for verb, _ in pairs], [weight for _, weight in pairs]
