"""One random stream for each part of the world, so that a change to one leaves the others be."""

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of the part called `name`; it depends on the seed and the name only."""
    return np.random.default_rng([seed, zlib.crc32(name.encode("utf-8"))])
