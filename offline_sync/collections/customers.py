"""Customers, what is theirs, and the people there."""

from __future__ import annotations

from app.contacts.models import Contact, ContactRelation, ContactScheme
from app.custom_fields.models import CustomField
from app.customers.models import Customer, Site
from offline_sync.collections.base import Collection, Withheld, plain

CUSTOMERS = (
    Collection(
        "customers",
        Customer,
        "customers.read",
        plain("code", "name", "phone", "email", "territory_id", "owner_id", "custom"),
        optional=frozenset({"phone", "email", "owner_id"}),
        withheld={"custom": Withheld("custom_fields.read", lambda _: "{}")},
    ),
    Collection(
        "custom_fields",
        CustomField,
        "custom_fields.read",
        plain("subject_kind", "key", "kind", "label_zh", "label_en", "choices", "territory_id", "retired"),
        optional=frozenset({"territory_id"}),
    ),
    Collection(
        "sites",
        Site,
        "customers.read",
        plain("customer_id", "name", "address", "lat", "lon", "opening_hours"),
        optional=frozenset({"lat", "lon", "opening_hours"}),
    ),
    Collection(
        "contacts",
        Contact,
        "contacts.read",
        plain(
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
        plain("customer_id", "from_id", "to_id", "kind", "strength", "note"),
    ),
    Collection("contact_schemes", ContactScheme, "contacts.read", plain("number", "document")),
)
