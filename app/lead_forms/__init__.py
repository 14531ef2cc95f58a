"""Lead forms: how the fields of a form on somebody's page become a lead, and what was sent through it."""
