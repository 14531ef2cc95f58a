"""What the pages name is there: settings with their defaults, routes, files, tests, what they link to; in both languages."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from app.core.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")])
PAIRS = [(page.with_name(page.name.replace(".zh-CN", "")), page) for page in PAGES if page.name.endswith(".zh-CN.md")]
# A name that stands for many.
MADE_ELSEWHERE = {"docs/adr/NNNN-title.md"}
OUTSIDE_THE_API = {"/health/live", "/health/ready", "/api/v5/clients/<>"}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)


@cache
def anchors(page: Path) -> set[str]:
    """Return what a heading is linked by, as GitHub makes it."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower().replace(" ", "-")
        found.add("".join(letter for letter in words if letter.isalnum() or letter in "-_"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_and_every_test_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    folders = "app|iot|push|offline_sync|deploy|demo|examples|bench|docs|migrations|tests|scripts"
    for path in set(re.findall(rf"(?<![\w/.])(?:{folders})/[\w/.@-]*\.(?:py|mjs|md|json|yml|yaml|conf|sh)\b", text)):
        assert (ROOT / path).exists() or (page.parent / path).exists() or path in MADE_ELSEWHERE, path
    for path, test in set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)):
        assert f"def {test}(" in (ROOT / path).read_text(), test


@cache
def routes() -> dict[str, set[str]]:
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    return {re.sub(r"\{[^}]*\}", "<>", path).removeprefix("/api/v1"): set(methods) for path, methods in paths.items()}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_route_that_a_page_names_is_one(page: Path) -> None:
    for method, said in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)", page.read_text()):
        path = re.sub(r"<[^>]*>", "<>", said.removeprefix("/api/v1"))
        if path in OUTSIDE_THE_API:
            continue
        # A page may name one subject where the route takes any.
        known = [route for route in routes() if re.fullmatch(re.escape(route).replace("<>", "(<>|[a-z_]+)"), path)]
        assert known, said
        assert any(method.lower() in routes()[route] for route in known), f"{method} {said}"


@pytest.mark.parametrize("name", ["operation.md", "operation.zh-CN.md"])
def test_every_setting_is_in_the_table_with_its_default(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("HTTP_HOST", "HTTP_PORT", "DATABASE_URL", "SECRET_KEY", "ARGON2_PROFILE"):
        monkeypatch.delenv(f"FIELDLOOP_{variable}", raising=False)
    settings = read_settings(var_dir=tmp_path)
    rows = dict(re.findall(r"^\| `FIELDLOOP_(\w+)` \| ([^|]*) \|", (ROOT / "docs" / name).read_text(), re.M))

    assert set(rows) == {field.upper() for field in settings.__dataclass_fields__}
    # Those that follow from others are told in words.
    for variable in set(rows) - {"SECRET_KEY", "DATABASE_URL", "VAR_DIR", "PUBLIC_URL", "VAPID_PRIVATE_KEY"}:
        value = getattr(settings, variable.lower())
        told = (
            ",".join(map(str, value))
            if isinstance(value, tuple)
            else str(value).lower()
            if value in {True, False}
            else str(value)
        )
        assert rows[variable] == (f"`{told}`" if told else rows[variable]), variable
        assert bool(told) != (rows[variable] in {"empty", "空"}), variable


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: named(pair[0]))
def test_both_languages_have_the_same_tables_and_the_same_commands(pair: tuple[Path, Path]) -> None:
    def tables(page: Path) -> list[int]:
        return [len(rows.splitlines()) for rows in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.M)]

    def names(page: Path) -> set[str]:
        """Return what is named in code that is the same in every language: settings, figures, routes' verbs, tests."""
        return set(re.findall(r"FIELDLOOP_\w+|fieldloop_\w+|\btest_\w+|python -m \w+(?: \w+)?", page.read_text()))

    english, chinese = pair
    assert tables(english) == tables(chinese)
    assert names(english) == names(chinese)
