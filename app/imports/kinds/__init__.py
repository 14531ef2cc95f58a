"""KINDS: what each kind of file does in its own way. See ``base.Kind``."""

from __future__ import annotations

from app.imports.kinds import customer_judging, lead_judging
from app.imports.kinds.base import Kind
from app.imports.kinds.customer_undoing import CustomerUndoing
from app.imports.kinds.customer_writing import write_customer
from app.imports.kinds.lead_undoing import LeadUndoing
from app.imports.kinds.lead_writing import write_lead

KINDS: dict[str, Kind] = {
    "customers": Kind(
        customer_judging.reader_of, customer_judging.CustomerJudge, write_customer, CustomerUndoing, at_once=50, sites=True
    ),
    # Whoever gives leads to people holds a person before a lead: two rows in one transaction would do it the other way round.
    "leads": Kind(lead_judging.reader_of, lead_judging.LeadJudge, write_lead, LeadUndoing, at_once=1),
}
