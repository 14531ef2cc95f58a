"""Who was met at a visit."""
