"""The house rules that a tool can see: layers, one commit, one clock, one door each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = [path for room in ("app", "iot", "push", "offline_sync") for path in sorted((ROOT / room).rglob("*.py"))]


def places_of(pattern: str) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in PRODUCT if re.search(pattern, path.read_text())}


def test_imports_go_one_way() -> None:
    answer = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stdout


def test_only_the_database_room_commits() -> None:
    assert places_of(r"\.commit\(") == {"app/core/db.py"}


def test_transactions_are_opened_at_the_edges_only() -> None:
    edges = {
        "app/core/http.py",  # routes
        "app/users/auth.py",  # sign-in, which checks the password between two transactions
        "app/jobs.py",
        "app/worker.py",
        "app/__main__.py",
        "iot/__main__.py",
        "iot/ingest.py",
        "iot/operations.py",  # replay of a dead letter
        "push/delivery.py",
    }
    found = places_of(r"\b(database|db|self\.database|edge_database\(\)|edge\.database)\.transaction\(\)")

    assert found <= edges, found - edges


def test_the_time_comes_from_the_one_clock() -> None:
    allowed = {"app/core/clock.py"}

    assert places_of(r"datetime\.now\(|datetime\.utcnow\(|time\.time\(\)") <= allowed
