"""Selection systems: pure functions, arrays in and indices out, one table of them.

``SAMPLERS[key](pool, budget, rng, **params)`` returns ``budget`` unique int64 indices in the order
of selection, none of them in ``pool.selected``, or raises a one-line ValueError. To add one, write
``harness/samplers/<key>.py``, name it below, and say in ``NEEDS`` what it reads:
docs/add-a-sampler.md.
"""

from collections.abc import Callable, Mapping

import numpy as np

from harness.samplers.deita import deita
from harness.samplers.k_center import k_center
from harness.samplers.km_closest import km_closest
from harness.samplers.km_random import km_random
from harness.samplers.kmq import kmq
from harness.samplers.pool import Pool, are_unit
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

# What each reads of its pool: embeddings, clusters, quality. Clusters are of directions, so those
# that read them get rows of length 1; `unit` asks for such rows too. All others get the embeddings
# as they are. tests/test_samplers.py holds every line to what its sampler does.
NEEDS: dict[str, frozenset[str]] = {
    "random": frozenset(),
    "top_k": frozenset({"quality"}),
    "deita": frozenset({"embeddings", "unit", "quality"}),
    "qdit": frozenset({"embeddings", "unit", "quality"}),
    "k_center": frozenset({"embeddings"}),
    "km_closest": frozenset({"embeddings", "clusters"}),
    "km_random": frozenset({"clusters"}),
    "kmq": frozenset({"clusters", "quality"}),
}
# A need that a sampler has not where a knob has a value: (sampler, need): (knob, value).
SPARED: dict[tuple[str, str], tuple[str, object]] = {("qdit", "quality"): ("quality_weight", 0)}


def needs_of(key: str, params: Mapping[str, object]) -> frozenset[str]:
    """What a sampler reads of its pool with these values of its knobs."""
    spared = {
        need
        for (name, need), (knob, value) in SPARED.items()
        if name == key and params.get(knob) == value
    }
    return NEEDS[key] - spared


__all__ = ["NEEDS", "SAMPLERS", "SPARED", "Pool", "Sampler", "are_unit", "needs_of"]
