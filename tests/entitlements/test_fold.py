"""The fold: however grants and spends come, and however often, they stand alike."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.entitlements.fold import Grant, Spend, figures, fold

BEGIN = date(2026, 1, 1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
AMOUNTS = st.integers(1, 400).map(lambda n: Decimal(n) / 100)
DAYS = st.integers(0, 20)


@st.composite
def grants(draw: st.DrawFn) -> list[Grant]:
    made = []
    for n in range(draw(st.integers(0, 5))):
        first = BEGIN + timedelta(days=draw(DAYS))
        last = draw(st.none() | DAYS.map(lambda days, first=first: first + timedelta(days=days)))  # type: ignore[misc]
        made.append(Grant(f"grant-{n}", draw(AMOUNTS), first, last))
    return made


@st.composite
def spends(draw: st.DrawFn) -> list[Spend]:
    made = []
    for n in draw(st.permutations(range(draw(st.integers(0, 8))))):
        # Few instants, so that several happen at one.
        at = MIDNIGHT + timedelta(hours=12 * draw(st.integers(0, 50)))
        made.append(Spend(f"spend-{n}", at, at.date(), draw(AMOUNTS)))
    return made


@given(grants(), spends(), st.randoms(use_true_random=False))
def test_shuffled_and_doubled_it_stands_alike(given_: list[Grant], told: list[Spend], random: object) -> None:
    found = fold(given_, told)
    doubled_grants, doubled_spends = given_ * 2, told * 3
    random.shuffle(doubled_grants)  # type: ignore[attr-defined]
    random.shuffle(doubled_spends)  # type: ignore[attr-defined]

    again = fold(doubled_grants, doubled_spends)

    assert (dict(again.covers), dict(again.left)) == (dict(found.covers), dict(found.left))
    day = BEGIN + timedelta(days=7)
    assert figures(doubled_grants, doubled_spends, again, day) == figures(given_, told, found, day)


@given(grants(), spends())
def test_nothing_is_lost_and_nothing_is_taken_twice(given_: list[Grant], told: list[Spend]) -> None:
    found = fold(given_, told)
    taken = dict.fromkeys((grant.id for grant in given_), Decimal(0))
    by_id = {grant.id: grant for grant in given_}
    for spend in told:
        cover = found.covers[spend.id]
        assert (cover.reason is None) == (cover.amount == spend.amount)
        assert cover.amount <= spend.amount
        for grant_id, amount in cover.parts:
            assert amount > 0
            assert by_id[grant_id].holds_on(spend.day)
            taken[grant_id] += amount
    assert {grant.id: grant.amount - taken[grant.id] for grant in given_} == found.left
    assert all(left >= 0 for left in found.left.values())


@given(grants(), spends())
def test_a_spend_is_beyond_only_where_nothing_was_left_that_held_on_its_day(given_: list[Grant], told: list[Spend]) -> None:
    found = fold(given_, told)
    for spend in told:
        if found.covers[spend.id].reason is None:
            continue
        until = [one for one in told if (one.happened_at, one.id) <= (spend.happened_at, spend.id)]
        left = fold(given_, until).left
        assert not any(left[grant.id] > 0 for grant in given_ if grant.holds_on(spend.day))


@given(grants(), spends(), DAYS)
def test_a_balance_on_a_day_adds_up_and_stays_until_the_day_it_names(given_: list[Grant], told: list[Spend], n: int) -> None:
    found, day = fold(given_, told), BEGIN + timedelta(days=n)
    shown = figures(given_, told, found, day)
    assert shown.granted == shown.spent + shown.left
    assert shown.beyond == sum((one.amount - found.covers[one.id].amount for one in told), Decimal(0))
    for later in (day + timedelta(days=days) for days in range(1, 60)):
        if shown.turns_on is not None and later >= shown.turns_on:
            break
        again = figures(given_, told, found, later)
        assert (again.granted, again.spent, again.left, again.beyond, again.next_end) == (
            shown.granted, shown.spent, shown.left, shown.beyond, shown.next_end,
        )  # fmt: skip
    else:
        assert shown.turns_on is None or shown.turns_on > later


def test_what_ends_first_is_used_first_and_a_part_may_be_beyond() -> None:
    january = Grant("a-january", Decimal("1.00"), BEGIN, date(2026, 1, 31))
    always = Grant("b-always", Decimal("2.00"), BEGIN, None)
    at = datetime(2026, 1, 10, tzinfo=UTC)
    told = [Spend("first-one", at, at.date(), Decimal("1.50")), Spend("later-one", at, at.date(), Decimal("2.00"))]

    found = fold([always, january], told)

    assert found.covers["first-one"].parts == (("a-january", Decimal("1.00")), ("b-always", Decimal("0.50")))
    assert (found.covers["later-one"].parts, found.covers["later-one"].reason) == ((("b-always", Decimal("1.50")),), "used_up")
