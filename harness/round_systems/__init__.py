"""Feedback-driven selection systems: plug-ins of the loop in ``harness/rounds.py``.

``ROUND_SYSTEMS[key](**knobs)`` is a frozen dataclass whose fields are its knobs. To add one, write
``harness/round_systems/<key>.py`` and name it below.
"""

from collections.abc import Callable

from harness.round_systems.diverse_evol import DiverseEvol
from harness.round_systems.kmq_iterative import KmqIterative
from harness.rounds import RoundSystem

ROUND_SYSTEMS: dict[str, Callable[..., RoundSystem]] = {
    "kmq_iterative": KmqIterative,
    "diverse_evol": DiverseEvol,
}

__all__ = ["ROUND_SYSTEMS"]
