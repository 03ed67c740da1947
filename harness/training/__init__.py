"""Supervised fine-tuning of a subset, and where its weights are kept."""
