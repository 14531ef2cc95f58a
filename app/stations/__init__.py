"""Service stations: place, opening hours, territory, certificates, capacity, parts in stock."""
