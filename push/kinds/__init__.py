"""MESSAGES: one row of words for each kind of message, in both languages. Nothing is computed here; see ``push.messages``.

A body is a row of sentences; a pair ``(condition, sentence)`` is said only when the fact of that name is there, ``!name`` only
when it is not. ``{name:money}``, ``:pct``, ``:day`` and ``:moment`` are put into the reader's own form.
"""

from __future__ import annotations

from push.kinds.accounts import ACCOUNTS
from push.kinds.alarms import ALARMS
from push.kinds.base import Kind
from push.kinds.days import DAYS
from push.kinds.entitlements import ENTITLEMENTS
from push.kinds.imports import IMPORTS
from push.kinds.leads import LEADS
from push.kinds.offers import OFFERS
from push.kinds.reports import REPORTS
from push.kinds.tracks import TRACKS
from push.kinds.work import WORK

MESSAGES: dict[str, Kind] = OFFERS | WORK | ALARMS | LEADS | TRACKS | DAYS | REPORTS | ENTITLEMENTS | ACCOUNTS | IMPORTS

LINK_KINDS = frozenset({"invitation", "password_reset"})
"""They carry a link that signs somebody in: by e-mail only, whatever the person switched off."""

STANDALONE_KINDS = LINK_KINDS | {"test", "channel_check"}
"""Each stands for itself: a later one of the same subject neither replaces nor supersedes it."""
