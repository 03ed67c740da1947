"""Selection systems: pure functions, arrays in and indices out, one table of them.

``SAMPLERS[key](pool, budget, rng, **params)`` returns ``budget`` unique int64 indices in the order
of selection, none of them in ``pool.selected``, or raises a one-line ValueError. Ties go to the
lowest index. A sampler whose entry does not say ``chance`` ignores ``rng``. To add one, write
``harness/samplers/<key>.py`` and its entry below: docs/add-a-sampler.md.
"""

import numpy as np

from harness.params.knobs import Entry
from harness.samplers.deita import deita
from harness.samplers.k_center import k_center
from harness.samplers.km_closest import km_closest
from harness.samplers.km_random import km_random
from harness.samplers.kmq import kmq
from harness.samplers.pool import Pool, are_unit
from harness.samplers.qdit import qdit
from harness.samplers.random import random
from harness.samplers.top_k import top_k

# What a sampler may need of its pool. `unit` asks for rows of length 1, and so do `clusters`, which
# are of directions; all other samplers get the embeddings as they are.
NEEDS = ("embeddings", "unit", "clusters", "quality")

SAMPLERS: dict[str, Entry[np.ndarray]] = {
    "random": Entry(function=random, source="baseline", chance=True, cost="n"),
    "top_k": Entry(function=top_k, needs=frozenset({"quality"}), source="baseline", cost="n log n"),
    "deita": Entry(
        function=deita,
        needs=frozenset({"embeddings", "unit", "quality"}),
        source="Liu et al. 2023, arXiv 2312.15685",
        cost="n b at most",
    ),
    "qdit": Entry(
        function=qdit,
        needs=frozenset({"embeddings", "unit", "quality"}),
        spared={"quality": ("quality_weight", 0)},
        source="Bukharin & Zhao 2023, arXiv 2311.14736",
        cost="n²",
    ),
    "k_center": Entry(
        function=k_center,
        needs=frozenset({"embeddings"}),
        source="arXiv 2409.11378, eq. 1",
        cost="n b at most",
    ),
    "km_closest": Entry(
        function=km_closest,
        needs=frozenset({"embeddings", "clusters"}),
        source="arXiv 2409.11378, section 3.3",
        cost="n log n",
    ),
    "km_random": Entry(
        function=km_random,
        needs=frozenset({"clusters"}),
        source="arXiv 2409.11378, section 3.3",
        chance=True,
        cost="n",
    ),
    "kmq": Entry(
        function=kmq,
        needs=frozenset({"clusters", "quality"}),
        source="arXiv 2409.11378, eq. 3",
        chance=True,
        cost="n log n",
    ),
}

__all__ = ["NEEDS", "SAMPLERS", "Pool", "are_unit"]
