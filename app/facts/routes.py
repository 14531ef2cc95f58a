"""Facts over HTTP: what is known of customers, from whom, and codes of other systems."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes
from app.core.paging import page, page_of
from app.customers import fact_rules
from app.customers import queries as customers
from app.customers.models import Customer
from app.facts import codes, operations, queries, schemas
from app.facts.models import CodeMapping
from app.users.rights import Actor

routes = Routes("facts", __name__, description="What is known of customers, from whom, and how far it is to be trusted")


@routes.door("GET", "/customers/<customer_id>/facts", policy="facts.read", answer=schemas.FactsSchema)
def read_facts(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """Show who said what of a customer: by field what survives, with its rivals."""
    return queries.facts_shown(session, actor, customers.follow_customer(session, actor, customer_id))


@routes.door("GET", "/customers/<customer_id>/known", policy="facts.read", query=schemas.KnownQuery, answer=schemas.KnownSchema)
def read_known(session: Session, actor: Actor, query: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Tell which fields are known already, so that nobody asks the customer again."""
    customer = customers.follow_customer(session, actor, customer_id)
    return queries.known_of(session, edge_settings(), actor, customer, query["names"])


@routes.door(
    "POST",
    "/customers/<customer_id>/facts",
    policy="facts.tell",
    body=schemas.TellSchema,
    answer=schemas.ToldSchema,
)
def tell(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> Any:
    """Say something of a customer: owners of themselves, reps and the office of theirs.

    What a better source said stays; this is then kept as a rival, and named in ``outranked``.
    """
    customer = customers.follow_customer(session, actor, customer_id)
    if customer.id == customer_id:
        return operations.tell(session, actor, customer, body["values"], body.get("said_at"))
    gone = session.get_one(Customer, customer_id)
    return operations.tell_by_old_id(session, actor, gone, customer, body["values"], body.get("said_at"))


@routes.door(
    "POST",
    "/customers/<customer_id>/facts/<field>/choose",
    policy="facts.choose",
    body=schemas.ChooseSchema,
    answer=schemas.FactsSchema,
)
def choose(session: Session, actor: Actor, body: dict[str, Any], customer_id: str, field: str) -> dict[str, Any]:
    """Let one of the values said of a field survive, until a person says otherwise; the office, or the rep in charge."""
    customer = customers.access_customer(session, actor, customer_id)
    operations.choose(session, actor, customer, field, body["fact_id"], body["reason"])
    return queries.facts_shown(session, actor, customer)


@routes.door("POST", "/customer-facts", policy="facts.bring", body=schemas.FactRowsSchema, answer=schemas.FactOutcomesSchema)
def tell_many(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Take what another system says of customers, at most 1,000 rows; each row is judged by itself."""
    return {"items": operations.tell_many(session, actor, body["system"], body["kind"], body["facts"])}


@routes.door("GET", "/fact-rules", policy="facts.read", answer=schemas.FactRulesSchema)
def read_rules(session: Session, actor: Actor) -> dict[str, Any]:
    """Show how facts are decided."""
    return _rules_shown(session)


@routes.door("POST", "/fact-rules", policy="facts.manage", body=schemas.FactRulesSchema, answer=schemas.FactRulesSchema)
def set_rules(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Say how facts are decided from now on; those that are there are decided anew within minutes."""
    fact_rules.set_rules(session, actor, {"default": body["default"], "fields": body["by_field"]})
    return _rules_shown(session)


def _rules_shown(session: Session) -> dict[str, Any]:
    row, shown = fact_rules.newest(session), fact_rules.rules_of(session).shown()
    return {"version": row.version if row else 0, "default": shown["default"], "by_field": shown["fields"]}


@routes.door("GET", "/code-mappings", policy="codes.manage", query=schemas.CodeQuery, answer=page_of(schemas.CodeMappingSchema))
def list_codes(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List codes of other systems; those in state ``open`` wait for somebody to say what they stand for."""
    return page(session, queries.mappings(query), CodeMapping, query)


@routes.door("POST", "/code-mappings", policy="codes.manage", body=schemas.CodeMappingSchema, answer=schemas.CodeMappingSchema)
def add_code(session: Session, actor: Actor, body: dict[str, Any]) -> CodeMapping:
    """Say what a code of another system stands for, before it comes or after."""
    return codes.add_mapping(session, actor, body)


@routes.door(
    "POST",
    "/code-mappings/<code_mapping_id>/map",
    policy="codes.manage",
    body=schemas.OursSchema,
    answer=schemas.CodeMappingSchema,
)
def map_code(session: Session, actor: Actor, body: dict[str, Any], code_mapping_id: str) -> CodeMapping:
    """Say what a code stands for; the facts that wait for it follow."""
    return codes.map_code(session, actor, queries.access_mapping(session, code_mapping_id), body["ours"])


@routes.door("POST", "/code-mappings/<code_mapping_id>/ignore", policy="codes.manage", answer=schemas.CodeMappingSchema)
def ignore_code(session: Session, actor: Actor, code_mapping_id: str) -> CodeMapping:
    """Say that a code stands for nothing of ours."""
    return codes.ignore_code(session, actor, queries.access_mapping(session, code_mapping_id))
