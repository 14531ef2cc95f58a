"""Reads across rooms; writes nothing."""
