"""The published numbers of arXiv 2409.11378, and what it claims; nothing here was measured by us."""
