"""The compiled loops of samplers, imported by them when they are called: numba takes a second."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Loop], Loop]:  # noqa: ANN401  (numba's own)
    """Compile by numba and keep the result for other processes where there is a place for it."""

    def compile_(loop: Loop) -> Loop:
        made: Any
        try:
            made = njit(cache=True, **options)(loop)
        except RuntimeError:  # code that is read only, and no home: each process compiles anew
            made = njit(**options)(loop)
        return made

    return compile_
