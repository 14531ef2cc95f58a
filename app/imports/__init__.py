"""What comes from files: in steps that can be undone, or, for scripts, all rows at once or none."""
