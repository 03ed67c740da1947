"""Whether the lab can tell subsets apart: proofs, measured."""
