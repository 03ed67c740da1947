"""Pools: reading them, and making what the pipeline starts from (``prepare``)."""

from harness.pools.preparing import Prepared, check_budget, prepare
from harness.pools.sources import POOLS

__all__ = ["POOLS", "Prepared", "check_budget", "prepare"]
