"""From the cells of a study to its tables and plots."""

from harness.report.sensitivity import write_sensitivity
from harness.report.study import write_scores

__all__ = ["write_scores", "write_sensitivity"]
