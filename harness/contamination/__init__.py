"""Which rows of the pool ask what a benchmark asks, by words and in other words."""
