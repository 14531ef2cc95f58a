"""A small demonstration organisation, in Chinese and English, and devices that report real capacity fade."""
