"""Fields a company adds to its customers and leads itself."""
