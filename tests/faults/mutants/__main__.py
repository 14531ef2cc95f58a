"""``python -m tests.faults.mutants [words]``: plant each fault in a copy of the tree, and see its test fail. Takes a while.

Prints a table for docs/reliability.md; the exit status is 0 when every fault was seen.
``words``: only mutants whose name has them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.plant import ROOT

_PATIENCE_S = 900


def copy_tree(target: Path) -> None:
    """Copy what the tests need: every file of the tree that is not made by running it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("examples/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def run(tree: Path, test: tuple[str, str]) -> tuple[int, str]:
    """Run a test in a tree; return pytest's status (0 passed, 1 failed) and what was counted."""
    file, words = test
    command = [sys.executable, "-m", "pytest", file, "-k", words, "-q", "-n", "0", "-x", "-p", "no:cacheprovider"]
    environ = {name: value for name, value in os.environ.items() if name != "SOAK"} | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    counted = re.findall(r"\d+ (?:passed|failed|skipped|error)", done.stdout)
    return done.returncode, ", ".join(counted)


def plant(tree: Path, mutant: Mutant) -> str:
    """Make the edit; return the text before."""
    file = tree / mutant.file
    before = file.read_text()
    file.write_text(before.replace(mutant.old, mutant.new))
    return before


def main(words: list[str]) -> int:
    """Try the mutants; return how many were not seen."""
    missed = 0
    sound: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory(prefix="fieldloop-mutants-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        print("| planted fault | promise | test | seen | took |\n| --- | --- | --- | --- | --- |", flush=True)
        for mutant in MUTANTS:
            if not all(word in mutant.name for word in words):
                continue
            if mutant.test not in sound:
                sound[mutant.test] = run(tree, mutant.test)[0]
            before, began = plant(tree, mutant), time.monotonic()
            status, _ = run(tree, mutant.test)
            (tree / mutant.file).write_text(before)
            # Without the fault it must pass: a test that always fails sees nothing.
            seen = sound[mutant.test] == 0 and status == 1
            missed += not seen
            said = "yes" if seen else f"**no** ({sound[mutant.test]}, {status})"
            name = f"`{Path(mutant.test[0]).stem}`: {mutant.test[1]}"
            print(f"| {mutant.name} | {mutant.promise} | {name} | {said} | {time.monotonic() - began:.0f} s |", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
