"""The life of an account over HTTP."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.orm import Session

from app.accounts import links, operations, schemas
from app.core.edge import edge_settings
from app.core.http import PUBLIC, Routes, check_version
from app.users import queries as users
from app.users.models import User
from app.users.rights import Actor
from app.users.schemas import UserSchema

routes = Routes("accounts", __name__, description="Invitations, lost passwords, leaving and coming back")


# Not idempotent: a stored answer would keep the code.
@routes.door(
    "POST",
    "/users",
    policy="users.manage",
    body=schemas.InvitationSchema,
    answer=schemas.InvitedSchema,
    status=201,
    idempotent=False,
)
def invite(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Invite a person.

    They get a link by e-mail to choose a password; it works once, for 7 days. Without an e-mail
    address the answer shows the link's code, this once, to be handed over.
    """
    user, code = operations.invite(session, edge_settings(), actor, body)
    return _with_code(user, code)


@routes.door("POST", "/users/<user_id>/invitation", policy="users.manage", answer=schemas.InvitedSchema, idempotent=False)
def invite_again(session: Session, actor: Actor, user_id: str) -> dict[str, Any]:
    """Send a new invitation to somebody who has not chosen a password yet; the earlier ones end."""
    user = users.access_user(session, actor, user_id)
    return _with_code(user, operations.invite_again(session, edge_settings(), actor, user))


@routes.door("PATCH", "/users/<user_id>", policy="users.manage", body=schemas.PersonEditSchema, answer=UserSchema)
def edit_person(session: Session, actor: Actor, body: dict[str, Any], user_id: str) -> User:
    """Change a person. Role and organisation stay; station staff follow their station."""
    user = users.access_user(session, actor, user_id)
    check_version(user)
    return operations.edit_person(session, actor, user, body)


@routes.door("POST", "/users/<user_id>/deactivate", policy="users.manage", body=schemas.DeactivationSchema, answer=UserSchema)
def deactivate(session: Session, actor: Actor, body: dict[str, Any], user_id: str) -> User:
    """Deactivate a person: they are signed out everywhere at once.

    Customers they are in charge of go to the successor, who must be an active rep of the same
    organisation.
    """
    user = users.access_user(session, actor, user_id)
    return operations.deactivate(session, edge_settings(), actor, user, body.get("successor_id"))


@routes.door("POST", "/users/<user_id>/reactivate", policy="users.manage", answer=UserSchema)
def reactivate(session: Session, actor: Actor, user_id: str) -> User:
    """Let a deactivated person sign in again, with the password they had."""
    return operations.reactivate(session, actor, users.access_user(session, actor, user_id))


@routes.door("POST", "/accounts/link", policy=PUBLIC, body=schemas.LinkSchema, status=204)
def accept_link(session: Session, _actor: None, body: dict[str, Any]) -> None:
    """Choose a password with the code of an invitation or of a password reset.

    A link works once. After 20 failures an address is locked for a minute, then longer, at most 15 minutes.
    """
    links.accept_link(session, edge_settings(), body["code"], body["password"], request.remote_addr or "-")


@routes.door(
    "POST",
    "/accounts/password-reset",
    policy=PUBLIC,
    body=schemas.ResetRequestSchema,
    answer=schemas.ResetAnswerSchema,
    status=202,
)
def request_reset(session: Session, _actor: None, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for a link to choose a new password; it works once, for an hour.

    The answer is the same whether or not there is such an account.
    """
    links.request_reset(session, edge_settings(), body["login"], request.remote_addr or "-")
    return {"status": "accepted"}


def _with_code(user: User, code: str | None) -> dict[str, Any]:
    return {name: getattr(user, name) for name in UserSchema().fields} | {"link_code": code}
