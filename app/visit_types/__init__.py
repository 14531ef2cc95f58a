"""Types of visits, each with an ordered kit of steps that is versioned."""
