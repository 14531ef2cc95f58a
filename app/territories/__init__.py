"""Who serves which area."""
