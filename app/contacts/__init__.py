"""People at customers: contacts, how they relate to each other, and who of them has influence."""
