"""Offers and coupons: issue, view, accept, decline, expire, redeem once."""
