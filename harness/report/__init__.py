"""From the cells of a study to its tables and plots."""
