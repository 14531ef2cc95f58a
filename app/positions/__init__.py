"""Positions as phones tell them: which datum, where on the earth, how near a site. Pure; knows no table."""
