"""Studies of curves: scores by size and by round, and what the rounds saw and cost."""

from harness.round_report.study import write_curves

__all__ = ["write_curves"]
