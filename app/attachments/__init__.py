"""Attachments: photographs, recordings and documents about a customer, a site, an asset or a work order."""
