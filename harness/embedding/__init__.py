"""Embeddings of the pool: by a model, or the user's own array."""
