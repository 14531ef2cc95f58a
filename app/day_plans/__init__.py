"""The order of a day's visits: asked for, worked out by the worker, taken over or not."""
