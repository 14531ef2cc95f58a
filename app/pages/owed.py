"""What a customer is still owed, in words, with the entry of the causal log each figure follows from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.customers.models import Customer
from app.entitlements.models import EntitlementKind, EntitlementSpend
from app.entitlements.queries import of_customer
from app.entitlements.words import left_in_words, plain, stands_in_words
from app.pages.looks import Found, Look, counted, row
from app.users.models import User

_LAST_SPENDS = 5


def owed(session: Session, customer_id: str, locale: str) -> list[dict[str, Any]]:
    """Return the balances of a customer with something granted, left or beyond, by the kinds' codes.

    Returns:
        Each with ``id``, ``kind_id``, its figures, a sentence, and ``entry_id``: where they follow from.
    """
    names = ("id", "kind_id", "granted", "spent", "left", "beyond", "next_end", "entry_id")
    return [
        {name: getattr(balance, name) for name in names} | {"text": left_in_words(balance, kind, locale)}
        for balance, kind in of_customer(session, customer_id)
        if balance.granted > 0 or balance.state == "open"
    ]


def last_spends(session: Session, customer_id: str, locale: str) -> list[dict[str, Any]]:
    """Return what was used last at a customer, whatever became of it."""
    found = session.execute(
        select(EntitlementSpend, User.name)
        .join(User, User.id == EntitlementSpend.user_id)
        .where(EntitlementSpend.customer_id == customer_id, EntitlementSpend.deleted_at.is_(None))
        .order_by(EntitlementSpend.happened_at.desc(), EntitlementSpend.id.desc())
        .limit(_LAST_SPENDS)
    )
    names = ("id", "kind_id", "amount", "covered", "happened_at", "state", "visit_id")
    return [
        {name: getattr(spend, name) for name in names} | {"by": who, "text": stands_in_words(spend, locale)}
        for spend, who in found
    ]


def beyond(look: Look, most: int) -> Found:
    """Find what was used beyond what is owed: the office forgives it, takes it back, or sells more."""
    query = (
        select(EntitlementSpend, EntitlementKind, Customer.name, User.name)
        .join(EntitlementKind, EntitlementKind.id == EntitlementSpend.kind_id)
        .join(Customer, Customer.id == EntitlementSpend.customer_id)
        .join(User, User.id == EntitlementSpend.user_id)
        .where(EntitlementSpend.state == "beyond", EntitlementSpend.deleted_at.is_(None))
        .order_by(EntitlementSpend.happened_at, EntitlementSpend.id)
    )
    total, found = counted(look, query, most)
    words = (
        "{amount} {kind} used by {rep}, {covered} of it owed: sell more, forgive, or take it back",
        "{rep}使用“{kind}”{amount}，额度内仅 {covered}：请补购、减免或退回",
    )
    rows = []
    for spend, kind, customer, rep, _ in found:
        name = {"zh": kind.name_zh, "en": kind.name_en}
        line = look.say(words, amount=plain(spend.amount), covered=plain(spend.covered), kind=name, rep=rep)
        rows.append(row("entitlement_spend", spend.id, customer, line, spend.happened_at))
    return Found(total, rows)
