"""People, their roles and partner organisations, and who is signed in."""
