"""The tree of errors the domain raises. ``core/http.py`` turns them into problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class DomainError(Exception):
    """A refusal with a stable ``code``.

    ``trace``, when given, is written in a transaction of its own after the refused one was rolled
    back: a failed login or a reused token must leave its mark although nothing else happened.
    """

    status = 400

    def __init__(
        self, code: str, *, trace: Callable[[Session], None] | None = None, retry_after_s: int | None = None, **facts: object
    ) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts
        self.trace = trace
        self.retry_after_s = retry_after_s


class Invalid(DomainError):
    """The input breaks a rule of its own."""

    status = 422


class FieldsInvalid(Invalid):
    """The input breaks rules field by field: ``errors`` maps a field's path to its codes."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("validation_failed")
        self.errors = errors


class Unauthenticated(DomainError):
    """Nobody, or nobody we still know."""

    status = 401


class Forbidden(DomainError):
    """Somebody whose role does not carry this right."""

    status = 403


class NotFound(DomainError):
    """What does not exist, or may not be seen: the same answer."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not_found")


class Conflict(DomainError):
    """The state of things does not allow it any more."""

    status = 409


class StaleVersion(DomainError):
    """The caller edited an older version."""

    status = 412


class VersionRequired(DomainError):
    """An edit came without If-Match."""

    status = 428


class TooMany(DomainError):
    """A bound was reached; try later."""

    status = 429
