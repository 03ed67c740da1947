"""The published numbers of arXiv 2409.11378, and its claims; nothing here was measured by us."""
