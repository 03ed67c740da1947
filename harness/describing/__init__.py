"""What a subset is before any training: its measures, what selecting it cost, what its rounds saw.

Reports read these descriptions, never the subsets themselves.
"""

from harness.describing.cell import describe_cell
from harness.describing.files import Described, SeedFacts, described_folder, read_described

__all__ = ["Described", "SeedFacts", "describe_cell", "described_folder", "read_described"]
