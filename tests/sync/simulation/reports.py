"""Reports of owners: filled in on two phones of each, whose clocks are years off; told once, and compared by when it was."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.core.clock import to_ms
from app.customer_reports.models import CustomerReport
from tests.factories import make_user
from tests.sync.simulation.noun import Duties, Found, Habits, Noun

if TYPE_CHECKING:
    from tests.sync.simulation.worker import Worker

_QUESTION = {"code": "area", "kind": "number", "label_zh": "面积", "label_en": "Area"}
_STEP = {"code": "size", "kind": "form", "required": True, "label_zh": "门店", "label_en": "Shop", "questions": [_QUESTION]}
# With so many before it a report is compared.
_LOOKED_AT = 20
OWNER = "customer"


class Reports(Noun):
    collections = ("report_forms", "report_form_versions", "customer_reports")
    once = ("customer_report.received",)

    def begin(self) -> None:
        body = {"code": "shop", "name_zh": "门店", "name_en": "Shop", "steps": [_STEP]}
        self.form = self.company.manager.post("/report-forms", body, expect=201)["id"]

    def owners(self) -> list[str]:
        """Return the owners of the customer that is always there: one there is, another one comes."""
        world = self.company.world
        with self.company.db.transaction() as session:
            return [world.owner, make_user(session, world.settings, OWNER, "owner-2", customer_id=world.customer).id]

    def habits(self, role: str) -> Habits:
        return [(self.file, 1), (self.rest, 6)] if role == OWNER else ()

    def duties(self) -> Duties:
        return [(self.change, 1), (self.look, 2)]

    def rest(self, worker: Worker) -> None:
        """Most of the time an owner has nothing to report."""

    def file(self, worker: Worker) -> None:
        version = worker.phone.some("report_form_versions", worker.chance)
        if version is None:
            return
        n = next(self.ledger.numbers)
        answers = {"area": worker.chance.randrange(100)}
        body = {"id": f"report-{n:07}", "version_id": version["id"], "made_ms": max(worker.now_ms(), 1)}
        worker.intend("customer_report.file", body["id"], **body | {"steps": {"size": {"answers": answers}}})

    def change(self, chance: random.Random) -> None:
        """Retire the form, take it into use again, or give it another version."""
        labelled = _QUESTION | {"label_en": f"Area {next(self.ledger.numbers)}"}
        steps = [_STEP | {"questions": [labelled]}]
        body = chance.choice([{"active": False}, {"active": True}, {"active": True}, {"steps": steps}])
        self.company.call(self.company.manager, "PATCH", f"/report-forms/{self.form}", body, If_Match="*")

    def look(self, chance: random.Random) -> None:
        """Answer a report, while owners' other phones go on sending earlier ones."""
        with self.company.db.reading() as session:
            found = sorted(session.scalars(select(CustomerReport.id)))
        if found:
            verb, body = chance.choice([("seen", None), ("answer", {"text": "thank you"})])
            self.company.call(self.company.manager, "POST", f"/customer-reports/{chance.choice(found)}/{verb}", body)

    def check(self, found: Found) -> None:
        with self.company.db.reading() as session:
            rows = {row.id: row for row in session.scalars(select(CustomerReport))}
        told: dict[str, Any] = {}
        for intent in found.accepted("customer_report.file"):
            body = json.loads(intent.body)
            assert body["id"] not in told, f"{body['id']} was told twice"
            told[body["id"]] = (intent.user_id, body["steps"]["size"]["answers"]["area"])
        kept = {row.id: (row.user_id, _area(row)) for row in rows.values()}
        assert kept == told, f"what was told is not what is kept: {sorted(kept.items() ^ told.items())[:4]}"
        ordered = sorted(rows.values(), key=lambda row: (row.happened_at, row.id))
        for place, row in enumerate(ordered):
            assert row.happened_at <= row.created_at, f"{row.id} was filled in after it came"
            before = [_area(one) for one in ordered[max(place - _LOOKED_AT, 0) : place]][-1:]
            grown = [(before[0], _area(row))] if before and _area(row) > before[0] else []
            assert [(one["before"], one["after"]) for one in row.grown] == grown, (
                row.id,
                to_ms(row.happened_at),
                row.grown,
                grown,
            )


def _area(row: CustomerReport) -> Any:
    return row.content[0]["answers"][0]["value"]
