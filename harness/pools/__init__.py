"""Pools: reading them, and making what the pipeline starts from (``prepare``)."""
