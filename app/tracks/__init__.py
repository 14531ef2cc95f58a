"""Tracks of reps: consents, shifts, the fixes recorded in them, and what is made of those."""
