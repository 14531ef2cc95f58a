"""Runs the product's own rules on real data sets that may not be shipped: ``make eval DATA=<folder>``."""
