"""What subset-bench's own algorithms cost, beside others that do the same."""
