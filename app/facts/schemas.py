"""Wire names of facts, of the rules that decide them, and of codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from app.core import fields
from app.core.paging import PageQuery
from app.customers.trust import SOURCE_KINDS

MOST_ROWS = 1000
# A name of a field: ``phone``, ``custom.grade``, ``site.<id>.address``.
_LONGEST_FIELD = 60
_MOST_ASKED = 50
MACHINES = ("erp", "device", "import")


class FactSchema(fields.Schema):
    """One source's word. ``trust``: 0 to 100; ``text``: where it comes from; ``fact_id`` is null where none is kept apart yet."""

    fact_id = fields.Id(allow_none=True)
    value = fields.Anything()
    source_kind = fields.Text()
    source = fields.Text()
    text = fields.Text()
    said_at = fields.Instant()
    told_at = fields.Instant()
    trust = fields.Int(0, 100, allow_none=True)
    pinned = fields.Flag()
    reason = fields.Text(allow_none=True)
    code = fields.Text(allow_none=True)


class FieldFactsSchema(fields.Schema):
    """What was said of one field: what survives, its rivals, best first, and what waits for its code to be mapped."""

    field = fields.Text()
    survivor = fields.Nested(FactSchema, allow_none=True)
    rivals = fields.Listing(fields.Nested(FactSchema))
    waiting = fields.Listing(fields.Nested(FactSchema))


class FactsSchema(fields.Schema):
    """What was said of a customer, by field."""

    items = fields.Listing(fields.Nested(FieldFactsSchema))


class FieldNames(fields.Text):
    """Names of fields with commas between them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_MOST_ASKED * (_LONGEST_FIELD + 1), 1, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        names = list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs).split(",")))
        if len(names) > _MOST_ASKED:
            raise ValidationError("too_many")
        return names


class KnownQuery(fields.Schema):
    """Which fields somebody is about to ask for, at most 50."""

    names = FieldNames(required=True, data_key="fields")


class KnownFieldSchema(fields.Schema):
    """Whether a field is known, and whether to ask for it all the same: unknown, or little trusted."""

    field = fields.Text()
    known = fields.Flag()
    ask = fields.Flag()
    value = fields.Anything()
    trust = fields.Int(0, 100, allow_none=True)
    said_at = fields.Instant(allow_none=True)
    age_days = fields.Int(allow_none=True)
    text = fields.Text(allow_none=True)


class KnownSchema(fields.Schema):
    """What is already known."""

    items = fields.Listing(fields.Nested(KnownFieldSchema))


class TellSchema(fields.Schema):
    """What somebody says of a customer, by field; ``said_at``: when it was learned, by default now."""

    values = fields.Table(fields.Text(_LONGEST_FIELD, 1), fields.Anyhow(allow_none=True), most=20, required=True)
    said_at = fields.Instant()


class ToldSchema(fields.Schema):
    """What came of it: fields that changed, and fields where a better source's value stays."""

    written = fields.Listing(fields.Text())
    outranked = fields.Listing(fields.Text())


class ChooseSchema(fields.Schema):
    """Which of the values survives, and why."""

    fact_id = fields.Id(required=True)
    reason = fields.Text(200, 1, required=True)


class FactRowSchema(fields.Schema):
    """One thing another system says: of a customer by id or by code."""

    customer_id = fields.Id()
    customer_code = fields.Text(40, 1)
    field = fields.Text(_LONGEST_FIELD, 1, required=True)
    value = fields.Anyhow(required=True, allow_none=True)
    said_at = fields.Instant()

    @validates_schema
    def _one_name(self, row: dict[str, Any], **_rest: Any) -> None:
        if ("customer_id" in row) == ("customer_code" in row):
            raise ValidationError("required", "customer_id")


class FactRowsSchema(fields.Schema):
    """What another system says, at most 1,000 rows."""

    system = fields.Text(40, 1, required=True)
    kind = fields.OneOf(*MACHINES, load_default="erp")
    facts = fields.Listing(fields.Nested(FactRowSchema), most=MOST_ROWS, required=True)


class FactOutcomeSchema(fields.Schema):
    """What came of one row, counted from 0."""

    row = fields.Int()
    outcome = fields.OneOf("survives", "outranked", "waiting", "ignored", "refused")
    code = fields.Text(allow_none=True)
    text = fields.Text(allow_none=True)


class FactOutcomesSchema(fields.Schema):
    """What came of all rows."""

    items = fields.Listing(fields.Nested(FactOutcomeSchema))


class FactRuleSchema(fields.Schema):
    """How a field is decided; what is left out is as by default. ``order``: tiers of kinds of sources, best first."""

    order = fields.Listing(fields.Listing(fields.OneOf(*SOURCE_KINDS), most=len(SOURCE_KINDS)), most=len(SOURCE_KINDS))
    reliability = fields.Table(fields.OneOf(*SOURCE_KINDS), fields.Real(0, 1))
    half_life_days = fields.Real(1, 3650)

    @validates_schema
    def _each_once(self, rule: dict[str, Any], **_rest: Any) -> None:
        named = [kind for tier in rule.get("order", []) for kind in tier]
        if len(set(named)) != len(named) or ("order" in rule and not named):
            raise ValidationError("not_each_once", "order")


class FactRulesSchema(fields.Schema):
    """How facts are decided, and by which version of the office's document (0: the default)."""

    version = fields.Int(dump_only=True)
    default = fields.Nested(FactRuleSchema, load_default=dict)
    by_field = fields.Table(
        fields.Text(_LONGEST_FIELD, 1), fields.Nested(FactRuleSchema), most=100, load_default=dict, data_key="fields"
    )


class CodeMappingSchema(fields.TrackedSchema):
    """A code of another system and what it stands for; state ``open``: nobody has said yet."""

    list_name = fields.Text(30, 1, required=True)
    system = fields.Text(40, 1, required=True)
    theirs = fields.Text(60, 1, required=True)
    ours = fields.Text(60, 1, required=True, allow_none=False)
    state = fields.Text(dump_only=True)
    decided_by = fields.Id(dump_only=True, allow_none=True)
    settled_at = fields.Instant(dump_only=True, allow_none=True)


class OursSchema(fields.Schema):
    """What a code stands for."""

    ours = fields.Text(60, 1, required=True)


class CodeQuery(PageQuery):
    """A page of codes."""

    state = fields.OneOf("open", "mapped", "ignored")
    list_name = fields.Text(30, 1)
    system = fields.Text(40, 1)
