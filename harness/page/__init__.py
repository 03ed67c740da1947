"""One page that tells the whole of a preset's results: a file that needs no network."""
