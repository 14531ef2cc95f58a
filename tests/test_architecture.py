"""The house rules that no type checker sees: one way of imports, one place that commits, one clock, one door per library."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("app", "iot", "push", "offline_sync")


@cache
def sources(*folders: str) -> list[tuple[str, str]]:
    """Return path and text of every Python file in these folders of the repository."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


@cache
def nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


@cache
def calls(source: str) -> list[str]:
    """Return what is called in a source, as it is written: ``session.commit``, ``print``."""
    return [ast.unparse(node.func) for node in nodes(source) if isinstance(node, ast.Call)]


def files_that(does: Callable[[str], bool], *folders: str) -> set[str]:
    return {path for path, source in sources(*folders) if does(source)}


# --- imports ---


def lint_imports(config: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), *(["--config", str(config)] if config else []), "--no-cache"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def import_settings() -> dict[str, list[dict[str, list[str]]]]:
    settings: dict[str, list[dict[str, list[str]]]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return settings


def layers() -> list[str]:
    return next(contract["layers"] for contract in import_settings()["contracts"] if "layers" in contract)


def test_every_import_contract_is_kept() -> None:
    found = lint_imports()

    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]
    assert "0 broken" in found.stdout


def test_the_import_linter_sees_a_broken_contract(tmp_path: Path) -> None:
    """Planted: the layers upside down."""
    config = tmp_path / "upside_down.ini"
    lines = ["[importlinter]", "root_packages =", *[f"    {name}" for name in PRODUCT]]
    lines += ["[importlinter:contract:1]", "name = upside down", "type = layers", "layers ="]
    config.write_text("\n".join([*lines, *[f"    {layer}" for layer in reversed(layers())]]) + "\n")

    assert lint_imports(config).returncode == 1


def test_every_room_of_the_product_has_its_layer() -> None:
    """A room that no contract names would be free of all of them; only a file that imports nothing of ours may be."""
    named = {name.strip() for layer in layers() for name in layer.split("|")}
    rooms = {path for path in (ROOT / "app").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    unnamed = {path for path in rooms if f"app.{path.stem}" not in named}

    assert all(path.is_file() and not imported(path.read_text()) & set(PRODUCT) for path in unnamed), unnamed
    assert {"iot", "push", "offline_sync"} <= named


def test_a_process_that_begins_loads_nothing_that_only_few_need() -> None:
    """They are a quarter of the time until a web process or a worker is there, and 40 MB of each."""
    few = {"alembic", "mako", "geopy", "aiohttp", "numpy", "shapely", "firebase_admin", "pywebpush", "pyvrp"}
    told = f"import sys, app.factory, app.worker, iot.__main__; print(sorted({few!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


DOORS = {
    "paho": {"iot/frames.py", "iot/subscriber.py", "iot/dynsec.py"},
    "iotcore": {"iot/broker.py"},
    "firebase_admin": {"push/channels/fcm.py"},
    "pywebpush": {"push/channels/web_push.py"},
    "smtplib": {"push/channels/email.py"},
    "geopy": {"app/core/geo.py", "app/positions/geocoders.py"},
    "opening_hours": {"app/stations/hours.py"},
    "apscheduler": {"app/jobs.py"},
    "phonenumbers": {"app/core/fields.py"},
    "python_calamine": {"app/imports/spreadsheets.py"},
    "rapidfuzz": {"app/customers/matching.py"},
    "pyvrp": {"app/day_plans/routing.py"},
    "pypinyin": {"app/search/spelling.py"},
    "argon2": {"app/users/secrets.py"},
    "joserfc": {"app/users/secrets.py"},
    "cryptography": {"app/users/secrets.py"},
    "alembic": {"app/migrate.py"},
    "flask_smorest": {"app/core/api.py", "app/core/http.py", "app/openapi.py"},
    "PIL": {"app/attachments/contents.py"},
    "psycopg": {"app/backup.py"},  # else SQLAlchemy's business; a snapshot is exported beside pg_dump
    "sqlite3": {"app/core/db.py", "app/backup.py"},  # the kind of its faults; its backup API
    "pickle": set(),
}


def imported(source: str) -> set[str]:
    """Return the top-level names of what a source imports, wherever in it."""
    found = set()
    for node in nodes(source):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_has_one_door(library: str) -> None:
    assert files_that(lambda source: library in imported(source), *PRODUCT) <= DOORS[library]


def test_an_import_is_found_however_it_is_written() -> None:
    planted = "import paho.mqtt.client as mqtt\ndef f():\n    from geopy.distance import geodesic\n"

    assert imported(planted) == {"paho", "geopy"}


# --- commits and transactions ---


def commits(source: str) -> bool:
    return any(name.rpartition(".")[2] == "commit" for name in calls(source))


def opens_a_transaction(source: str) -> bool:
    return any(name.endswith(".transaction") for name in calls(source))


def rolls_back(source: str) -> bool:
    """Tell whether something other than a savepoint is rolled back."""
    nested = {
        ast.unparse(item.optional_vars)
        for node in nodes(source)
        if isinstance(node, ast.With)
        for item in node.items
        if item.optional_vars is not None and "begin_nested" in ast.unparse(item.context_expr)
    }
    return any(name.endswith(".rollback") and name.removesuffix(".rollback") not in nested for name in calls(source))


def test_one_line_of_the_product_commits() -> None:
    assert files_that(commits, *PRODUCT, "demo", "bench") == {"app/core/db.py"}
    assert sum(name.endswith(".commit") for name in calls((ROOT / "app/core/db.py").read_text())) == 1


EDGES = {
    "app/core/http.py": "the door of every request",
    "app/core/problems.py": "the trace of a refusal",
    "app/users/auth.py": "signing in: checks the password between a snapshot and a transaction, so that no lock waits for it",
    "app/attachments/uploads.py": "conductor of uploads: bytes to the disk first, outside of every transaction, then the row",
    "app/jobs.py": "jobs by the clock",
    "app/customers/look_ups.py": "conductor of addresses: asks a geocoder outside of every transaction, then writes",
    "app/lead_forms/routes.py": "what strangers send: each call is counted whatever comes of it, then it is read, then taken in",
    "app/imports/running.py": "conductor of imports: page after page",
    "app/backup.py": "another history begins after a restore",
    "app/tracks/routes.py": "a batch of fixes: its body is read before, fix by fix, and no answer is stored beside it",
    "app/tracks/following.py": "conductor of tracks: reckons outside of the transaction that writes",
    "app/tracks/erasure.py": "conductor of deletion: page after page",
    "app/worker.py": "the sign of life of the worker",
    "app/__main__.py": "commands",
    "iot/retention.py": "conductor of old readings: slice after slice",
    "iot/ingest.py": "conductor of telemetry",
    "iot/ahead.py": "conductor of readings whose time has come: slice after slice",
    "iot/emqx.py": "who may sign in: checks the secret in a snapshot, and counts only failures",
    "iot/__main__.py": "the ingest process: commands out, sign of life",
    "iot/polls.py": "a device that fetches a command: looks in a snapshot, and writes only when there is one",
    "iot/operations.py": "replay of a dead letter: marks it, then conducts the ingest",
    "push/delivery.py": "conductor of messages leaving",
    "offline_sync/routes.py": "notes how far a phone came after its pull, leaves the traces of refusals after its push",
    "offline_sync/installations.py": "how far a phone came: written after its snapshot, and rarely",
}


def test_transactions_are_opened_at_the_edges_and_at_every_edge_that_is_listed() -> None:
    assert files_that(opens_a_transaction, *PRODUCT) == set(EDGES)


def test_of_the_verbs_only_the_replay_conducts_its_own_transactions() -> None:
    tree = ast.parse((ROOT / "iot/operations.py").read_text())

    assert [f.name for f in tree.body if isinstance(f, ast.FunctionDef) and opens_a_transaction(ast.unparse(f))] == ["replay"]


def test_whole_transactions_are_rolled_back_by_the_door_only() -> None:
    assert files_that(rolls_back, *PRODUCT) == {"app/core/db.py"}


# --- the clock ---

WALL_CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.localtime"}


def reads_the_wall_clock(source: str) -> bool:
    return any(name in WALL_CLOCKS or name.removeprefix("datetime.") in WALL_CLOCKS for name in calls(source))


def test_the_time_comes_from_the_one_clock() -> None:
    allowed = {
        "app/core/clock.py",  # it is the clock
        "app/core/ids.py",  # ids carry the host's time so that later ones sort later; nothing is decided by it
    }

    assert files_that(reads_the_wall_clock, *PRODUCT) == allowed


def test_only_processes_that_wait_read_the_monotonic_clock_by_themselves() -> None:
    """Intervals of supervision and of sockets; no rule and no verb measures time by itself."""
    waiting = {"app/core/clock.py", "app/core/db.py", "app/supervise.py", "iot/__main__.py", "iot/subscriber.py", "iot/broker.py"}

    assert files_that(lambda source: "time.monotonic" in set(calls(source)), *PRODUCT) <= waiting


def test_nothing_sleeps() -> None:
    """What waits, waits for an event that can end the wait."""
    polling = {
        "app/supervise.py",  # the start: processes that it cannot ask
        "app/core/db.py",  # SQLite's write lock, for milliseconds
        "app/core/http.py",  # past a deadlock, for as long as a request takes
    }

    assert files_that(lambda source: bool({"time.sleep", "sleep"} & set(calls(source))), *PRODUCT) <= polling


# --- words to people, and faults ---


def test_only_commands_print() -> None:
    assert files_that(lambda source: "print" in set(calls(source)), *PRODUCT) <= {"app/__main__.py"}


def swallows_everything(source: str) -> bool:
    """Tell whether an except for everything does not raise again."""
    handlers = [node for node in nodes(source) if isinstance(node, ast.ExceptHandler)]
    everything = [h for h in handlers if h.type is None or ast.unparse(h.type) in {"Exception", "BaseException"}]
    return any(not isinstance(h.body[-1], ast.Raise) for h in everything)


def test_blind_excepts_stand_in_the_loops_that_must_go_on_and_nowhere_else() -> None:
    assert files_that(swallows_everything, *PRODUCT) <= {
        "app/jobs.py",  # a job must not end the ticking of the others
        "app/worker.py",  # the loop of delivery goes on
        "push/delivery.py",  # one bad message may not stop the others
        "app/core/unfinished.py",  # one row may not keep the others from their turn
        "app/imports/running.py",  # one import may not keep the others from their turn
        "iot/mosquitto.py",  # the broker's files must follow the devices when the database is back
        "app/doctor.py",  # any fault means "cannot be reached"
        "app/serve.py",  # the database may be away: open streams hear the news at the next look
        "app/meta.py",  # any fault means "not ready"
        "app/supervise.py",  # a child that cannot be started is named, the others run
    }


@pytest.mark.parametrize(
    ("finds", "planted"),
    [
        (commits, "def f(session):\n    session.commit()"),
        (commits, "with Session(engine) as s:\n    s.connection().commit()"),
        (rolls_back, "def f(session):\n    session.rollback()"),
        (rolls_back, "with session.begin_nested() as trial:\n    session.rollback()"),
        (opens_a_transaction, "with edge_database().transaction() as session: pass"),
        (reads_the_wall_clock, "from datetime import UTC, datetime\nat = datetime.now(UTC)"),
        (reads_the_wall_clock, "import datetime\nat = datetime.datetime.now()"),
        (reads_the_wall_clock, "import time\nat = time.time()"),
        (reads_the_wall_clock, "from datetime import date\non = date.today()"),
        (swallows_everything, "try:\n    f()\nexcept Exception:\n    log()"),
        (swallows_everything, "try:\n    f()\nexcept:\n    pass"),
    ],
)
def test_the_searches_find_what_they_must(finds: Callable[[str], bool], planted: str) -> None:
    assert finds(planted)
    assert not finds("commit = transaction = 1\nwords = 'datetime.now() print() session.commit()'")
    assert not finds("with session.begin_nested() as trial:\n    trial.rollback()\ntry:\n    f()\nexcept Exception:\n    raise")
