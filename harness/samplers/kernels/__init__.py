"""The compiled loops of samplers, imported when they are called: numba takes a second."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Loop], Loop]:  # noqa: ANN401  (numba's own)
    """Compile by numba and cache the result on disk where possible."""

    def compile_(loop: Loop) -> Loop:
        made: Any
        try:
            made = njit(cache=True, **options)(loop)
        except RuntimeError:  # no writable folder: each process compiles
            made = njit(**options)(loop)
        return made

    return compile_


def columns(rows: np.ndarray, room: int, lanes: int, fill: float) -> np.ndarray:
    """Rows (m, d) as columns in blocks with room for ``room``: (blocks, d, lanes) float32."""
    blocks = np.full((-(-room // lanes), rows.shape[1], lanes), fill, dtype=np.float32)
    for b in range(-(-len(rows) // lanes)):
        part = rows[b * lanes : (b + 1) * lanes]
        blocks[b, :, : len(part)] = part.T
    return blocks
