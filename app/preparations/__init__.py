"""Getting ready for a visit: what changed at the customer since the last one, and what to bring."""
