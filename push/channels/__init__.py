"""Ways to a person: one file and one door each. A channel sends once and says what came of it; it never repeats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from app.core.settings import Settings
from push.messages import Message


@dataclass(frozen=True)
class Address:
    """Where a channel reaches one person or one installation. Never shown in logs."""

    kind: Literal["token", "fid", "subscription", "email"]
    value: str = field(repr=False)


@dataclass(frozen=True)
class Accepted:
    """The provider took it."""

    name: ClassVar[str] = "accepted"


@dataclass(frozen=True)
class Retry:
    """Not now. ``after_s``: the provider's own wish, seconds. ``channel_down``: nobody else is reached just now either."""

    reason: str
    after_s: float | None = None
    channel_down: bool = False
    name: ClassVar[str] = "retry"


@dataclass(frozen=True)
class DeadAddress:
    """The provider knows this address no more and never will again."""

    reason: str
    name: ClassVar[str] = "dead_address"


@dataclass(frozen=True)
class Failed:
    """Never, for this message; the address may be good."""

    reason: str
    name: ClassVar[str] = "failed"


Outcome = Accepted | Retry | DeadAddress | Failed


class Channel(Protocol):
    """One way to a person."""

    def send(self, to: Address, message: Message, dedupe_id: str) -> Outcome:
        """Send once, within seconds, outside any transaction.

        Args:
            to: the address.
            message: title, body and data.
            dedupe_id: the same for every repetition of this message to this address; the far end shows one.

        Returns:
            What came of it; reasons name codes, never an address and never a word of the message.
        """
        ...


def configured_channels(settings: Settings) -> frozenset[str]:
    """Name the channels that the settings configure."""
    named = {
        "fcm": settings.fcm_url or settings.fcm_credentials_file,
        "web_push": settings.vapid_private_key,
        "email": settings.smtp_host,
    }
    return frozenset(channel for channel, given in named.items() if given)
