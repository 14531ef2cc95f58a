"""What changed at a customer since the last visit to a site, made of what the causal log tells there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset
from app.attachments.models import Attachment
from app.core.db import among, now
from app.core.history import HistoryEntry, Subject, last_entry
from app.custom_fields.queries import labels_of
from app.customer_reports.models import CustomerReport
from app.customers.models import Site
from app.entitlements.queries import of_customer
from app.entitlements.words import left_in_words
from app.follow_ups.models import FollowUp
from app.pages.codes import coded
from app.pages.digest import changes_at
from app.pages.next_steps import open_steps
from app.pages.reasons import REASONS, reason_of
from app.preparations.words import LINES, in_words, named_fields
from app.service_offers.models import ServiceOffer
from app.users.rights import Actor
from app.visits.models import Visit
from app.work_orders.models import WorkOrder
from iot import queries as iot
from iot.models import Alarm

FIRST_TIME = timedelta(days=90)
MOST_LINES = 200
_MOST_SUBJECTS = 500
_MOST_ENTRIES = 1000
_MOST_STEPS = 20
_CUSTOMER_EDITS = ("customer.edited", "customer.edited_after_merge")
# Of these whatever happened last is told, also what is nobody's news.
_AS_THEY_STAND = ("alarm", "work_order", "service_offer")
_FOLLOWED = frozenset(kind for kind in REASONS if kind.partition(".")[0] in _AS_THEY_STAND)
_STANDING = ("raised", "acknowledged")


@dataclass
class Line:
    """One change.

    Attributes:
        change: its kind; a row of ``LINES``.
        about: kind and id of what changed.
        facts: what the words need.
        entries: of the causal log, the oldest first.
        values: what rules compare: models, metrics or fields.
        count: how many changes it stands for.
    """

    change: str
    about: Subject
    at: datetime
    facts: dict[str, Any]
    entries: list[str]
    values: list[str] = field(default_factory=list)
    count: int = 1

    def text(self, locale: str) -> str:
        """Return it as a sentence."""
        return in_words(LINES[self.change], locale, **self.facts | {"count": self.count})


def _stands(entry: HistoryEntry, report: CustomerReport) -> bool:
    """Tell whether a number has still grown as an entry says."""
    told = entry.facts
    said = (told["question"]["zh"], told["question"]["en"], told["before"], told["after"])
    return any((one["label_zh"], one["label_en"], one["before"], one["after"]) == said for one in report.grown)


def last_visit(session: Session, visit: Visit) -> Visit | None:
    """Return the visit to the same site that was finished last before this one."""
    before = visit.began_at or now(session)
    done = (Visit.site_id == visit.site_id, Visit.state == "finished", Visit.id != visit.id, Visit.ended_at <= before)
    return session.scalar(select(Visit).where(*done).order_by(Visit.ended_at.desc(), Visit.id.desc()).limit(1))


class Reading:
    """What somebody may see of a customer's changes since an instant, in their language."""

    def __init__(self, session: Session, actor: Actor, visit: Visit, before: Visit | None, zone: tzinfo) -> None:
        """Read for ``visit``, since ``before`` ended by our clock, so that what came late counts as new."""
        self.session, self.actor, self.visit, self.before, self.zone = session, actor, visit, before, zone
        ended = before.ended_at if before is not None else None
        self.since = ended or now(session) - FIRST_TIME
        self.labels = labels_of(session, "customer", actor.locale)
        self.cut = False

    def lines(self) -> list[Line]:
        """Return the changes, the newest first."""
        machines = self._rows(assets.visible_to(self.actor).where(Asset.customer_id == self.visit.customer_id), Asset)
        by_kind = self._by_kind()
        found = [
            *(self._edited("customer_edited", one) for one in by_kind.pop("customer_edited", ())),
            *self._sites(by_kind.pop("site.edited", ())),
            *self._assets(machines, by_kind),
            *self._alarms(machines, by_kind.pop("alarm", ())),
            *self._named(by_kind.pop("work_order", ()), WorkOrder, "work_order"),
            *self._named(by_kind.pop("service_offer", ()), ServiceOffer, "service_offer"),
            *self._grown(by_kind.pop("customer_report.number_grew", ())),
            *self._attachments(by_kind.pop("attachment.stored", ())),
            *(self._told(one) for some in by_kind.values() for one in some),
        ]
        return sorted(found, key=lambda line: (line.at, line.entries), reverse=True)

    def _by_kind(self) -> dict[str, list[HistoryEntry]]:
        """Return what happened, the oldest first, by what makes one sort of line; without the two visits themselves."""
        happened = changes_at(
            self.session, self.actor, self.visit.customer_id, self.since, now(self.session), _MOST_ENTRIES,
            time_zone=self.zone, own=True, kinds=_FOLLOWED,
        )  # fmt: skip
        self.cut = happened.cut
        self.reasons = {line["id"]: line["text"] for line in happened.lines}
        known = {self.visit.id, *self._own_of_before()}
        found: defaultdict[str, list[HistoryEntry]] = defaultdict(list)
        for entry in reversed(happened.entries):
            if entry.subject_id not in known:
                found[_sort_of(entry)].append(entry)
        return found

    def _own_of_before(self) -> set[str]:
        """Return the last visit and what was agreed at it: the preparation begins with them."""
        if self.before is None:
            return set()
        agreed_then = select(FollowUp.id).where(FollowUp.visit_id == self.before.id)
        return {self.before.id, *self.session.scalars(agreed_then)}

    def _rows(self, query: Select[Any], model: Any) -> dict[str, Any]:
        newest = query.order_by(model.updated_at.desc(), model.id).limit(_MOST_SUBJECTS)
        return {row.id: row for row in self.session.scalars(newest)}

    def _loaded(self, model: Any, entries: Iterable[HistoryEntry]) -> dict[str, Any]:
        """Return the subjects of entries, each of which the actor may see."""
        ids = sorted({entry.subject_id for entry in entries})
        return (
            {row.id: row for row in self.session.scalars(select(model).where(among(self.session, model.id, ids)))} if ids else {}
        )

    def _reason(self, entry: HistoryEntry) -> str:
        told = self.reasons.get(entry.id)
        return told if told is not None else reason_of(entry.kind, entry.facts, self.actor.locale, self.zone)

    def _edited(self, change: str, entry: HistoryEntry, **facts: Any) -> Line:
        fields = [str(one) for one in entry.facts.get("fields", ())]
        told = {"fields": named_fields(fields, self.actor.locale, self.labels), **facts}
        about = Subject(entry.subject_kind, entry.subject_id)
        return Line(change, about, entry.recorded_at, told, [entry.id], fields)

    def _told(self, entry: HistoryEntry) -> Line:
        about = Subject(entry.subject_kind, entry.subject_id)
        return Line("told", about, entry.recorded_at, {"reason": self._reason(entry)}, [entry.id])

    def _grown(self, entries: Sequence[HistoryEntry]) -> list[Line]:
        """Return the numbers of owners' reports that grew, as far as earlier reports that came late have not shown otherwise."""
        reports = self._loaded(CustomerReport, entries)
        told: dict[tuple[str, str, str], HistoryEntry] = {}
        for entry in entries:
            asked = entry.facts["question"]
            told[entry.subject_id, asked["zh"], asked["en"]] = entry
        return [self._grew(one) for one in told.values() if _stands(one, reports[one.subject_id])]

    def _grew(self, entry: HistoryEntry) -> Line:
        told = {name: coded(value, self.actor.locale, self.zone) for name, value in entry.facts.items()}
        change = "number_suggests" if told.get("suggests") else "number_grew"
        return Line(change, Subject(entry.subject_kind, entry.subject_id), entry.recorded_at, told, [entry.id])

    def _sites(self, entries: Sequence[HistoryEntry]) -> list[Line]:
        sites = self._loaded(Site, entries)
        return [self._edited("site_edited", one, site=sites[one.subject_id].name) for one in entries]

    def _assets(self, machines: dict[str, Asset], by_kind: dict[str, list[HistoryEntry]]) -> list[Line]:
        """Return new assets, one line a model, and edited ones. Of what has gone elsewhere since nothing is told."""
        by_model: defaultdict[str, list[HistoryEntry]] = defaultdict(list)
        for entry in by_kind.pop("asset.created", ()):
            if entry.subject_id in machines:
                by_model[machines[entry.subject_id].model].append(entry)
        found = []
        for model, entries in by_model.items():
            about = Subject("asset", entries[-1].subject_id)
            ids = [one.id for one in entries]
            added = {"model": model}
            found.append(Line("asset_added", about, entries[-1].recorded_at, added, ids, [model] * len(ids), len(ids)))
        for entry in by_kind.pop("asset.edited", ()):
            if entry.subject_id in machines:
                line = self._edited("asset_edited", entry, **_machine(machines[entry.subject_id]))
                line.values = [machines[entry.subject_id].model]
                found.append(line)
        return found

    def _alarms(self, machines: dict[str, Asset], entries: Sequence[HistoryEntry]) -> list[Line]:
        """Return one line for each alarm that something happened to, or that stands; with the last that did."""
        newest = _newest(entries)
        on_them = iot.visible_alarms(self.actor).where(among(self.session, Alarm.asset_id, sorted(machines)))
        moved = among(self.session, Alarm.id, sorted(newest))
        alarms = self._rows(on_them.where(or_(Alarm.state.in_(_STANDING), moved)), Alarm)
        found = []
        for alarm in alarms.values():
            stands = alarm.state in _STANDING
            entry = newest.get(alarm.id) or (last_entry(self.session, Subject("alarm", alarm.id)) if stands else None)
            if entry is None:
                continue
            told = _machine(machines[alarm.asset_id]) | {"reason": self._reason(entry)}
            change = "alarm_stands" if stands else "alarm_over"
            found.append(Line(change, Subject("alarm", alarm.id), entry.recorded_at, told, [entry.id], [alarm.metric]))
        return found

    def _named(self, entries: Sequence[HistoryEntry], model: Any, kind: str) -> list[Line]:
        """Return one line for each work order or offer that something happened to, with the last that did."""
        rows = self._loaded(model, entries)
        found = []
        for row_id, entry in _newest(entries).items():
            told = {"reason": self._reason(entry), "number": getattr(rows[row_id], "number", "")}
            found.append(Line(kind, Subject(kind, row_id), entry.recorded_at, told, [entry.id]))
        return found

    def _attachments(self, entries: Sequence[HistoryEntry]) -> list[Line]:
        rows = self._loaded(Attachment, entries)
        return [
            Line(
                "attachment",
                Subject("attachment", one.subject_id),
                one.recorded_at,
                {"name": rows[one.subject_id].name},
                [one.id],
            )
            for one in entries
        ]

    def steps(self) -> list[Line]:
        """Return the open next steps with the customer, the one due first at first; what ``agreed`` tells is left out."""
        rows = open_steps(self.session, self.actor, self.visit.customer_id, _MOST_STEPS).rows
        ids = [row.id for row, _ in rows if not self._is_agreed(row)]
        logged = select(HistoryEntry).where(
            HistoryEntry.subject_kind == "follow_up", HistoryEntry.subject_id.in_(ids), HistoryEntry.kind == "follow_up.logged"
        )
        sources = {entry.subject_id: entry.id for entry in self.session.scalars(logged)} if ids else {}
        return [
            Line(
                "step_due" if row.next_due else "step_open",
                Subject("follow_up", row.id),
                row.happened_at,
                {"step": row.next_step, "due": row.next_due, "who": name},
                [sources[row.id]] if row.id in sources else [],
            )
            for row, name in rows
            if row.id in ids
        ]

    def owed(self) -> list[Line]:
        """Return what the customer is still owed, one line a kind, with the entry each follows from."""
        return [
            Line(
                "owed",
                Subject("entitlement", balance.id),
                balance.updated_at,
                {"text": left_in_words(balance, kind, self.actor.locale)},
                [balance.entry_id] if balance.entry_id else [],
            )
            for balance, kind in of_customer(self.session, self.visit.customer_id)
            if balance.granted > 0 or balance.state == "open"
        ]

    def _is_agreed(self, row: FollowUp) -> bool:
        return self.before is not None and row.visit_id == self.before.id and row.next_step == self.before.next_step


def _sort_of(entry: HistoryEntry) -> str:
    """Return what makes one sort of line: a kind of entry, or for whole stories the kind of their subject."""
    if entry.kind in _CUSTOMER_EDITS:
        return "customer_edited"
    return entry.subject_kind if entry.subject_kind in _AS_THEY_STAND else entry.kind


def _newest(entries: Sequence[HistoryEntry]) -> dict[str, HistoryEntry]:
    return {entry.subject_id: entry for entry in entries}


def _machine(asset: Asset) -> dict[str, Any]:
    return {"model": asset.model, "serial": asset.serial}


def agreed(session: Session, before: Visit, labels: Mapping[str, str]) -> list[Line]:
    """Return what the last visit left for this one: the next step that was agreed, and what was not done.

    Args:
        labels: of the steps, by their codes, in the reader's language.
    """
    about = Subject("visit", before.id)
    ended = last_entry(session, about, "visit.ended")
    at = before.ended_at or before.updated_at
    entries = [ended.id] if ended is not None else []
    found = []
    if before.next_step:
        found.append(Line("next_step", about, at, {"next_step": before.next_step}, entries))
    if before.incomplete:
        steps = dict.fromkeys(labels[one["step"]] for one in before.lacking)
        found.append(Line("left_open", about, at, {"steps": ", ".join(steps)}, entries))
    return found
