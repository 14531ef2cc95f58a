"""Who may do what: one table from rights to roles. Which rows they may do it to is ``visible_to``'s business."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN, MANAGER, REP, STAFF, CUSTOMER = "admin", "manager", "rep", "station_staff", "customer"
_OFFICE = frozenset({ADMIN, MANAGER})
_FIELD = frozenset({ADMIN, MANAGER, REP})
_EVERYBODY = frozenset({ADMIN, MANAGER, REP, STAFF, CUSTOMER})

RIGHTS: dict[str, frozenset[str]] = {
    "self": _EVERYBODY,
    "users.read": _OFFICE,
    "users.manage": frozenset({ADMIN}),
    "partners.read": _OFFICE,
    "partners.manage": frozenset({ADMIN}),
    "territories.read": _FIELD,
    "territories.manage": frozenset({ADMIN}),
    "teams.read": _FIELD,
    "teams.manage": frozenset({ADMIN}),
    "customers.read": _EVERYBODY,
    "customers.write": _FIELD,
    "customers.import": _OFFICE,
    "imports.read": _OFFICE,
    "imports.run": _OFFICE,
    "customers.restore": _OFFICE,
    "duplicates.read": _OFFICE,
    "custom_fields.read": _FIELD,
    "custom_fields.manage": _OFFICE,
    "facts.read": _FIELD,
    "facts.tell": frozenset({ADMIN, MANAGER, REP, CUSTOMER}),
    "facts.choose": _FIELD,
    "facts.bring": _OFFICE,
    "facts.manage": _OFFICE,
    "codes.manage": _OFFICE,
    "completeness.read": _FIELD,
    "completeness.manage": _OFFICE,
    "contacts.read": _FIELD,
    "contacts.write": _FIELD,
    "contacts.manage": _OFFICE,
    "customer_pages.read": _FIELD,
    "sync": _EVERYBODY,
    "sync.read": _OFFICE,
    "sync.repair": _OFFICE,
    "attachments.read": _EVERYBODY,
    "attachments.write": _EVERYBODY,
    "assets.read": _EVERYBODY,
    "assets.write": _FIELD,
    "assets.import": _OFFICE,
    "components.register": frozenset({ADMIN, MANAGER, STAFF}),
    "components.fit": _OFFICE,
    "devices.read": frozenset({ADMIN, MANAGER, REP, STAFF}),
    "devices.manage": _OFFICE,
    "devices.command": _OFFICE,
    "calendar.read": _EVERYBODY,
    "calendar.manage": _OFFICE,
    "devices.claim": frozenset({CUSTOMER}),
    "stations.read": _EVERYBODY,
    "stations.manage": _OFFICE,
    "stock.manage": frozenset({ADMIN, MANAGER, STAFF}),
    "work_orders.read": _EVERYBODY,
    "work_orders.assign": _OFFICE,
    "work_orders.create": _FIELD,
    "work_orders.cancel": _OFFICE,
    "station_tasks.read": frozenset({ADMIN, MANAGER, REP, STAFF}),
    "station_tasks.answer": frozenset({STAFF}),
    "visits.read": _FIELD,
    "visits.write": _FIELD,
    "visits.check_in": frozenset({REP}),
    "visits.decide": _OFFICE,
    "visits.manage": _OFFICE,
    "field_figures.read": _FIELD,
    "suggestions.read": _FIELD,
    "leads.read": _FIELD,
    "leads.write": _FIELD,
    "leads.claim": frozenset({REP}),
    "leads.manage": _OFFICE,
    "report_forms.read": frozenset({ADMIN, MANAGER, REP, CUSTOMER}),
    "report_forms.manage": _OFFICE,
    "customer_reports.read": frozenset({ADMIN, MANAGER, REP, CUSTOMER}),
    "customer_reports.send": frozenset({CUSTOMER}),
    "customer_reports.answer": _FIELD,
    "entitlements.read": frozenset({ADMIN, MANAGER, REP, CUSTOMER}),
    "entitlement_grants.read": _FIELD,
    "entitlements.spend": _FIELD,
    "entitlements.manage": _OFFICE,
    "follow_ups.read": _FIELD,
    "follow_ups.write": _FIELD,
    "tracks.read": _FIELD,
    "tracks.record": frozenset({REP}),
    "tracks.look": frozenset({MANAGER}),
    "offers.read": frozenset({ADMIN, MANAGER, REP, CUSTOMER}),
    "offers.answer": frozenset({CUSTOMER}),
    "offers.decide": _OFFICE,
    "coupons.redeem": frozenset({STAFF}),
    "rules.read": _FIELD,
    "rules.manage": _OFFICE,
    "telemetry.read": frozenset({ADMIN, MANAGER, REP, STAFF, CUSTOMER}),
    "alarms.read": _EVERYBODY,
    "alarms.acknowledge": _FIELD,
    "alarms.snooze": _FIELD,
    "alarms.close": _OFFICE,
    "dead_letters.read": _OFFICE,
    "dead_letters.replay": frozenset({ADMIN}),
    "history.read": _EVERYBODY,
    "search.read": _EVERYBODY,
    "notifications.read": _EVERYBODY,
    "outbox.read": frozenset({ADMIN}),
    "operations.read": frozenset({ADMIN}),
}

# What only the principal organisation does. A partner's people see a customer, an asset or an order through
# their station's task: that is no right to write to it. The rest here is shared by all, so it has no scope.
PRINCIPAL_ONLY = frozenset(
    {
        "partners.manage",
        "territories.manage",
        "teams.read",
        "teams.manage",
        "calendar.manage",
        "customers.write",
        "imports.read",
        "imports.run",
        "customers.restore",
        "duplicates.read",
        "custom_fields.read",
        "custom_fields.manage",
        "facts.read",
        "facts.tell",
        "facts.choose",
        "facts.bring",
        "facts.manage",
        "codes.manage",
        "completeness.read",
        "completeness.manage",
        "contacts.read",  # what is said of people stays in the organisation
        "contacts.write",
        "contacts.manage",
        "customer_pages.read",
        "sync.read",
        "sync.repair",
        "assets.write",
        "components.fit",
        "devices.manage",
        "devices.command",
        "work_orders.create",
        "work_orders.assign",
        "work_orders.cancel",
        "visits.read",
        "visits.write",
        "visits.check_in",
        "visits.decide",
        "visits.manage",
        "field_figures.read",
        "suggestions.read",
        "leads.read",
        "leads.write",
        "leads.claim",
        "leads.manage",
        "report_forms.read",
        "report_forms.manage",
        "customer_reports.read",  # what an owner tells is told to the organisation
        "customer_reports.send",
        "customer_reports.answer",
        "entitlements.read",
        "entitlement_grants.read",
        "entitlements.spend",
        "entitlements.manage",
        "follow_ups.read",
        "follow_ups.write",
        "tracks.read",
        "tracks.record",
        "tracks.look",
        "offers.decide",
        "alarms.acknowledge",  # it ends the reminders of the principal's own people
        "alarms.snooze",
        "alarms.close",
        "rules.manage",
        "dead_letters.read",
        "dead_letters.replay",
        "operations.read",
    }
)


@dataclass(frozen=True)
class Actor:
    """The person who acts, as every verb and every scoped query takes it."""

    id: str
    role: str
    name: str
    locale: str
    partner_id: str | None = None
    station_id: str | None = None
    customer_id: str | None = None
    territory_ids: frozenset[str] = frozenset()
    session_id: str | None = None

    @property
    def sees_all(self) -> bool:
        """Administrators and managers of the principal organisation see every row; a partner's manager does not."""
        return self.role in _OFFICE and self.partner_id is None


def allows(actor: Actor, right: str) -> bool:
    """Tell whether the actor's role carries the right, in the actor's organisation."""
    return actor.role in RIGHTS[right] and (actor.partner_id is None or right not in PRINCIPAL_ONLY)
