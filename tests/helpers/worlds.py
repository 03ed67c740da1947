"""A digest of a generated world."""

import hashlib

import pandas as pd

from harness.lab.world import World


def frame_bytes(frame: pd.DataFrame) -> bytes:
    return (frame.to_json(orient="split") or "").encode()


def world_digest(world: World) -> str:
    digest = hashlib.sha256()
    for frame in (world.pool, world.truth, world.pretraining):
        digest.update(frame_bytes(frame))
    digest.update(repr(world.benchmarks).encode())
    return digest.hexdigest()
