"""Days of a rep as their phone tells them, and the calls a test begins with."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from app.core.clock import to_ms
from app.core.geo import Position
from tests.people import Http

SITE = Position(22.54, 114.05)
"""Where ``make_world`` has the customer's site."""
METRE = 1 / 111_195  # degrees of latitude


class Road:
    """A phone's fixes along a way to the north of a place; the noise is that of a receiver in the open."""

    def __init__(self, since: datetime, seed: int = 7, place: Position = SITE, north_m: float = 0.0) -> None:
        self.at_ms, self.north_m, self.place = to_ms(since), north_m, place
        self.chance = random.Random(seed)
        self.fixes: list[dict[str, Any]] = []

    def drive(self, metres: float, mps: float = 11.0, every_s: int = 5) -> Road:
        """Drive so far to the north (or south, where negative)."""
        steps = int(abs(metres) / mps / every_s)
        for _ in range(steps):
            self.north_m += metres / steps
            self._tell(every_s, mps)
        return self

    def stay(self, minutes: float, every_s: int = 20) -> Road:
        for _ in range(int(minutes * 60 / every_s)):
            self._tell(every_s, 0.0)
        return self

    def silence(self, minutes: float) -> Road:
        """Nothing is recorded."""
        self.at_ms += int(minutes * 60_000)
        return self

    def _tell(self, every_s: int, mps: float) -> None:
        self.at_ms += every_s * 1000
        noise = [self.chance.gauss(0, 3.0) for _ in range(2)]
        self.fixes.append(
            {
                "lat": self.place.lat + (self.north_m + noise[0]) * METRE,
                "lon": self.place.lon + noise[1] * METRE,
                "datum": "wgs84",
                "accuracy_m": round(self.chance.uniform(4, 12), 1),
                "altitude_m": round(self.chance.gauss(40, 3), 1),
                "speed_mps": round(max(0.0, mps + self.chance.gauss(0, 0.3)), 2),
                "at_ms": self.at_ms,
                "sequence": len(self.fixes),
            }
        )


def agree(rep: Http, **more: Any) -> dict[str, Any]:
    notice = rep.get("/track-notice")
    body = {"text_version": notice["text_version"], "digest": notice["digest"], **more}
    return dict(rep.post("/track-consents", body, expect=201))


def begin(rep: Http, **more: Any) -> str:
    return str(rep.post("/track-shifts", more, expect=201)["id"])


def send(rep: Http, fixes: list[Any], batch: str = "batch-0000001", now: datetime | None = None, expect: int = 200) -> Any:
    now_ms = to_ms(now or rep.database.clock.now())
    return rep.post("/tracks", {"id": batch, "now_ms": now_ms, "fixes": fixes}, expect=expect)


def whole_track(rep: Http, shift: str) -> list[dict[str, Any]]:
    """Return all pages of one's own track."""
    fixes: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = rep.get(f"/track-shifts/{shift}/track?after={after}&limit=1000")
        fixes, after = fixes + page["fixes"], page["next"]
    return fixes
