"""Every figure opens: the rows within add up to it, and its list is as long as it is great; on random field work."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from app.core.db import Database
from app.core.edge import Edge
from app.core.settings import Settings
from tests.field_figures.fieldwork import Fieldwork, make_fieldwork
from tests.people import Http

FIRST = date(2026, 2, 20)
# Of the figures below the first level, so many are opened into their lists.
_SAMPLE = 40


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("SEED", "0")) or random.randrange(10**6)
    print(f"seed {seed}")  # with SEED=<it> the run is the same
    return random.Random(seed)


@pytest.fixture
def work(db: Database, settings: Settings, dice: random.Random) -> Fieldwork:
    return make_fieldwork(db, settings, dice, FIRST, days=6, visits=60)


@pytest.fixture
def boss(http: Http, work: Fieldwork) -> Http:
    return http.as_(work.manager)


def asked(work: Fieldwork, by: str, **only: str) -> str:
    filters = "".join(f"&{name}={value}" for name, value in only.items())
    return f"/field-figures?by={by}&from={work.first}&until={work.last}{filters}"


def length(door: Http, path: str) -> int:
    """Return how many rows a list has, on all its pages."""
    found, cursor = 0, ""
    while True:
        page = door.get(f"{path}&limit=200{cursor}")
        found += len(page["items"])
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def check_sum(table: dict[str, Any], parent: dict[str, Any]) -> None:
    """Check that the rows of a table add up to a row above them, and its total to the same figures."""
    for column in table["columns"]:
        name = column["name"]
        if column["adds_up"]:
            added = sum(row["figures"][name] or 0 for row in table["rows"])
            assert added == (parent["figures"][name] or 0), (name, parent["name"])
    assert table["total"]["figures"] == parent["figures"], parent["name"]


def counts_in(table: dict[str, Any], row: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the lists that a row's counts open into, each with how long it must be."""
    return [
        (f"{row['opens'][one['list']]}&figure={one['figure']}", row["figures"][one["name"]])
        for one in table["columns"]
        if one["counts"] and row["opens"][one["list"]] is not None
    ]


def check_below(door: Http, table: dict[str, Any], opened: list[tuple[str, int]]) -> int:
    """Open every row down to the days, and note the lists of their visits; return how many rows there were."""
    rows = 0
    for row in table["rows"]:
        rows += 1
        opened += counts_in(table, row)
        if table["by"] == "day":
            assert row["within"] == row["opens"]["visits"]
            opened.append((row["within"], row["figures"]["visits"]))
            continue
        within = door.get(row["within"])
        check_sum(within, row)
        rows += check_below(door, within, opened)
    return rows


def test_rows_within_add_up_and_lists_are_as_long_as_the_counts(boss: Http, work: Fieldwork, dice: random.Random) -> None:
    table = boss.get(asked(work, "team"))
    opened = counts_in(table, table["total"])
    deeper: list[tuple[str, int]] = []

    assert check_below(boss, table, deeper) > 50
    check_sum(table, table["total"])
    for path, count in opened + dice.sample(deeper, min(_SAMPLE, len(deeper))):
        assert length(boss, path) == count, path
    assert {row["id"] for row in table["rows"]} == {*work.teams, None}
    assert sum(count for _, count in opened) > 100


def test_one_type_of_visits_opens_in_the_same_way_and_has_no_follow_ups_and_leads(boss: Http, work: Fieldwork) -> None:
    table = boss.get(asked(work, "territory", type_id=work.types[0]))
    opened: list[tuple[str, int]] = counts_in(table, table["total"])

    check_below(boss, table, opened)
    for path, count in opened[:30]:
        assert length(boss, path) == count, path
    assert table["total"]["figures"]["visits"] > 0
    assert table["total"]["figures"]["calls"] is table["total"]["figures"]["leads"] is None
    assert table["total"]["opens"]["leads"] is None


def test_a_rep_opens_their_own_figures_alone(http: Http, boss: Http, work: Fieldwork) -> None:
    me, other = work.reps[:2]
    rep = http.as_(me)
    [mine] = [row for row in boss.get(asked(work, "user"))["rows"] if row["id"] == me]

    table = rep.get(asked(work, "user"))

    assert [(row["id"], row["figures"]) for row in table["rows"]] == [(me, mine["figures"])]
    assert table["total"]["figures"] == mine["figures"]
    check_sum(rep.get(table["rows"][0]["within"]), mine)
    for path, count in counts_in(table, table["rows"][0]):
        assert length(rep, path) == count, path
    for by in ("team", "territory"):
        rep.refused("GET", asked(work, by), 403, "forbidden")
    for query in (asked(work, "day", user_id=other), asked(work, "user", team_id=work.teams[1])):
        rep.refused("GET", query, 404, "not_found")


def test_medians_and_customers_are_of_all_visits_and_not_added_up(boss: Http, work: Fieldwork) -> None:
    table = boss.get(asked(work, "user"))
    held = [
        visit
        for visit in boss.get(table["total"]["opens"]["visits"] + "&figure=held&limit=200")["items"]
        if visit["began_at"] is not None
    ]
    ends = [[datetime.fromisoformat(visit[name]) for name in ("began_at", "ended_at")] for visit in held]
    minutes = sorted(max(0, int((left - came) / timedelta(minutes=1))) for came, left in ends)
    middle = (minutes[(len(minutes) - 1) // 2] + minutes[len(minutes) // 2]) / 2

    total = table["total"]["figures"]

    assert (total["minutes"], total["minutes_median"]) == (sum(minutes), middle)
    assert total["customers_visited"] == len({visit["customer_id"] for visit in held})
    assert total["customers_visited"] < sum(row["figures"]["customers_visited"] for row in table["rows"])
    due = boss.get(table["total"]["opens"]["visits"] + "&figure=by_visit_plan&limit=200")["items"]
    missed = {visit["customer_id"] for visit in due} - {visit["customer_id"] for visit in held}
    assert total["customers_missed"] == len(missed)


@pytest.mark.parametrize(("first", "hours"), [(date(2026, 3, 28), 23), (date(2026, 10, 24), 25)])
def test_a_day_of_23_or_25_hours_has_the_visits_of_all_its_hours(
    app: Flask, db: Database, settings: Settings, http: Http, first: date, hours: int
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    edge: Edge = app.extensions["fieldloop"]
    edge.settings = replace(settings, time_zone=zone)
    work = make_fieldwork(db, edge.settings, random.Random(1), first, days=3, visits=0)
    begins = datetime.combine(first, time(), zone).astimezone(UTC)
    boss, site = http.as_(work.manager), work.sites[0].id
    for step in range(2 * (48 + hours)):
        at = begins + timedelta(minutes=30 * step)
        body = {"site_id": site, "user_id": work.reps[0], "planned_from": at.isoformat(), "planned_until": at.isoformat()}
        boss.post("/visits", body, expect=201)

    table = boss.get(asked(work, "day"))

    days = [(first + timedelta(days=n)).isoformat() for n in range(3)]
    assert [(row["id"], row["figures"]["planned"]) for row in table["rows"]] == list(zip(days, (48, 2 * hours, 48), strict=True))
    assert [length(boss, row["within"]) for row in table["rows"]] == [48, 2 * hours, 48]
