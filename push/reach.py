"""How a person can be reached at the moment: on which channels, in which order, and not before when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, literal, select, union_all
from sqlalchemy.orm import Session

from app.users.models import User
from push.kinds import LINK_KINDS
from push.models import CHANNELS, BrowserSubscription, ChannelPreference, FallbackOrder, QuietHours, RegistrationToken
from push.quiet import end_of

_USER_ID: BindParameter[str] = bindparam("user_id")
_OFF = "off"
_PLACES = union_all(
    select(literal(_OFF), ChannelPreference.channel).where(
        ChannelPreference.user_id == _USER_ID, ChannelPreference.enabled.is_(False)
    ),
    select(literal("fcm"), RegistrationToken.id).where(RegistrationToken.user_id == _USER_ID),
    select(literal("web_push"), BrowserSubscription.id).where(BrowserSubscription.user_id == _USER_ID),
)
_CHOICES = (
    select(FallbackOrder, QuietHours)
    .select_from(User)
    .outerjoin(FallbackOrder, FallbackOrder.user_id == User.id)
    .outerjoin(QuietHours, QuietHours.user_id == User.id)
    .where(User.id == _USER_ID)
)


@dataclass(frozen=True)
class Reach:
    """What a person has chosen, and where they are.

    Attributes:
        switched_off: channels.
        addresses: by channel the ids of addresses; None stands for the one address that lies in the account.
        order: in which their channels are tried, if they chose one.
        quiet: when they want to be left alone, if ever.
    """

    switched_off: frozenset[str]
    addresses: dict[str, list[str | None]]
    order: FallbackOrder | None
    quiet: QuietHours | None

    def ways(self, kind: str, allowed: Sequence[str]) -> dict[str, list[str | None] | str]:
        """Return per channel the addresses that get a message, or the code of the reason why the channel is left out."""
        ways: dict[str, list[str | None] | str] = {}
        for channel in CHANNELS:
            # A link somebody asked for is no news: it comes by mail even where news do not.
            if channel not in allowed:
                ways[channel] = "not_for_this_kind"
            elif channel in self.switched_off and not (channel == "email" and kind in LINK_KINDS):
                ways[channel] = "switched_off"
            else:
                ways[channel] = self.addresses.get(channel) or "no_address"
        return ways

    def rest_until(self, at: datetime) -> datetime | None:
        """Return when the quiet time they are in ends, or None when they are in none."""
        return end_of(self.quiet, at)


def reach_of(session: Session, user: User) -> Reach:
    """Return how a person can be reached, in two questions."""
    found: defaultdict[str, list[str | None]] = defaultdict(list)
    for channel, value in session.execute(_PLACES, {"user_id": user.id}):
        found[channel].append(value)
    off = frozenset(channel for channel in found.pop(_OFF, []) if channel is not None)
    if user.email:
        found["email"] = [None]
    order, quiet = session.execute(_CHOICES, {"user_id": user.id}).one()
    return Reach(off, found, order, quiet)
