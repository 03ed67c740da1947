"""Feedback-driven selection systems, plug-ins of the loop in ``harness/round_systems/loop.py``.

``ROUND_SYSTEMS[key](**knobs)`` is a frozen dataclass whose fields are its knobs. To add one, write
``harness/round_systems/<key>.py`` and its entry below.
"""

from harness.params.knobs import Entry
from harness.round_systems.diverse_evol import DiverseEvol
from harness.round_systems.kmq_iterative import KmqIterative
from harness.round_systems.loop import RoundSystem

# `models`: it trains. An entry's needs are those of its default knobs.
ROUND_SYSTEMS: dict[str, Entry[RoundSystem]] = {
    "kmq_iterative": Entry(
        function=KmqIterative,
        needs=frozenset({"clusters", "quality", "models"}),
        source="arXiv 2409.11378, Algorithm 1",
        chance=True,
        cost="a training and an answer a row taken, in every round but the last",
    ),
    "diverse_evol": Entry(
        function=DiverseEvol,
        needs=frozenset({"models"}),
        source="arXiv 2311.08182",
        chance=True,
        cost="a training and a reading of the pool, in every round but the last",
    ),
}

__all__ = ["ROUND_SYSTEMS"]
