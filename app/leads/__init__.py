"""Leads: people who may become customers, who follows them up, and what became of them."""
