"""Whether the lab can tell subsets apart: claims, measured."""
