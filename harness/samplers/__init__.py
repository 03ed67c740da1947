"""Selection systems: pure functions, arrays in and indices out, one table of them.

``SAMPLERS[key](pool, budget, rng, **params)`` returns ``budget`` unique int64 indices in the order
of selection, none of them in ``pool.selected``, or raises a one-line ValueError. To add one, write
``harness/samplers/<key>.py`` and name it below: docs/add-a-sampler.md.
"""

from collections.abc import Callable

import numpy as np

from harness.samplers.deita import deita
from harness.samplers.k_center import k_center
from harness.samplers.km_closest import km_closest
from harness.samplers.km_random import km_random
from harness.samplers.kmq import kmq
from harness.samplers.pool import Pool
from harness.samplers.qdit import qdit
from harness.samplers.random import random
from harness.samplers.top_k import top_k

Sampler = Callable[..., np.ndarray]

SAMPLERS: dict[str, Sampler] = {
    "random": random,
    "top_k": top_k,
    "deita": deita,
    "qdit": qdit,
    "k_center": k_center,
    "km_closest": km_closest,
    "km_random": km_random,
    "kmq": kmq,
}

__all__ = ["SAMPLERS", "Pool", "Sampler"]
