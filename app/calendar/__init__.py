"""The organisation's calendar: public holidays, and days that are worked instead of others."""
