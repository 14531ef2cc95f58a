"""COLLECTIONS: one row for each noun a phone may hold, with its fields on the wire. The map of both protocols.

Values on the wire are texts, numbers, flags and nulls: instants are milliseconds, days and amounts are texts, lists are
JSON text, as the databases of phones hold nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import JSON, Boolean, Column, ColumnElement, Date, Select, String, cast, select
from sqlalchemy.orm import Session

from app.assets.models import Asset
from app.attachments.models import Attachment
from app.contacts.models import Contact, ContactRelation, ContactScheme
from app.core.clock import to_ms
from app.core.db import Moment, Money, among_given, in_ms
from app.core.locales import colon, semicolon
from app.core.settings import Settings
from app.core.texts import field_text, problem_text
from app.core.tracked import Tracked
from app.custom_fields.models import CustomField
from app.customer_reports.models import CustomerReport, ReportForm, ReportFormVersion
from app.customer_reports.queries import of_owners_own
from app.customers.models import Customer, Site
from app.day_plans.models import DayPlan
from app.day_plans.words import in_words as plan_in_words
from app.entitlements import queries as entitlements
from app.entitlements.models import Entitlement, EntitlementKind, EntitlementSpend
from app.entitlements.words import left_in_words, stands_in_words
from app.follow_ups.models import FollowUp
from app.leads.models import Lead, PoolLead
from app.leads.queries import names_in
from app.leads.scoring import told
from app.service_offers.models import ServiceOffer
from app.stations.models import Station
from app.tracks.models import Shift, TrackConsent, VisitProposal
from app.users.rights import Actor
from app.visit_types.models import VisitKit, VisitType
from app.visits.models import StepResult, Visit
from app.work_orders.models import StationTask, WorkOrder
from iot.models import Alarm
from offline_sync.models import Intent, SyncProblem
from push.models import Notification
from push.queries import in_words

Words = Callable[[Session, Sequence[Any], str, Settings], list[dict[str, Any]]]


class Withheld(NamedTuple):
    """``right``: who has it gets a field whole; ``rest``: what of its text is left for others."""

    right: str
    rest: Callable[[str], str]


@dataclass(frozen=True)
class Collection:
    """One synced noun.

    Attributes:
        name: of the collection; its table has the same.
        model: the tracked table.
        right: what an actor must be allowed to hold it.
        columns: wire name -> column, in the order they are sent.
        words: further fields of some rows that are put into the reader's language.
        optional: fields that may be null.
        withheld: fields of JSON text of which whoever lacks a right gets less.
    """

    name: str
    model: type[Tracked]
    right: str
    columns: Mapping[str, str]
    words: Words | None = None
    worded: tuple[str, ...] = ()
    optional: frozenset[str] = field(default_factory=frozenset)
    withheld: Mapping[str, Withheld] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """Every name a row has on the wire."""
        return ("id", "created_at", "updated_at", *self.columns, *self.worded)

    @cached_property
    def selected(self) -> tuple[ColumnElement[Any], ...]:
        """The columns of a row on the wire, the id first, as SQL that already yields what phones keep."""
        return tuple(_in_sql(column) for column in self._stored)

    @cached_property
    def query(self) -> Select[Any]:
        """A select of them, without conditions."""
        return select(*self.selected)

    def by_ids(self, dialect: str) -> Select[Any]:
        """The same of the rows whose ids are in the parameter ``ids`` (``as_list``)."""
        return self._by_ids[dialect]

    @cached_property
    def _by_ids(self) -> dict[str, Select[Any]]:
        return {dialect: self.query.where(among_given(dialect, self.selected[0], "ids")) for dialect in ("postgresql", "sqlite")}

    def wired(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return a row on the wire from what the driver has for ``selected``."""
        row = dict(zip(self._names, values, strict=True))
        for name, convert in self._converted:
            if row[name] is not None:
                row[name] = convert(row[name])
        return row

    @cached_property
    def _stored(self) -> tuple[Any, ...]:
        table = self.model.__table__
        return tuple(table.c[name] for name in ("id", "created_at", "updated_at", *self.columns.values()))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return ("id", "created_at", "updated_at", *self.columns)

    @cached_property
    def _converted(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        """The fields whose values no SQL of both databases makes, each with what makes them."""
        kinds = zip(self._names, (column.type for column in self._stored), strict=True)
        return tuple((name, _CONVERTERS[type(kind)]) for name, kind in kinds if type(kind) in _CONVERTERS)


def _in_sql(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column as phones keep its value, as far as SQL can say it."""
    if isinstance(column.type, Moment):
        return in_ms(column)
    if isinstance(column.type, Money | Date):
        return cast(column, String)
    return column


def _json_text(value: Any) -> str:
    """Return a JSON column's value as text; SQLite's driver has it as text already, in an order of its own."""
    return json.dumps(json.loads(value) if isinstance(value, str) else value, ensure_ascii=False, sort_keys=True)


_CONVERTERS: dict[type[Any], Callable[[Any], Any]] = {Boolean: bool, JSON: _json_text}


def _plain(*names: str, **renamed: str) -> dict[str, str]:
    return {name: name for name in names} | renamed


def _each(told: Callable[[Any, str, Settings], dict[str, Any]]) -> Words:
    """Return how many rows are told, from how one is."""
    return lambda _session, rows, locale, settings: [told(row, locale, settings) for row in rows]


def _notification_words(row: Notification, locale: str, settings: Settings) -> dict[str, Any]:
    words = in_words(row, locale, settings)
    return {"title": words["title"], "body": words["body"]}


def _plan_words(row: DayPlan, locale: str, _settings: Settings) -> dict[str, Any]:
    found = plan_in_words(row.answer, locale)
    return {"answer": None if found is None else json.dumps(found, ensure_ascii=False, sort_keys=True)}


def _intent_words(row: Intent, locale: str, _settings: Settings) -> dict[str, Any]:
    if row.code is None:
        return {"text": None}
    facts = row.facts or {}
    title, detail = problem_text(row.code, locale, facts)
    if facts.get("errors"):
        detail = semicolon(locale).join(
            f"{name} {field_text(code, locale)}" for name, codes in facts["errors"].items() for code in codes
        )
    return {"text": f"{title}{colon(locale)}{detail}"}


def _problem_words(row: SyncProblem, locale: str, _settings: Settings) -> dict[str, Any]:
    semi = semicolon(locale)
    reasons = {name: semi.join(field_text(code, locale) for code in codes) for name, codes in row.reasons.items()}
    return {"reasons": json.dumps(reasons, ensure_ascii=False, sort_keys=True), "text": semi.join(sorted(set(reasons.values())))}


def _balance_words(session: Session, rows: Sequence[Entitlement], locale: str, _settings: Settings) -> list[dict[str, Any]]:
    kinds = entitlements.kinds_by_id(session, [row.kind_id for row in rows])
    return [{"text": left_in_words(row, kinds[row.kind_id], locale)} for row in rows]


def _spend_words(row: EntitlementSpend, locale: str, _settings: Settings) -> dict[str, Any]:
    return {"text": stands_in_words(row, locale)}


def _lead_words(session: Session, rows: Sequence[Lead], locale: str, _settings: Settings) -> list[dict[str, Any]]:
    names = names_in(session, rows, locale)
    semi = semicolon(locale)
    return [{"score_text": semi.join(reason["text"] for reason in told(row.score_reasons, locale, names))} for row in rows]


COLLECTIONS: dict[str, Collection] = {
    found.name: found
    for found in (
        Collection(
            "customers",
            Customer,
            "customers.read",
            _plain("code", "name", "phone", "email", "territory_id", "owner_id", "custom"),
            optional=frozenset({"phone", "email", "owner_id"}),
            withheld={"custom": Withheld("custom_fields.read", lambda _: "{}")},
        ),
        Collection(
            "custom_fields",
            CustomField,
            "custom_fields.read",
            _plain("subject_kind", "key", "kind", "label_zh", "label_en", "choices", "territory_id", "retired"),
            optional=frozenset({"territory_id"}),
        ),
        Collection(
            "sites",
            Site,
            "customers.read",
            _plain("customer_id", "name", "address", "lat", "lon", "opening_hours"),
            optional=frozenset({"lat", "lon", "opening_hours"}),
        ),
        Collection(
            "contacts",
            Contact,
            "contacts.read",
            _plain(
                "customer_id",
                "name",
                "phone",
                "office_phone",
                "email",
                "job_title",
                "role",
                "note",
                "locale",
                "do_not_call",
                "left_at",
                "state",
            ),
            optional=frozenset({"phone", "office_phone", "email", "job_title", "role", "locale", "left_at"}),
        ),
        Collection(
            "contact_relations",
            ContactRelation,
            "contacts.read",
            _plain("customer_id", "from_id", "to_id", "kind", "strength", "note"),
        ),
        Collection("contact_schemes", ContactScheme, "contacts.read", _plain("number", "document")),
        Collection(
            "stations",
            Station,
            "stations.read",
            _plain("code", "name", "address", "lat", "lon", "opening_hours", "time_zone", "active"),
        ),
        Collection(
            "assets",
            Asset,
            "assets.read",
            _plain("serial", "model", "customer_id", "site_id", "warranty_until"),
            optional=frozenset({"warranty_until"}),
        ),
        Collection(
            "alarms",
            Alarm,
            "alarms.read",
            _plain(
                "asset_id",
                "state",
                "severity",
                "metric",
                "raised_at",
                "last_at",
                "last_value",
                "readings",
                "cleared_at",
                "end_reason",
            ),
            optional=frozenset({"cleared_at", "end_reason"}),
        ),
        Collection(
            "work_orders",
            WorkOrder,
            "work_orders.read",
            _plain(
                "number",
                "job",
                "asset_id",
                "customer_id",
                "site_id",
                "part_no",
                "state",
                "slot_at",
                "finished_at",
                "cancel_reason",
            ),
            optional=frozenset({"slot_at", "finished_at", "cancel_reason"}),
        ),
        Collection(
            "station_tasks",
            StationTask,
            "station_tasks.read",
            _plain("work_order_id", "station_id", "state", "part_no", "answer_by", "reason"),
            optional=frozenset({"reason"}),
        ),
        Collection(
            "service_offers",
            ServiceOffer,
            "offers.read",
            _plain(
                "kind",
                "state",
                "asset_id",
                "work_order_id",
                "price",
                "discount",
                "amount_due",
                "currency",
                "under_warranty",
                "valid_until",
            ),
        ),
        Collection(
            "leads",
            Lead,
            "leads.read",
            _plain(
                "number",
                "name",
                "phone",
                "interest",
                "company",
                "email",
                "address",
                "territory_id",
                "source",
                "budget",
                "custom",
                "state",
                "owner_id",
                "completeness",
                "missing",
                "score",
                "first_touch_at",
                "first_touch_due_at",
                "recycle_at",
                "customer_id",
                "lost_reason",
            ),
            words=_lead_words,
            worded=("score_text",),
            optional=frozenset(
                {
                    "company",
                    "email",
                    "address",
                    "territory_id",
                    "source",
                    "budget",
                    "owner_id",
                    "first_touch_at",
                    "first_touch_due_at",
                    "recycle_at",
                    "customer_id",
                    "lost_reason",
                }
            ),
        ),
        Collection(
            "pool_leads",
            PoolLead,
            "leads.read",
            _plain(
                "number", "name_start", "phone_end", "interest", "territory_id", "source", "score", "completeness", "pooled_at"
            ),
            optional=frozenset({"territory_id", "source"}),
        ),
        Collection(
            "follow_ups",
            FollowUp,
            "follow_ups.read",
            _plain(
                "customer_id",
                "lead_id",
                "user_id",
                "kind",
                "happened_at",
                "summary",
                "duration_s",
                "next_step",
                "next_due",
                "contact_id",
                "visit_id",
                "state",
                "done_at",
            ),
            optional=frozenset(
                {
                    "customer_id",
                    "lead_id",
                    "duration_s",
                    "next_step",
                    "next_due",
                    "contact_id",
                    "visit_id",
                    "done_at",
                }
            ),
        ),
        Collection(
            "notifications",
            Notification,
            "notifications.read",
            _plain("kind", "subject_kind", "subject_id", "opened_at"),
            words=_each(_notification_words),
            worded=("title", "body"),
            optional=frozenset({"opened_at"}),
        ),
        Collection(
            "day_plans",
            DayPlan,
            "visits.read",
            _plain("user_id", "day", "starts_at", "ends_at", "keep_windows", "grace_minutes", "state"),
            words=_each(_plan_words),
            worded=("answer",),
            optional=frozenset({"answer"}),
        ),
        Collection(
            "intents",
            Intent,
            "self",
            _plain("kind", "body", "verdict", "code", "decided_at", made_at="made_ms"),
            words=_each(_intent_words),
            worded=("text",),
            optional=frozenset({"verdict", "code", "decided_at", "text"}),
        ),
        Collection(
            "attachments",
            Attachment,
            "attachments.read",
            _plain("subject_kind", "subject_id", "name", "mime", "size", "sha256", "state", "code", made_at="made_ms"),
            optional=frozenset({"code"}),
        ),
        Collection(
            "visits",
            Visit,
            "visits.read",
            _plain(
                "number",
                "customer_id",
                "site_id",
                "user_id",
                "purpose",
                "planned_from",
                "planned_until",
                "length_minutes",
                "state",
                "began_at",
                "ended_at",
                "outcome",
                "next_step",
                "cancel_reason",
                "type_id",
                "kit_id",
                "moved_count",
                "incomplete",
                "lacking",
                "source",
                "plan_id",
            ),
            optional=frozenset(
                {
                    "length_minutes",
                    "began_at",
                    "ended_at",
                    "outcome",
                    "next_step",
                    "cancel_reason",
                    "type_id",
                    "kit_id",
                    "plan_id",
                }
            ),
        ),
        Collection("visit_types", VisitType, "visits.read", _plain("code", "name_zh", "name_en", "active", "number")),
        Collection("visit_kits", VisitKit, "visits.read", _plain("type_id", "number", "steps")),
        Collection(
            "step_results",
            StepResult,
            "visits.read",
            _plain("visit_id", "user_id", "step", "kind", "content", "standing", made_at="made_ms"),
        ),
        Collection("report_forms", ReportForm, "report_forms.read", _plain("code", "name_zh", "name_en", "active", "number")),
        Collection("report_form_versions", ReportFormVersion, "report_forms.read", _plain("form_id", "number", steps="asked")),
        Collection(
            "customer_reports",
            CustomerReport,
            "customer_reports.read",
            _plain(
                "customer_id",
                "form_id",
                "version_id",
                "user_id",
                "form_zh",
                "form_en",
                "content",
                "grown",
                "happened_at",
                "awaiting",
                "state",
                "seen_at",
                "answer",
                "answered_at",
            ),
            optional=frozenset({"awaiting", "seen_at", "answer", "answered_at"}),
            withheld={"grown": Withheld("customer_reports.answer", lambda text: _json_text(of_owners_own(json.loads(text))))},
        ),
        Collection(
            "entitlement_kinds",
            EntitlementKind,
            "entitlements.read",
            _plain("code", "name_zh", "name_en", "unit", "active", "visit_type_id", "per_visit", "step_minutes"),
            optional=frozenset({"visit_type_id", "per_visit"}),
        ),
        Collection(
            "entitlements",
            Entitlement,
            "entitlements.read",
            _plain("customer_id", "kind_id", "granted", "spent", "left", "beyond", "next_end", "state"),
            words=_balance_words,
            worded=("text",),
            optional=frozenset({"next_end"}),
        ),
        Collection(
            "entitlement_spends",
            EntitlementSpend,
            "entitlements.read",
            _plain(
                "customer_id",
                "kind_id",
                "amount",
                "happened_at",
                "user_id",
                "visit_id",
                "note",
                "source",
                "state",
                "covered",
                "cover",
                "lack",
                "settled_reason",
            ),
            words=_each(_spend_words),
            worded=("text",),
            optional=frozenset({"visit_id", "note", "lack", "settled_reason"}),
        ),
        Collection(
            "track_consents",
            TrackConsent,
            "tracks.record",
            _plain("text_version", "digest", "given_at", "ended_at", "state"),
            optional=frozenset({"ended_at"}),
        ),
        Collection(
            "track_shifts",
            Shift,
            "tracks.record",
            _plain("began_at", "latest_end_at", "ended_at", "end_reason", "state", "fixes", "distance_m", "unseen_m", "grade"),
            optional=frozenset({"ended_at", "end_reason", "distance_m", "unseen_m", "grade"}),
        ),
        Collection(
            "visit_proposals",
            VisitProposal,
            "tracks.record",
            _plain("shift_id", "customer_id", "site_id", "came_at", "left_at", "state", "visit_id"),
            optional=frozenset({"visit_id"}),
        ),
        Collection(
            "sync_problems",
            SyncProblem,
            "self",
            _plain("row_id", "content", "state", table_name="collection"),  # "collection" is taken in both libraries
            words=_each(_problem_words),
            worded=("reasons", "text"),
        ),
    )
}


def to_wire(value: Any) -> Any:
    """Return a column's value as phones keep it."""
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value


def rows_to_wire(
    session: Session, collection: Collection, rows: Sequence[Any], actor: Actor, settings: Settings
) -> list[dict[str, Any]]:
    """Return rows as the actor's phone gets them."""
    told = collection.words(session, rows, actor.locale, settings) if collection.words is not None else [{} for _ in rows]
    return [
        {"id": row.id, "created_at": to_ms(row.created_at), "updated_at": to_ms(row.updated_at)}
        | {name: to_wire(getattr(row, column)) for name, column in collection.columns.items()}
        | words
        for row, words in zip(rows, told, strict=True)
    ]
