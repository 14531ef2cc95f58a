"""The dry run: every row of an upload judged as a run would, and nothing else written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.tracked import transition
from app.imports.cells import Faults
from app.imports.kinds import KINDS
from app.imports.kinds.base import Judged
from app.imports.models import Import, ImportRow
from app.imports.own import PREFIX
from app.imports.repeats import Repeats
from app.imports.uploads import check_columns
from app.users.rights import Actor

_PAGE = 500


def check(session: Session, actor: Actor, row: Import) -> Import:
    """Judge every row as a run would, and write nothing else.

    Raises:
        FieldsInvalid: as ``uploads.map_columns``.
        Conflict: ``state_conflict`` once it runs.
    """
    check_columns(session, row.kind, {"columns": row.columns, "defaults": row.defaults, "key": row.key}, row.header)
    transition(session, row, "checked", expect=("draft", "checked"))
    checking = _Checking(session, actor, row)
    faulty = sum(checking.judge_page(page) for page in _pages(session, row.id))
    row.unmapped = checking.unmapped() or None
    history.record(
        session,
        "import.checked",
        history.Subject("import", row.id),
        causes=[history.last_entry(session, history.Subject("import", row.id))],
        actor_id=actor.id,
        rows=row.rows,
        faulty=faulty,
    )
    return row


def _pages(session: Session, import_id: str) -> Iterator[Sequence[Row[Any]]]:
    after = 0
    rows = select(ImportRow.number, ImportRow.cells).where(ImportRow.import_id == import_id).order_by(ImportRow.number)
    while page := session.execute(rows.where(ImportRow.number > after).limit(_PAGE)).all():
        after = page[-1].number
        yield page


class _Checking:
    """One check: what rows above bring to a customer is known to those below."""

    def __init__(self, session: Session, actor: Actor, row: Import) -> None:
        self._session, self._actor, self._row = session, actor, row
        self._kind = KINDS[row.kind]
        reader = self._kind.reader(session, row)
        rows = ((one.number, one.cells) for page in _pages(session, row.id) for one in page)
        self._repeats = Repeats(reader, rows, sites=self._kind.sites)
        self._brought: dict[str, dict[str, Any]] = {}
        self._firsts: dict[str, int] = {}
        self._unmapped: Counter[tuple[str, str]] = Counter()

    def judge_page(self, page: Sequence[Row[Any]]) -> int:
        """Judge some rows, keep what was found, and return how many are faulty."""
        judge = self._kind.judge(self._session, self._actor, self._row, [(one.number, one.cells) for one in page])
        found = []
        for read in judge.read:
            brought = self._brought.get(read.key or "") if read.number in self._repeats.follows else None
            one = judge.judge(read, brought)
            _add(one.faults, self._repeats.faults.get(one.number, {}))
            if one.faults:
                one.plan = None
            else:
                self._note(one)
            found.append((one, brought is not None))
        judge.foresee([one for one, _ in found])
        self._session.execute(update(ImportRow), [self._written(one, follows=follows) for one, follows in found])
        return sum(bool(one.faults) for one, _ in found)

    def _note(self, one: Judged) -> None:
        """Note what a row brings for those below, and which codes it holds that nobody knows."""
        if one.key is not None:
            self._firsts.setdefault(one.key, one.number)
            brought = self._brought.setdefault(one.key, {})
            custom = brought.get("custom", {}) | one.values.get("custom", {})
            brought |= one.values | ({"custom": custom} if custom else {})
        self._unmapped.update((name.removeprefix(PREFIX), one.codes[name]) for name in one.waiting if name not in one.ignored)

    def _written(self, one: Judged, *, follows: bool) -> dict[str, Any]:
        return {
            "import_id": self._row.id,
            "number": one.number,
            "state": "faulty" if one.faults else "ready",
            "plan": one.plan,
            "faults": one.faults,
            "outranked": one.outranked or None,
            "waiting": None if one.faults else one.waiting or None,
            "follows": self._firsts[one.key] if follows and one.key is not None and not one.faults else None,
        }

    def unmapped(self) -> list[dict[str, Any]]:
        """Return the codes nobody has mapped, those of most rows first."""
        most = sorted(self._unmapped.items(), key=lambda item: (-item[1], item[0]))
        return [{"list_name": name, "code": code, "rows": rows} for (name, code), rows in most]


def _add(faults: Faults, others: Faults) -> None:
    for name, codes in others.items():
        faults.setdefault(name, []).extend(codes)
