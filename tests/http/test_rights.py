"""Every route of the application: its policy, and the answer for nobody and for each role."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app import factory
from app.core.db import Database
from app.core.http import PUBLIC, Routes, check_policies
from app.core.settings import Settings
from app.users.models import ROLES
from app.users.rights import RIGHTS
from tests.factories import World
from tests.http.conftest import Route, routes_of
from tests.people import Http

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Room by room, what was decided for each operation. A new route fails a test until somebody classifies it here.
CLASSIFIED: dict[str, dict[str, str]] = {
    "users": {
        "POST /auth/sign-in": PUBLIC,
        "POST /auth/refresh": PUBLIC,
        "POST /auth/sign-out": "self",
        "GET /me": "self",
        "PATCH /me": "self",
        "POST /me/password": "self",
        "GET /users": "users.read",
        "GET /users/<user_id>": "users.read",
        "GET /partners": "partners.read",
        "POST /partners": "partners.manage",
    },
    "accounts": {
        "POST /users": "users.manage",
        "POST /users/<user_id>/invitation": "users.manage",
        "PATCH /users/<user_id>": "users.manage",
        "POST /users/<user_id>/deactivate": "users.manage",
        "POST /users/<user_id>/reactivate": "users.manage",
        "POST /accounts/link": PUBLIC,
        "POST /accounts/password-reset": PUBLIC,
    },
    "territories": {
        "GET /territories": "territories.read",
        "POST /territories": "territories.manage",
        "PUT /users/<user_id>/territories": "users.manage",
    },
    "teams": {
        "GET /teams": "teams.read",
        "POST /teams": "teams.manage",
        "PATCH /teams/<team_id>": "teams.manage",
    },
    "field_figures": {
        "GET /field-figures": "field_figures.read",
        "GET /field-figures/export": "field_figures.read",
    },
    "suggestions": {
        "GET /suggestions": "suggestions.read",
    },
    "custom_fields": {
        "GET /custom-fields": "custom_fields.read",
        "POST /custom-fields": "custom_fields.manage",
        "PATCH /custom-fields/<custom_field_id>": "custom_fields.manage",
    },
    "facts": {
        "GET /customers/<customer_id>/facts": "facts.read",
        "GET /customers/<customer_id>/known": "facts.read",
        "POST /customers/<customer_id>/facts": "facts.tell",
        "POST /customers/<customer_id>/facts/<field>/choose": "facts.choose",
        "POST /customer-facts": "facts.bring",
        "GET /fact-rules": "facts.read",
        "POST /fact-rules": "facts.manage",
        "GET /code-mappings": "codes.manage",
        "POST /code-mappings": "codes.manage",
        "POST /code-mappings/<code_mapping_id>/map": "codes.manage",
        "POST /code-mappings/<code_mapping_id>/ignore": "codes.manage",
    },
    "completeness": {
        "GET /customers/<customer_id>/completeness": "completeness.read",
        "GET /completeness-rule": "completeness.read",
        "POST /completeness-rule": "completeness.manage",
        "GET /repair-tasks": "completeness.read",
        "GET /repair-tasks/export": "completeness.read",
    },
    "calendar": {
        "GET /calendar-days": "calendar.read",
        "POST /calendar-days": "calendar.manage",
        "POST /calendar-days/<day>/remove": "calendar.manage",
    },
    "stations": {
        "GET /stations": "stations.read",
        "POST /stations": "stations.manage",
        "GET /stations/<station_id>": "stations.read",
        "PATCH /stations/<station_id>": "stations.manage",
        "GET /stations/<station_id>/stock": "stations.read",
        "POST /stations/<station_id>/stock": "stock.manage",
    },
    "customers": {
        "GET /customers": "customers.read",
        "POST /customers": "customers.write",
        "GET /customers/<customer_id>": "customers.read",
        "PATCH /customers/<customer_id>": "customers.write",
        "POST /customers/<customer_id>/sites": "customers.write",
        "GET /sites": "customers.read",
        "PATCH /sites/<site_id>": "customers.write",
        "DELETE /sites/<site_id>": "customers.write",
        "POST /sites/<site_id>/undelete": "customers.restore",
        "DELETE /customers/<customer_id>": "customers.write",
        "POST /customers/<customer_id>/undelete": "customers.restore",
        "GET /customers/<customer_id>/duplicates": "customers.write",
        "POST /customers/<customer_id>/dismiss-duplicate": "customers.write",
        "POST /customers/<customer_id>/merge": "customers.write",
        "POST /customers/<customer_id>/unmerge": "customers.write",
        "GET /customers/<customer_id>/merges": "customers.write",
        "GET /duplicate-pairs": "duplicates.read",
    },
    "contacts": {
        "GET /contacts": "contacts.read",
        "POST /customers/<customer_id>/contacts": "contacts.write",
        "GET /contacts/<contact_id>": "contacts.read",
        "PATCH /contacts/<contact_id>": "contacts.write",
        "DELETE /contacts/<contact_id>": "contacts.write",
        "POST /contacts/<contact_id>/confirm": "contacts.write",
        "POST /contacts/<contact_id>/reject": "contacts.write",
        "POST /contacts/<contact_id>/merge": "contacts.write",
        "GET /customers/<customer_id>/contact-twins": "contacts.read",
        "GET /customers/<customer_id>/relations": "contacts.read",
        "POST /contact-relations": "contacts.write",
        "PATCH /contact-relations/<contact_relation_id>": "contacts.write",
        "DELETE /contact-relations/<contact_relation_id>": "contacts.write",
        "GET /contact-schemes": "contacts.read",
        "POST /contact-schemes": "contacts.manage",
        "GET /contact-schemes/<scheme_id>/preview": "contacts.manage",
        "POST /contact-schemes/<scheme_id>/activate": "contacts.manage",
    },
    "participants": {
        "GET /visits/<visit_id>/participants": "visits.read",
        "POST /visits/<visit_id>/participants": "visits.write",
    },
    "customer_pages": {
        "GET /customers/<customer_id>/page": "customer_pages.read",
        "GET /customers/<customer_id>/digest": "customer_pages.read",
        "GET /customers/<customer_id>/timeline": "customer_pages.read",
    },
    "sync": {
        "GET /sync/watermelon": "sync",
        "POST /sync/watermelon": "sync",
        "GET /sync/rxdb/<collection>/pull": "sync",
        "POST /sync/rxdb/<collection>/push": "sync",
        "POST /sync/rxdb/<collection>/reconcile": "sync",
        "GET /sync/rxdb/<collection>/stream": "sync",
        "GET /sync/stream": "sync",
        "POST /sync/intents/<intent_id>/settle": "sync.repair",
        "GET /sync/digest": "sync",
        "POST /sync/wiped": "self",
        "GET /sync/explain": "sync.read",
        "GET /sync/installations": "sync.read",
        "POST /sync/installations/<installation_id>/wipe": "sync.repair",
        "GET /sync/problems": "sync.read",
        "POST /sync/problems/<problem_id>/replay": "sync.repair",
        "POST /sync/problems/<problem_id>/dismiss": "sync.repair",
        "GET /sync/conflicts": "sync.read",
        "POST /sync/conflicts/<conflict_id>/restore": "sync.repair",
        "GET /sync/intents": "sync.read",
    },
    "assets": {
        "GET /assets": "assets.read",
        "POST /assets": "assets.write",
        "PATCH /assets/<asset_id>": "assets.write",
        "GET /assets/<asset_id>": "assets.read",
        "GET /assets/<asset_id>/fittings": "assets.read",
        "POST /assets/<asset_id>/fittings": "components.fit",
        "GET /assets/<asset_id>/fault-codes": "assets.read",
        "GET /components": "assets.read",
        "POST /components": "components.register",
        "POST /fittings/<fitting_id>/undo": "components.fit",
        "GET /device-profiles": "devices.read",
        "POST /device-profiles": "devices.manage",
        "PATCH /device-profiles/<profile_id>": "devices.manage",
        "GET /devices": "devices.read",
        "POST /assets/<asset_id>/devices": "devices.manage",
        "POST /device-claims": "devices.manage",
        "POST /assets/<asset_id>/device-claims": "devices.claim",
        "GET /devices/<device_id>": "devices.read",
        "POST /devices/<device_id>/secret": "devices.manage",
        "POST /devices/<device_id>/secret-rotations": "devices.manage",
        "GET /devices/<device_id>/placements": "devices.read",
        "POST /devices/<device_id>/placements": "devices.manage",
        "GET /devices/<device_id>/settings": "devices.read",
        "PUT /devices/<device_id>/settings": "devices.manage",
        "DELETE /devices/<device_id>": "devices.manage",
    },
    "leads": {
        "GET /leads": "leads.read",
        "POST /leads": "leads.write",
        "GET /leads/<lead_id>": "leads.read",
        "PATCH /leads/<lead_id>": "leads.write",
        "GET /pool-leads": "leads.read",
        "POST /leads/<lead_id>/claim": "leads.claim",
        "POST /leads/<lead_id>/give-back": "leads.write",
        "POST /leads/<lead_id>/assign": "leads.manage",
        "POST /leads/<lead_id>/qualify": "leads.write",
        "POST /leads/<lead_id>/lose": "leads.write",
        "POST /leads/<lead_id>/reopen": "leads.manage",
        "GET /leads/<lead_id>/duplicates": "leads.read",
        "POST /leads/<lead_id>/convert": "leads.write",
        "GET /leads/<lead_id>/holdings": "leads.manage",
        "GET /lead-scores": "leads.manage",
        "POST /lead-scores": "leads.manage",
        "POST /lead-score-trials": "leads.manage",
        "GET /lead-routings": "leads.manage",
        "POST /lead-routings": "leads.manage",
    },
    "lead_forms": {
        "GET /lead-forms": "leads.manage",
        "POST /lead-forms": "leads.manage",
        "GET /lead-forms/<lead_form_id>": "leads.manage",
        "PATCH /lead-forms/<lead_form_id>": "leads.manage",
        "POST /lead-forms/<lead_form_id>/token": "leads.manage",
        "POST /lead-forms/<lead_form_id>/retire": "leads.manage",
        "GET /lead-forms/<lead_form_id>/submissions": "leads.manage",
        "POST /lead-forms/<lead_form_id>/retry": "leads.manage",
        "POST /lead-form-submissions/<submission_id>/mend": "leads.manage",
        "POST /lead-form-submissions/<submission_id>/dismiss": "leads.manage",
        "POST /lead-form-trials": "leads.manage",
        "POST /form-submissions/<token>": PUBLIC,
    },
    "follow_ups": {
        "GET /follow-ups": "follow_ups.read",
        "POST /follow-ups": "follow_ups.write",
        "GET /follow-ups/<follow_up_id>": "follow_ups.read",
        "POST /follow-ups/<follow_up_id>/done": "follow_ups.write",
        "GET /follow-up-rates": "leads.manage",
    },
    "visits": {
        "GET /visits": "visits.read",
        "POST /visits": "visits.write",
        "GET /visits/<visit_id>": "visits.read",
        "PATCH /visits/<visit_id>": "visits.write",
        "POST /visits/<visit_id>/cancel": "visits.write",
        "POST /visits/<visit_id>/move": "visits.write",
        "POST /visits/<visit_id>/no-show": "visits.check_in",
        "POST /visits/<visit_id>/explain": "visits.check_in",
        "GET /visits/<visit_id>/steps": "visits.read",
        "POST /visits/<visit_id>/steps/<step>": "visits.check_in",
        "POST /visits/<visit_id>/check-in": "visits.check_in",
        "POST /visits/<visit_id>/check-out": "visits.check_in",
        "GET /check-ins": "visits.read",
        "POST /check-ins/<check_in_id>/appeal": "visits.check_in",
        "POST /check-ins/<check_in_id>/decide": "visits.decide",
    },
    "entitlements": {
        "GET /entitlement-kinds": "entitlements.read",
        "POST /entitlement-kinds": "entitlements.manage",
        "GET /entitlement-kinds/<entitlement_kind_id>": "entitlements.read",
        "PATCH /entitlement-kinds/<entitlement_kind_id>": "entitlements.manage",
        "GET /entitlement-grants": "entitlement_grants.read",
        "POST /entitlement-grants": "entitlements.manage",
        "POST /entitlement-grants/<entitlement_grant_id>/withdraw": "entitlements.manage",
        "GET /entitlement-spends": "entitlements.read",
        "POST /entitlement-spends": "entitlements.spend",
        "GET /entitlement-spends/<entitlement_spend_id>": "entitlements.read",
        "GET /entitlement-spends/<entitlement_spend_id>/why": "entitlements.read",
        "POST /entitlement-spends/<entitlement_spend_id>/return": "entitlements.spend",
        "POST /entitlement-spends/<entitlement_spend_id>/forgive": "entitlements.manage",
        "GET /entitlements": "entitlements.read",
    },
    "customer_reports": {
        "GET /report-forms": "report_forms.read",
        "POST /report-forms": "report_forms.manage",
        "GET /report-forms/<report_form_id>": "report_forms.read",
        "PATCH /report-forms/<report_form_id>": "report_forms.manage",
        "GET /customer-reports": "customer_reports.read",
        "POST /customer-reports": "customer_reports.send",
        "GET /customer-reports/<customer_report_id>": "customer_reports.read",
        "POST /customer-reports/<customer_report_id>/seen": "customer_reports.answer",
        "POST /customer-reports/<customer_report_id>/answer": "customer_reports.answer",
    },
    "day_plans": {
        "POST /visits/plan-day": "visits.write",
        "GET /day-plans": "visits.read",
        "GET /day-plans/<day_plan_id>": "visits.read",
        "POST /day-plans/<day_plan_id>/apply": "visits.write",
    },
    "visit_types": {
        "GET /visit-types": "visits.read",
        "POST /visit-types": "visits.manage",
        "GET /visit-types/<visit_type_id>": "visits.read",
        "PATCH /visit-types/<visit_type_id>": "visits.manage",
    },
    "visit_plans": {
        "GET /visit-plans": "visits.manage",
        "POST /visit-plans": "visits.manage",
        "GET /visit-plans/<visit_plan_id>": "visits.manage",
        "PATCH /visit-plans/<visit_plan_id>": "visits.manage",
        "GET /visit-plans/<visit_plan_id>/preview": "visits.manage",
    },
    "preparations": {
        "GET /visits/<visit_id>/preparation": "visits.read",
        "GET /visits/<visit_id>/new-information": "visits.read",
        "GET /bring-rules": "visits.manage",
        "POST /bring-rules": "visits.manage",
        "PATCH /bring-rules/<bring_rule_id>": "visits.manage",
    },
    "tracks": {
        "GET /track-notice": "tracks.read",
        "GET /track-consents": "tracks.read",
        "POST /track-consents": "tracks.record",
        "POST /track-consents/<consent_id>/withdraw": "tracks.record",
        "GET /track-shifts": "tracks.read",
        "POST /track-shifts": "tracks.record",
        "GET /track-shifts/<shift_id>": "tracks.read",
        "POST /track-shifts/<shift_id>/end": "tracks.record",
        "GET /track-shifts/<shift_id>/track": "tracks.record",
        "POST /track-shifts/<shift_id>/look": "tracks.look",
        "POST /tracks": "tracks.record",
        "GET /visit-proposals": "tracks.record",
        "POST /visit-proposals/<proposal_id>/confirm": "tracks.record",
        "POST /visit-proposals/<proposal_id>/reject": "tracks.record",
        "GET /track-looks": "tracks.read",
        "GET /track-deletions": "tracks.read",
    },
    "work_orders": {
        "GET /work-orders": "work_orders.read",
        "POST /work-orders": "work_orders.create",
        "GET /work-orders/<order_id>": "work_orders.read",
        "GET /work-orders/<order_id>/slots": "work_orders.read",
        "POST /work-orders/<order_id>/assign": "work_orders.assign",
        "POST /work-orders/<order_id>/cancel": "work_orders.cancel",
        "GET /station-tasks": "station_tasks.read",
        "GET /station-tasks/<task_id>": "station_tasks.read",
        "POST /station-tasks/<task_id>/accept": "station_tasks.answer",
        "POST /station-tasks/<task_id>/reject": "station_tasks.answer",
        "POST /station-tasks/<task_id>/begin": "station_tasks.answer",
        "POST /station-tasks/<task_id>/finish": "station_tasks.answer",
    },
    "service_offers": {
        "GET /service-offers": "offers.read",
        "GET /service-offers/<offer_id>": "offers.read",
        "POST /service-offers/<offer_id>/view": "offers.answer",
        "POST /service-offers/<offer_id>/accept": "offers.answer",
        "POST /service-offers/<offer_id>/decline": "offers.answer",
        "POST /service-offers/<offer_id>/withdraw": "offers.decide",
        "GET /service-offers/<offer_id>/coupon": "offers.answer",
        "POST /coupons/redeem": "coupons.redeem",
        "GET /coupons/key": "self",
    },
    "attachments": {
        "POST /uploads": "attachments.write",
        "PATCH /uploads/<upload_id>": "attachments.write",
        "DELETE /uploads/<upload_id>": "attachments.write",
        "GET /attachments/<attachment_id>/content": "attachments.read",
        "GET /visits/<visit_id>/attachments": "visits.read",
    },
    "rules": {
        "GET /rules": "rules.read",
        "POST /rules": "rules.manage",
        "GET /rules/<rule_id>": "rules.read",
        "PATCH /rules/<rule_id>": "rules.manage",
        "GET /rules/<rule_id>/versions": "rules.read",
    },
    "iot": {
        "GET /devices/<device_id>/telemetry": "telemetry.read",
        "GET /devices/<device_id>/latest": "telemetry.read",
        "GET /devices/<device_id>/rate": "telemetry.read",
        "GET /alarms": "alarms.read",
        "GET /alarms/<alarm_id>": "alarms.read",
        "POST /alarms/<alarm_id>/acknowledge": "alarms.acknowledge",
        "POST /alarms/<alarm_id>/close": "alarms.close",
        "POST /alarms/<alarm_id>/snooze": "alarms.snooze",
        "POST /alarms/<alarm_id>/wake": "alarms.snooze",
        "GET /incidents": "alarms.read",
        "GET /incidents/<incident_id>": "alarms.read",
        "POST /rule-trials": "rules.manage",
        "GET /rules/<rule_id>/trial": "rules.manage",
        "POST /device-profile-trials": "devices.manage",
        "POST /broker/emqx/authentication": PUBLIC,
        "POST /<token>/telemetry": PUBLIC,
        "GET /<token>/rpc": PUBLIC,
        "POST /<token>/rpc/<number>": PUBLIC,
        "GET /dead-letters": "dead_letters.read",
        "POST /dead-letters/<letter_id>/replay": "dead_letters.replay",
        "POST /dead-letters/<letter_id>/dismiss": "dead_letters.replay",
        "POST /dead-letters/dismiss": "dead_letters.replay",
        "POST /devices/<device_id>/commands": "devices.command",
        "GET /device-commands/<command_id>": "devices.read",
        "GET /devices/<device_id>/commands": "devices.read",
    },
    "push": {
        "GET /notifications": "notifications.read",
        "POST /notifications/<notification_id>/delivered": "notifications.read",
        "POST /notifications/<notification_id>/opened": "notifications.read",
        "GET /me/web-push-key": "notifications.read",
        "POST /me/browser-subscriptions": "notifications.read",
        "POST /me/browser-subscriptions/forget": "notifications.read",
        "POST /me/channels/<channel>/test": "notifications.read",
        "POST /me/channels/<channel>/verify": "notifications.read",
        "GET /me/fallback-order": "notifications.read",
        "POST /me/fallback-order": "notifications.read",
        "POST /me/fallback-order/forget": "notifications.read",
        "GET /me/quiet-hours": "notifications.read",
        "POST /me/quiet-hours": "notifications.read",
        "POST /me/quiet-hours/forget": "notifications.read",
        "GET /me/channels": "notifications.read",
        "POST /me/channels": "notifications.read",
        "POST /me/registration-tokens": "notifications.read",
        "POST /me/registration-tokens/forget": "notifications.read",
        "POST /me/test-notification": "notifications.read",
        "GET /outbox": "outbox.read",
    },
    "imports": {
        "POST /imports/customers": "customers.import",
        "POST /imports/assets": "assets.import",
        "POST /imports/stations": "stations.manage",
        "POST /imports": "imports.run",
        "GET /imports": "imports.read",
        "GET /imports/<import_id>": "imports.read",
        "PATCH /imports/<import_id>": "imports.run",
        "POST /imports/<import_id>/check": "imports.run",
        "POST /imports/<import_id>/run": "imports.run",
        "POST /imports/<import_id>/undo": "imports.run",
        "GET /imports/<import_id>/rows": "imports.read",
        "GET /imports/<import_id>/errors": "imports.read",
        "GET /import-mappings": "imports.read",
        "POST /import-mappings": "imports.run",
        "DELETE /import-mappings/<mapping_id>": "imports.run",
    },
    "pages": {
        "GET /history/<kind>/<subject>": "history.read",
        "GET /mobile/home": "self",
        "GET /search": "search.read",
        "GET /notifications/<notification_id>/why": "notifications.read",
    },
}

# A body no parser takes, as a type no route takes: who is refused for who they are must be refused before it.
HOSTILE: dict[str, Any] = {"data": b"[" * 1000, "content_type": "text/plain"}
SIGNED_OUT = {"POST /auth/sign-out"}  # after it the others would be refused for another reason


def send(app: Flask, route: Route, token: str | None, **headers: str) -> tuple[int, dict[str, str], dict[str, object]]:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    answer = app.test_client().open("/api/v1" + route.filled(), method=route.method, headers=headers, **HOSTILE)
    assert answer.mimetype == "application/problem+json" or answer.status_code < 300, (route, answer.data)
    return answer.status_code, dict(answer.headers), answer.get_json(silent=True) or {}


@pytest.fixture
def members(http: Http, world: World) -> dict[str, Http]:
    """One signed-in person for each role."""
    ids = {
        "admin": world.admin,
        "manager": world.manager,
        "rep": world.rep,
        "station_staff": world.staff[0],
        "customer": world.owner,
    }
    assert set(ids) == set(ROLES)
    return {role: http.as_(user_id) for role, user_id in ids.items()}


def test_every_route_is_classified_and_has_the_policy_that_was_decided(app: Flask) -> None:
    found: dict[str, dict[str, str | None]] = {}
    for route in routes_of(app):
        found.setdefault(route.room, {})[f"{route.method} {route.path}"] = route.policy

    assert found == {room: rows for room, rows in CLASSIFIED.items() if room in found}
    assert {policy for rows in CLASSIFIED.values() for policy in rows.values()} - {PUBLIC} <= set(RIGHTS)
    assert {role for roles in RIGHTS.values() for role in roles} == set(ROLES)


@pytest.mark.parametrize("policy", [None, "no.such.right", ""])
@pytest.mark.parametrize("endpoint", ["forgotten", "meta.forgotten", "api-docs.forgotten", "static.forgotten"])
def test_a_route_without_a_known_policy_stops_the_start(
    settings: Settings, db: Database, policy: str | None, endpoint: str
) -> None:
    app = factory.create_app(settings, db)

    def forgotten() -> str:
        return "everything"

    if policy is not None:
        forgotten.policy = policy  # type: ignore[attr-defined]
    app.add_url_rule("/api/v1/forgotten", endpoint, forgotten)

    with pytest.raises(RuntimeError, match="/api/v1/forgotten"):
        check_policies(app, set(RIGHTS))


def test_a_room_with_an_unknown_policy_stops_the_factory(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Routes("forgotten", __name__)

    @room.door("GET", "/forgotten", policy="forgotten.read")
    def forgotten(_session: object, _actor: object) -> None:
        """Show everything."""

    monkeypatch.setattr(factory, "ROOMS", (*factory.ROOMS, room))

    with pytest.raises(RuntimeError, match=r"/api/v1/forgotten .*forgotten\.read"):
        factory.create_app(settings, db)


@pytest.mark.parametrize(
    ("asked", "spoken", "title"),
    [
        ("en-GB,zh;q=0.5", "en", "Sign in first"),
        ("fr, zh-CN;q=0.9, en;q=0.1", "zh-CN", "请先登录"),
        (None, "en", "Sign in first"),
    ],
)
def test_without_a_token_every_route_that_is_not_public_is_401_in_the_asked_language(
    app: Flask, asked: str | None, spoken: str, title: str
) -> None:
    for route in routes_of(app):
        headers = {"Accept-Language": asked} if asked else {}
        status, given, problem = send(app, route, None, **headers)
        if route.policy == PUBLIC:
            shows_token = route.parameters[:1] == ["token"] or route.path.startswith("/broker/")
            assert status == (401 if shows_token else 415), route
            continue
        assert (status, problem["code"], problem["title"]) == (401, "unauthenticated", title), route
        assert (given["Content-Language"], given["WWW-Authenticate"]) == (spoken, "Bearer"), route


def test_a_role_without_the_right_is_403_before_its_body_is_looked_at(app: Flask, members: dict[str, Http]) -> None:
    refused = 0
    for route in routes_of(app):
        if route.policy == PUBLIC:
            continue
        for role, member in members.items():
            status, _, problem = send(app, route, member.token)
            if role in RIGHTS[route.policy or ""]:
                assert status not in {401, 403}, (route, role, problem)
            else:
                assert (status, problem["code"]) == (403, "forbidden"), (route, role)
                refused += 1
            if f"{route.method} {route.path}" in SIGNED_OUT:
                members[role] = Http(app, member.database, member.settings).as_(member.bearer[0])  # type: ignore[index]
    assert refused > 100


def test_a_refusal_of_the_role_leaves_no_trace_of_its_key(app: Flask, members: dict[str, Http]) -> None:
    body, key = {"code": "T9", "name": "New"}, "a-key-of-mine-1"

    members["rep"].refused("POST", "/territories", 403, "forbidden", body, Idempotency_Key=key)

    made = members["admin"].post("/territories", body, expect=201, Idempotency_Key=key)
    assert made["code"] == "T9"
