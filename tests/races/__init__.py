"""Races: threads released together, on both databases."""
