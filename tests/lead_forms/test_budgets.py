"""Budgets as people choose and write them: what is read, which amount counts, and what is not guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lead_forms.budgets import Bounds, amount_of, read_budget

RANGES = {
    "10-20万": (100_000, 200_000),
    "10万-20万": (100_000, 200_000),
    "10万～20万": (100_000, 200_000),
    "１０－２０万": (100_000, 200_000),
    "10 万 至 20 万元": (100_000, 200_000),
    "10w到20w": (100_000, 200_000),
    "1.5万–2万": (15_000, 20_000),
    "5000-1万": (5_000, 10_000),
    "8千-1万": (8_000, 10_000),
    "100k–200k": (100_000, 200_000),
    "100-200K": (100_000, 200_000),
    "$100,000 - $200,000": (100_000, 200_000),
    "￥100,000—200,000": (100_000, 200_000),
    "between 100k and 200k": (100_000, 200_000),
    "0.5 to 1 million": (500_000, 1_000_000),
    "100-200": (100, 200),
}
ONE = {
    "15万": 150_000, "150000": 150_000, "150,000.50 CNY": Decimal("150000.50"), "约15万": 150_000, "15万左右": 150_000,
    "about 150k": 150_000, "1亿": 100_000_000, "0": 0,
}  # fmt: skip
LEAST = {"50万以上": 500_000, "50万+": 500_000, "≥50万": 500_000, "> 500k": 500_000, "over 500k": 500_000, "不低于50万": 500_000}
MOST = {"≤ 5万": 50_000, "5万以内": 50_000, "5万以下": 50_000, "under $50k": 50_000, "up to 50,000": 50_000, "< 5万": 50_000}
UNREADABLE = [
    "", "面议", "call me", "20-10万", "200k-100k", "1.000", "1.000-2.000", "1,00", "-5万", "2024-05-01", "10-20-30万", "200亿",
    "99999999999", "10万或20万", "1e5", "NaN", "١٢", "5万" * 40, "10万-", "万", "138 0013 8000", "10/20",
]  # fmt: skip


@pytest.mark.parametrize("text", RANGES)
def test_a_range_has_both_bounds(text: str) -> None:
    assert read_budget(text) == tuple(map(Decimal, RANGES[text]))


@pytest.mark.parametrize("text", ONE)
def test_one_amount_is_a_range_of_itself(text: str) -> None:
    assert read_budget(text) == Bounds(Decimal(ONE[text]), Decimal(ONE[text]))


def test_one_bound_leaves_the_other_end_open() -> None:
    assert {text: read_budget(text) for text in LEAST} == {text: (bound, None) for text, bound in LEAST.items()}
    assert {text: read_budget(text) for text in MOST} == {text: (None, bound) for text, bound in MOST.items()}


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_would_have_to_be_guessed_is_not_read(text: str) -> None:
    assert read_budget(text) is None


def test_the_office_says_which_amount_counts_and_an_open_range_has_only_one() -> None:
    both = Bounds(Decimal(100_000), Decimal(200_000))
    assert [amount_of(both, rule) for rule in ("lower", "middle", "upper")] == [100_000, 150_000, 200_000]
    for rule in ("lower", "middle", "upper"):
        assert amount_of(Bounds(Decimal(5), None), rule) == amount_of(Bounds(None, Decimal(5)), rule) == 5


@given(st.text(alphabet="0123456789万千亿kKwm.,-–~至到 以上内下≤≥<>+约¥元", max_size=80))
def test_whatever_is_written_is_read_within_bounds_or_not_at_all(text: str) -> None:
    found = read_budget(text)
    for bound in found or ():
        assert bound is None or 0 <= bound < 10**10
    if found is not None and None not in found:
        assert found.least <= found.most  # type: ignore[operator]
