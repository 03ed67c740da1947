"""What each subset is before any training, as tables, plots and a map."""
