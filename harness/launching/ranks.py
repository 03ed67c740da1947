"""Which of several processes this one is, its share of a work, and what they send each other.

A process by itself is the first of one: nothing here then imports torch or waits.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = timedelta(days=1)  # the others wait while the first runs programs or asks a judge
_place: tuple[int, int] | None = None  # this process's number from 0, of how many


def join() -> None:
    """Meet the processes that accelerate's launcher started beside this one, on its own device."""
    global _place
    import torch
    from accelerate import PartialState

    on_cpu = os.environ.get("ACCELERATE_USE_CPU") == "true"
    state: Any = PartialState(cpu=on_cpu, timeout=_PATIENCE)
    if state.device.type == "cuda":
        torch.cuda.set_device(state.device)
    _place = state.process_index, state.num_processes


def leave() -> None:
    """End the connection of the processes."""
    from accelerate import PartialState

    PartialState().destroy_process_group()


def in_launch() -> bool:
    """Whether this process was started beside others, if only one."""
    return _place is not None


def rank() -> int:
    """This process's number, from 0."""
    return _place[0] if _place else 0


def world() -> int:
    """How many processes share the work."""
    return _place[1] if _place else 1


def shard(parts: Sequence[T]) -> Sequence[T]:
    """The parts of a work that are this process's: every n-th of them."""
    return parts[rank() :: world()]


def gathered(value: T) -> list[T]:
    """What each of the processes has, in their order; each must call it."""
    if world() == 1:
        return [value]
    from torch.distributed import all_gather_object

    values: list[T] = [value] * world()
    all_gather_object(values, value)
    return values


def in_shards(items: list[T], compute: Callable[[list[T]], list[R]]) -> list[R]:
    """What ``compute`` gives for each item, of which each process computes its shard."""
    if world() == 1:
        return compute(items)
    own = list(shard(items))
    parts = gathered(compute(own) if own else [])
    return [parts[place % world()][place // world()] for place in range(len(items))]


def joined(values: np.ndarray, own: Sequence[Sequence[int]]) -> np.ndarray:
    """The values of all processes; this one has filled the places of its ``own`` batches."""
    if world() == 1:
        return values
    places = [place for batch in own for place in batch]
    for theirs, part in gathered((places, values[places])):
        values[theirs] = part
    return values
