"""Fields a company adds to its customers itself."""
