"""Kept dumps of databases as each released revision left them, rows included: what migrations to come must take.

``python -m tests.core.dumps`` writes the dump of the present head, for both databases. A revision that has
been released is never edited, so its dump is never written again; while 0001 is not released, whoever
edits it runs this once more.
"""
