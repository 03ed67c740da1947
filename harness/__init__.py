"""Choose, train, evaluate and compare subsets of instruction data."""
