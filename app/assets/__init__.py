"""Customers' equipment: components fitted from/to, warranty, fault codes, devices."""
