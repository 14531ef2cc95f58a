"""Visits of reps to customers, and the check-ins that show they were there."""
