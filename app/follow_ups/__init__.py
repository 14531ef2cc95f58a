"""What was done with a customer or a lead, and what comes next."""
