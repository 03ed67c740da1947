"""One page of all of a preset's results: a file that needs no network."""
