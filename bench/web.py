"""The API under granian: create and dispatch a work order, list, and a station's three steps; 1 and 8 clients."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.users.models import SignInSession
from app.users.secrets import make_access_token
from bench.figures import Table, percentile, short
from bench.fleet import Area, Fleet, add_asset
from bench.lab import DATABASE_NAMES, KINDS, Lab, free_port, wait_for

_TIMEOUT_S = 30.0


class Client:
    """One keep-alive connection of one signed-in person."""

    def __init__(self, port: int, token: str) -> None:
        self.last_bytes = 0
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer's JSON.

        Raises:
            RuntimeError: for an answer that is no success.
        """
        sent = json.dumps(body).encode() if body is not None else None
        self._link.request(method, "/api/v1" + path, sent, self._headers)
        answer = self._link.getresponse()
        raw = answer.read()
        self.last_bytes = len(raw)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw[:300]!r}")
        return json.loads(raw)

    def close(self) -> None:
        """Disconnect."""
        self._link.close()


@dataclass
class Desk:
    """One thread's two people, a rep and a station's technician, the vehicles it works on and the tasks it was given."""

    rep: Client
    staff: Client
    vehicles: list[tuple[str, str]]
    tasks: list[str] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    def create(self, number: int) -> None:
        """Open a work order, which asks a station."""
        asset_id, component_id = self.vehicles[number]
        self.rep.call("POST", "/work-orders", {"asset_id": asset_id, "component_id": component_id, "job": "battery_check"})

    def list_mine(self, _number: int) -> None:
        """List the newest 50 of one's work orders."""
        self.rep.call("GET", "/work-orders")

    def accept(self, number: int) -> None:
        """Accept a task."""
        self.staff.call("POST", f"/station-tasks/{self.tasks[number]}/accept")

    def begin(self, number: int) -> None:
        """Begin to work."""
        self.staff.call("POST", f"/station-tasks/{self.tasks[number]}/begin")

    def finish(self, number: int) -> None:
        """Fit a new pack."""
        self.staff.call("POST", f"/station-tasks/{self.tasks[number]}/finish", {"serial": f"NEW-{self.tasks[number]}"})

    def find_tasks(self) -> None:
        """Learn which tasks were given to the station."""
        self.tasks = [task["id"] for task in self.staff.call("GET", "/station-tasks?state=offered&limit=200")["items"]]


OPERATIONS: tuple[tuple[str, Callable[[Desk, int], None]], ...] = (
    ("create work order (dispatches)", Desk.create),
    ("list mine (page of 50)", Desk.list_mine),
    ("station accepts", Desk.accept),
    ("station begins", Desk.begin),
    ("station finishes", Desk.finish),
)


def measure(lab: Lab, fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table. A request that fails ends the run."""
    table = Table(
        "3. API under granian",
        ("operation", "clients", *(f"{DATABASE_NAMES[kind]} {what}" for kind in KINDS for what in ("p50 ms", "p99 ms", "req/s"))),
    )
    found = {kind: _database(lab, fleets[kind], kind, quick) for kind in KINDS}
    for name, clients in found[KINDS[0]]:
        figures = [short(figure) for kind in KINDS for figure in found[kind][name, clients]]
        table.rows.append((name, str(clients), *figures))
    first = next(iter(_plan(quick)))
    table.notes = [
        "granian as `python -m app up` starts it: 2 workers, 2 requests at once each. Clients are threads of one process with a "
        "keep-alive connection each, on the same processors.",
        f"{first[1]} requests of 1 client, then {' and '.join(f'{n} of each of {c}' for c, n in _plan(quick)[1:])}; "
        "each client is a rep and a technician of their own, each order on a vehicle of its own.",
        "Whole requests: sign-in checked, rights, one transaction, causal log, notifications queued.",
    ]
    return table, True


def _plan(quick: bool) -> tuple[tuple[int, int], ...]:
    """Return (clients, requests of each) in turn. At most 200 requests: the page of tasks that is asked for."""
    return ((1, 25), (8, 6)) if quick else ((1, 100), (8, 40))


def _database(lab: Lab, fleet: Fleet, kind: str, quick: bool) -> dict[tuple[str, int], tuple[float, float, float]]:
    """Return p50 ms, p99 ms and requests a second of every operation on one database."""
    url, port = lab.database(kind), free_port()
    settings = lab.settings(url, http_port=port)
    database = Database(url)
    try:
        with lab.product("web", settings) as web:
            wait_for("granian", lambda: web.must_run() and answers(port), 30, 0.1)
            found: dict[tuple[str, int], tuple[float, float, float]] = {}
            for clients, requests in _plan(quick):
                desks = [_desk(database, settings, port, fleet.areas[i], f"{clients}-{i}", requests) for i in range(clients)]
                for name, step in OPERATIONS:
                    if step is Desk.accept:
                        for desk in desks:
                            desk.find_tasks()
                    found[name, clients] = _together(desks, step, requests)
                for desk in desks:
                    desk.rep.close()
                    desk.staff.close()
            return found
    finally:
        database.close()


def answers(port: int) -> bool:
    """Tell whether the web process takes requests."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        link.request("GET", "/health/live")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def _desk(database: Database, settings: Settings, port: int, area: Area, name: str, vehicles: int) -> Desk:
    """Sign two people in and give them vehicles."""
    with database.transaction() as session:
        owned = [add_asset(session, area, f"{name}-{i:04d}") for i in range(vehicles)]
        tokens = [sign_in(session, settings, user_id) for user_id in (area.rep, area.staff)]
    return Desk(Client(port, tokens[0]), Client(port, tokens[1]), owned)


def sign_in(session: Session, settings: Settings, user_id: str) -> str:
    """Return an access token of a person, without the cost of a password."""
    opened = SignInSession(id=new_id(), user_id=user_id, began_at=datetime.now(UTC), label="bench")
    session.add(opened)
    return make_access_token(settings, user_id=user_id, session_id=opened.id, issued_s=time.time())


def _together(desks: list[Desk], step: Callable[[Desk, int], None], requests: int) -> tuple[float, float, float]:
    """Let every desk do a step so many times, all at once."""
    gate = threading.Barrier(len(desks) + 1, timeout=_TIMEOUT_S)
    faults: list[Exception] = []

    def work(desk: Desk) -> None:
        desk.took_ms = []
        gate.wait()
        try:
            for number in range(requests):
                began = time.perf_counter()
                step(desk, number)
                desk.took_ms.append((time.perf_counter() - began) * 1000)
        except Exception as fault:  # noqa: BLE001 - raised below, in the main thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(desk,), daemon=True) for desk in desks]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join(requests * _TIMEOUT_S)
    took = time.perf_counter() - began
    if faults:
        raise faults[0]
    all_ms = [ms for desk in desks for ms in desk.took_ms]
    return percentile(all_ms, 50), percentile(all_ms, 99), len(all_ms) / took
