"""Measures the product's speed on this machine: ``python -m bench``. Nothing in the product imports it."""
