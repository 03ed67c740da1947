"""`python -m harness relative-score`: a pairwise judge's scores of a model against a reference."""
