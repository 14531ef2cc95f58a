"""Work to be done on an asset: orders, station tasks, parts, slots, dispatch."""
