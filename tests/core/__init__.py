"""Tests of app/core, the scheduler and the opening hours."""
