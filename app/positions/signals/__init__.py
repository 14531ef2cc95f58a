"""Signals: single things that speak against a stream of positions. Each is weak; ``app.positions.plausibility`` weighs them."""
