"""The studies by round: scores of the beginnings of selections, and what the rounds saw and cost.

A package of its own: were it part of ``harness.report``, a change here would make the main study's
report again.
"""

from harness.round_report.reading import prune_rounds
from harness.round_report.study import write_round_report

__all__ = ["prune_rounds", "write_round_report"]
