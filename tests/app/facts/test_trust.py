"""Which fact survives hangs on the set of facts and not on their order; trust by source, age and agreement."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.customers.trust import DEFAULT, SOURCE_KINDS, Rule, Said, ranked, trust

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def said(value: object, kind: str, days: float = 0, ref: str = "one", **more: bool) -> Said:
    return Said(f"{kind}-{ref}-{days}-{value}", value, kind, ref, DAY + timedelta(days=days), **more)


FACTS = st.lists(
    st.builds(
        lambda value, kind, ref, days, pinned, aside: said(value, kind, days, ref, pinned=pinned, aside=aside),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(SOURCE_KINDS),
        st.sampled_from(["one", "two"]),
        st.integers(0, 4),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda fact: fact.id,
)


@given(FACTS, st.integers(0, 2**32))
def test_the_same_facts_in_any_order_give_the_same_survivor_and_the_same_trust(facts: list[Said], seed: int) -> None:
    shuffled = list(facts)
    random.Random(seed).shuffle(shuffled)

    assert ranked(shuffled) == ranked(facts)
    assert trust(shuffled, DEFAULT, DAY) == trust(facts, DEFAULT, DAY)
    assert all(0 <= score <= 100 for score in trust(facts, DEFAULT, DAY).values())


@given(FACTS)
def test_a_survivor_is_never_of_a_lower_tier_than_a_rival_unless_somebody_chose(facts: list[Said]) -> None:
    order = ranked(facts)
    if any(fact.pinned or fact.aside for fact in order):
        return
    assert [DEFAULT.tier(fact.kind) for fact in order] == sorted(DEFAULT.tier(fact.kind) for fact in order)


def test_the_better_source_survives_then_the_newest_then_what_more_say() -> None:
    better, newer = said("a", "rep"), said("b", "erp", 5)
    assert ranked([newer, better])[0] == better
    assert ranked([said("a", "rep", 0, "one"), said("b", "rep", 1, "two")])[0].value == "b"
    even = [said("a", "rep", 0, "one"), said("b", "rep", 0, "two"), said("b", "import", -9)]
    for order in permutations(even):
        assert ranked(order)[0].value == "b"


def test_who_says_something_new_takes_back_what_they_said_before() -> None:
    old, new = said("a", "owner_portal", 0), said("b", "owner_portal", 1)

    assert ranked([new, old]) == [new]


def test_what_was_chosen_stands_until_a_person_says_otherwise() -> None:
    owner, chosen = said("a", "owner_portal", 0), said("b", "rep", 1, pinned=True)
    machine, person = said("c", "erp", 2), said("d", "office", 2)

    assert ranked([owner, chosen, machine])[0] == chosen
    assert ranked([owner, chosen, machine, person])[0] == person


def test_what_came_with_a_merge_is_behind_what_was_said_of_the_customer_itself() -> None:
    own, other = said("a", "import"), said("b", "owner_portal", 3, aside=True)

    assert ranked([own, other])[0] == own
    assert ranked([other]) == [other]


@pytest.mark.parametrize(
    ("facts", "days", "score"),
    [
        ([said("a", "rep")], 0, 80),
        ([said("a", "rep")], 365, 40),
        ([said("a", "rep"), said("a", "erp")], 0, 92),  # 1 - 0.2 * 0.4
        ([said("a", "rep"), said("b", "erp")], 0, 56),  # 0.8 * (1 - 0.3)
        (
            [said("a", "rep", 0, "one"), said("b", "rep", 30, "two"), said("a", "rep", 60, "one")],
            60,
            64,
        ),  # h = 30 days: 0.8 * (1 - 0.4 / 2)
    ],
)
def test_trust_is_of_source_age_and_agreement(facts: list[Said], days: float, score: int) -> None:
    at = DAY + timedelta(days=days)

    assert trust(facts, DEFAULT, at)[ranked(facts)[0].id] == score


def test_a_field_that_changes_often_is_out_of_date_sooner() -> None:
    steady = [said("a", "rep", 0)]
    restless = [said(str(n), "rep", n * 40 - 160) for n in range(5)]
    at = DAY + timedelta(days=40)

    assert trust(restless, Rule(), at)[restless[-1].id] < trust(steady, Rule(), at)[steady[0].id]
