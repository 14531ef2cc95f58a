"""One phone with its person, network and habits."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.people import Http
from tests.sync.phones import KilledError, LostError, Row
from tests.sync.simulation.ledger import FIELDS
from tests.sync.simulation.network import Line

if TYPE_CHECKING:
    from tests.sync.simulation.company import Company

_YEAR_MS = 365 * 86_400_000


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
        # Visits this phone asked for last.
        self.planned: list[str] = []
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
        self.give_up_refused()

    def give_up_refused(self) -> None:
        """Throw away what the server would not take; of a customer whose field was retired meanwhile, what was typed into it."""
        self.phone.give_up_refused()
        for row_id in getattr(self.phone, "rejected", {}).get("customers", ()):
            row = self.phone.live("customers").get(row_id)
            text = json.loads(row["custom"]) if row is not None and row.get("custom") else {}
            if edited := text.get("_changed"):
                kept = {key: value for key, value in text.items() if key not in edited}
                self.phone.rows["customers"][row_id]["custom"] = json.dumps(kept | {"_changed": []})

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
        verbs, weights = self.company.habits[self.role]
        self.chance.choices(verbs, weights)[0](self)

    def holds(self, table: str) -> bool:
        """Tell whether this release of the app, and this person, have rows of a collection."""
        return self.role != "station_staff" and (self.phone.protocol == "watermelon" or table in self.phone.tables())

    @property
    def user_id(self) -> str:
        return self.person.bearer[0] if self.person.bearer else ""

    def waits(self, table: str, row_id: str) -> bool:
        """Tell whether an edit of a row waits to be sent."""
        return self.phone.waits(table, row_id)  # type: ignore[no-any-return]

    def fresh(self, name: str) -> Any:
        """Return a value that no field of any row ever had."""
        return fresh(name, next(self.ledger.numbers))

    def edit(self, table: str) -> None:
        row = self.phone.some(table, self.chance)
        if row is not None:
            name = self.chance.choice([name for name in FIELDS[table] if name in row and name != "custom"])
            self.phone.update(table, row["id"], **{name: self.fresh(name)})

    def make(self, table: str, row: Row) -> None:
        with self.ledger.lock:
            self.ledger.made.add((table, row["id"]))
        self.phone.create(table, row)
        if table in {"customers", "sites"}:
            self.newest = (table, row["id"])

    def intend(self, kind: str, about: str, /, **body: Any) -> str:
        """Ask for something; return the intent's id."""
        intent_id = f"intent-{next(self.ledger.numbers):07}"
        with self.ledger.lock:
            self.ledger.intents[intent_id] = (kind, about)
        self.ledger.note("leads", about, "asked on", self.phone.name, kind, intent_id)
        self.phone.intend(intent_id, kind, json.dumps(body), self.now_ms())
        return intent_id

    def now_ms(self) -> int:
        """Return what this phone's clock shows."""
        return self.company.now_ms() + self.skew_ms


def fresh(name: str, n: int) -> Any:
    """Return a value for a field, made of a number."""
    return {"phone": f"+86138{n:08}", "email": f"a{n}@example.test", "lat": n / 10**7}.get(name, f"{name} {n}")
