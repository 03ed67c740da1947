"""The compiled loops of samplers, imported by them when they are called: numba takes a second."""
