"""How field work goes, in numbers that open into what they count."""
