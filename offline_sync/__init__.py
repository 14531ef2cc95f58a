"""Phones catching up: the room is reserved; rows carry what it needs from their first migration."""
