"""docs/reliability.md names a test for each fault; every name is a test, in both languages."""

from __future__ import annotations

import re
from functools import cache

import pytest

from app.core.fault_points import FaultPoint
from tests.faults.mutants import MUTANTS
from tests.faults.plant import ROOT

PAGES = ("docs/reliability.md", "docs/reliability.zh-CN.md")


def named(page: str) -> list[str]:
    return re.findall(r"`(test_\w{20,})`", (ROOT / page).read_text())


@cache
def known() -> set[str]:
    return {name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_the_page_names_is_there(page: str) -> None:
    assert set(named(page)) - known() == set()
    assert len(named(page)) > 40


def test_both_languages_name_the_same_tests_in_the_same_order() -> None:
    assert named(PAGES[0]) == named(PAGES[1])


@pytest.mark.parametrize("page", PAGES)
def test_the_page_lists_every_fault_point_and_every_planted_fault(page: str) -> None:
    text = (ROOT / page).read_text()
    assert [point for point in FaultPoint if f"| `{point}` |" not in text] == []
    assert [mutant.name for mutant in MUTANTS if f"| {mutant.name} |" not in text] == []
