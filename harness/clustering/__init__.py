"""Clusters of a pool: seeded k-means on unit vectors, and their quality."""
