"""Wire names of sync's operating side, and the queries of both protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from app.core import fields, wire
from app.core.paging import PageQuery
from app.core.problems import FieldProblemSchema
from offline_sync.models import VERDICTS
from offline_sync.rxdb import MOST_KNOWN
from offline_sync.rxdb import MOST_ROWS as MOST_RXDB
from offline_sync.watermelon import MOST_ROWS

_ROW = {"type": "object", "description": "A row with its id, as the collection's schema says."}
# The bodies of pushes, which are read row by row: a row that cannot be taken is kept apart, and the others are taken.
WATERMELON_CHANGES = {
    "type": "object",
    "description": "By collection.",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "created": {"type": "array", "items": _ROW},
            "updated": {"type": "array", "items": _ROW},
            "deleted": {"type": "array", "items": {"type": "string"}},
        },
    },
}
RXDB_ROWS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["newDocumentState"],
        "properties": {"newDocumentState": _ROW, "assumedMasterState": _ROW | {"type": ["object", "null"]}},
    },
}


class ReconcileSchema(fields.Schema):
    """The ids of all rows that a phone holds of the collection."""

    ids = fields.Listing(fields.Text(), most=MOST_KNOWN, required=True)


class Cursor(fields.Int):
    """``lastPulledAt``; empty, ``null``, ``undefined`` and 0 mean the first sync."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if value in ("", "null", "undefined", None):
            return 0
        return super()._deserialize(value, attr, data, **kwargs)


class JsonText(fields.Lines):
    """A JSON document in a query string."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return wire.parse_json(text.encode()) if text else None
        except wire.WireError:
            raise ma.ValidationError("invalid") from None


class WatermelonPullQuery(fields.Schema):
    """``pullChanges``'s arguments. ``page``: ``next_page`` of the answer before."""

    last_pulled_at = Cursor(0, 2**53 - 1, from_text=True, load_default=0)
    schema_version = fields.Int(0, 10_000, from_text=True)
    migration = JsonText(10_000, load_default=None)
    page = fields.Text(2000)
    limit = fields.Int(1, MOST_ROWS, from_text=True, load_default=MOST_ROWS)


class WatermelonPushQuery(fields.Schema):
    """``pushChanges``'s arguments. ``seen``: ``lastPulledAt`` as it was before the pull that went ahead of this push."""

    last_pulled_at = Cursor(0, 2**53 - 1, from_text=True, load_default=0)
    seen = Cursor(0, 2**53 - 1, from_text=True)


class RxdbPullQuery(fields.Schema):
    """The pull handler's arguments."""

    checkpoint = fields.Text(500)
    limit = fields.Int(1, MOST_RXDB, from_text=True, load_default=100)


class RxdbStreamQuery(fields.Schema):
    """``since``: the JSON of the last checkpoint."""

    since = fields.Text(500)


class StreamQuery(fields.Schema):
    """``since``: the id of the last event."""

    since = Cursor(0, 2**53 - 1, from_text=True, load_default=0)


class DigestQuery(fields.Schema):
    """Which collection."""

    collection = fields.Text(40, 1, required=True)


class DigestSchema(fields.Schema):
    """Count and hash of the rows a phone should hold."""

    collection = fields.Text()
    count = fields.Int()
    hash = fields.Text()


class ExplainQuery(fields.Schema):
    """Which row, on whose phone."""

    collection = fields.Text(40, 1, required=True)
    id = fields.Id(required=True)
    user = fields.Id(required=True)


class ScopeSchema(fields.Schema):
    """One scope the row is or was in; ``since`` and ``lost_at`` are change numbers."""

    scope = fields.Text()
    since = fields.Int()
    in_scope = fields.Flag()
    held = fields.Flag()
    lost_at = fields.Int(allow_none=True)


class ExplanationSchema(fields.Schema):
    """Why a row is or is not on a person's phone."""

    collection = fields.Text()
    id = fields.Id()
    user = fields.Id()
    on_phone = fields.Flag()
    reason = fields.OneOf(
        "shared_scope", "user_not_active", "collection_not_for_role", "no_such_row", "row_deleted", "row_left_scope",
        "user_lost_scope", "no_shared_scope", "waits_for_parent",
    )  # fmt: skip
    scopes = fields.Listing(fields.Nested(ScopeSchema))
    held = fields.Listing(fields.Text())


class InstallationSchema(fields.Schema):
    """One app on one phone. ``lag``: change numbers it has not pulled; ``skew_ms``: its clock minus ours."""

    id = fields.Id()
    user_id = fields.Id()
    protocol = fields.Text()
    first_seen_at = fields.Instant()
    seen_at = fields.Instant()
    pulled_no = fields.Int(allow_none=True)
    lag = fields.Int(allow_none=True)
    pushed_at = fields.Instant(allow_none=True)
    queue_age_ms = fields.Int(allow_none=True)
    skew_ms = fields.Int(allow_none=True)
    app_version = fields.Text(allow_none=True)
    schema_version = fields.Int(allow_none=True)
    last_error = fields.Text(allow_none=True)
    wipe_asked_at = fields.Instant(allow_none=True)
    wiped_at = fields.Instant(allow_none=True)


class WhoseSchema(fields.Schema):
    """Whose data is to be wiped."""

    user_id = fields.Id(required=True)


class ProblemQuery(PageQuery):
    """A page of problems."""

    state = fields.OneOf("open", "mended", "replayed", "dismissed")


class SyncProblemSchema(fields.TrackedSchema):
    """A row a phone sent that could not be taken. ``content``: as it was sent, as JSON text."""

    id = fields.Id()
    user_id = fields.Id()
    installation_id = fields.Id()
    collection = fields.Text()
    row_id = fields.Text()
    errors = fields.Listing(fields.Nested(FieldProblemSchema))
    content = fields.Text()
    state = fields.Text()


class ReplaySchema(fields.Schema):
    """Corrected values by field; the others stay as they were sent."""

    values = fields.Facts(load_default=dict)


class ConflictQuery(PageQuery):
    """A page of the journal."""

    state = fields.OneOf("open", "restored")
    collection = fields.Text(40)
    row_id = fields.Id()


class SyncConflictSchema(fields.TrackedSchema):
    """A value that lost. ``field`` is empty where an edit lost against a deletion; ``lost`` then holds all its values."""

    id = fields.Id()
    collection = fields.Text()
    row_id = fields.Id()
    field = fields.Text()
    kept = fields.Facts(allow_none=True)
    lost = fields.Facts(allow_none=True)
    user_id = fields.Id()
    installation_id = fields.Id()
    state = fields.Text()


class IntentQuery(PageQuery):
    """A page of intents."""

    verdict = fields.OneOf(*VERDICTS)


class IntentSchema(fields.TrackedSchema):
    """What somebody asked for offline, and its verdict."""

    id = fields.Id()
    user_id = fields.Id()
    installation_id = fields.Id()
    kind = fields.Text()
    body = fields.Text()
    made_ms = fields.Int()
    verdict = fields.Text(allow_none=True)
    code = fields.Text(allow_none=True)
    decided_at = fields.Instant(allow_none=True)


class SettleSchema(fields.Schema):
    """``retry``: carry it out again; ``accepted``: the office saw to it; ``rejected``: nothing comes of it."""

    how = fields.OneOf("retry", "accepted", "rejected", required=True)
    note = fields.Lines(500, load_default="")
