"""Builds the application: database, errors, authenticator, then the ordered list of rooms = the product's contents."""

from __future__ import annotations

from flask import Flask
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from app import meta
from app.accounts.routes import routes as accounts
from app.assets.routes import routes as assets
from app.attachments.routes import routes as attachments
from app.calendar.routes import routes as calendar
from app.completeness.routes import routes as completeness
from app.contacts.routes import routes as contacts
from app.core.api import FieldloopApi
from app.core.db import Database
from app.core.edge import Edge
from app.core.http import check_policies, install
from app.core.logs import set_up_logs
from app.core.settings import Settings, read_settings
from app.custom_fields.routes import routes as custom_fields
from app.customer_reports.routes import routes as customer_reports
from app.customers.routes import routes as customers
from app.day_plans.routes import routes as day_plans
from app.entitlements.routes import routes as entitlements
from app.facts.routes import routes as facts
from app.field_figures.routes import routes as field_figures
from app.follow_ups.routes import routes as follow_ups
from app.imports.routes import routes as imports
from app.lead_forms.routes import routes as lead_forms
from app.leads.routes import routes as leads
from app.pages.customer_routes import routes as customer_pages
from app.pages.routes import routes as pages
from app.participants.routes import routes as participants
from app.preparations.routes import routes as preparations
from app.rules.routes import routes as rules
from app.service_offers.routes import routes as service_offers
from app.stations.routes import routes as stations
from app.suggestions.routes import routes as suggestions
from app.teams.routes import routes as teams
from app.territories.routes import routes as territories
from app.tracks.routes import routes as tracks
from app.users.auth import authenticate
from app.users.rights import RIGHTS, allows
from app.users.routes import routes as users
from app.visit_plans.routes import routes as visit_plans
from app.visit_types.routes import routes as visit_types
from app.visits.routes import routes as visits
from app.work_orders.routes import routes as work_orders
from iot.routes import routes as iot
from offline_sync.routes import routes as offline_sync
from push.routes import routes as push

ROOMS = (
    users,
    accounts,
    territories,
    teams,
    calendar,
    custom_fields,
    stations,
    customers,
    facts,
    completeness,
    contacts,
    assets,
    work_orders,
    service_offers,
    visit_types,
    leads,
    lead_forms,
    follow_ups,
    visits,
    entitlements,
    customer_reports,
    day_plans,
    visit_plans,
    tracks,
    participants,
    attachments,
    field_figures,
    suggestions,
    rules,
    iot,
    push,
    imports,
    pages,
    preparations,
    customer_pages,
    offline_sync,
)


def create_app(settings: Settings | None = None, database: Database | None = None) -> Flask:
    """Build the application.

    Args:
        settings: by default read from the environment.
        database: by default opened from the settings.

    Raises:
        RuntimeError: when a route declares no known policy.
        ValueError: when production is asked for with a weak secret.
    """
    settings = settings or read_settings()
    if database is None:
        set_up_logs(settings, "web")
        settings.var_dir.mkdir(parents=True, exist_ok=True)
        database = Database(settings.database_url)
    app = Flask("fieldloop", static_folder=None)
    app.config.update(
        API_TITLE="Fieldloop",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.1",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        # A pull of many rows is the only large answer. The quick levels: a phone's line is slow, this machine is shared.
        COMPRESS_MIMETYPES=["application/json"],
        COMPRESS_ALGORITHM=["zstd", "gzip"],
        COMPRESS_ZSTD_LEVEL=1,
        COMPRESS_LEVEL=2,
        COMPRESS_MIN_SIZE=200,
        COMPRESS_STREAMS=False,
        API_SPEC_OPTIONS={
            "info": {"description": "Field sales and service: devices, alarms, offers, stations, reps."},
            "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}},
        },
    )

    if settings.trusted_proxies:
        # Without it every caller has the proxy's address, and the lock-out by address would be for all.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies)  # type: ignore[method-assign]
    install(app, Edge(database, settings, authenticate, allows))  # type: ignore[arg-type]
    Compress(app)  # after ours, so that it runs before: an ETag is a row's version, whatever the encoding
    api = app.extensions["fieldloop-api"] = FieldloopApi(app)
    for room in ROOMS:
        api.register_blueprint(room)
    meta.install(app)
    check_policies(app, set(RIGHTS))
    return app
