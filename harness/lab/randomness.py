"""Independent random streams by name, so that a change to one part leaves the others alone."""

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of a part; it depends on the seed and the part's name only."""
    return np.random.default_rng([seed, zlib.crc32(name.encode("utf-8"))])
