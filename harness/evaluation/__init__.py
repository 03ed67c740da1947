"""Scores of a model on a suite's benchmarks."""
