"""What is known of customers, from whom, and codes of other systems."""
