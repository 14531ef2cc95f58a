"""Sign-in, oneself, people and partners over HTTP."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.orm import Session

from app.core import tracked
from app.core.edge import edge_database, edge_settings
from app.core.http import PUBLIC, Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.users import auth, operations, queries, schemas
from app.users.models import Partner, User
from app.users.rights import Actor

routes = Routes("users", __name__, description="Sign-in, people and partner organisations")


@routes.door(
    "POST", "/auth/sign-in", policy=PUBLIC, body=schemas.SignInSchema, answer=schemas.TokensSchema, own_transactions=True
)
def sign_in(_actor: None, body: dict[str, Any]) -> auth.Tokens:
    """Sign in with name and password.

    After 5 failures an account is locked for a minute, then longer, at most 15 minutes. An address with 30
    failures shuts nobody out, but then each further failure from it locks the account it was at.
    """
    address = request.remote_addr or "-"
    return auth.sign_in(edge_database(), edge_settings(), body["login"], body["password"], address, body["label"])


@routes.door("POST", "/auth/refresh", policy=PUBLIC, body=schemas.RefreshSchema, answer=schemas.TokensSchema)
def refresh(session: Session, _actor: None, body: dict[str, Any]) -> auth.Tokens:
    """Exchange the refresh token for new tokens.

    Who loses the answer asks again with the same token. Once the next one was used, it ends the whole session.
    """
    return auth.refresh(session, edge_settings(), body["refresh_token"])


@routes.door("POST", "/auth/sign-out", policy="self", status=204)
def sign_out(session: Session, actor: Actor) -> None:
    """End this session: its refresh and access tokens are refused from now on."""
    auth.end_session(session, actor.session_id or "", "signed_out")


@routes.door("GET", "/me", policy="self", answer=schemas.UserSchema)
def read_self(session: Session, actor: Actor) -> User:
    """Read oneself."""
    return tracked.fetch(session, User, actor.id)


@routes.door("PATCH", "/me", policy="self", body=schemas.OwnEditSchema, answer=schemas.UserSchema)
def edit_self(session: Session, actor: Actor, body: dict[str, Any]) -> User:
    """Change one's own name, language or addresses."""
    user = tracked.fetch(session, User, actor.id)
    check_version(user)
    return operations.edit_self(session, user, body)


@routes.door("POST", "/me/password", policy="self", body=schemas.PasswordChangeSchema, status=204, idempotent=False)
def change_password(session: Session, actor: Actor, body: dict[str, Any]) -> None:
    """Change one's own password; every session ends."""
    user = tracked.fetch(session, User, actor.id)
    operations.change_password(session, edge_settings(), user, body["old_password"], body["new_password"])


@routes.door("GET", "/users", policy="users.read", query=PageQuery, answer=page_of(schemas.UserSchema))
def list_users(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List people."""
    return page(session, queries.visible_to(actor), User, query)


@routes.door("GET", "/users/<user_id>", policy="users.read", answer=schemas.UserSchema)
def read_user(session: Session, actor: Actor, user_id: str) -> User:
    """Read one person."""
    return queries.access_user(session, actor, user_id)


@routes.door("GET", "/partners", policy="partners.read", query=PageQuery, answer=page_of(schemas.PartnerSchema))
def list_partners(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List partner organisations."""
    return page(session, queries.visible_partners(actor), Partner, query)


@routes.door("POST", "/partners", policy="partners.manage", body=schemas.PartnerSchema, answer=schemas.PartnerSchema, status=201)
def create_partner(session: Session, actor: Actor, body: dict[str, Any]) -> Partner:
    """Add a partner organisation."""
    return operations.create_partner(session, actor, body["name"])
