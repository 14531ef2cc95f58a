"""The planted faults can still be planted; whether their tests see them, ``python -m tests.faults.mutants`` tells."""

from __future__ import annotations

import ast

import pytest

from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.plant import ROOT


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_each_fault_has_its_place_in_the_product_and_its_test(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text()
    assert source.count(mutant.old) == 1, "the product has changed here: plant the fault anew"
    ast.parse(source.replace(mutant.old, mutant.new))
    file, words = mutant.test
    tests = [node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)]
    assert any(words.partition(" ")[0] in name for name in tests)
