"""How a difference between two rows of a table is judged."""
