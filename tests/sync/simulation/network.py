"""Time and network: a clock that never stands still, a load balancer, and lines that lose, double and delay."""

from __future__ import annotations

import itertools
import random
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from tests.conftest import SetClock
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import Answer, LostError, Send
from tests.sync.simulation.ledger import Ledger


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
