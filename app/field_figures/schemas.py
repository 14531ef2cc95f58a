"""Wire names of the figures of field work."""

from __future__ import annotations

from app.core import fields
from app.field_figures.columns import COLUMNS, FOLLOW_UPS, LEADS, VISITS
from app.field_figures.queries import MOST_ROWS
from app.field_figures.tables import BY

_LISTS = (VISITS, FOLLOW_UPS, LEADS)
_REAL = {"done_percent", "minutes_median"}


class FieldFiguresQuery(fields.Schema):
    """By what rows are, of which days (``until`` is one of them), of whom or what alone; ``none``: of no team or territory."""

    by = fields.OneOf(*BY, required=True)
    first = fields.Day(required=True, data_key="from")
    last = fields.Day(required=True, data_key="until")
    team_id = fields.IdOrNone()
    territory_id = fields.IdOrNone()
    user_id = fields.Id()
    type_id = fields.Id()


FiguresSchema = fields.Schema.from_dict(
    {one.name: (fields.Real if one.name in _REAL else fields.Int)(allow_none=True) for one in COLUMNS}, name="Figures"
)
OpensSchema = fields.Schema.from_dict({name: fields.Text(500, allow_none=True) for name in _LISTS}, name="FiguresOpen")


class FiguresRowSchema(fields.Schema):
    """The figures of one group. ``id``: a day's is the day; None: of no team or territory, and of the total.

    ``within``: the query that opens it one level deeper, down to the visits of a day; None of the total. ``opens``: the lists of
    what is counted, all of it; with ``&figure=``, those that a figure counts.
    """

    id = fields.Text(36, allow_none=True)
    name = fields.Text(100)
    figures = fields.Nested(FiguresSchema)
    within = fields.Text(500, allow_none=True)
    opens = fields.Nested(OpensSchema)


class FigureSchema(fields.Schema):
    """What a figure is: its name in the reader's language, and the list and its ``figure`` that show what it is made of.

    ``adds_up``: those of the groups within add up to it. ``counts``: it is the length of that list.
    """

    name = fields.Text(40)
    label = fields.Text(60)
    list = fields.OneOf(*_LISTS)
    figure = fields.Text(40)
    adds_up = fields.Flag()
    counts = fields.Flag()


class FieldFiguresSchema(fields.Schema):
    """How field work goes: a row for each group that has any figure, all together, and what the figures are."""

    by = fields.OneOf(*BY)
    first = fields.Day(data_key="from")
    last = fields.Day(data_key="until")
    rows = fields.Listing(fields.Nested(FiguresRowSchema), most=MOST_ROWS)
    total = fields.Nested(FiguresRowSchema)
    columns = fields.Listing(fields.Nested(FigureSchema), most=len(COLUMNS))
