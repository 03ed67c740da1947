"""Clusters of a pool: seeded k-means on unit vectors, and how good they are."""
