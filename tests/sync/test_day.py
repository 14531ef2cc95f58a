"""The rep's day that the README tells, as `make day` plays it: over HTTP, and with a real WatermelonDB phone."""

from __future__ import annotations

import dataclasses

import pytest

from app.core.db import Database
from app.core.settings import Settings
from demo.day import day
from demo.seed import seed
from tests.people import Http
from tests.sync.test_clients import node


def test_a_reps_day_runs_as_told_and_once_more(
    db: Database, settings: Settings, server: str, http: Http, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node()  # skips, or fails in CI, where it is missing
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    seed(db, settings)
    there = dataclasses.replace(settings, public_url=server.removesuffix("/api/v1"))
    for _ in range(2):
        said: list[str] = []
        code = day(there, said.append)
        phone = capfd.readouterr()
        assert code == 0, "\n".join([*said, phone.out, phone.err])
        told = "\n".join(said)
        assert "nearness=inside" in told
        assert "reasons=['datum_unknown']" in told
        assert "who asks for the other one gets C-1001" in told
        assert "900 m off the fence, with a photograph and a note visit.check_in: accepted" in phone.out
        assert "state: 'finished'" in phone.out
