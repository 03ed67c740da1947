"""From a selection's params to its subsets: budget, quality, sampler, files."""
