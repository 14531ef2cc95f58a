"""Entitlements over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.entitlements import kinds, operations, queries, schemas
from app.entitlements import why as explaining
from app.entitlements.models import Entitlement, EntitlementGrant, EntitlementKind, EntitlementSpend
from app.entitlements.words import left_in_words, stands_in_words
from app.users.rights import Actor

routes = Routes("entitlements", __name__, description="What customers are still owed, and what was used of it")


def _shown(schema: Any, row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in schema().fields if hasattr(row, name)}


def _spend(actor: Actor, row: EntitlementSpend) -> dict[str, Any]:
    return _shown(schemas.EntitlementSpendSchema, row) | {"text": stands_in_words(row, actor.locale)}


def _balances(session: Session, actor: Actor, rows: Sequence[Entitlement]) -> list[dict[str, Any]]:
    found = queries.kinds_by_id(session, [row.kind_id for row in rows])
    return [
        _shown(schemas.EntitlementSchema, row)
        | {"kind_code": found[row.kind_id].code, "text": left_in_words(row, found[row.kind_id], actor.locale)}
        for row in rows
    ]


@routes.door(
    "GET", "/entitlement-kinds", policy="entitlements.read", query=PageQuery, answer=page_of(schemas.EntitlementKindSchema)
)
def list_kinds(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List the kinds of what customers can be owed, retired ones, too."""
    return page(session, queries.visible_kinds(actor), EntitlementKind, query)


@routes.door(
    "POST",
    "/entitlement-kinds",
    policy="entitlements.manage",
    body=schemas.EntitlementKindSchema,
    answer=schemas.EntitlementKindSchema,
    status=201,
)
def create_kind(session: Session, actor: Actor, body: dict[str, Any]) -> EntitlementKind:
    """Add a kind. Attached to a visit type, each finished visit of that type spends of it by itself."""
    return kinds.create_kind(session, actor, body)


@routes.door("GET", "/entitlement-kinds/<entitlement_kind_id>", policy="entitlements.read", answer=schemas.EntitlementKindSchema)
def read_kind(session: Session, actor: Actor, entitlement_kind_id: str) -> EntitlementKind:
    """Read one kind."""
    return queries.access_kind(session, actor, entitlement_kind_id)


@routes.door(
    "PATCH",
    "/entitlement-kinds/<entitlement_kind_id>",
    policy="entitlements.manage",
    body=schemas.EntitlementKindEditSchema,
    answer=schemas.EntitlementKindSchema,
)
def edit_kind(session: Session, actor: Actor, body: dict[str, Any], entitlement_kind_id: str) -> EntitlementKind:
    """Change a kind, or retire it. What was spent of it stays."""
    row = queries.access_kind(session, actor, entitlement_kind_id)
    check_version(row)
    return kinds.edit_kind(session, actor, row, body)


@routes.door(
    "GET",
    "/entitlement-grants",
    policy="entitlement_grants.read",
    query=schemas.GrantQuery,
    answer=page_of(schemas.EntitlementGrantSchema),
)
def list_grants(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List grants, withdrawn ones, too."""
    found = queries.visible_grants(actor)
    query = queries.of_today(session, query)
    for name in query.keys() & {"customer_id", "kind_id"}:
        found = found.where(getattr(EntitlementGrant, name) == query[name])
    return page(session, found, EntitlementGrant, query)


@routes.door(
    "POST",
    "/entitlement-grants",
    policy="entitlements.manage",
    body=schemas.EntitlementGrantSchema,
    answer=schemas.EntitlementGrantSchema,
    status=201,
)
def grant(session: Session, actor: Actor, body: dict[str, Any]) -> EntitlementGrant:
    """Grant a customer so much of a kind. What was spent on its days and is beyond is covered by it. The same id is one grant."""
    return operations.grant(session, edge_settings(), actor, body)


@routes.door(
    "POST",
    "/entitlement-grants/<entitlement_grant_id>/withdraw",
    policy="entitlements.manage",
    body=schemas.EntitlementReasonSchema,
    answer=schemas.EntitlementGrantSchema,
)
def withdraw(session: Session, actor: Actor, body: dict[str, Any], entitlement_grant_id: str) -> EntitlementGrant:
    """Withdraw a grant, with the reason. It stays on record; what was spent of it is counted anew."""
    row = queries.access_grant(session, actor, entitlement_grant_id)
    return operations.withdraw(session, edge_settings(), actor, row, body["reason"])


@routes.door(
    "GET",
    "/entitlement-spends",
    policy="entitlements.read",
    query=schemas.SpendQuery,
    answer=page_of(schemas.EntitlementSpendSchema),
)
def list_spends(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List what was used: reps their own and that of the customers they see, owners their own customer's."""
    found = queries.visible_spends(actor)
    query = queries.of_today(session, query)
    for name in query.keys() & {"customer_id", "kind_id", "user_id", "state"}:
        found = found.where(getattr(EntitlementSpend, name) == query[name])
    if "since" in query:
        found = found.where(EntitlementSpend.day >= query["since"])
    if "until" in query:
        found = found.where(EntitlementSpend.day <= query["until"])
    listed = page(session, found, EntitlementSpend, query)
    return listed | {"items": [_spend(actor, row) for row in listed["items"]]}


@routes.door(
    "POST",
    "/entitlement-spends",
    policy="entitlements.spend",
    body=schemas.TellSpendSchema,
    answer=schemas.EntitlementSpendSchema,
    status=201,
)
def spend(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Write down what was used, also where less is left: that is ``beyond``, and the office decides. The same id is one spend."""
    return _spend(actor, operations.spend(session, edge_settings(), actor, body))


@routes.door(
    "GET", "/entitlement-spends/<entitlement_spend_id>", policy="entitlements.read", answer=schemas.EntitlementSpendSchema
)
def read_spend(session: Session, actor: Actor, entitlement_spend_id: str) -> dict[str, Any]:
    """Read one spend."""
    return _spend(actor, queries.access_spend(session, actor, entitlement_spend_id))


@routes.door("GET", "/entitlement-spends/<entitlement_spend_id>/why", policy="entitlements.read", answer=schemas.SpendWhySchema)
def explain_spend(session: Session, actor: Actor, entitlement_spend_id: str) -> dict[str, Any]:
    """Read why a spend is covered, and by which grants; or why not: what was left on that day, and who took the rest before."""
    return explaining.why(session, actor, queries.access_spend(session, actor, entitlement_spend_id))


@routes.door(
    "POST",
    "/entitlement-spends/<entitlement_spend_id>/return",
    policy="entitlements.spend",
    body=schemas.EntitlementReasonSchema,
    answer=schemas.EntitlementSpendSchema,
)
def give_back(session: Session, actor: Actor, body: dict[str, Any], entitlement_spend_id: str) -> dict[str, Any]:
    """Say that a spend did not happen or was a mistake: a rep of their own, the office of any."""
    row = queries.access_spend(session, actor, entitlement_spend_id)
    return _spend(actor, operations.give_back(session, edge_settings(), actor, row, body["reason"]))


@routes.door(
    "POST",
    "/entitlement-spends/<entitlement_spend_id>/forgive",
    policy="entitlements.manage",
    body=schemas.EntitlementReasonSchema,
    answer=schemas.EntitlementSpendSchema,
)
def forgive(session: Session, actor: Actor, body: dict[str, Any], entitlement_spend_id: str) -> dict[str, Any]:
    """Let a spend be, at the company's cost: it takes from no grant."""
    row = queries.access_spend(session, actor, entitlement_spend_id)
    return _spend(actor, operations.forgive(session, edge_settings(), actor, row, body["reason"]))


@routes.door(
    "GET", "/entitlements", policy="entitlements.read", query=schemas.BalanceQuery, answer=page_of(schemas.EntitlementSchema)
)
def list_balances(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List balances: what is left of each kind for each customer, in words, too."""
    found = queries.visible_balances(actor)
    query = queries.of_today(session, query)
    for name in query.keys() & {"customer_id", "kind_id"}:
        found = found.where(getattr(Entitlement, name) == query[name])
    listed = page(session, found, Entitlement, query)
    return listed | {"items": _balances(session, actor, listed["items"])}
