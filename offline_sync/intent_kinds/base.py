"""What can be asked for while offline, and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.users.rights import Actor

Verb = Callable[[Session, Settings, Actor, dict[str, Any]], Any]


@dataclass(frozen=True)
class IntentKind:
    """One thing that can be asked for.

    Attributes:
        right: what the actor must be allowed.
        body: schema of the row's body.
        verb: carries it out.
        happened: the row tells of something done in the world; where the state of things does not
            allow it any more, a person decides, and it is not simply refused.
        makes: collection of the row it makes, which others may be about: it is carried out before those of its push, or
            ``in_turn`` with them where it may hang on one of them in turn.
        about: collection and id of the row it is about, where phones make such rows: it waits for one that is under way.
        timed: its verb takes beside the body ``skew_ms``, the phone's clock minus ours; ``asked_ms``, when the intent was made by
            that clock, 0 where that is nonsense; and ``came_at``, when it came.
    """

    right: str
    body: type[Schema]
    verb: Verb
    happened: bool = False
    makes: str | None = None
    in_turn: bool = False
    about: Callable[[Mapping[str, Any]], tuple[str, str]] | None = None
    timed: bool = False
