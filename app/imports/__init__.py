"""Customers, assets and stations brought in from files: all rows or none, and nothing is overwritten."""
