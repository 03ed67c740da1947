"""What several reports use: runs, statistics, text tables, plots, notes."""
