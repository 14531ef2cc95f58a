"""Devices speaking: subscriber, adapters, ingest, alarms, actions."""
