"""What a subset is, before any training: its measures, what choosing it cost, what its rounds saw.

Every report reads this; none reads the subsets themselves.
"""

from harness.describing.cell import describe_cell
from harness.describing.files import Described, SeedFacts, described_folder, read_described

__all__ = ["Described", "SeedFacts", "describe_cell", "described_folder", "read_described"]
