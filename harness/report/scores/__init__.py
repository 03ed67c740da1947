"""The table of a study's scores, with its plots and notes."""
