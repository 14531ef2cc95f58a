"""SEARCHABLES: the kinds of rows that are found, in whatever room they lie; the rooms say so beside their models."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.core.tracked import Tracked
from app.search.terms import Text
from app.users.rights import Actor


def _nothing(_session: Session, _actor: Actor) -> Collection[str]:
    return ()


@dataclass(frozen=True)
class Searchable:
    """How rows of one kind are found.

    Attributes:
        kind: as the causal log calls the subject.
        right: what an actor must be allowed to find them.
        visible: the rows an actor may see.
        texts: what live rows are found by, by id; what is deleted or merged is not in it.
        shown: the title of a row, and what tells it from others of that title.
        hides: fields that an actor may not read, so may not find by.
    """

    kind: str
    model: type[Tracked]
    right: str
    visible: Callable[[Actor], Select[Any]]
    texts: Callable[[Session, Collection[str]], dict[str, list[Text]]]
    shown: Callable[[Any], tuple[str, str]]
    hides: Callable[[Session, Actor], Collection[str]] = _nothing


SEARCHABLES: dict[str, Searchable] = {}


def declare_searchable(found: Searchable) -> None:
    """Let rows of a kind be found. Called once, where the kind's texts are told."""
    SEARCHABLES[found.kind] = found
