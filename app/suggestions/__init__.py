"""What was entered before, for whoever types it again."""
